//! AV1 (AV1 Bitstream & Decoding Process Specification).

use bytes::{Buf, Bytes, TryGetError};

use super::bits::{self, BitReader};

/// Why a configuration is of no use. Always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that cannot be read.
    #[error("AV1 sequence header: {0}")]
    Bits(#[from] bits::Error),
    /// Pictures of more than 65,535 pixels a side, which no container tells.
    #[error("AV1 sequence header: picture size out of range")]
    Range,
    /// The configuration or one of its units ends early.
    #[error("AV1 configuration ends early")]
    Truncated,
    /// The configuration's marker and version are not those of version 1.
    #[error("AV1 configuration that starts with {0:#04x}")]
    Version(u8),
}

impl From<TryGetError> for Error {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

/// An AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3.3): what a sequence header message holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecConfig {
    /// The sequence header, if the record has one.
    pub sequence_header: Option<SequenceHeader>,
    /// The record.
    pub record: Bytes,
}

impl CodecConfig {
    /// Parses a record.
    ///
    /// # Errors
    ///
    /// It ends early or is of another version, or its units or their sequence header are malformed.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        const MARKER_AND_VERSION: u8 = 0x81;
        const FIXED_FIELDS: usize = 4;

        match record.first() {
            Some(&MARKER_AND_VERSION) => {}
            Some(&other) => return Err(Error::Version(other)),
            None => return Err(Error::Truncated),
        }
        let mut units = record.get(FIXED_FIELDS..).ok_or(Error::Truncated)?;
        let mut sequence_header = None;
        while sequence_header.is_none() && !units.is_empty() {
            let (obu_type, payload) = read_obu(&mut units)?;
            if obu_type == OBU_SEQUENCE_HEADER {
                sequence_header = Some(SequenceHeader::parse(payload)?);
            }
        }
        Ok(Self { sequence_header, record: record.clone() })
    }
}

impl CodecConfig {
    /// The field at `index`, which [`parse`](Self::parse) has found to be there.
    fn field(&self, index: usize) -> u8 {
        self.record.get(index).copied().unwrap_or_default()
    }

    /// The profile's name (A.2), if there is one of that number.
    pub fn profile_name(&self) -> Option<&'static str> {
        ["Main", "High", "Professional"].get(usize::from(self.field(1) >> 5)).copied()
    }

    /// The level as in `4.0` (A.3).
    pub fn level(&self) -> String {
        let index = self.field(1) & 0x1f;
        format!("{}.{}", 2 + (index >> 2), index & 3)
    }

    /// The `codecs` parameter (RFC 6381; AV1 in ISOBMFF, 5).
    pub fn rfc6381_codec(&self) -> String {
        let (profile, level) = (self.field(1) >> 5, self.field(1) & 0x1f);
        let flags = self.field(2);
        let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
        let depth = match flags & 0x60 {
            0 => 8,
            0x60 => 12,
            _ => 10,
        };
        format!("av01.{profile}.{level:02}{tier}.{depth:02}")
    }
}

/// What a sequence header says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// The greatest width, in pixels; never zero.
    pub width: u16,
    /// The greatest height, in pixels; never zero.
    pub height: u16,
}

impl SequenceHeader {
    /// Parses `sequence_header_obu()` (5.5.1) up to the size of the pictures.
    fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = BitReader::new(payload);
        reader.skip(3 + 1)?; // seq_profile, still_picture
        let reduced_still_picture_header = reader.flag()?;
        if reduced_still_picture_header {
            reader.skip(5)?; // seq_level_idx
        } else {
            skip_operating_points(&mut reader)?;
        }
        let width_bits = reader.bits(4)? + 1;
        let height_bits = reader.bits(4)? + 1;
        let mut size = |bits| -> Result<u16, Error> {
            let minus_one = reader.bits(bits)?;
            u16::try_from(minus_one + 1).map_err(|_| Error::Range)
        };
        Ok(Self { width: size(width_bits)?, height: size(height_bits)? })
    }
}

/// Passes over the timing information and the operating points.
fn skip_operating_points(reader: &mut BitReader<'_>) -> Result<(), Error> {
    let timing_info_present = reader.flag()?;
    let buffer_delay_length = if timing_info_present { skip_timing(reader)? } else { None };
    let initial_display_delay_present = reader.flag()?;
    for _ in 0..=reader.small(5)? {
        reader.skip(12)?; // operating_point_idc
        let seq_level_idx = reader.small(5)?;
        if seq_level_idx > 7 {
            reader.skip(1)?; // seq_tier
        }
        if let Some(length) = buffer_delay_length
            && reader.flag()?
        {
            reader.skip(2 * length + 1)?; // operating_parameters_info()
        }
        if initial_display_delay_present && reader.flag()? {
            reader.skip(4)?;
        }
    }
    Ok(())
}

/// Passes over `timing_info()` and `decoder_model_info()`: how many bits the buffer delays of an
/// operating point have, if there are any.
fn skip_timing(reader: &mut BitReader<'_>) -> Result<Option<usize>, Error> {
    reader.skip(32 + 32)?; // num_units_in_display_tick, time_scale
    let equal_picture_interval = reader.flag()?;
    if equal_picture_interval {
        reader.ue()?; // num_ticks_per_picture_minus_1, of the same code as Exp-Golomb's
    }
    let decoder_model_info_present = reader.flag()?;
    if !decoder_model_info_present {
        return Ok(None);
    }
    let buffer_delay_length = usize::from(reader.small(5)?) + 1;
    reader.skip(32 + 5 + 5)?; // decoding tick, lengths of the removal and presentation times
    Ok(Some(buffer_delay_length))
}

