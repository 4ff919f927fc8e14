//! A part of a relay's URL with variables in it.

use crate::client::Publication;

/// Text with `$name` or `${name}` in it. What is no variable of ours stays as it is: stream keys may
/// have a `$`.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// Gives a variable its value for a stream.
type Variable = fn(&Publication) -> &str;

const VARIABLES: [(&str, Variable); 9] = [
    ("name", |it| &it.name),
    ("args", |it| &it.args),
    ("app", |it| &it.client.app),
    ("flashver", |it| &it.client.flash_ver),
    ("swfurl", |it| &it.client.swf_url),
    ("tcurl", |it| &it.client.tc_url),
    ("pageurl", |it| &it.client.page_url),
    ("addr", |it| &it.client.addr),
    ("remote_addr", |it| &it.client.addr),
];

impl Template {
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, from_dollar) = rest.split_at(dollar);
            match variable(&from_dollar[1..]) {
                Some((variable, after)) => {
                    parts.extend([Part::Text(before.to_owned()), Part::Variable(variable)]);
                    rest = after;
                }
                None => {
                    parts.push(Part::Text(rest[..=dollar].to_owned()));
                    rest = &from_dollar[1..];
                }
            }
        }
        parts.push(Part::Text(rest.to_owned()));
        Self(parts)
    }

    pub(super) fn expand(&self, publication: &Publication) -> String {
        let expand = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(variable) => variable(publication).to_owned(),
        };
        self.0.iter().map(expand).collect()
    }
}

/// The variable that `text` begins with, without its `$`, and what follows it.
fn variable(text: &str) -> Option<(Variable, &str)> {
    let (name, after) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => {
            let is_part = |char: char| char.is_ascii_lowercase() || char == '_';
            text.split_at(text.find(|char| !is_part(char)).unwrap_or(text.len()))
        }
    };
    VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, variable)| (*variable, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientInfo;

    #[test]
    fn variables_get_their_values_and_other_text_stays() {
        let client = ClientInfo { app: "live".into(), addr: "::1".into(), ..ClientInfo::default() };
        let publication = Publication {
            client: client.into(),
            name: "cam".into(),
            args: "a=$app&b".into(),
            kind: crate::rtmp::command::PublishKind::Live,
        };
        for (text, expanded) in [
            ("", ""),
            ("live2/key", "live2/key"),
            ("$name", "cam"),
            ("x-${name}y?$args&k=1", "x-camy?a=$app&b&k=1"),
            ("$app/$remote_addr", "live/::1"),
            ("$", "$"),
            ("$$name$", "$cam$"),
            ("k$ey-${name", "k$ey-${name"),
            ("$names-${}", "$names-${}"),
            ("ä$nameß", "äcamß"),
        ] {
            assert_eq!(Template::new(text).expand(&publication), expanded, "{text}");
        }
    }
}
