//! What is asked, and where.

use std::fmt;
use std::net::Ipv6Addr;

/// An absolute `http` or `https` URL (RFC 9110, 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// A name or an address, without the brackets of an IPv6 address.
    pub host: String,
    /// Given, or the scheme's own.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub target: String,
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Why a text is no URL that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAUrl {
    /// Another scheme.
    #[error("it must begin with \"http://\", \"https://\" or a host")]
    Scheme,
    /// A name and password before the host.
    #[error("it must not hold a user, whom an \"Authorization\" header tells")]
    User,
    /// No host, or one of characters that no host has.
    #[error("it has no valid host")]
    Host,
    /// Not from 1 to 65535.
    #[error("it has no valid port")]
    Port,
    /// A space or control character in the path or query.
    #[error("it has a space or control character, which must be percent-encoded")]
    Target,
}

impl Url {
    /// The URL `[http://|https://]HOST[:PORT][/PATH][?QUERY]`. A fragment is left out.
    ///
    /// # Errors
    ///
    /// [`NotAUrl`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NotAUrl> {
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Http, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((before, _)) if before.contains(['/', '?', '#']) => (Scheme::Http, text),
            Some(_) => return Err(NotAUrl::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if target.contains(|c: char| c == ' ' || c.is_control()) {
            return Err(NotAUrl::Target);
        }
        let (host, port) = split_authority(authority)?;
        let port = port.map_or_else(|| Ok(scheme.port()), parse_port)?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { scheme, host: host.to_owned(), port, target: format!("{slash}{target}") })
    }

    /// The value of the header `Host`: the port is left out if it is the scheme's own.
    pub fn authority(&self) -> String {
        let Self { scheme, host, port, .. } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if *port == scheme.port() { host } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Url {
    /// Without the query, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{}://{}{path}", self.scheme.as_str(), self.authority())
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<&str>), NotAUrl> {
    if authority.contains('@') {
        return Err(NotAUrl::User);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(NotAUrl::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| NotAUrl::Host)?;
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err(NotAUrl::Host),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || !host.chars().all(is_of_host) {
        return Err(NotAUrl::Host);
    }
    Ok((host, port))
}

fn parse_port(text: &str) -> Result<u16, NotAUrl> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| is_number && port > 0).ok_or(NotAUrl::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url() {
        for (text, scheme, host, port, target, authority) in [
            ("http://a", Scheme::Http, "a", 80, "/", "a"),
            ("a.b/c?d=e", Scheme::Http, "a.b", 80, "/c?d=e", "a.b"),
            ("localhost:8080?x", Scheme::Http, "localhost", 8080, "/?x", "localhost:8080"),
            ("HTTPS://h:443/#f", Scheme::Https, "h", 443, "/", "h"),
            ("https://h:80/a//b", Scheme::Https, "h", 80, "/a//b", "h:80"),
            ("[::1]/x", Scheme::Http, "::1", 80, "/x", "[::1]"),
            (
                "https://[2001:db8::1]:8443",
                Scheme::Https,
                "2001:db8::1",
                8443,
                "/",
                "[2001:db8::1]:8443",
            ),
            ("h/p?to=http://x", Scheme::Http, "h", 80, "/p?to=http://x", "h"),
        ] {
            let url = Url::parse(text).unwrap();
            let expected = Url { scheme, host: host.into(), port, target: target.into() };
            assert_eq!((&url, url.authority()), (&expected, authority.to_owned()), "{text}");
        }
        let shown = Url::parse("https://h:1/p?key=secret").unwrap().to_string();
        assert_eq!(shown, "https://h:1/p");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, error) in [
            ("ftp://a", NotAUrl::Scheme),
            ("rtmp://a/b", NotAUrl::Scheme),
            ("", NotAUrl::Host),
            ("http://", NotAUrl::Host),
            ("http:///p", NotAUrl::Host),
            ("http://a b/", NotAUrl::Host),
            ("http://[::1", NotAUrl::Host),
            ("http://[::g]/", NotAUrl::Host),
            ("http://[::1]8/", NotAUrl::Host),
            ("http://u:p@h/", NotAUrl::User),
            ("http://h:0/", NotAUrl::Port),
            ("http://h:/", NotAUrl::Port),
            ("http://h:+80/", NotAUrl::Port),
            ("http://h:65536/", NotAUrl::Port),
            ("http://h/a b", NotAUrl::Target),
            ("http://h/a\r\nX: y", NotAUrl::Target),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }
}
