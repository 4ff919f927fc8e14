//! What is asked of a server that has files.

use std::fmt::Write;

/// The target of a request for the file `name`: below `base`, the target of the server's URL, with the
/// address of the client and the query that it gave.
pub fn request_target(base: &str, name: &str, address: &str, args: &str) -> String {
    let (path, query) = base.split_once('?').unwrap_or((base, ""));
    let mut target = path.trim_end_matches('/').to_owned();
    target.push('/');
    escape(name, b"/", &mut target);
    target.push('?');
    for part in [query, "addr="] {
        target.push_str(part);
        if !query.is_empty() && part == query {
            target.push('&');
        }
    }
    escape(address, b":", &mut target);
    if !args.is_empty() {
        target.push('&');
        escape(args, b"&=:/?@!$'()*+,;%", &mut target);
    }
    target
}

/// Appends `text`, percent-encoded (RFC 3986, 2.1) but for unreserved characters and `kept` ones.
fn escape(text: &str, kept: &[u8], out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = request_target("/", "a/x.mp4", "192.0.2.1", "");
        assert_eq!(target, "/a/x.mp4?addr=192.0.2.1");
        let target = request_target("/vod/?key=1", "a b\u{e9}#?.flv", "::1", "t=a%20b&u=\r\n");
        assert_eq!(target, "/vod/a%20b%C3%A9%23%3F.flv?key=1&addr=::1&t=a%20b&u=%0D%0A");
    }
}
