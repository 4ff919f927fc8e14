//! How much has come of a stream.

use crate::rtmp::{Message, MessageType};

/// Counts of what publishers have sent, since the stream came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes of audio.
    pub audio: u64,
    /// Bytes of video.
    pub video: u64,
    /// Bytes of anything else.
    pub other: u64,
    audio_time: u32,
    video_time: u32,
}

impl Received {
    pub(super) fn count(&mut self, message: &Message) {
        let length = message.payload.len() as u64;
        match message.kind {
            MessageType::Audio => {
                self.audio += length;
                self.audio_time = message.timestamp;
            }
            MessageType::Video => {
                self.video += length;
                self.video_time = message.timestamp;
            }
            _ => self.other += length,
        }
    }

    /// All bytes.
    pub const fn bytes(&self) -> u64 {
        self.audio + self.video + self.other
    }

    /// How far audio is ahead of video, in milliseconds.
    pub const fn av_sync(&self) -> i64 {
        self.audio_time.wrapping_sub(self.video_time) as i32 as i64
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn counts_by_kind() {
        let mut received = Received::default();
        for (kind, timestamp, length) in [
            (MessageType::Audio, 40, 10),
            (MessageType::Video, 20, 100),
            (MessageType::DataAmf0, 0, 1),
        ] {
            let payload = Bytes::from(vec![0; length]);
            received.count(&Message { kind, timestamp, stream_id: 1, payload });
        }
        assert_eq!((received.audio, received.video, received.bytes()), (10, 100, 111));
        assert_eq!(received.av_sync(), 20);
    }
}
