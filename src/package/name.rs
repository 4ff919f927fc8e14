//! Stream names as file names, and as addresses.

use std::fmt::Write;

/// The longest name, in bytes. With the directory before it a path stays below `PATH_MAX`.
const MAX_LEN: usize = 1024;

/// The longest part between slashes, in bytes: what file systems allow less the longest suffix.
const MAX_COMPONENT_LEN: usize = 255 - "-18446744073709551615.m3u8.tmp".len();

/// A stream name cannot be the name of files. The publisher's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty, or begins or ends with a slash, or has two in a row.
    #[error("empty part in stream name")]
    Empty,
    /// A part of the name is "." or "..".
    #[error("relative path in stream name")]
    Relative,
    /// The name has a control character in it.
    #[error("control character in stream name")]
    Control,
    /// The name, or a part of it, is too long for a file name.
    #[error("stream name too long for a file name")]
    TooLong,
}

/// Whether `name` is a relative path that leads nowhere but down. A slash makes a sub-directory.
///
/// # Errors
///
/// The first thing wrong with it.
pub fn check(name: &str) -> Result<(), NameError> {
    if name.len() > MAX_LEN {
        return Err(NameError::TooLong);
    }
    name.split('/').try_for_each(check_component)
}

fn check_component(component: &str) -> Result<(), NameError> {
    match component {
        "" => Err(NameError::Empty),
        "." | ".." => Err(NameError::Relative),
        _ if component.len() > MAX_COMPONENT_LEN => Err(NameError::TooLong),
        _ if component.chars().any(char::is_control) => Err(NameError::Control),
        _ => Ok(()),
    }
}

/// `component` as one path segment of a URI: all but unreserved characters percent-encoded
/// (RFC 3986, 2.3), so that no colon is taken for a scheme's.
pub fn percent_encode(component: &str) -> String {
    let mut encoded = String::with_capacity(component.len());
    for byte in component.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stay_below_their_directory() {
        for name in ["live", "a/b/c", ".hidden", "...", "a..b", "straße 1?x=y&z", "a:b\\c"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check(&"x".repeat(MAX_COMPONENT_LEN)), Ok(()));
    }

    #[test]
    fn names_that_do_not() {
        for (name, error) in [
            ("", NameError::Empty),
            ("/etc/passwd", NameError::Empty),
            ("a/", NameError::Empty),
            ("a//b", NameError::Empty),
            (".", NameError::Relative),
            ("..", NameError::Relative),
            ("a/../../b", NameError::Relative),
            ("a\0b", NameError::Control),
            ("a\nb", NameError::Control),
            ("a\u{7f}", NameError::Control),
        ] {
            assert_eq!(check(name), Err(error), "{name:?}");
        }
        assert_eq!(check(&"x".repeat(MAX_COMPONENT_LEN + 1)), Err(NameError::TooLong));
        assert_eq!(check(&"x/".repeat(MAX_LEN / 2 + 1)), Err(NameError::TooLong));
    }

    #[test]
    fn addresses_have_only_unreserved_characters() {
        assert_eq!(percent_encode("az-AZ_09.~"), "az-AZ_09.~");
        assert_eq!(percent_encode("a b:c%/#?ä"), "a%20b%3Ac%25%2F%23%3F%C3%A4");
    }
}
