//! AAC (ISO/IEC 14496-3, ISO/IEC 13818-7).

use super::bits::{self, BitReader};

/// Why a configuration is of no use. Always the sender's fault, unless it is `Unsupported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The configuration ends early.
    #[error("AAC configuration: {0}")]
    Bits(#[from] bits::Error),
    /// A reserved value.
    #[error("AAC configuration: reserved {0}")]
    Reserved(&'static str),
    /// An audio object type other than Main, LC, SSR and LTP, each with or without SBR.
    #[error("unsupported AAC object type {0}")]
    Unsupported(u8),
    /// ADTS cannot tell it.
    #[error("ADTS cannot express {0}")]
    Adts(&'static str),
}

/// An AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): what a sequence header holds.
///
/// HE-AAC is a core (LC) at half the output's sample rate, in the same number of frames a second;
/// the fields without `output` in their names tell of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// The audio object type of the core: 1 Main, 2 LC, 3 SSR, 4 LTP.
    pub object_type: u8,
    /// Samples a second of the core; never zero.
    pub sample_rate: u32,
    /// `channelConfiguration`: 0 if a program config element tells, else 1 to 7, 11, 12 or 14.
    pub channel_configuration: u8,
    /// Channels of the core.
    pub channels: u8,
    /// Samples of a frame, of each channel of the core: 1024 or 960.
    pub frame_length: u32,
    /// Samples a second of the output, if spectral band replication (SBR) is signalled.
    pub sbr_sample_rate: Option<u32>,
    /// Whether parametric stereo is signalled, which makes two channels of one.
    pub parametric_stereo: bool,
}

impl AudioSpecificConfig {
    /// Parses a configuration, with SBR signalled in either of the explicit ways (1.6.5).
    ///
    /// # Errors
    ///
    /// It ends early, holds a reserved value, or is of an object type that this does not know.
    pub fn parse(config: &[u8]) -> Result<Self, Error> {
        let mut reader = BitReader::new(config);
        let reader = &mut reader;
        let mut object_type = read_object_type(reader)?;
        let sample_rate = read_sample_rate(reader)?;
        let channel_configuration = reader.small(4)?;
        let parametric_stereo = object_type == object_type::PS;
        let mut sbr_sample_rate = None;
        if parametric_stereo || object_type == object_type::SBR {
            sbr_sample_rate = Some(read_sample_rate(reader)?);
            object_type = read_object_type(reader)?;
        }
        if !(object_type::MAIN..=object_type::LTP).contains(&object_type) {
            return Err(Error::Unsupported(object_type));
        }
        let (frame_length, channels) = read_ga_specific_config(reader, channel_configuration)?;
        let mut config = Self {
            object_type,
            sample_rate,
            channel_configuration,
            channels,
            frame_length,
            sbr_sample_rate,
            parametric_stereo,
        };
        if sbr_sample_rate.is_none() {
            // Bytes that do not make an extension are padding.
            let _ = config.read_sync_extension(reader);
        }
        Ok(config)
    }

    /// Reads the signalling that old decoders pass over (1.6.6.1), if there is one.
    fn read_sync_extension(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        if reader.bits(11)? != 0x2b7 || read_object_type(reader)? != object_type::SBR {
            return Ok(());
        }
        let sbr_present = reader.flag()?;
        if sbr_present {
            self.sbr_sample_rate = Some(read_sample_rate(reader)?);
            self.parametric_stereo = reader.bits(11)? == 0x548 && reader.flag()?;
        }
        Ok(())
    }

    /// Samples a second that a decoder puts out. Where SBR is not signalled a decoder finds it in
    /// the frames, and puts out twice as many.
    pub fn output_sample_rate(&self) -> u32 {
        self.sbr_sample_rate.unwrap_or(self.sample_rate)
    }

    /// Channels that a decoder puts out.
    pub const fn output_channels(&self) -> u8 {
        if self.parametric_stereo && self.channels == 1 { 2 } else { self.channels }
    }

    /// The `codecs` parameter of the track: `mp4a.40.` and the object type that decoders need
    /// (RFC 6381, 3.3).
    pub fn rfc6381_codec(&self) -> String {
        let object_type = match self.sbr_sample_rate {
            _ if self.parametric_stereo => object_type::PS,
            Some(_) => object_type::SBR,
            None => self.object_type,
        };
        format!("mp4a.40.{object_type}")
    }

    /// The ADTS header of a frame whose raw data block has `length` bytes (ISO/IEC 13818-7, 6.2).
    ///
    /// It tells of the core; decoders find SBR in the frames. A stream without
    /// `channel_configuration` has its program config element in the frames as well.
    ///
    /// # Errors
    ///
    /// ADTS has no way to express the sample rate, channels, frame length or size.
    pub fn adts_header(&self, length: usize) -> Result<[u8; ADTS_HEADER_SIZE], Error> {
        const MAX_FRAME_SIZE: usize = (1 << 13) - 1;

        let rate_index = SAMPLE_RATES
            .iter()
            .position(|&rate| rate == self.sample_rate)
            .ok_or(Error::Adts("the sample rate"))? as u8;
        let channels = self.channel_configuration;
        if channels > 7 {
            return Err(Error::Adts("the channel configuration"));
        }
        if self.frame_length != 1024 {
            return Err(Error::Adts("frames of 960 samples"));
        }
        let size = length.saturating_add(ADTS_HEADER_SIZE);
        if size > MAX_FRAME_SIZE {
            return Err(Error::Adts("a frame so large"));
        }
        Ok([
            0xff, // syncword
            0xf1, // syncword, MPEG-4, layer 0, no CRC
            (self.object_type - 1) << 6 | rate_index << 2 | channels >> 2,
            channels << 6 | (size >> 11) as u8,
            (size >> 3) as u8,
            (size << 5) as u8 | 0x1f, // buffer fullness: variable bit rate
            0xfc,                     // buffer fullness, one raw data block
        ])
    }
}

/// Bytes of an ADTS header without CRC.
pub const ADTS_HEADER_SIZE: usize = 7;

/// Audio object types (table 1.17).
mod object_type {
    pub(super) const MAIN: u8 = 1;
    pub(super) const LTP: u8 = 4;
    pub(super) const SBR: u8 = 5;
    pub(super) const PS: u8 = 29;
    pub(super) const ESCAPE: u8 = 31;
}

/// Samples a second by `samplingFrequencyIndex` (table 1.18).
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Reads `GetAudioObjectType()`.
fn read_object_type(reader: &mut BitReader<'_>) -> Result<u8, Error> {
    match reader.small(5)? {
        object_type::ESCAPE => Ok(32 + reader.small(6)?),
        object_type => Ok(object_type),
    }
}

fn read_sample_rate(reader: &mut BitReader<'_>) -> Result<u32, Error> {
    const EXPLICIT: u8 = 15;

    let rate = match reader.small(4)? {
        EXPLICIT => reader.bits(24)?,
        index => SAMPLE_RATES.get(usize::from(index)).copied().unwrap_or(0),
    };
    if rate == 0 { Err(Error::Reserved("sample rate")) } else { Ok(rate) }
}

/// Reads `GASpecificConfig()` (4.4.1): the frame length in samples and the number of channels.
fn read_ga_specific_config(
    reader: &mut BitReader<'_>,
    channel_configuration: u8,
) -> Result<(u32, u8), Error> {
    let frame_length = if reader.flag()? { 960 } else { 1024 };
    let depends_on_core_coder = reader.flag()?;
    if depends_on_core_coder {
        reader.skip(14)?; // coreCoderDelay
    }
    let extension = reader.flag()?;
    let channels = match channel_configuration {
        0 => read_program_config_element(reader)?,
        1..=6 => channel_configuration,
        7 | 12 | 14 => 8,
        11 => 7,
        _ => return Err(Error::Reserved("channel configuration")),
    };
    if extension {
        reader.skip(1)?; // extensionFlag3
    }
    Ok((frame_length, channels))
}

/// Reads `program_config_element()` (4.4.1.1): the number of channels.
fn read_program_config_element(reader: &mut BitReader<'_>) -> Result<u8, Error> {
    reader.skip(4 + 2 + 4)?; // element_instance_tag, object_type, sampling_frequency_index
    let pairable = reader.small(4)? + reader.small(4)? + reader.small(4)?; // front, side, back
    let lfe = reader.small(2)?;
    let associated_data = reader.small(3)?;
    let coupling = reader.small(4)?;
    for mixdown_size in [4, 4, 3] {
        let present = reader.flag()?;
        if present {
            reader.skip(mixdown_size)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..pairable {
        let is_pair = reader.flag()?;
        channels += if is_pair { 2 } else { 1 };
        reader.skip(4)?; // tag_select
    }
    reader.skip(
        usize::from(lfe) * 4 + usize::from(associated_data) * 4 + usize::from(coupling) * 5,
    )?;
    reader.align();
    let comment_size = reader.small(8)?;
    reader.skip(usize::from(comment_size) * 8)?;
    if channels == 0 { Err(Error::Reserved("channel configuration")) } else { Ok(channels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From ffmpeg 5.1: AAC LC, 44100 Hz, stereo, "no SBR" signalled.
    const LC: &[u8] = b"\x12\x10\x56\xe5\x00";
    /// HE-AAC and HE-AAC v2, 22050 Hz to 44100 Hz, signalled in the way old decoders reject.
    const HE: &[u8] = b"\x2b\x92\x08\x00";
    const HE_V2: &[u8] = b"\xeb\x8a\x08\x00";
    /// The same, in the way old decoders pass over.
    const HE_COMPATIBLE: &[u8] = b"\x13\x90\x56\xe5\xa0";
    const HE_V2_COMPATIBLE: &[u8] = b"\x13\x88\x56\xe5\xa5\x48\x80";

    fn parse(config: &[u8]) -> AudioSpecificConfig {
        AudioSpecificConfig::parse(config).unwrap()
    }

    #[test]
    fn configurations_of_ffmpeg() {
        let config = parse(LC);
        let expected = AudioSpecificConfig {
            object_type: 2,
            sample_rate: 44_100,
            channel_configuration: 2,
            channels: 2,
            frame_length: 1024,
            sbr_sample_rate: None,
            parametric_stereo: false,
        };
        assert_eq!(config, expected);
        assert_eq!(parse(&LC[..2]), expected);
        for (config, rate, channels) in [
            (b"\x11\x88\x56\xe5\x00", 48_000, 1),
            (b"\x13\x88\x56\xe5\x00", 22_050, 1),
            (b"\x11\xb0\x56\xe5\x00", 48_000, 6),
        ] {
            let config = parse(config);
            assert_eq!((config.sample_rate, config.channels), (rate, channels));
            assert_eq!(config.rfc6381_codec(), "mp4a.40.2");
        }
    }

    #[test]
    fn spectral_band_replication_in_either_way() {
        assert_eq!(parse(HE), parse(HE_COMPATIBLE));
        assert_eq!(parse(HE_V2), parse(HE_V2_COMPATIBLE));
        let config = parse(HE);
        assert_eq!((config.sample_rate, config.output_sample_rate()), (22_050, 44_100));
        assert_eq!((config.output_channels(), config.object_type), (2, 2));
        assert_eq!(config.rfc6381_codec(), "mp4a.40.5");
        let config = parse(HE_V2);
        assert_eq!((config.channels, config.output_channels()), (1, 2));
        assert_eq!(config.rfc6381_codec(), "mp4a.40.29");
    }

    #[test]
    fn padding_is_no_extension() {
        assert_eq!(parse(b"\x12\x10\x00\x00\x00\x00"), parse(LC));
        assert_eq!(parse(b"\x12\x10\x56\xe5"), parse(LC));
        assert_eq!(parse(b"\x12\x10\x56\xe5\xf0"), parse(LC));
    }

    #[test]
    fn explicit_sample_rate_and_short_frames() {
        // Object type 2, index 15, 24 bits of 12345 Hz, mono, frames of 960.
        let config = parse(b"\x17\x80\x18\x1c\x8c");
        assert_eq!((config.sample_rate, config.channels, config.frame_length), (12_345, 1, 960));
        assert_eq!(config.adts_header(100), Err(Error::Adts("the sample rate")));
        let config = parse(b"\x12\x14");
        assert_eq!(config.adts_header(100), Err(Error::Adts("frames of 960 samples")));
    }

    #[test]
    fn program_config_element() {
        // From ffmpeg 5.1: quadraphonic, and 6.1.
        let quad = b"\x11\x80\x04\xc4\x04\x00\x21\x10\x0dLavc59.37.100\x56\xe5\x00";
        let back_centre = b"\x11\x80\x04\xc8\x48\x00\x20\x00\xc4\x40\x0dLavc59.37.100\x56\xe5\x00";
        assert_eq!((parse(quad).channel_configuration, parse(quad).channels), (0, 4));
        assert_eq!(parse(back_centre).channels, 7);
        for end in 0..22 {
            assert!(AudioSpecificConfig::parse(&quad[..end]).is_err());
        }
        // Signalling is found behind the element.
        let signalled = [&quad[..22], &HE_COMPATIBLE[2..]].concat();
        assert_eq!(parse(&signalled).sbr_sample_rate, Some(44_100));
    }

    #[test]
    fn configurations_of_no_use() {
        let truncated = Err(Error::Bits(bits::Error::Truncated));
        for end in 0..2 {
            assert_eq!(AudioSpecificConfig::parse(&LC[..end]), truncated);
        }
        for end in 0..3 {
            assert_eq!(AudioSpecificConfig::parse(&HE[..end]), truncated);
        }
        for (config, error) in [
            (b"\x16\x90\x00\x00\x00", Error::Reserved("sample rate")),
            (b"\x17\x80\x00\x00\x08", Error::Reserved("sample rate")),
            (b"\x12\x40\x00\x00\x00", Error::Reserved("channel configuration")),
            (b"\xf8\xe6\x20\x00\x00", Error::Unsupported(39)),
        ] {
            assert_eq!(AudioSpecificConfig::parse(config), Err(error), "{config:x?}");
        }
    }

    #[test]
    fn no_input_panics() {
        for first in 0..=u16::MAX {
            for filling in [0x00, 0x55, 0xff] {
                let [high, low] = first.to_be_bytes();
                let config = [&[high, low][..], &[filling; 9]].concat();
                if let Ok(config) = AudioSpecificConfig::parse(&config) {
                    let _ = config.adts_header(1);
                }
            }
        }
    }

    #[test]
    fn adts_headers() {
        // From ffmpeg's ADTS muxer.
        assert_eq!(parse(LC).adts_header(333), Ok(*b"\xff\xf1\x50\x80\x2a\x9f\xfc"));
        assert_eq!(parse(b"\x11\xb0").adts_header(783), Ok(*b"\xff\xf1\x4d\x80\x62\xdf\xfc"));
        assert_eq!(parse(b"\x13\x88").adts_header(504), Ok(*b"\xff\xf1\x5c\x40\x3f\xff\xfc"));
        // The core of HE-AAC is LC.
        assert_eq!(parse(HE).adts_header(93), Ok(*b"\xff\xf1\x5c\x80\x0c\x9f\xfc"));
        let too_large = Err(Error::Adts("a frame so large"));
        assert!(parse(LC).adts_header(8184).is_ok());
        assert_eq!(parse(LC).adts_header(8185), too_large);
        assert_eq!(parse(LC).adts_header(usize::MAX), too_large);
    }
}
