//! Fragmented MP4 (ISO/IEC 14496-12): an initialisation segment, then fragments that each hold some
//! samples of every track. A file of them can be played while it is written, and wherever it ends.

mod boxes;
mod file;
mod fragment;
mod fragmenter;
mod init;
mod muxer;
mod piece;
mod random_access;
mod sample_entry;

pub use file::{FileWriter, TracksChanged};
pub use fragmenter::Purpose;
pub use muxer::Muxer;
pub use piece::{Output, Piece};
pub use random_access::SyncPoint;

use crate::media::{TrackKind, Tracks};
use crate::time::Ticks;

/// The `track_ID` of a track.
const fn track_id(kind: TrackKind) -> u32 {
    match kind {
        TrackKind::Video => 1,
        TrackKind::Audio => 2,
    }
}

/// The units a second in which the times of a track are told. Audio counts samples.
fn timescale(kind: TrackKind, tracks: &Tracks) -> u32 {
    match (kind, &tracks.audio) {
        (TrackKind::Audio, Some(config)) => config.sample_rate(),
        _ => Ticks::PER_SECOND as u32,
    }
}

#[cfg(test)]
mod tests;
