//! Which of the servers of one address a client means, by the host of the URL it connects to: the
//! directive `server_name`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The longest host name (RFC 1035, 2.3.4).
const MAX_HOST: usize = 255;

/// The names that a server has, besides patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name<P> {
    /// `example.com`; the empty one is that of clients that name no host.
    Exact(String),
    /// `.example.com`, given without the dot: the domain itself and all below it.
    Domain(String),
    /// `*.example.com`, given without `*.`: all below the domain.
    Below(String),
    /// `www.example.*`, given without `.*`: the name in all domains.
    Anywhere(String),
    /// `~^www[0-9]`: what a pattern matches.
    Pattern(P),
}

/// A pattern of host names.
pub trait Pattern {
    /// Whether a host's name, in lower case, matches.
    fn matches(&self, host: &str) -> bool;
}

/// Why a text is no server's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must be a host name, *.DOMAIN, .DOMAIN, NAME.* or ~REGEX, with an asterisk in no other place"
)]
pub struct NotAName;

impl<P> Name<P> {
    /// The name that `text`, which is no pattern, stands for.
    ///
    /// # Errors
    ///
    /// [`NotAName`] if it can be the name of no host.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let text = text.to_ascii_lowercase();
        let (make, rest): (fn(String) -> Self, _) = if let Some(rest) = text.strip_prefix("*.") {
            (Self::Below, rest)
        } else if let Some(rest) = text.strip_prefix('.') {
            (Self::Domain, rest)
        } else if let Some(rest) = text.strip_suffix(".*") {
            (Self::Anywhere, rest)
        } else {
            (Self::Exact, text.as_str())
        };
        let is_exact = rest.len() == text.len();
        if rest.contains('*') || (rest.is_empty() && !is_exact) {
            return Err(NotAName);
        }
        if !rest.is_empty() && normalise(rest).is_none_or(|host| host != rest) {
            return Err(NotAName);
        }
        Ok(make(rest.to_owned()))
    }
}

/// The servers of one address.
///
/// Of those that have a name for a host, an exact one goes before a domain, a longer domain before a
/// shorter one, these before the beginning of a name, and that before patterns, which are tried in
/// their order. A host that no name is for is the default server's.
#[derive(Debug)]
pub struct VirtualHosts<S, P> {
    default: S,
    exact: HashMap<String, S>,
    below: HashMap<String, S>,
    anywhere: HashMap<String, S>,
    patterns: Vec<(P, S)>,
}

impl<S: Clone, P: Pattern> VirtualHosts<S, P> {
    /// An address where `default` is the server of every host.
    pub fn new(default: S) -> Self {
        Self {
            default,
            exact: HashMap::new(),
            below: HashMap::new(),
            anywhere: HashMap::new(),
            patterns: Vec::new(),
        }
    }

    /// Gives `server` a name. Of two servers of a name the first one keeps it; then this is `false`.
    pub fn insert(&mut self, name: Name<P>, server: &S) -> bool {
        match name {
            Name::Exact(host) => insert(&mut self.exact, host, server),
            Name::Below(domain) => insert(&mut self.below, domain, server),
            Name::Domain(domain) => {
                let itself = insert(&mut self.exact, domain.clone(), server);
                insert(&mut self.below, domain, server) && itself
            }
            Name::Anywhere(start) => insert(&mut self.anywhere, start, server),
            Name::Pattern(pattern) => {
                self.patterns.push((pattern, server.clone()));
                true
            }
        }
    }

    /// The server of a host, as [`host_of`] gives it.
    pub fn find(&self, host: Option<&str>) -> &S {
        let Some(host) = host else {
            return self.exact.get("").unwrap_or(&self.default);
        };
        let dots = || host.match_indices('.').map(|(at, _)| at);
        self.exact
            .get(host)
            .or_else(|| dots().find_map(|dot| self.below.get(&host[dot + 1..])))
            .or_else(|| dots().rev().find_map(|dot| self.anywhere.get(&host[..dot])))
            .or_else(|| {
                let mut patterns = self.patterns.iter();
                patterns.find(|(pattern, _)| pattern.matches(host)).map(|(_, server)| server)
            })
            .unwrap_or(&self.default)
    }
}

fn insert<S: Clone>(names: &mut HashMap<String, S>, name: String, server: &S) -> bool {
    match names.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(server.clone());
            true
        }
        Entry::Occupied(_) => false,
    }
}

/// The host in a URL such as `rtmp://host:1935/app`, in lower case and without a final dot; none if
/// there is none, or if it can be no host's.
pub fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let end = match host.strip_prefix('[') {
        Some(literal) => literal.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    normalise(&host[..end])
}

