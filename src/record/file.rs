//! A file of whichever format.

use bytes::BytesMut;

use super::config::{Format, Media, Video};
use super::headers::Headers;
use crate::flv::{Contents, FlvWriter, Patch, Survey, TagType};
use crate::rtmp::{Message, MessageType};

/// What a file's messages become.
#[derive(Debug)]
pub(super) enum File {
    Flv(FlvWriter),
}

impl File {
    /// Begins a file.
    pub(super) fn begin(
        format: Format,
        media: Media,
        headers: &Headers,
        out: &mut BytesMut,
    ) -> Self {
        match format {
            Format::Flv => {
                let contents = Contents { audio: media.audio, video: media.video != Video::None };
                Self::Flv(FlvWriter::begin(contents, headers.properties(), out))
            }
        }
    }

    /// Goes on with a file.
    pub(super) fn resume(survey: Survey) -> Self {
        Self::Flv(FlvWriter::resume(survey))
    }

    /// Appends a message, `time` milliseconds after the file's beginning.
    pub(super) fn write(&mut self, message: &Message, time: u64, out: &mut BytesMut) {
        match self {
            Self::Flv(writer) => {
                let kind = match message.kind {
                    MessageType::Audio => TagType::Audio,
                    MessageType::Video => TagType::Video,
                    _ => TagType::Script,
                };
                // Times wrap in files as they do in messages.
                writer.write(kind, time as u32, &message.payload, out);
            }
        }
    }

    /// How long the file is, in bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Flv(writer) => writer.position(),
        }
    }

    /// What is to be written over the file now that it has its end.
    pub(super) fn finish(&self) -> impl IntoIterator<Item = Patch> {
        match self {
            Self::Flv(writer) => writer.finish(),
        }
    }
}
