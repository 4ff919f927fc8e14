//! What a file has to begin with, and what each message is to a recorder.

use bytes::Bytes;

use crate::amf0::Value;
use crate::flv::{self, AudioKind, VideoKind};
use crate::live::{Meta, Metadata, is_metadata};
use crate::rtmp::{Message, MessageType};

/// How many audio frames may come with no video between them before a file begins without a
/// keyframe: some 3 s of AAC.
const MAX_AUDIO_RUN: u32 = 128;

/// What a message is to a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A sequence header that was not in force before.
    AudioHeader,
    /// As above.
    VideoHeader,
    /// Coded audio.
    Audio,
    /// Other than coded audio.
    OtherAudio,
    /// A picture that decoding can start at.
    Keyframe,
    /// A picture that needs others.
    Inter,
    /// Video other than pictures.
    OtherVideo,
    /// Data that are not metadata.
    Data,
    /// Not to be recorded as it is.
    Nothing,
}

/// The publisher's newest metadata and sequence headers.
#[derive(Debug)]
pub(super) struct Headers {
    metadata: Metadata,
    pub(super) audio: Option<Message>,
    pub(super) video: Option<Message>,
    has_pictures: bool,
    /// The audio frames since the last picture.
    audio_run: u32,
}

impl Headers {
    pub(super) fn new() -> Self {
        Self {
            metadata: Metadata::new(Meta::Off),
            audio: None,
            video: None,
            has_pictures: false,
            audio_run: 0,
        }
    }

    /// The properties of a file's metadata.
    pub(super) fn properties(&self) -> Vec<(String, Value)> {
        self.metadata.properties()
    }

    /// Whether a file may begin with audio: there is no video, or there has been none for a while.
    pub(super) fn may_begin_with_audio(&self) -> bool {
        !self.has_pictures || self.audio_run > MAX_AUDIO_RUN
    }

    /// Takes in a message.
    pub(super) fn learn(&mut self, message: &Message) -> Kind {
        match message.kind {
            MessageType::Audio | MessageType::Video if message.payload.is_empty() => Kind::Nothing,
            MessageType::Audio => self.learn_audio(message),
            MessageType::Video => self.learn_video(message),
            MessageType::DataAmf0 if is_metadata(&message.payload) => {
                self.metadata.publish(&message.payload);
                Kind::Nothing
            }
            MessageType::DataAmf0 => Kind::Data,
            _ => Kind::Nothing,
        }
    }

    fn learn_audio(&mut self, message: &Message) -> Kind {
        match flv::audio_kind(&message.payload) {
            AudioKind::SequenceHeader if is_known(self.audio.as_ref(), &message.payload) => {
                Kind::Nothing
            }
            AudioKind::SequenceHeader => {
                self.metadata.set_header(message);
                self.audio = Some(message.clone());
                Kind::AudioHeader
            }
            AudioKind::Frame => {
                self.audio_run = self.audio_run.saturating_add(1);
                Kind::Audio
            }
            AudioKind::Other => Kind::OtherAudio,
        }
    }

    fn learn_video(&mut self, message: &Message) -> Kind {
        match flv::video_kind(&message.payload) {
            VideoKind::SequenceHeader if is_known(self.video.as_ref(), &message.payload) => {
                Kind::Nothing
            }
            VideoKind::SequenceHeader => {
                self.metadata.set_header(message);
                self.video = Some(message.clone());
                Kind::VideoHeader
            }
            VideoKind::Keyframe => self.see_picture(Kind::Keyframe),
            VideoKind::Inter => self.see_picture(Kind::Inter),
            VideoKind::Other => Kind::OtherVideo,
        }
    }

    fn see_picture(&mut self, kind: Kind) -> Kind {
        self.has_pictures = true;
        self.audio_run = 0;
        kind
    }
}

fn is_known(header: Option<&Message>, payload: &Bytes) -> bool {
    header.is_some_and(|header| header.payload == payload)
}
