//! The PROXY protocol's header: where it ends (the PROXY protocol, 2.1 and 2.2).

/// The longest header of version 1, in bytes, its line end included.
pub const MAX_TEXT: usize = 107;

/// The longest header of version 2 that is taken, in bytes: load balancers add little to the
/// addresses, though the length's field has room for 64 KB.
pub const MAX_BINARY: usize = 4096;

/// What every header of version 1 begins with.
const TEXT: &[u8] = b"PROXY ";

/// What every header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The bytes of version 2 before the addresses, whose length is in the last two.
const FIXED: usize = 16;

/// How much of a header there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it, to be parsed.
    Whole,
    /// Its beginning; no byte is of anything else.
    Part,
    /// None: no header begins like this, or one that is too long.
    Nothing,
}

impl Extent {
    /// How much of a header `bytes`, which a client sent first, has.
    pub fn of(bytes: &[u8]) -> Self {
        if begins(bytes, SIGNATURE) {
            Self::of_binary(bytes)
        } else if begins(bytes, TEXT) {
            Self::of_text(bytes)
        } else {
            Self::Nothing
        }
    }

    fn of_text(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(MAX_TEXT)];
        match head.windows(2).any(|end| end == b"\r\n") {
            true => Self::Whole,
            false if bytes.len() < MAX_TEXT => Self::Part,
            false => Self::Nothing,
        }
    }

    fn of_binary(bytes: &[u8]) -> Self {
        let Some(&[.., high, low]) = bytes.first_chunk::<FIXED>() else { return Self::Part };
        let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
        match length {
            _ if length > MAX_BINARY => Self::Nothing,
            _ if bytes.len() < length => Self::Part,
            _ => Self::Whole,
        }
    }
}

/// Whether `bytes` begin as `prefix` does, as far as there are any.
fn begins(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.iter().zip(prefix).all(|(byte, expected)| byte == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(length: u16) -> Vec<u8> {
        let addresses = vec![0; length.into()];
        [SIGNATURE, &[0x21, 0x11], &length.to_be_bytes(), &addresses].concat()
    }

    #[test]
    fn a_header_is_whole_at_its_end_and_part_before() {
        let longest_text = [&[b'P'][..], &b"ROXY UNKNOWN "[..], &[b'x'; 91], b"\r\n"].concat();
        assert_eq!(longest_text.len(), MAX_TEXT);
        for header in [
            b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 1935\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            longest_text,
            binary(0),
            binary(12),
            binary((MAX_BINARY - FIXED) as u16),
        ] {
            for end in 0..header.len() {
                assert_eq!(Extent::of(&header[..end]), Extent::Part, "{end} of {header:?}");
            }
            assert_eq!(Extent::of(&header), Extent::Whole);
            assert_eq!(Extent::of(&[&header[..], b"\x03more"].concat()), Extent::Whole);
        }
    }

    #[test]
    fn what_is_no_header_is_nothing() {
        for bytes in [
            &b"\x03"[..],
            b"GET / HTTP/1.0\r\n\r\n",
            b"PROXY\r\n",
            b"PROXYS",
            b"\r\n\r\n\0\r\nQUIX",
            &[TEXT, &[b' '; MAX_TEXT]].concat(),
            &binary((MAX_BINARY - FIXED + 1) as u16),
            &binary(u16::MAX)[..FIXED],
        ] {
            assert_eq!(Extent::of(bytes), Extent::Nothing, "{bytes:?}");
        }
    }
}
