//! The elementary stream descriptor (ISO/IEC 14496-1, 7.2.6) of MPEG-4's sample entries.

use bytes::Buf;

/// What a decoder has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecoderConfig<'a> {
    /// objectTypeIndication: the codec.
    pub(super) object_type: u8,
    /// What is the codec's own.
    pub(super) specific: Option<&'a [u8]>,
}

const ES: u8 = 3;
const DECODER_CONFIG: u8 = 4;
const DECODER_SPECIFIC: u8 = 5;

/// The decoder configuration in the contents of an `esds` box.
pub(super) fn decoder_config(esds: &[u8]) -> Option<DecoderConfig<'_>> {
    let mut stream = find(esds.get(4..)?, ES)?;
    stream.try_get_u16().ok()?;
    let flags = stream.try_get_u8().ok()?;
    let depends = if flags & 0x80 != 0 { 2 } else { 0 };
    stream = stream.get(depends..)?;
    if flags & 0x40 != 0 {
        let url = usize::from(stream.try_get_u8().ok()?);
        stream = stream.get(url..)?;
    }
    let clock = if flags & 0x20 != 0 { 2 } else { 0 };
    let mut config = find(stream.get(clock..)?, DECODER_CONFIG)?;
    let object_type = config.try_get_u8().ok()?;
    // The type of stream, buffer size and bit rates.
    let specific = config.get(12..).and_then(|rest| find(rest, DECODER_SPECIFIC));
    Some(DecoderConfig { object_type, specific })
}

/// The contents of the first descriptor with the tag.
fn find(mut descriptors: &[u8], tag: u8) -> Option<&[u8]> {
    loop {
        let found = descriptors.try_get_u8().ok()?;
        let length = length(&mut descriptors)?;
        let body = descriptors.split_off(..length)?;
        if found == tag {
            return Some(body);
        }
    }
}

/// A length in up to four bytes of seven bits each (8.3.3).
fn length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for _ in 0..4 {
        let byte = bytes.try_get_u8().ok()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ffmpeg's, with its lengths of four bytes.
    const AAC: &[u8] = b"\0\0\0\0\x03\x80\x80\x80\x25\x00\x02\x00\x04\x80\x80\x80\x17\x40\x15\x00\
        \x00\x00\x00\x01\xf4\x00\x00\x01\xf4\x00\x05\x80\x80\x80\x05\x12\x10\x56\xe5\x00\x06\x80\
        \x80\x80\x01\x02";

    #[test]
    fn of_ffmpeg() {
        let specific = Some(&b"\x12\x10\x56\xe5\x00"[..]);
        assert_eq!(decoder_config(AAC), Some(DecoderConfig { object_type: 0x40, specific }));
    }

    #[test]
    fn all_that_may_come_before_is_passed_over() {
        let esds =
            b"\0\0\0\0\x03\x1b\x00\x02\xe0\x00\x01\x02ab\x00\x03\x04\x0f\x6b\x15\0\0\0\0\0\0\
            \0\0\0\0\0\x05\x00";
        let specific = Some(&b""[..]);
        assert_eq!(decoder_config(esds), Some(DecoderConfig { object_type: 0x6b, specific }));
    }

    #[test]
    fn cut_anywhere_nothing_is_made_up() {
        for length in 0..AAC.len() {
            let config = decoder_config(&AAC[..length]);
            assert!(config.is_none_or(|config| config.specific.is_none_or(|it| it.len() == 5)));
        }
    }
}
