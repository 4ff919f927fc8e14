//! The chunk stream (RTMP 1.0, 5): messages cut into chunks so that a long one does not hold up
//! others, each chunk with as much of a header as has changed on its chunk stream.
//!
//! ```text
//!  basic header         message header                     extended timestamp    payload
//! +----+------------+  +-----------+--------+------+-----+  +-----------------+  +---------------+
//! | fmt| csid       |  | timestamp | length | type | msid|  | 4 bytes, if the |  | up to the     |
//! | 2b | 6b (+1, +2)|  | 3         | 3      | 1    | 4 LE|  | timestamp is ff |  | chunk size or |
//! +----+------------+  +-----------+--------+------+-----+  | ff ff           |  | message's end |
//!                      fmt 0 all, 1 no msid, 2 timestamp,   +-----------------+  +---------------+
//!                      3 nothing; 1 and 2 as a delta
//! ```

mod assembly;
mod header;
mod reader;
mod writer;

pub use reader::{ChunkReader, ReaderConfig};
pub use writer::Framing;

/// The chunk size of either side before its first Set Chunk Size, in bytes (5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// The largest chunk size that a peer may set, in bytes.
pub const MAX_CHUNK_SIZE: u32 = 10_485_760;

/// The chunk streams that we send on; 2 is the specification's (5.4), the others are custom.
pub mod csid {
    /// Protocol control and User Control messages.
    pub const CONTROL: u32 = 2;
    /// Commands.
    pub const COMMAND: u32 = 3;
    /// Audio.
    pub const AUDIO: u32 = 4;
    /// Data, such as `onMetaData`.
    pub const DATA: u32 = 5;
    /// Video.
    pub const VIDEO: u32 = 6;
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, Bytes, BytesMut};
    use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
    use rml_rtmp::messages::MessagePayload;
    use rml_rtmp::time::RtmpTimestamp;

    use super::*;
    use crate::rtmp::{Message, MessageType};

    /// C0, C1 and C2.
    const HANDSHAKE_LENGTH: usize = 1 + 2 * 1536;

    const CONFIG: ReaderConfig =
        ReaderConfig { max_message: 1 << 20, max_streams: 32, fix_extended_timestamp: true };

    /// A stream in small: timestamps that repeat, advance evenly, or step back; equal and other
    /// lengths.
    fn messages() -> Vec<Message> {
        let frames = [(0, 40), (0, 300), (40, 300), (80, 300), (120, 9), (120, 9), (100, 0x1234)];
        let message = |kind, (timestamp, length)| Message {
            kind,
            timestamp,
            stream_id: 1,
            payload: Bytes::from(vec![length as u8; length]),
        };
        frames
            .into_iter()
            .flat_map(|frame| {
                [MessageType::Video, MessageType::Audio].map(|kind| message(kind, frame))
            })
            .collect()
    }

    fn to_peer(message: &Message) -> MessagePayload {
        MessagePayload {
            timestamp: RtmpTimestamp::new(message.timestamp),
            type_id: message.kind.id(),
            message_stream_id: message.stream_id,
            data: message.payload.clone(),
        }
    }

    #[test]
    fn rml_rtmp_reads_what_we_write() {
        let framing = Framing { chunk_size: 128, repeat_extended_timestamp: true };
        let mut out = BytesMut::new();
        let mut peer = ChunkDeserializer::new();
        for message in messages() {
            framing.encode(csid::VIDEO, &message, &mut out);
            let read = peer.get_next_message(&out.split()).unwrap();
            assert_eq!(read, Some(to_peer(&message)));
        }
    }

    #[test]
    fn we_read_what_rml_rtmp_writes() {
        let mut peer = ChunkSerializer::new();
        let mut reader = ChunkReader::new(CONFIG);
        for message in messages() {
            let packet = peer.serialize(&to_peer(&message), false, false).unwrap();
            assert_eq!(reader.read(&mut &packet.bytes[..]), Ok(Some(message)));
        }
    }

    /// The messages of a captured session, fed in pieces of `piece` bytes.
    fn replay(capture: &[u8], piece: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut reader = ChunkReader::new(CONFIG);
        for mut piece in capture[HANDSHAKE_LENGTH..].chunks(piece) {
            while let Some(message) = reader.read(&mut piece).unwrap() {
                if message.kind == MessageType::SetChunkSize {
                    reader.set_chunk_size(message.payload.clone().get_u32()).unwrap();
                }
                messages.push(message);
            }
        }
        messages
    }

    fn replay_by_rml_rtmp(capture: &[u8]) -> Vec<MessagePayload> {
        let mut messages = Vec::new();
        let mut reader = ChunkDeserializer::new();
        let mut input = &capture[HANDSHAKE_LENGTH..];
        while let Some(message) = reader.get_next_message(input).unwrap() {
            input = &[];
            if message.type_id == MessageType::SetChunkSize.id() {
                reader.set_max_chunk_size(message.data.clone().get_u32() as usize).unwrap();
            }
            messages.push(message);
        }
        messages
    }

    #[test]
    fn sessions_of_real_peers_are_read_as_rml_rtmp_reads_them() {
        for capture in [
            &include_bytes!("../../tests/fixtures/ffmpeg-publish.bin")[..],
            include_bytes!("../../tests/fixtures/ffmpeg-play.bin"),
            include_bytes!("../../tests/fixtures/ffmpeg9-hevc-publish.bin"),
            include_bytes!("../../tests/fixtures/gst-publish.bin"),
            include_bytes!("../../tests/fixtures/gst-play.bin"),
            include_bytes!("../../tests/fixtures/obs-publish.bin"),
            include_bytes!("../../tests/fixtures/rtmpdump-play.bin"),
        ] {
            let messages = replay(capture, capture.len());
            let theirs = replay_by_rml_rtmp(capture);
            assert_eq!(messages.iter().map(to_peer).collect::<Vec<_>>(), theirs);
            for piece in [1, 2, 3, 5, 17, 18, 19, 1000] {
                assert_eq!(replay(capture, piece), messages, "pieces of {piece}");
            }
        }
    }
}
