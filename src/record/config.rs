//! What the directives of a recorder say.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::names::Suffix;

/// One recorder of an application.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// The name of its block; empty for the application's own.
    pub id: String,
    /// Whether it only records when it is told to.
    pub manual: bool,
    /// What is recorded.
    pub media: Media,
    /// How it is recorded.
    pub format: Format,
    /// The directory of its files.
    pub path: PathBuf,
    /// What the names of its files end with.
    pub suffix: Suffix,
    /// Whether the time is part of the names of its files.
    pub unique: bool,
    /// Whether its id is, as another recorder's files would have the same names.
    pub named_after_id: bool,
    /// Whether a file that is there is continued.
    pub append: bool,
    /// Whether a file is locked while it is written.
    pub lock: bool,
    /// When a file ends.
    pub limits: Limits,
}

impl fmt::Display for RecorderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id.as_str() {
            "" => f.write_str("\"record\""),
            id => write!(f, "recorder \"{id}\""),
        }
    }
}

/// How recordings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// FLV.
    #[default]
    Flv,
    /// Fragmented MP4.
    Mp4,
}

/// Which messages are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media {
    /// Whether audio is.
    pub audio: bool,
    /// Which video is.
    pub video: Video,
    /// Whether data messages other than metadata are.
    pub data: bool,
}

/// Which pictures are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Video {
    /// None.
    None,
    /// Keyframes.
    Keyframes,
    /// All.
    All,
}

/// When a file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// It ends when it is this long, in bytes.
    pub max_size: Option<u64>,
    /// It ends when it has so many video frames.
    pub max_frames: Option<u64>,
    /// The next one begins so long after it began.
    pub interval: Option<Duration>,
    /// The next one begins when it is this long, in bytes.
    pub interval_size: Option<u64>,
}
