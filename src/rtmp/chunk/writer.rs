//! Messages in, chunks out.

use bytes::{BufMut, BytesMut};

use super::header;
use crate::rtmp::Message;

/// How messages are cut into chunks.
///
/// There is no state: each message has a full header (format 0) and an absolute timestamp, so its
/// bytes are the same for every receiver, wherever that one began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The most payload in one chunk, in bytes, from 1; the receiver has been told by a Set Chunk
    /// Size.
    pub chunk_size: u32,
    /// Whether chunks of format 3 repeat an extended timestamp (`play_time_fix`), as the
    /// specification has it (5.3.1.3).
    pub repeat_extended_timestamp: bool,
}

impl Framing {
    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_length(&self, csid: u32, message: &Message) -> usize {
        let extended = if message.timestamp >= header::EXTENDED { 4 } else { 0 };
        let repeated = if self.repeat_extended_timestamp { extended } else { 0 };
        let basic = match csid {
            ..=63 => 1,
            64..=319 => 2,
            _ => 3,
        };
        let length = message.payload.len();
        let continuations = length.saturating_sub(1) / self.chunk_size.max(1) as usize;
        basic + 11 + extended + length + continuations * (basic + repeated)
    }

    /// Appends `message` to `out` as chunks on chunk stream `csid`, 2 to 65599.
    pub fn encode(&self, csid: u32, message: &Message, out: &mut BytesMut) {
        let chunk_size = self.chunk_size.max(1) as usize;
        let extended = (message.timestamp >= header::EXTENDED).then_some(message.timestamp);
        let repeated = extended.filter(|_| self.repeat_extended_timestamp);
        out.reserve(self.encoded_length(csid, message));

        put_basic_header(0, csid, out);
        out.put_uint(u64::from(message.timestamp.min(header::EXTENDED)), 3);
        out.put_uint(message.payload.len() as u64, 3);
        out.put_u8(message.kind.id());
        out.put_u32_le(message.stream_id);
        put_extended_timestamp(extended, out);
        let (first, rest) = message.payload.split_at(chunk_size.min(message.payload.len()));
        out.put_slice(first);
        for chunk in rest.chunks(chunk_size) {
            put_basic_header(3, csid, out);
            put_extended_timestamp(repeated, out);
            out.put_slice(chunk);
        }
    }
}

/// RTMP 1.0, 5.3.1.1.
fn put_basic_header(format: u8, csid: u32, out: &mut BytesMut) {
    let format = format << 6;
    match csid {
        ..=63 => out.put_u8(format | csid as u8),
        64..=319 => {
            out.put_u8(format);
            out.put_u8((csid - 64) as u8);
        }
        _ => {
            out.put_u8(format | 1);
            out.put_u16_le((csid - 64) as u16);
        }
    }
}

fn put_extended_timestamp(timestamp: Option<u32>, out: &mut BytesMut) {
    if let Some(timestamp) = timestamp {
        out.put_u32(timestamp);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::rtmp::MessageType;

    fn encoded(framing: Framing, csid: u32, timestamp: u32, payload: &'static [u8]) -> BytesMut {
        let payload = Bytes::from_static(payload);
        let message = Message { kind: MessageType::Video, timestamp, stream_id: 1, payload };
        let mut out = BytesMut::new();
        framing.encode(csid, &message, &mut out);
        assert_eq!(framing.encoded_length(csid, &message), out.len());
        out
    }

    #[test]
    fn a_message_is_a_full_header_and_continuations() {
        let framing = Framing { chunk_size: 4, repeat_extended_timestamp: true };
        assert_eq!(
            encoded(framing, 6, 40, b"abcdefghi"),
            &b"\x06\x00\x00\x28\x00\x00\x09\x09\x01\x00\x00\x00abcd\xc6efgh\xc6i"[..]
        );
        assert_eq!(
            encoded(framing, 64, 0, b""),
            &b"\x00\x00\x00\x00\x00\x00\x00\x00\x09\x01\x00\x00\x00"[..]
        );
        assert_eq!(
            encoded(framing, 320, 0, b"abcde"),
            &b"\x01\x00\x01\x00\x00\x00\x00\x00\x05\x09\x01\x00\x00\x00abcd\xc1\x00\x01e"[..]
        );
    }

    #[test]
    fn an_extended_timestamp_is_repeated_if_so_configured() {
        let framing = Framing { chunk_size: 1, repeat_extended_timestamp: true };
        let header = b"\x06\xff\xff\xff\x00\x00\x02\x09\x01\x00\x00\x00\x00\xff\xff\xff";
        assert_eq!(
            encoded(framing, 6, 0xff_ffff, b"ab"),
            [&header[..], b"a\xc6\x00\xff\xff\xffb"].concat()
        );
        let framing = Framing { repeat_extended_timestamp: false, ..framing };
        assert_eq!(encoded(framing, 6, 0xff_ffff, b"ab"), [&header[..], b"a\xc6b"].concat());
    }
}
