//! H.264 (ITU-T H.264, ISO/IEC 14496-10).

mod sps;

use bytes::{Buf, Bytes, TryGetError};

pub use sps::Sps;

use super::bits;

/// Why a configuration or a parameter set is of no use. Always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that cannot be read.
    #[error("H.264 parameter set: {0}")]
    Bits(#[from] bits::Error),
    /// NAL unit lengths of three bytes, which the specification leaves out.
    #[error("H.264 configuration with 3-byte NAL unit lengths")]
    LengthSize,
    /// The configuration holds no sequence parameter set.
    #[error("H.264 configuration without a sequence parameter set")]
    NoSps,
    /// The NAL unit is no sequence parameter set.
    #[error("H.264 NAL unit is no sequence parameter set")]
    NotSps,
    /// A field of a sequence parameter set out of its range.
    #[error("H.264 sequence parameter set: {0} out of range")]
    Range(&'static str),
    /// The configuration ends early.
    #[error("H.264 configuration ends early")]
    Truncated,
    /// The configuration's version is not 1. Annex B data in its place looks so.
    #[error("H.264 configuration of version {0}")]
    Version(u8),
}

impl From<TryGetError> for Error {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

/// An AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1): what a sequence header holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderConfig {
    /// `profile_idc`: 66 is Baseline, 77 Main, 100 High.
    pub profile: u8,
    /// The constraint flags, from `constraint_set0_flag` in the most significant bit on.
    pub compatibility: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// Bytes of a NAL unit's length field: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Sequence parameter sets, NAL units without framing. None is empty.
    pub sequence_parameter_sets: Vec<Bytes>,
    /// Picture parameter sets, NAL units without framing. None is empty.
    pub picture_parameter_sets: Vec<Bytes>,
    /// The record as it came.
    pub record: Bytes,
}

impl DecoderConfig {
    /// Parses a record. Parameter sets share its memory.
    ///
    /// What follows the picture parameter sets in the High profiles is passed over: it repeats the
    /// sequence parameter set, and many encoders leave it out.
    ///
    /// # Errors
    ///
    /// The record ends early, or its version or NAL unit length is none that is defined.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        let mut rest = record.clone();
        let version = rest.try_get_u8()?;
        if version != 1 {
            return Err(Error::Version(version));
        }
        let [profile, compatibility, level] =
            [rest.try_get_u8()?, rest.try_get_u8()?, rest.try_get_u8()?];
        let nal_length_size = (rest.try_get_u8()? & 0x03) + 1;
        if nal_length_size == 3 {
            return Err(Error::LengthSize);
        }
        let sps_count = rest.try_get_u8()? & 0x1f;
        let sequence_parameter_sets = read_parameter_sets(&mut rest, sps_count)?;
        let pps_count = rest.try_get_u8()?;
        let picture_parameter_sets = read_parameter_sets(&mut rest, pps_count)?;
        Ok(Self {
            profile,
            compatibility,
            level,
            nal_length_size,
            sequence_parameter_sets,
            picture_parameter_sets,
            record: record.clone(),
        })
    }

    /// What the first sequence parameter set says of the pictures.
    ///
    /// # Errors
    ///
    /// There is none, or it is malformed.
    pub fn sps(&self) -> Result<Sps, Error> {
        Sps::parse(self.sequence_parameter_sets.first().ok_or(Error::NoSps)?)
    }

    /// The name of the profile, if it has one (ITU-T H.264, A.2).
    pub const fn profile_name(&self) -> Option<&'static str> {
        Some(match self.profile {
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 => "High",
            110 => "High 10",
            122 => "High 4:2:2",
            244 => "High 4:4:4 Predictive",
            _ => return None,
        })
    }

    /// The `codecs` parameter of the track: `avc1.`, profile, constraint flags and level in
    /// hexadecimal (RFC 6381, 3.3).
    pub fn rfc6381_codec(&self) -> String {
        format!("avc1.{:02x}{:02x}{:02x}", self.profile, self.compatibility, self.level)
    }
}

fn read_parameter_sets(record: &mut Bytes, count: u8) -> Result<Vec<Bytes>, Error> {
    let mut sets = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let length = usize::from(record.try_get_u16()?);
        if length > record.len() {
            return Err(Error::Truncated);
        }
        sets.push(record.split_to(length));
    }
    sets.retain(|set| !set.is_empty());
    Ok(sets)
}

