//! Parameter sets and bitstream units, one codec a file.

pub mod aac;
pub mod avc;
pub mod nal;
