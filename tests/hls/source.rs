//! What ffmpeg encodes, as the messages that it would publish.

use std::fs;
use std::process::Command;

use bytes::{Buf, Bytes};
use ngx_rtmp_module::rtmp::{Message, MessageType};
use tempfile::TempDir;

use crate::ffmpeg;

/// A stream as published. Times are in ticks of 90 kHz.
pub(crate) struct Source {
    pub(crate) messages: Vec<Message>,
    /// Its pictures.
    pub(crate) video: Vec<VideoPacket>,
    /// The times of its audio frames; if there is video, of those after the first picture.
    pub(crate) audio: Vec<i64>,
}

/// A track to encode, in ffmpeg's words: a source filter, and an encoder's options.
#[derive(Clone, Copy)]
pub(crate) struct Track {
    pub(crate) input: &'static str,
    pub(crate) encoder: &'static str,
}

/// A picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VideoPacket {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) keyframe: bool,
}

impl Source {
    /// Encodes so many seconds.
    pub(crate) fn encode(tracks: &[Track], seconds: u32) -> Self {
        let directory = TempDir::new().expect("a scratch directory");
        let path = directory.path().join("source.flv");
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error"]);
        for track in tracks {
            command.args(["-f", "lavfi", "-i", track.input]);
        }
        for track in tracks {
            command.args(track.encoder.split_whitespace());
        }
        command.args(["-t", &seconds.to_string()]).arg(&path);
        ffmpeg::run(&mut command);
        Self::read(fs::read(path).expect("an FLV file").into())
    }

    /// Reads an FLV file (FLV 10.1, annex E.3).
    fn read(mut file: Bytes) -> Self {
        let mut source = Self { messages: vec![], video: vec![], audio: vec![] };
        file.advance(9 + 4);
        while file.has_remaining() {
            let kind = MessageType::from(file.get_u8());
            let length = file.get_uint(3) as usize;
            let timestamp = file.get_uint(3) as u32 | u32::from(file.get_u8()) << 24;
            file.advance(3);
            let payload = file.split_to(length);
            file.advance(4);
            source.push(Message { kind, timestamp, stream_id: 1, payload });
        }
        source
    }

    fn push(&mut self, message: Message) {
        let time = i64::from(message.timestamp) * 90;
        match (message.kind, &message.payload[..]) {
            (MessageType::Video, [flags, 1, offset @ ..]) => {
                let mut offset = &offset[..3];
                let pts = time + offset.get_int(3) * 90;
                let keyframe = flags >> 4 == 1;
                if self.video.is_empty() {
                    self.audio.clear();
                }
                self.video.push(VideoPacket { pts, dts: time, keyframe });
            }
            (MessageType::Audio, [_, 1, ..]) => self.audio.push(time),
            _ => {}
        }
        self.messages.push(message);
    }
}
