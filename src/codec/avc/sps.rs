//! The sequence parameter set (ITU-T H.264, 7.3.2.1.1).

use super::{Error, NalType};
use crate::codec::FrameRate;
use crate::codec::bits::BitReader;
use crate::codec::nal;

/// What a sequence parameter set says of the pictures that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Width after cropping, in pixels; never zero.
    pub width: u32,
    /// Height after cropping, in pixels; never zero. Of frames, also if they are interlaced.
    pub height: u32,
    /// The nominal frame rate, if timing information is present and plausible.
    pub frame_rate: Option<FrameRate>,
}

impl Sps {
    /// Parses `nal`, a NAL unit without framing.
    ///
    /// # Errors
    ///
    /// It is no sequence parameter set, ends early or holds an impossible value. Errors in the
    /// video usability information at its end cost only the frame rate.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        if NalType::of(nal) != NalType::Sps {
            return Err(Error::NotSps);
        }
        let payload = nal::unescape(nal);
        let mut reader = BitReader::new(&payload);
        reader.skip(8)?; // NAL unit header
        let profile = reader.small(8)?;
        reader.skip(16)?; // constraint flags, level_idc
        reader.ue()?; // seq_parameter_set_id
        let chroma =
            if has_chroma_format(profile) { Chroma::read(&mut reader)? } else { Chroma::YUV_420 };
        reader.ue()?; // log2_max_frame_num_minus4
        skip_picture_order_count(&mut reader)?;
        reader.ue()?; // max_num_ref_frames
        reader.flag()?; // gaps_in_frame_num_value_allowed_flag
        let (width, height) = read_size(&mut reader, chroma)?;
        let frame_rate = read_frame_rate(&mut reader).ok().flatten();
        Ok(Self { width, height, frame_rate })
    }
}

