//! MPEG-2 transport stream (ISO/IEC 13818-1): packets, program tables, PES, and the muxer that
//! makes segments of them.

mod audio;
mod es;
mod muxer;
pub mod packet;
pub mod pes;
pub mod psi;

pub use muxer::Muxer;
