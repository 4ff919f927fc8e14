//! HEVC (ITU-T H.265, ISO/IEC 23008-2).

mod sps;

use bytes::{Buf, Bytes, TryGetError};

pub use sps::Sps;

use super::bits;

/// Why a configuration or a parameter set is of no use. Always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that cannot be read.
    #[error("HEVC parameter set: {0}")]
    Bits(#[from] bits::Error),
    /// NAL unit lengths of three bytes, which the specification leaves out.
    #[error("HEVC configuration with 3-byte NAL unit lengths")]
    LengthSize,
    /// The configuration holds no sequence parameter set.
    #[error("HEVC configuration without a sequence parameter set")]
    NoSps,
    /// The NAL unit is no sequence parameter set.
    #[error("HEVC NAL unit is no sequence parameter set")]
    NotSps,
    /// A field of a sequence parameter set out of its range.
    #[error("HEVC sequence parameter set: {0} out of range")]
    Range(&'static str),
    /// The configuration ends early.
    #[error("HEVC configuration ends early")]
    Truncated,
    /// The configuration's version is not 1. Annex B data in its place looks so.
    #[error("HEVC configuration of version {0}")]
    Version(u8),
}

impl From<TryGetError> for Error {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

/// An HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1): what a sequence header holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderConfig {
    /// Bytes of a NAL unit's length field: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Sequence parameter sets, NAL units without framing. None is empty.
    pub sequence_parameter_sets: Vec<Bytes>,
    /// The record, without what may follow it.
    pub record: Bytes,
}

impl DecoderConfig {
    /// Parses a record. Parameter sets share its memory.
    ///
    /// # Errors
    ///
    /// The record ends early, or its version or NAL unit length is none that is defined.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        /// From the profile to the number of temporal layers: nothing that a server needs.
        const PROFILE_TO_FRAME_RATE: usize = 20;

        let mut rest = record.clone();
        let version = rest.try_get_u8()?;
        if version != 1 {
            return Err(Error::Version(version));
        }
        if rest.len() < PROFILE_TO_FRAME_RATE {
            return Err(Error::Truncated);
        }
        rest.advance(PROFILE_TO_FRAME_RATE);
        let nal_length_size = (rest.try_get_u8()? & 0x03) + 1;
        if nal_length_size == 3 {
            return Err(Error::LengthSize);
        }
        let sequence_parameter_sets = read_arrays(&mut rest)?;
        let record = record.slice(..record.len() - rest.len());
        Ok(Self { nal_length_size, sequence_parameter_sets, record })
    }

    /// The field at `index`, which [`parse`](Self::parse) has found to be there.
    fn field(&self, index: usize) -> u8 {
        self.record.get(index).copied().unwrap_or_default()
    }

    /// The profile's name (ITU-T H.265, A.3), if it is one that is in use.
    pub fn profile_name(&self) -> Option<&'static str> {
        Some(match self.field(1) & 0x1f {
            1 => "Main",
            2 => "Main 10",
            3 => "Main Still Picture",
            4 => "Range Extensions",
            _ => return None,
        })
    }

    /// Thirty times the level.
    pub fn level(&self) -> u8 {
        self.field(12)
    }

    /// The `codecs` parameter (RFC 6381; ISO/IEC 14496-15, E.3).
    pub fn rfc6381_codec(&self) -> String {
        let space = ["", "A", "B", "C"][usize::from(self.field(1) >> 6)];
        let tier = if self.field(1) & 0x20 == 0 { 'L' } else { 'H' };
        let compatibility = (2..6).fold(0, |flags, at| flags << 8 | u32::from(self.field(at)));
        let (profile, compatibility) = (self.field(1) & 0x1f, compatibility.reverse_bits());
        let level = self.level();
        let mut codec = format!("hvc1.{space}{profile}.{compatibility:X}.{tier}{level}");
        // Of the constraint flags, the bytes up to the last that is not zero.
        let last = (6..12).rev().find(|&at| self.field(at) != 0);
        for at in 6..=last.unwrap_or_default() {
            codec += &format!(".{:X}", self.field(at));
        }
        codec
    }

    /// What the first sequence parameter set says of the pictures.
    ///
    /// # Errors
    ///
    /// There is none, or it is malformed.
    pub fn sps(&self) -> Result<Sps, Error> {
        Sps::parse(self.sequence_parameter_sets.first().ok_or(Error::NoSps)?)
    }
}

/// Reads the arrays of parameter sets: the sequence parameter sets.
fn read_arrays(record: &mut Bytes) -> Result<Vec<Bytes>, Error> {
    let mut sequence_parameter_sets = vec![];
    for _ in 0..record.try_get_u8()? {
        let nal_type = record.try_get_u8()? & 0x3f;
        for _ in 0..record.try_get_u16()? {
            let length = usize::from(record.try_get_u16()?);
            if length > record.len() {
                return Err(Error::Truncated);
            }
            let nal = record.split_to(length);
            if nal_type == NAL_TYPE_SPS && !nal.is_empty() {
                sequence_parameter_sets.push(nal);
            }
        }
    }
    Ok(sequence_parameter_sets)
}

/// `SPS_NUT` (table 7-1).
const NAL_TYPE_SPS: u8 = 33;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// From ffmpeg 5.1, libx265: 320x180, with its SEI cut off.
    pub(crate) const RECORD: &[u8] = b"\x01\x01\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc\xfd\xf8\xf8\0\0\
        \x0f\x03\x20\0\x01\0\x18\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x3c\
        \x95\x94\x09\x21\0\x01\0\x2b\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x3c\xa0\x0a\
        \x08\x0c\x1f\x3e\x59\x59\x52\x93\x0b\xc0\x5a\x02\0\0\x03\0\x02\0\0\x03\0\x32\x10\x22\0\x01\0\
        \x06\x44\x01\xc0\x73\xc1\x89";

    fn parse(record: &[u8]) -> Result<DecoderConfig, Error> {
        DecoderConfig::parse(&Bytes::copy_from_slice(record))
    }

    #[test]
    fn record_of_ffmpeg() {
        let config = parse(RECORD).unwrap();
        assert_eq!((config.nal_length_size, config.sequence_parameter_sets.len()), (4, 1));
        let sps = config.sps().unwrap();
        assert_eq!((sps.width, sps.height), (320, 180));
        assert_eq!(config.record, RECORD);
        assert_eq!((config.profile_name(), config.level()), (Some("Main"), 60));
        assert_eq!(config.rfc6381_codec(), "hvc1.1.6.L60.90");
        assert_eq!(parse(&[RECORD, b"rest"].concat()), Ok(config));
    }

    #[test]
    fn records_of_no_use() {
        for end in 0..RECORD.len() {
            assert_eq!(parse(&RECORD[..end]), Err(Error::Truncated), "{end}");
        }
        assert_eq!(parse(b"\0\0\0\x01\x40"), Err(Error::Version(0)));
        let mut record = RECORD.to_vec();
        record[21] = 0x0e;
        assert_eq!(parse(&record), Err(Error::LengthSize));
        let mut record = RECORD[..22].to_vec();
        record.push(0);
        assert_eq!(parse(&record).unwrap().sps(), Err(Error::NoSps));
    }
}
