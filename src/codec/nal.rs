//! NAL units as streams carry them: each behind its length (ISO/IEC 14496-15, 5.3.2) or behind a
//! start code (ITU-T H.264 and H.265, Annex B).

use std::borrow::Cow;
use std::iter::FusedIterator;

use bytes::{BufMut, Bytes, BytesMut};

/// What stands before a NAL unit in a byte stream. The leading zero byte is needed only before some
/// units (B.1.1) and allowed before all.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A NAL unit's length passes the end of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("NAL unit of {length} bytes where {available} are left")]
pub struct Error {
    /// What the length field says, in bytes.
    pub length: usize,
    /// The bytes that follow it.
    pub available: usize,
}

/// The NAL units of an access unit, each behind its length.
///
/// Two things that encoders do are tolerated: units of length zero, and bytes after the last unit
/// that are too few for a length. Neither is passed on. After an error there are no more units.
#[derive(Clone, Debug)]
pub struct Nals<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> Nals<'a> {
    /// The NAL units of `data`, whose length fields have `length_size` bytes, 1 to 4.
    pub fn new(data: &'a [u8], length_size: u8) -> Self {
        debug_assert!((1..=4).contains(&length_size));
        Self { rest: data, length_size: usize::from(length_size) }
    }

    fn split(&mut self) -> Option<Result<&'a [u8], Error>> {
        let (length, rest) = self.rest.split_at_checked(self.length_size)?;
        let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let unit = rest.split_at_checked(length);
        let (unit, rest) = match unit {
            Some((unit, rest)) => (Ok(unit), rest),
            None => (Err(Error { length, available: rest.len() }), &[][..]),
        };
        self.rest = rest;
        Some(unit)
    }
}

impl<'a> Iterator for Nals<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.split()? {
                Ok([]) => {}
                unit => return Some(unit),
            }
        }
    }
}

impl FusedIterator for Nals<'_> {}

/// Writes `nal` behind a start code.
pub fn put_annex_b(out: &mut impl BufMut, nal: &[u8]) {
    out.put_slice(&START_CODE);
    out.put_slice(nal);
}

/// An access unit with its NAL units behind four-byte lengths, which is how `data` ought to be.
///
/// Some broken encoders announce such lengths and send the byte stream format. The two can look
/// alike (a unit of 1 byte, or of 256 to 511, has a length like a start code), so data that can be
/// read by its lengths is returned as it is.
pub fn length_prefixed(data: Bytes) -> Bytes {
    let looks_like_annex_b = data.starts_with(&START_CODE) || data.starts_with(&START_CODE[1..]);
    if !looks_like_annex_b || Nals::new(&data, 4).all(|nal| nal.is_ok()) {
        return data;
    }
    let mut out = BytesMut::with_capacity(data.len() + data.len() / 4);
    for nal in annex_b(&data) {
        out.put_u32(nal.len() as u32);
        out.put_slice(nal);
    }
    out.freeze()
}

/// The NAL units of a byte stream, without the zeros that may follow each (B.1.1).
fn annex_b(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let prefix = &START_CODE[1..];
        let start = rest.windows(prefix.len()).position(|bytes| bytes == prefix);
        let (unit, after) = rest.split_at(start.unwrap_or(rest.len()));
        rest = after.strip_prefix(prefix).unwrap_or_default();
        Some(trim_zeros(unit))
    })
    .filter(|unit| !unit.is_empty())
}

fn trim_zeros(mut data: &[u8]) -> &[u8] {
    while let [shorter @ .., 0] = data {
        data = shorter;
    }
    data
}