/// `OBU_SEQUENCE_HEADER` (6.2.2).
const OBU_SEQUENCE_HEADER: u8 = 1;

/// Takes the next unit off `units`: its type and payload (5.3). One without a size is the last.
fn read_obu<'a>(units: &mut &'a [u8]) -> Result<(u8, &'a [u8]), Error> {
    let header = units.try_get_u8()?;
    let has_extension = header & 0x04 != 0;
    if has_extension {
        units.try_get_u8()?;
    }
    let has_size = header & 0x02 != 0;
    let size = if has_size { read_leb128(units)? } else { units.len() };
    let (payload, rest) = units.split_at_checked(size).ok_or(Error::Truncated)?;
    *units = rest;
    Ok((header >> 3 & 0x0f, payload))
}

/// Reads a `leb128()` (4.10.5) of at most 32 bits.
fn read_leb128(data: &mut &[u8]) -> Result<usize, Error> {
    let mut value = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let byte = data.try_get_u8()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::Truncated)
}

/// A temporal unit without the delimiter in front of it, which samples of containers do not have
/// (AV1 in ISOBMFF, 2.4).
pub fn without_delimiter(mut unit: Bytes) -> Bytes {
    const DELIMITER: [u8; 2] = [0x12, 0x00];
    while unit.starts_with(&DELIMITER) {
        unit.advance(DELIMITER.len());
    }
    unit
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// From ffmpeg 5.1, libsvtav1: 320x180.
    pub(crate) const RECORD: &[u8] = b"\x81\0\x0c\0\x0a\x0b\0\0\0\x04\x3c\xfe\xcc\x02\xf8\0\x40";

    fn parse(record: &[u8]) -> Result<CodecConfig, Error> {
        CodecConfig::parse(&Bytes::copy_from_slice(record))
    }

    #[test]
    fn record_of_ffmpeg() {
        let config = parse(RECORD).unwrap();
        let expected = SequenceHeader { width: 320, height: 180 };
        assert_eq!(config.sequence_header, Some(expected));
        assert_eq!(config.record, RECORD);
        assert_eq!((config.profile_name(), config.level()), (Some("Main"), "2.0".to_owned()));
        assert_eq!(config.rfc6381_codec(), "av01.0.00M.08");
        // Behind a unit of metadata, in a unit with an extension and without a size.
        let units = [&RECORD[..4], b"\x2a\x01\xff\x0c\x00", &RECORD[6..]].concat();
        assert_eq!(parse(&units).unwrap().sequence_header, Some(expected));
        assert_eq!(parse(&RECORD[..4]).unwrap().sequence_header, None);
    }

    #[test]
    fn timing_and_operating_points_are_passed_over() {
        // Each field's value and bits.
        let fields = [
            (0, 5),       // profile, still pictures
            (1, 1),       // timing
            (7, 32),      // a tick
            (7, 32),      // its scale
            (1, 1),       // equal intervals
            (0b00101, 5), // of 5
            (1, 1),       // a decoder model
            (9, 5),       // delays of 10 bits
            (7, 32),      // a tick
            (7, 10),      // other lengths
            (1, 1),       // display delays
            (1, 5),       // two operating points
            (7, 12),      // its layers
            (8, 5),       // its level
            (1, 1),       // its tier
            (1, 1),       // its model
            (7, 21),      // delays
            (1, 1),       // a display delay
            (7, 4),       // of 8
            (7, 12),      // its layers
            (7, 5),       // its level
            (0, 2),       // no model, no display delay
            (9, 4),       // widths of 10 bits
            (8, 4),       // heights of 9 bits
            (639, 10),
            (359, 9),
        ];
        let bits: String =
            fields.iter().map(|&(value, size)| format!("{value:0size$b}")).collect::<String>();
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| {
                (0..8).fold(0, |value, bit| value << 1 | (byte.get(bit) == Some(&b'1')) as u8)
            })
            .collect();
        let header = SequenceHeader::parse(&bytes);
        assert_eq!(header, Ok(SequenceHeader { width: 640, height: 360 }));
        assert!((0..bytes.len()).all(|end| SequenceHeader::parse(&bytes[..end]).is_err()));
    }

    #[test]
    fn records_of_no_use() {
        for end in (0..4).chain(5..RECORD.len()) {
            assert_eq!(parse(&RECORD[..end]), Err(Error::Truncated), "{end}");
        }
        assert_eq!(parse(b"\x01\0\x0c\0"), Err(Error::Version(1)));
        assert_eq!(parse(b"\x81\0\x0c\0\x0a\xff\xff\xff\xff\xff\x01"), Err(Error::Truncated));
        let short = Err(Error::Bits(bits::Error::Truncated));
        assert_eq!(parse(b"\x81\0\x0c\0\x0a\x02\0\0"), short);
        // A still picture of 65,536 pixels.
        assert_eq!(parse(b"\x81\0\x0c\0\x08\x18\x3f\xc3\xff\xff\xff\xff"), Err(Error::Range));
    }

    #[test]
    fn no_input_panics() {
        for first in 0..=u8::MAX {
            for filling in 0..=u8::MAX {
                let _ = parse(&[b"\x81\0\0\0", &[first][..], &[filling; 40]].concat());
            }
        }
    }

    #[test]
    fn delimiters_are_left_out() {
        let unit = |data: &'static [u8]| without_delimiter(Bytes::from_static(data));
        assert_eq!(unit(b"\x12\0\x12\0\x32\x01\x10"), b"\x32\x01\x10"[..]);
        assert_eq!(unit(b"\x32\x01\x10"), b"\x32\x01\x10"[..]);
        assert_eq!(unit(b"\x12\0"), b""[..]);
    }
}
