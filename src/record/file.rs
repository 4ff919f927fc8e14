//! A file of whichever format.

use bytes::BytesMut;

use super::config::{Format, Media, Video};
use super::headers::Headers;
use super::mp4::Mp4File;
use crate::flv::{Contents, FlvWriter, Patch, Survey, TagType};
use crate::fmp4::TracksChanged;
use crate::media;
use crate::rtmp::{Message, MessageType};

/// What a file's messages become.
#[derive(Debug)]
pub(super) enum File {
    Flv(FlvWriter),
    Mp4(Box<Mp4File>),
}

/// Why a message is not in a file.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The file's tracks are other ones: another file has to begin.
    TracksChanged,
    /// Files of the format do not hold such messages.
    Media(media::Error),
}

impl From<TracksChanged> for WriteError {
    fn from(_: TracksChanged) -> Self {
        Self::TracksChanged
    }
}

impl From<media::Error> for WriteError {
    fn from(error: media::Error) -> Self {
        Self::Media(error)
    }
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
            Format::Mp4 => Self::Mp4(Box::new(Mp4File::new(media))),
        }
    }

    /// Goes on with a file.
    pub(super) fn resume(survey: Survey) -> Self {
        Self::Flv(FlvWriter::resume(survey))
    }

    /// Appends a message, `time` milliseconds after the file's beginning. What is out of order may be
    /// from before it.
    ///
    /// # Errors
    ///
    /// It has no place in the file.
    pub(super) fn write(
        &mut self,
        message: &Message,
        time: i64,
        out: &mut BytesMut,
    ) -> Result<(), WriteError> {
        match self {
            Self::Flv(writer) => {
                let time = time.max(0);
                let kind = match message.kind {
                    MessageType::Audio => TagType::Audio,
                    MessageType::Video => TagType::Video,
                    _ => TagType::Script,
                };
                // Times wrap in files as they do in messages.
                writer.write(kind, time as u32, &message.payload, out);
                Ok(())
            }
            Self::Mp4(file) => file.write(message, time, out),
        }
    }

    /// How long the file is, in bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Flv(writer) => writer.position(),
            Self::Mp4(file) => file.size(),
        }
    }

    /// Whether what is written is a fragment: more does not come soon.
    pub(super) const fn is_in_fragments(&self) -> bool {
        matches!(self, Self::Mp4(_))
    }

    /// Writes what waits for what comes next.
    pub(super) fn flush(&mut self, out: &mut BytesMut) {
        match self {
            Self::Flv(_) => {}
            Self::Mp4(file) => file.flush(out),
        }
    }

    /// Writes the file's end. Gives what is to be written over it then.
    pub(super) fn finish(&mut self, out: &mut BytesMut) -> Vec<Patch> {
        match self {
            Self::Flv(writer) => writer.finish().into_iter().collect(),
            Self::Mp4(file) => {
                let patch = file.finish(out).map(|(offset, data)| Patch { offset, data });
                patch.into_iter().collect()
            }
        }
    }
}