/// Whether sets of the profile carry the fields from `chroma_format_idc` to the scaling lists.
const fn has_chroma_format(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// How many luma samples a chroma sample stands for (table 6-1); one where there is no chroma.
#[derive(Clone, Copy)]
struct Chroma {
    width: u32,
    height: u32,
}

impl Chroma {
    const YUV_420: Self = Self { width: 2, height: 2 };

    /// Reads from `chroma_format_idc` to the end of the scaling lists.
    fn read(reader: &mut BitReader<'_>) -> Result<Self, Error> {
        let (chroma, scaling_lists) = match reader.ue()? {
            0 => (Self { width: 1, height: 1 }, 8),
            1 => (Self::YUV_420, 8),
            2 => (Self { width: 2, height: 1 }, 8),
            3 => {
                reader.flag()?; // separate_colour_plane_flag
                (Self { width: 1, height: 1 }, 12)
            }
            _ => return Err(Error::Range("chroma_format_idc")),
        };
        reader.ue()?; // bit_depth_luma_minus8
        reader.ue()?; // bit_depth_chroma_minus8
        reader.flag()?; // qpprime_y_zero_transform_bypass_flag
        if reader.flag()? {
            for list in 0..scaling_lists {
                if reader.flag()? {
                    skip_scaling_list(reader, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(chroma)
    }
}

/// Passes over `scaling_list()` (7.3.2.1.1.1), which ends where the next scale would be zero.
fn skip_scaling_list(reader: &mut BitReader<'_>, size: usize) -> Result<(), Error> {
    let mut scale = 8;
    for _ in 0..size {
        let delta = reader.se()?;
        if !(-128..=127).contains(&delta) {
            return Err(Error::Range("delta_scale"));
        }
        scale = (scale + delta).rem_euclid(256);
        if scale == 0 {
            break;
        }
    }
    Ok(())
}

/// Passes over `pic_order_cnt_type` and what belongs to it.
fn skip_picture_order_count(reader: &mut BitReader<'_>) -> Result<(), Error> {
    match reader.ue()? {
        0 => {
            reader.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            reader.flag()?; // delta_pic_order_always_zero_flag
            reader.se()?; // offset_for_non_ref_pic
            reader.se()?; // offset_for_top_to_bottom_field
            let cycle = reader.ue()?;
            if cycle > 255 {
                return Err(Error::Range("num_ref_frames_in_pic_order_cnt_cycle"));
            }
            for _ in 0..cycle {
                reader.se()?; // offset_for_ref_frame
            }
        }
        2 => {}
        _ => return Err(Error::Range("pic_order_cnt_type")),
    }
    Ok(())
}

/// Reads from `pic_width_in_mbs_minus1` to the cropping rectangle: width and height in pixels.
fn read_size(reader: &mut BitReader<'_>, chroma: Chroma) -> Result<(u32, u32), Error> {
    let width = read_macroblocks(reader)? * 16;
    let map_units = read_macroblocks(reader)?;
    let frame_mbs_only = reader.flag()?;
    if !frame_mbs_only {
        reader.flag()?; // mb_adaptive_frame_field_flag
    }
    // A map unit of a frame that may be coded as two fields is a pair of macroblocks (7-18).
    let fields = if frame_mbs_only { 1 } else { 2 };
    let height = map_units * fields * 16;
    reader.flag()?; // direct_8x8_inference_flag
    if !reader.flag()? {
        return Ok((width, height));
    }
    Ok((
        read_crop(reader, width, chroma.width)?,
        read_crop(reader, height, chroma.height * fields)?,
    ))
}

/// Reads a number of macroblocks, minus one.
fn read_macroblocks(reader: &mut BitReader<'_>) -> Result<u32, Error> {
    /// The most that any level allows along a side: sqrt(8 * MaxFS) at level 6.2 (A.3.1).
    const MAX: u32 = 1055;
    match reader.ue()? {
        minus_one if minus_one < MAX => Ok(minus_one + 1),
        _ => Err(Error::Range("picture size")),
    }
}

/// Reads the two crop offsets of one dimension, counted in `unit` pixels: what is left of `size`.
fn read_crop(reader: &mut BitReader<'_>, size: u32, unit: u32) -> Result<u32, Error> {
    let cut = (u64::from(reader.ue()?) + u64::from(reader.ue()?)) * u64::from(unit);
    match u32::try_from(cut) {
        Ok(cut) if cut < size => Ok(size - cut),
        _ => Err(Error::Range("cropping")),
    }
}

/// Reads the video usability information (E.1.1) up to its timing.
fn read_frame_rate(reader: &mut BitReader<'_>) -> Result<Option<FrameRate>, Error> {
    const EXTENDED_SAR: u8 = 255;

    if !reader.flag()? {
        return Ok(None);
    }
    let aspect_ratio_info_present = reader.flag()?;
    if aspect_ratio_info_present && reader.small(8)? == EXTENDED_SAR {
        reader.skip(32)?;
    }
    let overscan_info_present = reader.flag()?;
    if overscan_info_present {
        reader.skip(1)?;
    }
    let video_signal_type_present = reader.flag()?;
    if video_signal_type_present {
        reader.skip(4)?;
        let colour_description_present = reader.flag()?;
        if colour_description_present {
            reader.skip(24)?;
        }
    }
    let chroma_loc_info_present = reader.flag()?;
    if chroma_loc_info_present {
        reader.ue()?;
        reader.ue()?;
    }
    let timing_info_present = reader.flag()?;
    if !timing_info_present {
        return Ok(None);
    }
    Ok(frame_rate(reader.bits(32)?, reader.bits(32)?))
}

/// A frame lasts two ticks of `units` at `time_scale` a second (table E-6).
fn frame_rate(units: u32, time_scale: u32) -> Option<FrameRate> {
    /// Encoders of variable rate state a clock here, such as 90 kHz, which is no frame rate.
    const MAX_PLAUSIBLE: f64 = 1000.0;

    let (numerator, denominator) = match time_scale % 2 {
        0 => (time_scale / 2, units),
        _ => (time_scale, units.checked_mul(2)?),
    };
    let rate = FrameRate { numerator, denominator };
    (numerator > 0 && denominator > 0 && rate.as_f64() <= MAX_PLAUSIBLE).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::bits;

    /// From ffmpeg 5.1, libx264: 1920x1080 High.
    const HIGH: &str = "67640028acd940780227e5c044000003000400000300f03c60c658";

    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<_> =
            digits.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// The bytes of the binary digits in `digits`, filled up with ones.
    fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<_> = digits.bytes().filter(|&digit| digit != b' ').collect();
        let bit = |digit: &u8| u8::from(*digit == b'1');
        let byte = |chunk: &[u8]| {
            (0..8).fold(0, |byte, index| byte << 1 | chunk.get(index).map_or(1, bit))
        };
        digits.chunks(8).map(byte).collect()
    }

    /// A Baseline set up to `log2_max_frame_num_minus4`, then `rest`.
    fn baseline(rest: &str) -> Vec<u8> {
        [&b"\x67\x42\xc0\x1e"[..], &bytes(&format!("1 1 {rest}"))].concat()
    }

    /// A High set up to `qpprime_y_zero_transform_bypass_flag`, then `rest`.
    fn high(rest: &str) -> Vec<u8> {
        [&b"\x67\x64\x00\x1e"[..], &bytes(&format!("1 010 1 1 0 {rest}"))].concat()
    }

    /// From `max_num_ref_frames` to the end: 32x48 pixels, no cropping, no usability information.
    const SIZE: &str = "1 0 010 011 1 1 0 0";

    fn size(nal: &[u8]) -> Result<(u32, u32), Error> {
        Sps::parse(nal).map(|sps| (sps.width, sps.height))
    }

    #[test]
    fn sets_of_x264() {
        for (name, nal, (width, height, rate)) in [
            (
                "640x360 Baseline",
                "6742c01ed900a02ff97011000003000100000300320f162e48",
                (640, 360, Some((25, 1))),
            ),
            ("1920x1080 High", HIGH, (1920, 1080, Some((30, 1)))),
            (
                "1920x1080 High, interlaced",
                "67640028acd94078044fde0220000003002000000643e2c5b2c0",
                (1920, 1080, Some((25, 1))),
            ),
            (
                "1280x720 High 4:2:2",
                "677a001fbcd9405005bb011000003e90000ea600f1831960",
                (1280, 720, Some((30_000, 1001))),
            ),
            (
                "426x242 High 4:4:4 Predictive",
                "67f40015919b283610f3c7e022000003000200000300601e2c5b2c",
                (426, 242, Some((24, 1))),
            ),
            (
                "322x242 High, monochrome",
                "6764000cf36505421e3e3f016c80000003008000000a078a14cb",
                (322, 242, Some((10, 1))),
            ),
            (
                "320x240 High 10",
                "676e000ca6cd94141fb011000003000100000300140f142996",
                (320, 240, Some((10, 1))),
            ),
            (
                "320x240 High, sample aspect ratio 4:3",
                "6764000cacd94141fb0e1000000300100000030140f1429960",
                (320, 240, Some((10, 1))),
            ),
        ] {
            let rate = rate.map(|(numerator, denominator)| FrameRate { numerator, denominator });
            let expected = Sps { width, height, frame_rate: rate };
            assert_eq!(Sps::parse(&hex(nal)), Ok(expected), "{name}");
        }
    }

    #[test]
    fn every_order_count_type() {
        for order_count in ["1 1", "010 0 1 00101 011 010 011", "011"] {
            assert_eq!(size(&baseline(&format!("{order_count} {SIZE}"))), Ok((32, 48)));
        }
        let endless = "010 0 1 1 000000001 00000001";
        let error = Error::Range("num_ref_frames_in_pic_order_cnt_cycle");
        assert_eq!(size(&baseline(endless)), Err(error));
        assert_eq!(size(&baseline("00100")), Err(Error::Range("pic_order_cnt_type")));
    }

    #[test]
    fn scaling_lists() {
        // A list that ends at once (delta -8), a whole one of 16 (delta 0), six that are absent.
        let lists = format!("1  1 000010001  1 {}  0 0 0 0 0 0", "1".repeat(16));
        assert_eq!(size(&high(&format!("{lists} 1 011 {SIZE}"))), Ok((32, 48)));
        let hostile = format!("1  1 {}1{}", "0".repeat(31), "1".repeat(31));
        assert_eq!(size(&high(&hostile)), Err(Error::Range("delta_scale")));
    }

    #[test]
    fn cropping() {
        let set = |fields: &str| size(&baseline(&format!("011 1 0 {fields} 0")));
        // Frames of 32x48: one unit (two pixels) off the left, two off the bottom.
        assert_eq!(set("010 011 1 1 1  010 1 1 011"), Ok((30, 44)));
        // Fields: a vertical unit is four pixels.
        assert_eq!(set("010 011 0 0 1 1  1 1 1 010"), Ok((32, 92)));
        assert_eq!(set("010 011 1 1 1  000010001 000010001 1 1"), Err(Error::Range("cropping")));
        let most = format!("{}1{}", "0".repeat(31), "1".repeat(30) + "0");
        assert_eq!(set(&format!("010 011 1 1 1 {most} {most} 1 1")), Err(Error::Range("cropping")));
    }

    #[test]
    fn hostile_sizes() {
        let minus_one = |count: u32| format!("{:021b}", count + 1);
        let set = |width: u32| format!("011 1 0 {} 1 1 1 0 0", minus_one(width));
        assert_eq!(size(&baseline(&set(1054))), Ok((16_880, 16)));
        assert_eq!(size(&baseline(&set(1055))), Err(Error::Range("picture size")));
    }

    #[test]
    fn frame_rates() {
        let rate = |units, scale| frame_rate(units, scale).map(FrameRate::as_f64);
        assert_eq!(rate(1, 50), Some(25.0));
        assert_eq!(rate(2, 25), Some(6.25));
        assert_eq!(rate(1, 2000), Some(1000.0));
        for (units, scale) in [(1, 180_000), (0, 50), (1, 0), (0, 0), (u32::MAX, 1)] {
            assert_eq!(rate(units, scale), None);
        }
    }

    #[test]
    fn a_set_cut_anywhere_is_an_error_or_lacks_the_frame_rate() {
        let high = hex(HIGH);
        for end in 0..high.len() {
            match Sps::parse(&high[..end]) {
                Ok(sps) => assert_eq!((sps.width, sps.height), (1920, 1080)),
                Err(error) if end == 0 => assert_eq!(error, Error::NotSps),
                Err(error) => assert_eq!(error, Error::Bits(bits::Error::Truncated)),
            }
        }
    }
}
