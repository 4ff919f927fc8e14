//! The bytes of a request.

use super::Url;

/// What is asked of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Give it.
    Get,
    /// Process what is sent.
    #[default]
    Post,
}

/// A request on a connection that lives on, if the server lets it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked.
    pub method: Method,
    /// The server's, from which `Host` is taken.
    pub url: &'a Url,
    /// Path and query.
    pub target: &'a str,
    /// Further header fields, good ones as [`check_header`] says. They go before those that are made
    /// here, and instead of one of the same name.
    pub headers: &'a [(String, String)],
    /// What is sent, and of which type; none with [`Method::Get`].
    pub body: Option<(&'a str, &'a [u8])>,
}

/// Why a header field cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAHeader {
    /// It is no token (RFC 9110, 5.6.2).
    #[error("has an invalid name")]
    Name,
    /// It says how the message is framed.
    #[error("has a name whose value is not free to choose")]
    Framing,
    /// It has a control character.
    #[error("has an invalid value")]
    Value,
}

/// The fields that say where a message ends, and what becomes of its connection.
const FRAMING: [&str; 4] = ["Connection", "Content-Length", "Transfer-Encoding", "Expect"];

/// Checks a header field (RFC 9110, 5.5).
///
/// # Errors
///
/// [`NotAHeader`] if a request cannot have it.
pub fn check_header(name: &str, value: &str) -> Result<(), NotAHeader> {
    let is_of_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_of_token) {
        return Err(NotAHeader::Name);
    }
    if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
        return Err(NotAHeader::Framing);
    }
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Err(NotAHeader::Value);
    }
    Ok(())
}

impl Request<'_> {
    /// The request as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let method = match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let mut text = format!("{method} {} HTTP/1.1\r\n", self.target);
        let mut push = |name: &str, value: &str| {
            text.extend([name, ": ", value, "\r\n"]);
        };
        for (name, value) in self.headers {
            push(name, value);
        }
        let mut push_own = |name: &str, value: &str| {
            if !self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
                push(name, value);
            }
        };
        push_own("Host", &self.url.authority());
        push_own("User-Agent", concat!("ngx-rtmp/", env!("CARGO_PKG_VERSION")));
        push_own("Accept", "*/*");
        if let Some((kind, body)) = self.body {
            push_own("Content-Type", kind);
            push_own("Content-Length", &body.len().to_string());
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.body.map_or(&[][..], |(_, body)| body));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(url: &'a Url, headers: &'a [(String, String)]) -> Request<'a> {
        Request { method: Method::Get, url, target: &url.target, headers, body: None }
    }

    #[test]
    fn a_get_has_no_body() {
        let url = Url::parse("http://h:8080/p?q").unwrap();
        let agent = concat!("User-Agent: ngx-rtmp/", env!("CARGO_PKG_VERSION"), "\r\n");
        let expected = format!("GET /p?q HTTP/1.1\r\nHost: h:8080\r\n{agent}Accept: */*\r\n\r\n");
        assert_eq!(request(&url, &[]).encode(), expected.as_bytes());
    }

    #[test]
    fn fields_that_are_given_replace_ours() {
        let url = Url::parse("h/p").unwrap();
        let headers = [
            ("host".to_owned(), "other".to_owned()),
            ("X-Key".to_owned(), "1".to_owned()),
            ("User-Agent".to_owned(), "me".to_owned()),
        ];
        let request = Request {
            method: Method::Post,
            body: Some(("text/plain", b"a=b")),
            ..request(&url, &headers)
        };
        let expected = "POST /p HTTP/1.1\r\nhost: other\r\nX-Key: 1\r\nUser-Agent: me\r\n\
             Accept: */*\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\na=b";
        assert_eq!(request.encode(), expected.as_bytes());
    }

    #[test]
    fn headers_that_would_break_a_request_are_refused() {
        assert_eq!(check_header("Authorization", "Bearer a b"), Ok(()));
        for (name, value, error) in [
            ("", "x", NotAHeader::Name),
            ("A B", "x", NotAHeader::Name),
            ("A:", "x", NotAHeader::Name),
            ("content-length", "1", NotAHeader::Framing),
            ("Connection", "close", NotAHeader::Framing),
            ("X", "a\r\nY: b", NotAHeader::Value),
        ] {
            assert_eq!(check_header(name, value), Err(error), "{name}: {value}");
        }
    }
}
