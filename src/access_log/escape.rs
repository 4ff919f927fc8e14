//! How values are kept from being taken for something else in a line, as nginx's `log_format` has it.

/// What is done with the value of a variable. Clients choose most of them, and quotes and line ends
/// in them would forge lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\`, control characters and all that is not ASCII become `\xHH`; what there is none of
    /// is `-`.
    #[default]
    Default,
    /// As a string of JSON has to be; what there is none of is empty.
    Json,
    /// Nothing is done, whatever comes of it; what there is none of is empty.
    None,
}

impl Escape {
    /// The way that `escape=NAME` asks for.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "json" => Some(Self::Json),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Appends a value to a line.
    pub fn append(self, line: &mut Vec<u8>, value: Option<&[u8]>) {
        match (self, value) {
            (Self::Default, None) => line.push(b'-'),
            (Self::Json | Self::None, None) => {}
            (Self::Default, Some(value)) => value.iter().for_each(|&byte| hex(line, byte)),
            (Self::Json, Some(value)) => value.iter().for_each(|&byte| json(line, byte)),
            (Self::None, Some(value)) => line.extend_from_slice(value),
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

const fn digits(byte: u8) -> [u8; 2] {
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

fn hex(line: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' | ..b' ' | 0x7F.. => {
            line.extend_from_slice(b"\\x");
            line.extend_from_slice(&digits(byte));
        }
        _ => line.push(byte),
    }
}

fn json(line: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
        b'\n' => line.extend_from_slice(b"\\n"),
        b'\r' => line.extend_from_slice(b"\\r"),
        b'\t' => line.extend_from_slice(b"\\t"),
        0x08 => line.extend_from_slice(b"\\b"),
        0x0C => line.extend_from_slice(b"\\f"),
        ..b' ' => {
            line.extend_from_slice(b"\\u00");
            line.extend_from_slice(&digits(byte));
        }
        _ => line.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(escape: Escape, value: &str) -> String {
        let mut line = Vec::new();
        escape.append(&mut line, Some(value.as_bytes()));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines_cannot_be_forged() {
        for (value, default, json) in [
            ("", "", ""),
            ("cam 1 ~!", "cam 1 ~!", "cam 1 ~!"),
            ("a\"b\\c", "a\\x22b\\x5Cc", "a\\\"b\\\\c"),
            ("a\r\nb\t", "a\\x0D\\x0Ab\\x09", "a\\r\\nb\\t"),
            ("\0\x08\x0C\x1F\x7F", "\\x00\\x08\\x0C\\x1F\\x7F", "\\u0000\\b\\f\\u001F\x7F"),
            ("ü", "\\xC3\\xBC", "ü"),
        ] {
            assert_eq!(escaped(Escape::Default, value), default, "{value:?}");
            assert_eq!(escaped(Escape::Json, value), json, "{value:?}");
            assert_eq!(escaped(Escape::None, value), value);
        }
    }

    #[test]
    fn json_is_what_parsers_take() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        let text = format!("\"{}\"", escaped(Escape::Json, &all));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), all);
    }

    #[test]
    fn what_there_is_none_of_is_a_dash_or_nothing() {
        for (name, text) in [("default", "-"), ("json", ""), ("none", "")] {
            let mut line = Vec::new();
            Escape::find(name).unwrap().append(&mut line, None);
            assert_eq!(line, text.as_bytes(), "{name}");
        }
        assert_eq!(Escape::find("JSON"), None);
    }
}
