//! What a server that a stream is pushed to is sent of the stream's frames.

use crate::live::FrameKind;
use crate::rtmp::Message;
use crate::rtmp::chunk::{ChunkReader, ReaderConfig};
use crate::rtmp::session::STREAM_ID;

/// Frames are ours; these are the protocol's limits.
const READER: ReaderConfig =
    ReaderConfig { max_message: 0xff_ffff, max_streams: 64, fix_extended_timestamp: true };

/// Tells what becomes of frames, which are serialised for players, on the way to one server: media
/// go as they are, if the server has given the message stream that players have, too.
pub struct Forwarding {
    stream_id: u32,
    reader: ChunkReader,
}

/// What a server is sent of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Nothing: it is about the stream's players.
    Nothing,
    /// The frame.
    AsItIs,
    /// These messages, serialised for the server.
    Anew(Vec<Message>),
}

impl Forwarding {
    /// For a server that takes the stream on message stream `stream_id`, of frames with so many bytes
    /// in a chunk.
    pub fn new(stream_id: u32, chunk_size: u32) -> Self {
        let mut reader = ChunkReader::new(READER);
        // A size that cannot be leaves the reader with frames that it does not understand.
        let _ = reader.set_chunk_size(chunk_size);
        Self { stream_id, reader }
    }

    /// What becomes of the frame `chunks`.
    pub fn forward(&mut self, kind: FrameKind, chunks: &[u8]) -> Forwarded {
        match kind {
            FrameKind::Begin | FrameKind::Dry => Forwarded::Nothing,
            // Servers keep metadata for those who come later if it is sent as a publisher does.
            FrameKind::Header => Forwarded::Anew(self.messages(chunks)),
            _ if self.stream_id == STREAM_ID => Forwarded::AsItIs,
            _ => Forwarded::Anew(self.messages(chunks)),
        }
    }

    fn messages(&mut self, mut chunks: &[u8]) -> Vec<Message> {
        let reader = &mut self.reader;
        std::iter::from_fn(|| reader.read(&mut chunks).ok().flatten()).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::rtmp::MessageType;
    use crate::rtmp::chunk::{Framing, csid};

    const FRAMING: Framing = Framing { chunk_size: 1000, repeat_extended_timestamp: true };

    fn message(kind: MessageType, length: usize) -> Message {
        let payload = Bytes::from(vec![9; length]);
        Message { kind, timestamp: 0x0100_0000, stream_id: STREAM_ID, payload }
    }

    fn frame(messages: &[Message]) -> Bytes {
        let mut chunks = BytesMut::new();
        messages.iter().for_each(|it| FRAMING.encode(csid::VIDEO, it, &mut chunks));
        chunks.freeze()
    }

    #[test]
    fn media_go_as_they_are() {
        let mut forwarding = Forwarding::new(STREAM_ID, FRAMING.chunk_size);
        let chunks = frame(&[message(MessageType::Video, 5000)]);
        for kind in [FrameKind::Keyframe, FrameKind::Inter, FrameKind::Audio, FrameKind::Data] {
            assert_eq!(forwarding.forward(kind, &chunks), Forwarded::AsItIs);
        }
    }

    #[test]
    fn another_message_stream_and_headers_take_messages() {
        let messages = [MessageType::DataAmf0, MessageType::Video].map(|it| message(it, 2500));
        for (stream_id, kind) in [(STREAM_ID, FrameKind::Header), (5, FrameKind::Inter)] {
            let mut forwarding = Forwarding::new(stream_id, FRAMING.chunk_size);
            for _ in 0..2 {
                let forwarded = forwarding.forward(kind, &frame(&messages));
                assert_eq!(forwarded, Forwarded::Anew(messages.to_vec()));
            }
        }
    }

    #[test]
    fn what_players_are_told_stays_here() {
        let mut forwarding = Forwarding::new(5, FRAMING.chunk_size);
        for kind in [FrameKind::Begin, FrameKind::Dry] {
            let chunks = frame(&[message(MessageType::UserControl, 6)]);
            assert_eq!(forwarding.forward(kind, &chunks), Forwarded::Nothing);
        }
    }
}
