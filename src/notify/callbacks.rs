//! Whom to ask or tell, and how.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::call::{Call, Hook};
use crate::http::{Method, Request, Url};

/// The callbacks of an application or a server.
#[derive(Clone, Debug, Default)]
pub struct Callbacks {
    /// Where each is.
    pub urls: BTreeMap<Hook, Url>,
    /// How they are called.
    pub style: Style,
}

/// How callbacks are called.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// With [`Method::Get`] a call is a query, whatever `format` says.
    pub method: Method,
    /// What is sent with [`Method::Post`].
    pub format: Format,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
    /// What signs calls.
    pub signer: Option<Signer>,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// What lets a server know that a call is ours: it adds the header `X-Signature`, `sha256=` and the
/// HMAC-SHA256 of the body, or of the query that is added to the URL, in hexadecimal digits.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Callbacks {
    /// The request that makes a call, and where it goes; none if nobody wants it.
    pub fn request(&self, call: Call<'_>) -> Option<(&Url, Vec<u8>)> {
        let url = self.urls.get(&call.event.hook())?;
        Some((url, self.style.request(url, call)))
    }

    /// Whether a call of the hook would be made.
    pub fn has(&self, hook: Hook) -> bool {
        self.urls.contains_key(&hook)
    }
}

impl Style {
    fn request(&self, url: &Url, call: Call<'_>) -> Vec<u8> {
        let form = "application/x-www-form-urlencoded";
        match (self.method, self.format) {
            (Method::Post, Format::Form) => self.post(url, form, call.to_form().as_bytes()),
            (Method::Post, Format::Json) => self.post(url, "application/json", &call.to_json()),
            (Method::Get, _) => self.get(url, &sendable(&call.to_form())),
        }
    }

    fn post(&self, url: &Url, kind: &str, body: &[u8]) -> Vec<u8> {
        let headers = &self.headers_for(body);
        let (target, body) = (url.target.as_str(), Some((kind, body)));
        Request { method: Method::Post, url, target, headers, body }.encode()
    }

    fn get(&self, url: &Url, query: &str) -> Vec<u8> {
        let headers = &self.headers_for(query.as_bytes());
        let mark = if url.target.contains('?') { '&' } else { '?' };
        let target = &format!("{}{mark}{query}", url.target);
        Request { method: Method::Get, url, target, headers, body: None }.encode()
    }

    fn headers_for(&self, text: &[u8]) -> Vec<(String, String)> {
        let signature = self.signer.as_ref().map(|it| ("X-Signature".to_owned(), it.sign(text)));
        self.headers.iter().cloned().chain(signature).collect()
    }
}

/// The query without what would end a request line: what a client has sent is in it as it is.
fn sendable(query: &str) -> String {
    let escape = |c: char| match c {
        ' ' => "%20".to_owned(),
        c if c.is_ascii_control() => format!("%{:02X}", c as u32),
        c => c.to_string(),
    };
    query.chars().map(escape).collect()
}

impl Signer {
    /// What signs with the key `key`, of any length.
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    fn sign(&self, text: &[u8]) -> String {
        let tag = self.0.clone().chain_update(text).finalize().into_bytes();
        tag.iter().fold("sha256=".to_owned(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Subject};
    use super::*;
    use crate::client::ClientInfo;

    /// The request line, the header and the body.
    fn request(url: &str, style: Style) -> (String, String, String) {
        let urls = BTreeMap::from([(Hook::Done, Url::parse(url).unwrap())]);
        let client = ClientInfo { app: "live".into(), ..ClientInfo::default() };
        let stream = Some(Subject { name: "cam", args: "a b\r\nX: y" });
        let call = Call { client: &client, stream, event: Event::Done };
        let callbacks = Callbacks { urls, style };
        assert!(callbacks.request(Call { event: Event::PlayDone, ..call }).is_none());
        let (_, bytes) = callbacks.request(call).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let (line, header) = head.split_once("\r\n").unwrap();
        (line.to_owned(), header.to_owned(), body.to_owned())
    }

    const FORM: &str =
        "app=live&flashver=&swfurl=&tcurl=&pageurl=&addr=&clientid=0&call=done&name=cam";

    #[test]
    fn a_post_has_a_body() {
        let (line, header, body) = request("h/p?q", Style::default());
        assert_eq!(line, "POST /p?q HTTP/1.1");
        assert_eq!(body, format!("{FORM}&a b\r\nX: y"));
        let kind = "Content-Type: application/x-www-form-urlencoded";
        assert!(header.contains(kind) && header.contains("Host: h\r\n"), "{header}");
    }

    #[test]
    fn a_get_has_a_query_that_no_client_can_break_out_of() {
        let style = Style { method: Method::Get, format: Format::Json, ..Style::default() };
        for (url, start) in [("h/p", "/p?"), ("h/p?q=1", "/p?q=1&")] {
            let (line, _, body) = request(url, style.clone());
            assert_eq!(line, format!("GET {start}{FORM}&a%20b%0D%0AX:%20y HTTP/1.1"));
            assert_eq!(body, "");
        }
    }

    #[test]
    fn headers_and_signatures_are_added() {
        let headers = vec![("X-Key".to_owned(), "k".to_owned())];
        let signer = Some(Signer::new(b"key"));
        let style = Style { format: Format::Json, headers, signer, ..Style::default() };
        let (_, header, body) = request("h", style);
        assert!(body.starts_with("{\"app\":\"live\""), "{body}");
        assert!(header.contains("Content-Type: application/json"), "{header}");
        assert!(header.starts_with("X-Key: k\r\nX-Signature: sha256="), "{header}");
        // RFC 4231 has no short key; this one is Wikipedia's example.
        let fox = Signer::new(b"key").sign(b"The quick brown fox jumps over the lazy dog");
        assert_eq!(fox, "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    }
}