/// The raw byte sequence payload of `nal`, its header included: the bytes without the emulation
/// prevention byte that follows each pair of zeros (ITU-T H.264, 7.4.1).
pub fn unescape(nal: &[u8]) -> Cow<'_, [u8]> {
    const ESCAPE: [u8; 3] = [0, 0, 3];
    if !nal.windows(3).any(|bytes| bytes == ESCAPE) {
        return Cow::Borrowed(nal);
    }
    let mut payload = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros == 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { (zeros + 1).min(2) } else { 0 };
        payload.push(byte);
    }
    Cow::Owned(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(data: &[u8], length_size: u8) -> Vec<Result<&[u8], Error>> {
        Nals::new(data, length_size).collect()
    }

    #[test]
    fn units_behind_lengths_of_each_size() {
        assert_eq!(units(b"\x02\x65\x88\x01\x41", 1), [Ok(&b"\x65\x88"[..]), Ok(b"\x41")]);
        assert_eq!(units(b"\0\x02\x65\x88\0\x01\x41", 2), [Ok(&b"\x65\x88"[..]), Ok(b"\x41")]);
        assert_eq!(units(b"\0\0\0\x02\x65\x88", 4), [Ok(&b"\x65\x88"[..])]);
        assert_eq!(units(b"", 4), []);
    }

    #[test]
    fn empty_units_and_a_short_rest_are_passed_over() {
        assert_eq!(units(b"\0\0\0\x01\x41\0\0", 2), [Ok(&b"\x41"[..])]);
        assert_eq!(units(b"\0\0\0\x01\x41\0\0\0", 4), [Ok(&b"\x41"[..])]);
    }

    #[test]
    fn a_length_past_the_end_ends_the_units() {
        let error = Error { length: 3, available: 1 };
        assert_eq!(units(b"\0\x01\x41\0\x03\x01", 2), [Ok(&b"\x41"[..]), Err(error)]);
        let error = Error { length: 0xffff_ffff, available: 0 };
        assert_eq!(units(b"\xff\xff\xff\xff", 4), [Err(error)]);
    }

    #[test]
    fn byte_streams_get_lengths() {
        let stream = b"\0\0\0\x01\x09\xf0\0\0\0\x01\x65\x88\0\0\0\0\x01\x41\x80\0";
        let expected = b"\0\0\0\x02\x09\xf0\0\0\0\x02\x65\x88\0\0\0\x02\x41\x80";
        assert_eq!(length_prefixed(Bytes::from_static(stream)), &expected[..]);
        assert_eq!(length_prefixed(Bytes::from_static(&stream[1..])), &expected[..]);
        assert_eq!(length_prefixed(Bytes::from_static(b"\0\0\x01\x65")), &b"\0\0\0\x01\x65"[..]);
    }

    #[test]
    fn what_can_be_read_by_its_lengths_stays() {
        for unit in [1, 256, 511] {
            let mut data = BytesMut::new();
            data.put_u32(unit);
            data.put_bytes(0x41, unit as usize);
            let data = data.freeze();
            assert_eq!(length_prefixed(data.clone()), data);
        }
        let broken = Bytes::from_static(b"\0\0\x02\0\x65");
        assert_eq!(length_prefixed(broken.clone()), broken);
    }

    #[test]
    fn byte_streams_of_start_codes_alone_hold_nothing() {
        assert_eq!(length_prefixed(Bytes::from_static(b"\0\0\x01\0\0\x01\0\0\x01")), &b""[..]);
    }

    #[test]
    fn written_units_follow_start_codes() {
        let mut out = Vec::new();
        put_annex_b(&mut out, b"\x67\x42");
        put_annex_b(&mut out, b"\x68");
        assert_eq!(out, b"\0\0\0\x01\x67\x42\0\0\0\x01\x68");
    }

    #[test]
    fn emulation_prevention_is_undone() {
        assert_eq!(*unescape(b"\x67\0\0\x03\x01\0\0\x03\0\0\x03"), *b"\x67\0\0\x01\0\0\0\0");
        assert_eq!(*unescape(b"\0\0\0\x03\x03"), *b"\0\0\0\x03");
        assert!(matches!(unescape(b"\x67\0\x03"), Cow::Borrowed(_)));
    }
}
