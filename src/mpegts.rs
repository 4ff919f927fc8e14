//! MPEG-2 transport stream (ISO/IEC 13818-1): packets, program tables, PES, and the muxer that
//! makes segments of them.

mod audio;
mod es;
mod muxer;
pub mod packet;
pub mod pes;
pub mod psi;

use crate::media::{AudioConfig, TrackConfig, VideoConfig};

pub use muxer::Muxer;

/// Whether the muxer can express the track: H.264, and AAC as far as ADTS can.
pub fn carries(config: &TrackConfig) -> bool {
    match config {
        TrackConfig::Video(config) => matches!(config, VideoConfig::Avc(_)),
        TrackConfig::Audio(AudioConfig::Aac { config, .. }) => config.adts_header(0).is_ok(),
        TrackConfig::Audio(_) => false,
    }
}