/// The type of a NAL unit (table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NalType {
    /// 1: a slice of a picture that is no IDR picture.
    Slice,
    /// 5: a slice of an IDR picture, at which decoding can start.
    IdrSlice,
    /// 6: supplemental enhancement information.
    Sei,
    /// 7: a sequence parameter set.
    Sps,
    /// 8: a picture parameter set.
    Pps,
    /// 9: an access unit delimiter.
    AccessUnitDelimiter,
    /// 12: filler data.
    Filler,
    /// Any other type.
    Other(u8),
}

impl NalType {
    /// The type of `nal`, a NAL unit without framing. An empty one has type 0.
    pub fn of(nal: &[u8]) -> Self {
        match nal.first().map_or(0, |header| header & 0x1f) {
            1 => Self::Slice,
            5 => Self::IdrSlice,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::AccessUnitDelimiter,
            12 => Self::Filler,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From ffmpeg 5.1, libx264: the sequence headers of 1920x1080 High and 640x360 Baseline.
    const HIGH: &[u8] = b"\x01\x64\x00\x28\xff\xe1\x00\x1b\x67\x64\x00\x28\xac\xd9\x40\x78\x02\
        \x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x58\x01\x00\x06\x68\
        \xea\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
    const BASELINE: &[u8] = b"\x01\x42\xc0\x1e\xff\xe1\x00\x19\x67\x42\xc0\x1e\xd9\x00\xa0\x2f\xf9\
        \x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2e\x48\x01\x00\x05\x68\xcb\x83\
        \xcb\x20";

    fn parse(record: &[u8]) -> Result<DecoderConfig, Error> {
        DecoderConfig::parse(&Bytes::copy_from_slice(record))
    }

    #[test]
    fn records_of_x264() {
        let config = parse(HIGH).unwrap();
        assert_eq!((config.profile, config.compatibility, config.level), (100, 0, 40));
        assert_eq!(config.nal_length_size, 4);
        assert_eq!(config.sequence_parameter_sets, [&HIGH[8..35]]);
        assert_eq!(config.picture_parameter_sets, [&HIGH[38..44]]);
        assert_eq!(config.rfc6381_codec(), "avc1.640028");
        let sps = config.sps().unwrap();
        assert_eq!((sps.width, sps.height), (1920, 1080));

        let config = parse(BASELINE).unwrap();
        assert_eq!(config.picture_parameter_sets, [&b"\x68\xcb\x83\xcb\x20"[..]]);
        assert_eq!(config.rfc6381_codec(), "avc1.42c01e");
    }

    #[test]
    fn reserved_bits_may_be_zero() {
        let record = b"\x01\x42\xc0\x1e\x01\x01\x00\x01\x67\x02\x00\x00\x00\x01\x68";
        let config = parse(record).unwrap();
        assert_eq!(config.nal_length_size, 2);
        assert_eq!(config.sequence_parameter_sets, [&b"\x67"[..]]);
        assert_eq!(config.picture_parameter_sets, [&b"\x68"[..]]);
    }

    #[test]
    fn records_of_no_use() {
        assert_eq!(parse(b"\x00\x00\x00\x01\x67"), Err(Error::Version(0)));
        assert_eq!(parse(b"\x01\x42\xc0\x1e\xfe\xe0\x00"), Err(Error::LengthSize));
        let without_sets = parse(b"\x01\x42\xc0\x1e\xff\xe0\x00").unwrap();
        assert_eq!(without_sets.sps(), Err(Error::NoSps));
        let swapped = parse(b"\x01\x42\xc0\x1e\xff\xe1\x00\x01\x68\x00").unwrap();
        assert_eq!(swapped.sps(), Err(Error::NotSps));
    }

    #[test]
    fn a_record_cut_anywhere_is_an_error() {
        for end in 0..44 {
            assert_eq!(parse(&HIGH[..end]), Err(Error::Truncated), "{end}");
        }
        // The extension of the High profiles may be missing.
        let without = parse(&HIGH[..44]).unwrap();
        assert_eq!(without.picture_parameter_sets, parse(HIGH).unwrap().picture_parameter_sets);
    }

    #[test]
    fn nal_types() {
        assert_eq!(NalType::of(b"\x65\x88"), NalType::IdrSlice);
        assert_eq!(NalType::of(b"\x41"), NalType::Slice);
        assert_eq!(NalType::of(b"\x27"), NalType::Sps);
        assert_eq!(NalType::of(b"\x0a"), NalType::Other(10));
        assert_eq!(NalType::of(b""), NalType::Other(0));
    }
}
