//! The sequence parameter set (ITU-T H.265, 7.3.2.2).

use super::{Error, NAL_TYPE_SPS};
use crate::codec::bits::BitReader;
use crate::codec::nal;

/// What a sequence parameter set says of the pictures that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Width after cropping, in pixels; never zero.
    pub width: u16,
    /// Height after cropping, in pixels; never zero.
    pub height: u16,
}

impl Sps {
    /// Parses `nal`, a NAL unit without framing.
    ///
    /// # Errors
    ///
    /// It is no sequence parameter set, ends early or holds an impossible value.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        if nal.first().is_none_or(|byte| byte >> 1 & 0x3f != NAL_TYPE_SPS) {
            return Err(Error::NotSps);
        }
        // What is read here ends long before.
        const MAX_LENGTH: usize = 1024;
        let payload = nal::unescape(nal.get(..MAX_LENGTH).unwrap_or(nal));
        let mut reader = BitReader::new(&payload);
        reader.skip(16 + 4)?; // NAL unit header, sps_video_parameter_set_id
        let sub_layers = reader.small(3)?; // sps_max_sub_layers_minus1
        reader.skip(1)?; // sps_temporal_id_nesting_flag
        skip_profile_tier_level(&mut reader, sub_layers)?;
        reader.ue()?; // sps_seq_parameter_set_id
        let (chroma_width, chroma_height) = read_chroma_format(&mut reader)?;
        let (width, height) = (reader.ue()?, reader.ue()?);
        let conformance_window = reader.flag()?;
        if !conformance_window {
            return Ok(Self { width: size(width, 0)?, height: size(height, 0)? });
        }
        let mut cut = |unit: u64| -> Result<u64, Error> {
            Ok((u64::from(reader.ue()?) + u64::from(reader.ue()?)) * unit)
        };
        Ok(Self {
            width: size(width, cut(chroma_width)?)?,
            height: size(height, cut(chroma_height)?)?,
        })
    }
}

/// Passes over `profile_tier_level()` (7.3.3) of the whole and of so many layers below it.
fn skip_profile_tier_level(reader: &mut BitReader<'_>, sub_layers: u8) -> Result<(), Error> {
    const PROFILE: usize = 88;
    const LEVEL: usize = 8;

    reader.skip(PROFILE + LEVEL)?;
    if sub_layers == 0 {
        return Ok(());
    }
    // Two flags of each layer, and of those up to the eighth that are not there.
    let flags = reader.bits(16)?;
    for layer in 0..u32::from(sub_layers) {
        let present = |flag: u32| flags << (2 * layer + flag) & 0x8000 != 0;
        let profile = if present(0) { PROFILE } else { 0 };
        let level = if present(1) { LEVEL } else { 0 };
        reader.skip(profile + level)?;
    }
    Ok(())
}

/// Reads `chroma_format_idc`: how many luma samples a unit of the window stands for (table 6-1).
fn read_chroma_format(reader: &mut BitReader<'_>) -> Result<(u64, u64), Error> {
    match reader.ue()? {
        0 => Ok((1, 1)),
        1 => Ok((2, 2)),
        2 => Ok((2, 1)),
        3 => {
            reader.skip(1)?; // separate_colour_plane_flag
            Ok((1, 1))
        }
        _ => Err(Error::Range("chroma_format_idc")),
    }
}

/// What is left of `size` when so many pixels are cut off.
fn size(size: u32, cut: u64) -> Result<u16, Error> {
    match u64::from(size).checked_sub(cut).map(u16::try_from) {
        Some(Ok(size @ 1..)) => Ok(size),
        _ => Err(Error::Range("picture size")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::bits;

    /// From ffmpeg 5.1, libx265: 320x180 of which the height is coded as 184.
    const CROPPED: &[u8] =
        b"\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x3c\xa0\x0a\x08\x0c\
        \x1f\x3e\x59\x59\x52\x93\x0b\xc0\x5a\x02\0\0\x03\0\x02\0\0\x03\0\x32\x10";

    #[test]
    fn sizes() {
        assert_eq!(Sps::parse(CROPPED), Ok(Sps { width: 320, height: 180 }));
    }

    #[test]
    fn layers_are_passed_over() {
        // A layer with a profile and a level, and one with a level.
        let mut nal = b"\x42\x01\x05".to_vec();
        nal.extend([0x60; 12]);
        nal.extend([0b1101_0000, 0]);
        nal.extend([0x60; 11 + 1 + 1]);
        // Set 0, 4:2:0, 8 by 4, no window: 1 010 0001001 00101 0.
        nal.extend([0b1010_0001, 0b0010_0101, 0]);
        assert_eq!(Sps::parse(&nal), Ok(Sps { width: 8, height: 4 }));
    }

    #[test]
    fn sets_of_no_use() {
        assert_eq!(Sps::parse(b""), Err(Error::NotSps));
        assert_eq!(Sps::parse(b"\x40\x01"), Err(Error::NotSps));
        for end in 2..24 {
            let truncated = Err(Error::Bits(bits::Error::Truncated));
            assert_eq!(Sps::parse(&CROPPED[..end]), truncated, "{end}");
        }
        let ending = |bits: &[u8]| Sps::parse(&[&CROPPED[..18], bits].concat());
        // Set 0, format 4.
        assert_eq!(ending(&[0b1001_0100]), Err(Error::Range("chroma_format_idc")));
        // 4:2:0, 0 by 8, no window.
        assert_eq!(ending(&[0b1010_1000, 0b1001_0000]), Err(Error::Range("picture size")));
        // 4:2:0, 4 by 4, 4 cut off the width: 1 010 00101 00101 1 1 011 1 1.
        assert_eq!(
            ending(&[0b1010_0010, 0b1001_0111, 0b0111_1000]),
            Err(Error::Range("picture size"))
        );
    }

    #[test]
    fn no_input_panics() {
        for filling in 0..=u8::MAX {
            let _ = Sps::parse(&[&[0x42, 0x01][..], &[filling; 200]].concat());
        }
    }
}