/// A host in lower case and without a final dot, if it can be one.
pub fn normalise(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_literal = host.starts_with('[');
    let may_be = |byte: u8| match byte {
        b':' | b'[' | b']' => is_literal,
        // Not only letters and digits: names are compared, not looked up.
        b'/' | b'@' | b'?' | b'#' | b'\\' | 0x7f => false,
        _ => byte > b' ',
    };
    let is_host = !host.is_empty()
        && host.len() <= MAX_HOST
        && host.bytes().all(may_be)
        && !host.starts_with('.')
        && !host.contains("..");
    is_host.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern that matches what contains it.
    #[derive(Debug, PartialEq)]
    struct Contains(&'static str);

    impl Pattern for Contains {
        fn matches(&self, host: &str) -> bool {
            host.contains(self.0)
        }
    }

    fn name(text: &'static str) -> Name<Contains> {
        match text.strip_prefix('~') {
            Some(pattern) => Name::Pattern(Contains(pattern)),
            None => Name::parse(text).unwrap(),
        }
    }

    /// An address whose servers are called by their only name, with the default server "".
    fn hosts(names: &[&'static str]) -> VirtualHosts<&'static str, Contains> {
        let mut hosts = VirtualHosts::new("default");
        for text in names {
            assert!(hosts.insert(name(text), text), "{text}");
        }
        hosts
    }

    #[test]
    fn host_is_found_in_urls() {
        for (url, host) in [
            ("rtmp://Example.COM/live", "example.com"),
            ("rtmp://example.com:1935/live", "example.com"),
            ("rtmps://example.com.", "example.com"),
            ("rtmp://user:pass@example.com/live", "example.com"),
            ("rtmp://a@b@example.com:1/live", "example.com"),
            ("rtmp://example.com?x=http://y/", "example.com"),
            ("rtmp://[2001:DB8::1]:1935/live", "[2001:db8::1]"),
            ("rtmp://192.0.2.1/live", "192.0.2.1"),
            ("rtmp://bücher.example/", "bücher.example"),
            ("http://a_b-c/", "a_b-c"),
        ] {
            assert_eq!(host_of(url).as_deref(), Some(host), "{url}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        let long = format!("rtmp://{}/", "a".repeat(256));
        for url in [
            "",
            "rtmp:",
            "rtmp://",
            "rtmp:///live",
            "rtmp://:1935/live",
            "rtmp://./live",
            "example.com/live",
            "rtmp://a..b/live",
            "rtmp://.a/live",
            "rtmp://a b/live",
            "rtmp://a\0b/live",
            "rtmp://a\nb/live",
            "rtmp://a\\b/live",
            "rtmp://a]/live",
            "rtmp://[::1/live",
            "rtmp://[/]/live",
            "rtmp://@/live",
            "rtmp://[é",
            &long,
        ] {
            assert_eq!(host_of(url), None, "{url:?}");
        }
        assert_eq!(host_of(&format!("rtmp://{}", "a".repeat(255))).unwrap().len(), 255);
    }

    #[test]
    fn best_name_wins_whatever_the_order() {
        let mut names = [
            "www.example.com",
            ".example.com",
            "*.sub.example.com",
            "www.example.*",
            "www.*",
            "~xamp",
            "~x",
        ];
        for _ in 0..2 {
            let hosts = hosts(&names);
            for (host, server) in [
                ("www.example.com", "www.example.com"),
                ("example.com", ".example.com"),
                ("a.b.example.com", ".example.com"),
                ("sub.example.com", ".example.com"),
                ("a.sub.example.com", "*.sub.example.com"),
                ("www.example.org", "www.example.*"),
                ("www.example.co.uk", "www.example.*"),
                ("www.elsewhere.org", "www.*"),
                ("www", "default"),
                ("example.net", "~xamp"),
                ("box", "~x"),
                ("[::1]", "default"),
            ] {
                assert_eq!(*hosts.find(Some(host)), server, "{host}");
            }
            assert_eq!(*hosts.find(None), "default");
            // Only the order of patterns matters.
            names[..5].reverse();
        }
    }

    #[test]
    fn empty_name_is_that_of_clients_without_a_host() {
        let hosts = hosts(&["", "a"]);
        assert_eq!(*hosts.find(None), "");
        assert_eq!(*hosts.find(Some("b")), "default");
    }

    #[test]
    fn first_of_two_servers_keeps_a_name() {
        let mut hosts = hosts(&["example.com", "*.example.com", "www.*"]);
        for text in ["EXAMPLE.com", "*.example.com", ".example.com", "www.*"] {
            assert!(!hosts.insert(name(text), &"second"), "{text}");
        }
        assert_eq!(*hosts.find(Some("example.com")), "example.com");
        assert_eq!(*hosts.find(Some("a.example.com")), "*.example.com");
        assert_eq!(*hosts.find(Some("www.a")), "www.*");
    }

    #[test]
    fn names_are_checked() {
        for text in [
            "*", "*.", ".", ".*", "a*", "*a.b", "a.*.b", "*.a.*", "a..b", "..a", "a b", "a/b",
            "a:1",
        ] {
            assert_eq!(Name::<Contains>::parse(text), Err(NotAName), "{text}");
        }
        assert_eq!(name("A.b"), Name::Exact("a.b".into()));
        assert_eq!(name("[::1]"), Name::Exact("[::1]".into()));
    }
}
