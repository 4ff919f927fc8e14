//! Aggregate messages: several messages in one, each framed as an FLV tag (RTMP 1.0, 7.1.6).
//!
//! ```text
//! +------+--------+-----------+--------------+-----------+---------+--------------+
//! | type | length | timestamp | timestamp    | stream id | payload | back pointer |  repeated
//! | 8    | 24     | 24 (low)  | 8 (high)     | 24        |         | 32           |
//! +------+--------+-----------+--------------+-----------+---------+--------------+
//! ```

use bytes::{Buf, Bytes, TryGetError};

use super::{Error, Message, MessageType, PeerMisbehaved};

/// The messages in an aggregate message, in order.
///
/// Timestamps inside count from an origin of their own: the first one stands for the timestamp of
/// the aggregate message, and the others keep their distance from it.
#[derive(Clone, Debug)]
pub struct Parts {
    rest: Bytes,
    timestamp: u32,
    stream_id: u32,
    origin: Option<u32>,
}

impl Parts {
    /// The parts of `aggregate`, a message of type [`MessageType::Aggregate`].
    pub fn new(aggregate: Message) -> Self {
        let Message { timestamp, stream_id, payload, .. } = aggregate;
        Self { rest: payload, timestamp, stream_id, origin: None }
    }

    fn parse_part(&mut self) -> Result<Message, TryGetError> {
        let kind = MessageType::from(self.rest.try_get_u8()?);
        let length = self.rest.try_get_uint(3)? as usize;
        let low = self.rest.try_get_uint(3)? as u32;
        let high = self.rest.try_get_u8()?;
        let _stream_id = self.rest.try_get_uint(3)?;
        let available = self.rest.remaining();
        if length > available {
            return Err(TryGetError { requested: length, available });
        }
        let payload = self.rest.split_to(length);
        // Nothing is lost with the last back pointer, so a part without it is whole.
        self.rest.advance(BACK_POINTER.min(self.rest.remaining()));

        let inner = u32::from(high) << 24 | low;
        let origin = *self.origin.get_or_insert(inner);
        let timestamp = self.timestamp.wrapping_add(inner.wrapping_sub(origin));
        Ok(Message { kind, timestamp, stream_id: self.stream_id, payload })
    }
}

impl Iterator for Parts {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let part = self.parse_part();
        if part.is_err() {
            self.rest.clear();
        }
        Some(part.map_err(|_| PeerMisbehaved::AggregateTruncated.into()))
    }
}

const BACK_POINTER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregate(timestamp: u32, payload: &[u8]) -> Message {
        let payload = Bytes::copy_from_slice(payload);
        Message { kind: MessageType::Aggregate, timestamp, stream_id: 1, payload }
    }

    /// Audio `aa bb` at 0xff_ffff_f0 and video `cc` 32 ms later, past the wrap of the timestamp.
    const TWO: &[u8] = &[
        8, 0, 0, 2, 0xff, 0xff, 0xf0, 0xff, 0, 0, 0, 0xaa, 0xbb, 0, 0, 0, 13, //
        9, 0, 0, 1, 0x00, 0x00, 0x10, 0x00, 0, 0, 0, 0xcc, 0, 0, 0, 12,
    ];

    #[test]
    fn parts_keep_their_distance_from_the_first() {
        let parts: Result<Vec<_>, _> = Parts::new(aggregate(5000, TWO)).collect();
        let part = |kind, timestamp, payload| Message {
            kind,
            timestamp,
            stream_id: 1,
            payload: Bytes::from_static(payload),
        };
        assert_eq!(
            parts,
            Ok(vec![
                part(MessageType::Audio, 5000, &[0xaa, 0xbb]),
                part(MessageType::Video, 5032, &[0xcc]),
            ])
        );
    }

    #[test]
    fn a_cut_part_ends_with_an_error() {
        for length in 1..TWO.len() {
            let parts: Vec<_> = Parts::new(aggregate(0, &TWO[..length])).collect();
            assert!(parts.len() <= 2);
            // Whole up to the first back pointer, or but for the second.
            let whole = matches!(length, 13..=17) || length >= TWO.len() - 4;
            assert_eq!(parts.iter().all(Result::is_ok), whole, "cut at {length}");
        }
    }
}
