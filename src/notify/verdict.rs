//! What a reply says.

use md5::{Digest, Md5};

use crate::http::Head;

/// What becomes of a client that wants to connect, publish or play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may, under another name.
    Rename {
        /// The stream, or the application; 1 to 255 bytes.
        name: String,
        /// The query, if another one comes with the name; up to 2048 bytes.
        args: Option<String>,
    },
    /// It may, and the stream is also pushed to, or pulled from, this URL.
    Redirect(String),
    /// It may not.
    Deny(Denial),
}

/// Why a client may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The reply's status is neither 2xx nor 3xx.
    #[error("the callback's reply is {0}")]
    Status(u16),
    /// The reply gives a name that no stream can have.
    #[error("the callback's reply has a Location that is no name")]
    Name,
}

/// What ends a client that is told of regularly: the directive `notify_update_strict`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdatePolicy {
    /// A reply of 4xx or 5xx. That a server is away ends nobody.
    #[default]
    Lenient,
    /// Everything but a reply of 2xx.
    Strict,
}

/// Longest name and query, as of those that clients send.
const MAX_NAME: usize = 255;
const MAX_ARGS: usize = 2048;

impl Verdict {
    /// What a reply says. Its body says nothing.
    pub fn of(head: &Head) -> Self {
        match (head.status, head.field("Location")) {
            (200..=299, _) | (300..=399, None | Some("")) => Self::Allow,
            (300..=399, Some(location)) => Self::of_location(location),
            (status, _) => Self::Deny(Denial::Status(status)),
        }
    }

    fn of_location(location: &str) -> Self {
        let has_scheme = |scheme: &str| {
            location.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if has_scheme("rtmp://") || has_scheme("rtmps://") {
            return match location.len() <= MAX_ARGS {
                true => Self::Redirect(location.to_owned()),
                false => Self::Deny(Denial::Name),
            };
        }
        let (name, args) = match location.split_once('?') {
            Some((name, args)) => (name, Some(args)),
            None => (location, None),
        };
        // Frameworks make a whole URL of what they are told to redirect to.
        let name = match has_scheme("http://") || has_scheme("https://") {
            true => name.rsplit('/').next().unwrap_or_default(),
            false => name.trim_start_matches('/'),
        };
        let is_too_long = name.len() > MAX_NAME || args.is_some_and(|it| it.len() > MAX_ARGS);
        if name.is_empty() || is_too_long || name.contains(|c: char| c.is_control()) {
            return Self::Deny(Denial::Name);
        }
        Self::Rename { name: name.to_owned(), args: args.map(str::to_owned) }
    }
}

/// The name by which a stream is known that is relayed to or from `url`: its MD5.
pub fn relay_name(url: &str) -> String {
    Md5::digest(url).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl UpdatePolicy {
    /// Whether the client lives on; `status` is that of the reply, if there was one.
    pub const fn keeps(self, status: Option<u16>) -> bool {
        match (self, status) {
            (_, Some(200..=299)) | (Self::Lenient, None | Some(300..=399)) => true,
            (Self::Lenient, Some(_)) | (Self::Strict, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Part, Response};

    fn verdict(status: u16, location: Option<&str>) -> Verdict {
        let location = location.map_or_else(String::new, |it| format!("Location: {it}\r\n"));
        let text = format!("HTTP/1.1 {status} X\r\n{location}\r\n");
        match Response::default().handle_input(&mut text.as_bytes()).unwrap() {
            Some(Part::Head(head)) => Verdict::of(&head),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_status_decides() {
        for status in [200, 201, 204, 299] {
            assert_eq!(verdict(status, Some("x")), Verdict::Allow);
        }
        assert_eq!(verdict(304, None), Verdict::Allow);
        assert_eq!(verdict(302, Some("")), Verdict::Allow);
        for status in [400, 403, 404, 500, 503, 999] {
            assert_eq!(verdict(status, Some("x")), Verdict::Deny(Denial::Status(status)));
        }
    }

    #[test]
    fn a_location_renames() {
        let rename = |name: &str, args: Option<&str>| Verdict::Rename {
            name: name.into(),
            args: args.map(Into::into),
        };
        for (location, expected) in [
            ("key", rename("key", None)),
            ("key?a=b?c", rename("key", Some("a=b?c"))),
            ("key?", rename("key", Some(""))),
            ("/a/b", rename("a/b", None)),
            ("http://h:80/x/key?a", rename("key", Some("a"))),
            ("HTTPS://h/key", rename("key", None)),
            ("rtmpish", rename("rtmpish", None)),
        ] {
            assert_eq!(verdict(302, Some(location)), expected, "{location}");
        }
        let long = "x".repeat(256);
        let long_args = format!("x?{}", "y".repeat(2049));
        for location in ["/", "?a", "http://h/", "a\u{85}b", &long, &long_args] {
            assert_eq!(verdict(302, Some(location)), Verdict::Deny(Denial::Name), "{location}");
        }
    }

    #[test]
    fn an_rtmp_url_redirects() {
        for url in ["rtmp://h/app/name", "RTMP://1.2.3.4:1/a/b?c", "rtmps://h/app/name"] {
            assert_eq!(verdict(301, Some(url)), Verdict::Redirect(url.into()));
        }
        // By md5sum.
        assert_eq!(relay_name("rtmp://h/app/name"), "ba70f9d79fa14e902c64ea4526ca5d00");
    }

    #[test]
    fn updates_end_clients_as_the_policy_says() {
        for (status, lenient, strict) in [
            (Some(200), true, true),
            (Some(302), true, false),
            (None, true, false),
            (Some(404), false, false),
            (Some(500), false, false),
        ] {
            assert_eq!(UpdatePolicy::Lenient.keeps(status), lenient, "{status:?}");
            assert_eq!(UpdatePolicy::Strict.keeps(status), strict, "{status:?}");
        }
    }
}
