//! Packetized elementary stream: the packet that gives an access unit its times
//! (ISO/IEC 13818-1, 2.4.3.6).

use bytes::{BufMut, BytesMut};

use super::packet::wrap;
use crate::time::Ticks;

/// The longest payload that fits behind a header with both times where the length must be given:
/// everywhere but in a video stream.
pub const MAX_BOUNDED_LEN: usize = u16::MAX as usize - 3 - 2 * TIMESTAMP_LEN;

/// The length of a header with both times.
pub const MAX_HEADER_LEN: usize = 9 + 2 * TIMESTAMP_LEN;

const TIMESTAMP_LEN: usize = 5;

/// The stream_id of a PES packet (table 2-22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StreamId {
    /// The first audio stream.
    Audio = 0xc0,
    /// The first video stream.
    Video = 0xe0,
}

/// Writes the header of a PES packet whose payload is `len` bytes and starts with an access unit.
///
/// Times are written modulo 2^33. `dts` is written only if it differs from `pts`. The length is
/// written as 0, "unbounded", if it has no room in 16 bits, which only a video stream may.
pub fn write_header(stream_id: StreamId, pts: Ticks, dts: Ticks, len: usize, out: &mut BytesMut) {
    let both = wrap(pts) != wrap(dts);
    let times_len = TIMESTAMP_LEN << u8::from(both);

    out.put_uint(0x00_0001, 3); // packet_start_code_prefix
    out.put_u8(stream_id as u8);
    out.put_u16(u16::try_from(3 + times_len + len).unwrap_or(0));
    out.put_u8(0x84); // '10', data_alignment_indicator
    out.put_u8(0x80 | u8::from(both) << 6); // PTS_DTS_flags
    out.put_u8(times_len as u8);
    if both {
        put_timestamp(0b0011, pts, out);
        put_timestamp(0b0001, dts, out);
    } else {
        put_timestamp(0b0010, pts, out);
    }
}

/// ```text
/// | prefix 4 | 32..30 | 1 | 29..15 | 1 | 14..0 | 1 |
/// ```
fn put_timestamp(prefix: u64, time: Ticks, out: &mut BytesMut) {
    let time = wrap(time);
    let bits = prefix << 36
        | (time >> 30 & 0x7) << 33
        | 1 << 32
        | (time >> 15 & 0x7fff) << 17
        | 1 << 16
        | (time & 0x7fff) << 1
        | 1;
    out.put_uint(bits, TIMESTAMP_LEN);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(stream_id: StreamId, pts: i64, dts: i64, len: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        write_header(stream_id, Ticks(pts), Ticks(dts), len, &mut out);
        out.to_vec()
    }

    #[test]
    fn one_time_if_both_are_equal() {
        assert_eq!(
            header(StreamId::Audio, 126_000, 126_000, 100),
            [0, 0, 1, 0xc0, 0, 108, 0x84, 0x80, 5, 0x21, 0x00, 0x07, 0xd8, 0x61]
        );
    }

    #[test]
    fn both_times_of_a_reordered_picture() {
        assert_eq!(
            header(StreamId::Video, 133_200, 126_000, 100),
            [
                0, 0, 1, 0xe0, 0, 113, 0x84, 0xc0, 10, 0x31, 0x00, 0x09, 0x10, 0xa1, 0x11, 0x00,
                0x07, 0xd8, 0x61
            ]
        );
    }

    #[test]
    fn times_wrap_at_33_bits() {
        assert_eq!(
            header(StreamId::Audio, (1 << 33) - 1, (1 << 33) - 1, 0)[9..],
            [0x2f, 0xff, 0xff, 0xff, 0xff]
        );
        assert_eq!(header(StreamId::Audio, 1 << 33, 1 << 33, 0)[9..], [0x21, 0, 1, 0, 1]);
        assert_eq!(header(StreamId::Audio, -1, -1, 0)[9..], [0x2f, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn a_long_picture_is_unbounded() {
        assert_eq!(header(StreamId::Video, 1, 0, MAX_BOUNDED_LEN)[4..6], [0xff, 0xff]);
        assert_eq!(header(StreamId::Video, 1, 0, MAX_BOUNDED_LEN + 1)[4..6], [0, 0]);
    }
}
