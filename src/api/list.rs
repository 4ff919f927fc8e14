//! Which of many are wanted.

use super::problem::Problem;
use crate::percent;

/// How many are told at once unless the request says.
const DEFAULT_LIMIT: usize = 1000;

/// The most that are told at once.
const MAX_LIMIT: usize = 10_000;

/// A list, as a query asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Which are in it.
    pub filter: Filter,
    /// Which part of it is wanted.
    pub page: Page,
}

/// What all of a list have in common; what is unset may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Which of the configured servers; 0 is the first.
    pub server: Option<usize>,
    /// The application's name.
    pub application: Option<String>,
    /// The stream's name.
    pub stream: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// Whether the client, or somebody, publishes the stream.
    pub publishing: Option<bool>,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many are left out at the beginning.
    pub offset: usize,
    /// How many there are at most.
    pub limit: usize,
}

impl List {
    /// What a query asks for.
    ///
    /// # Errors
    ///
    /// A [`Problem::Argument`].
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let text = |name| argument(query, name);
        let publishing = match text("publishing").as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => {
                return Err(Problem::Argument { name: "publishing", right: "true or false" });
            }
        };
        let filter = Filter {
            server: server(query)?,
            application: text("application"),
            stream: text("stream"),
            address: text("address"),
            publishing,
        };
        Ok(Self { filter, page: Page::parse(query)? })
    }
}

impl Page {
    fn parse(query: &str) -> Result<Self, Problem> {
        let limit = number(query, "limit", "a number from 1 to 10000")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::Argument { name: "limit", right: "a number from 1 to 10000" });
        }
        let offset = number(query, "offset", "a number, 0 or more")?.unwrap_or(0);
        Ok(Self { offset, limit })
    }

    /// That part of a list.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.offset).take(self.limit).collect()
    }
}

/// Which server a query names.
///
/// # Errors
///
/// A [`Problem::Argument`].
pub(super) fn server(query: &str) -> Result<Option<usize>, Problem> {
    number(query, "server", "the index of a server, 0 is the first")
}

fn number(query: &str, name: &'static str, right: &'static str) -> Result<Option<usize>, Problem> {
    let number = argument(query, name).map(|text| text.parse());
    number.transpose().map_err(|_| Problem::Argument { name, right })
}

/// The value of an argument that is there, as forms encode it.
fn argument(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let decoded = percent::decode(&value.replace('+', " "));
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_filters_and_pages() {
        let list = List::parse(
            "server=1&application=live&stream=a%2bb+c&address=%3A%3A1&publishing=true&limit=5&\
             offset=10&token=x",
        );
        let filter = Filter {
            server: Some(1),
            application: Some("live".into()),
            stream: Some("a+b c".into()),
            address: Some("::1".into()),
            publishing: Some(true),
        };
        assert_eq!(list, Ok(List { filter, page: Page { offset: 10, limit: 5 } }));
        let page = Page { offset: 0, limit: 1000 };
        assert_eq!(List::parse(""), Ok(List { filter: Filter::default(), page }));
        // The stream without a name is one.
        assert_eq!(List::parse("stream=").unwrap().filter.stream, Some(String::new()));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (query, wrong) in [
            ("limit=0", "limit"),
            ("limit=10001", "limit"),
            ("limit=", "limit"),
            ("offset=-1", "offset"),
            ("server=x", "server"),
            ("publishing=1", "publishing"),
        ] {
            let problem = List::parse(query).unwrap_err();
            assert!(matches!(problem, Problem::Argument { name, .. } if name == wrong), "{query}");
        }
    }

    #[test]
    fn pages_end_where_the_list_does() {
        let page = |offset, limit| Page { offset, limit }.of((0..5).collect::<Vec<_>>());
        assert_eq!(page(0, 2), [0, 1]);
        assert_eq!(page(4, 2), [4]);
        assert!(page(5, 2).is_empty() && page(usize::MAX, usize::MAX).is_empty());
    }
}
