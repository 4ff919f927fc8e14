//! Playing recorded files: [`Playback`], and which file a client means: [`FileName`].

mod name;
mod pacer;
mod playback;
mod remote;

use crate::file_view::{Absent, FileView, Purpose, Stop};
use crate::flv::{self, FlvReader};
use crate::mp4::{self, Mp4Reader, TrackChoice};
use crate::rtmp::Message;

pub use name::{FileName, NameError, track_choice};
pub use playback::{Output, Playback, Span};
pub use remote::request_target;

/// Why a file cannot be played, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is an FLV file.
    #[error(transparent)]
    Flv(#[from] flv::ReadError),
    /// It is an MP4 file, or none of those that are known.
    #[error(transparent)]
    Mp4(#[from] mp4::ReadError),
}

type Result<T> = std::result::Result<T, Stop<Error>>;

/// A reader for what the file turns out to be, whatever its name says.
#[derive(Debug)]
enum Reader {
    /// Nothing is known yet but which tracks are wanted.
    Unknown(TrackChoice),
    Flv(Box<FlvReader>),
    Mp4(Box<Mp4Reader>),
}

impl Reader {
    fn prepare(&mut self, view: &mut FileView) -> Result<()> {
        if let Self::Unknown(choice) = self {
            *self = match view.get(Purpose::Media, 0, 3) {
                Ok(start) if start == b"FLV"[..] => Self::Flv(Box::default()),
                Ok(_) | Err(Absent::PastEnd) => Self::Mp4(Box::new(Mp4Reader::new(*choice))),
                Err(Absent::Unread(request)) => return Err(Stop::Unread(request)),
            };
        }
        match self {
            Self::Unknown(_) => Ok(()),
            Self::Flv(reader) => reader.prepare(view).map_err(widen),
            Self::Mp4(reader) => reader.prepare(view).map_err(widen),
        }
    }

    fn next(&mut self, view: &mut FileView) -> Result<Option<Message>> {
        match self {
            Self::Unknown(_) => Ok(None),
            Self::Flv(reader) => reader.next(view).map_err(widen),
            Self::Mp4(reader) => reader.next(view).map_err(widen),
        }
    }

    fn seek(&mut self, target: u32) {
        match self {
            Self::Unknown(_) => {}
            Self::Flv(reader) => reader.seek(target),
            Self::Mp4(reader) => reader.seek(target),
        }
    }

    fn duration(&self) -> Option<u32> {
        match self {
            Self::Unknown(_) => None,
            Self::Flv(reader) => reader.duration(),
            Self::Mp4(reader) => reader.duration(),
        }
    }
}

fn widen<E: Into<Error>>(stop: Stop<E>) -> Stop<Error> {
    match stop {
        Stop::Unread(request) => Stop::Unread(request),
        Stop::Failed(error) => Stop::Failed(error.into()),
    }
}
