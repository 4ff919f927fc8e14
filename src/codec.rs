//! Parameter sets and bitstream units, one codec a file.

pub mod aac;
pub mod av1;
pub mod avc;
pub mod bits;
pub mod hevc;
pub mod mp3;
pub mod nal;
pub mod opus;
pub mod vp9;

/// A nominal frame rate: `numerator / denominator` frames a second. Neither is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    /// Frames in `denominator` seconds.
    pub numerator: u32,
    /// The seconds that `numerator` frames last.
    pub denominator: u32,
}

impl FrameRate {
    /// Frames a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}
