//! Chunk headers, read.
//!
//! `take` takes a header off the front of its input; it is `None`, and where the input is left does
//! not matter, if the header is not whole yet.

use bytes::Buf;

use crate::rtmp::MessageType;

/// The longest headers of one chunk: basic, message, extended timestamp.
pub(super) const MAX_LENGTH: usize = 3 + 11 + 4;

/// The value of a timestamp field that says that an extended timestamp follows (5.3.1.3).
pub(super) const EXTENDED: u32 = 0xff_ffff;

/// What a chunk begins with (5.3.1.1).
pub(super) struct BasicHeader {
    /// 0 to 3: which message header follows.
    pub(super) format: u8,
    /// The chunk stream, 2 to 65599.
    pub(super) csid: u32,
}

/// The part of a message header that says when (5.3.1.2), its extension included.
#[derive(Clone, Copy, Default)]
pub(super) struct TimestampField {
    /// Milliseconds: a timestamp in format 0, else a delta.
    pub(super) millis: u32,
    /// Whether this took an extended timestamp.
    pub(super) extended: bool,
}

/// A message header by its format (5.3.1.2).
pub(super) enum MessageHeader {
    /// Format 0.
    Full { timestamp: TimestampField, length: usize, kind: MessageType, stream_id: u32 },
    /// Format 1.
    SameStream { delta: TimestampField, length: usize, kind: MessageType },
    /// Format 2.
    SameLength { delta: TimestampField },
    /// Format 3.
    Same,
}

impl BasicHeader {
    pub(super) fn take(input: &mut &[u8]) -> Option<Self> {
        let first = input.try_get_u8().ok()?;
        let csid = match first & 0x3f {
            0 => u32::from(input.try_get_u8().ok()?) + 64,
            1 => u32::from(input.try_get_u16_le().ok()?) + 64,
            csid => u32::from(csid),
        };
        Some(Self { format: first >> 6, csid })
    }
}

impl MessageHeader {
    /// `repeat` is the extended timestamp that a format 3 header is to repeat, if any.
    pub(super) fn take(format: u8, repeat: Option<u32>, input: &mut &[u8]) -> Option<Self> {
        if format == 3 {
            if let Some(millis) = repeat {
                skip_repeat(millis, input)?;
            }
            return Some(Self::Same);
        }
        let timestamp = take_u24(input)?;
        if format == 2 {
            return Some(Self::SameLength { delta: TimestampField::take(timestamp, input)? });
        }
        let length = take_u24(input)? as usize;
        let kind = MessageType::from(input.try_get_u8().ok()?);
        if format == 1 {
            let delta = TimestampField::take(timestamp, input)?;
            return Some(Self::SameStream { delta, length, kind });
        }
        let stream_id = input.try_get_u32_le().ok()?;
        let timestamp = TimestampField::take(timestamp, input)?;
        Some(Self::Full { timestamp, length, kind, stream_id })
    }
}

impl TimestampField {
    /// Completes the three-byte `field` by its extended timestamp, if it calls for one.
    fn take(field: u32, input: &mut &[u8]) -> Option<Self> {
        let extended = field == EXTENDED;
        let millis = if extended { input.try_get_u32().ok()? } else { field };
        Some(Self { millis, extended })
    }
}

/// Takes the repetition of an extended timestamp off the front of `input`, unless what is there
/// cannot be it: some encoders do not repeat it, so those bytes are payload.
fn skip_repeat(millis: u32, input: &mut &[u8]) -> Option<()> {
    let expected = millis.to_be_bytes();
    let seen = input.get(..expected.len()).unwrap_or(input);
    if expected.starts_with(seen) {
        input.split_off(..expected.len())?;
    }
    Some(())
}

fn take_u24(input: &mut &[u8]) -> Option<u32> {
    Some(input.try_get_uint(3).ok()? as u32)
}
