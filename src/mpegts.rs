//! MPEG-2 transport stream (ISO/IEC 13818-1): packets, program tables, PES.

pub mod packet;
pub mod pes;
pub mod psi;
