//! MP4 files (ISO/IEC 14496-12) as RTMP messages: [`Mp4Reader`].
//!
//! The movie box may stand before or after the samples, and the movie may be fragmented. The sample
//! tables stay in the file and are gone through as playing comes to them, so a player's memory does
//! not depend on the length of its movie.

mod boxes;
mod descriptor;
mod extent;
mod fragment;
mod index;
mod movie;
mod reader;
mod sample_entry;
mod sample_table;
mod seek;
mod tag;
mod track;

#[cfg(test)]
pub(crate) mod samples;

use crate::file_view::Stop;

pub use reader::Mp4Reader;

type FourCc = [u8; 4];

type Result<T> = std::result::Result<T, Stop<ReadError>>;

/// Why a file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A box has a size that cannot be, or contents that are too short.
    #[error("box \"{}\" at byte {position} is damaged", kind.escape_ascii())]
    Box {
        /// The box's type.
        kind: [u8; 4],
        /// Where it, or its contents, begin.
        position: u64,
    },
    /// A sample table contradicts itself.
    #[error("sample table \"{}\" is damaged", .0.escape_ascii())]
    Table([u8; 4]),
    /// The file ends within a box.
    #[error("the file ends within the box at byte {0}")]
    Truncated(u64),
    /// The file ends before a sample does.
    #[error("the file ends before the sample at byte {0} does")]
    NoSample(u64),
    /// A sample is too large for a message of RTMP.
    #[error("the sample at byte {0} is larger than 16 MB")]
    TooLarge(u64),
    /// There is no movie box.
    #[error("the file has no movie box")]
    NoMovie,
    /// There are neither pictures nor sound, or not the tracks that were chosen.
    #[error("the file has no such video or audio track")]
    NoTracks,
    /// No track can be played, for one lacks what describes its samples.
    #[error("a track has no sample description")]
    NoSampleEntry,
    /// No track can be played, for one's description is damaged or lacks its configuration.
    #[error("the sample description \"{}\" is not usable", .0.escape_ascii())]
    SampleEntry([u8; 4]),
    /// No track can be played, for one is of a codec that RTMP does not carry.
    #[error("unsupported codec: \"{}\"", .0.escape_ascii())]
    UnsupportedCodec([u8; 4]),
}

/// Which of several video and audio tracks are played, counted from 0; `None` for the first of a
/// codec that can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackChoice {
    /// The video track.
    pub video: Option<u32>,
    /// The audio track.
    pub audio: Option<u32>,
}

/// One sample of a track, with times in the track's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    offset: u64,
    size: u32,
    dts: i64,
    /// From decoding to presentation.
    composition: i32,
    /// Whether decoding can start here.
    is_sync: bool,
}
