//! Opus (RFC 6716) and its identification header (RFC 7845).

use bytes::{Buf, TryGetError};

/// Samples a second on which every duration of Opus is counted.
pub const SAMPLE_RATE: u32 = 48_000;

/// Why a header or a packet is of no use. Always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A number of channels or of streams that cannot be.
    #[error("Opus header: impossible channels")]
    Channels,
    /// A header without its magic signature.
    #[error("Opus header without \"OpusHead\"")]
    Magic,
    /// A packet that lasts longer than 120 ms, or not at all.
    #[error("Opus packet of impossible duration")]
    Duration,
    /// It ends early.
    #[error("Opus header or packet ends early")]
    Truncated,
    /// A version that is not compatible with 1.
    #[error("Opus header of version {0}")]
    Version(u8),
}

impl From<TryGetError> for Error {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

/// An identification header (RFC 7845, 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdHeader {
    /// Channels that a decoder puts out; never zero.
    pub channels: u8,
    /// Samples at 48 kHz that a decoder drops at the start.
    pub pre_skip: u16,
    /// Samples a second of what was encoded; zero if unknown.
    pub input_sample_rate: u32,
    /// In 256ths of a decibel.
    pub output_gain: i16,
    /// The family, and unless that is 0 the mapping.
    pub mapping: ChannelMapping,
}

/// How coded channels become output channels (RFC 7845, 5.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelMapping {
    /// Family 0: one stream of one or two channels.
    Rtp,
    /// Another family: with a table.
    Table {
        /// Which one.
        family: u8,
        /// How many streams are in each packet; never zero.
        streams: u8,
        /// How many of them have two channels.
        coupled: u8,
        /// The coded channel of each output channel; 255 is silence.
        channels: Vec<u8>,
    },
}

impl IdHeader {
    /// The header of a stream that came without one.
    pub const fn of_channels(channels: u8) -> Self {
        Self {
            channels,
            pre_skip: 0,
            input_sample_rate: SAMPLE_RATE,
            output_gain: 0,
            mapping: ChannelMapping::Rtp,
        }
    }

    /// Parses a header.
    ///
    /// # Errors
    ///
    /// It ends early, is of another major version, or its channels cannot be.
    pub fn parse(header: &[u8]) -> Result<Self, Error> {
        let mut rest = header.strip_prefix(b"OpusHead").ok_or(Error::Magic)?;
        let version = rest.try_get_u8()?;
        if version >= 16 {
            return Err(Error::Version(version));
        }
        let channels = rest.try_get_u8()?;
        Ok(Self {
            channels,
            pre_skip: rest.try_get_u16_le()?,
            input_sample_rate: rest.try_get_u32_le()?,
            output_gain: rest.try_get_i16_le()?,
            mapping: ChannelMapping::read(channels, &mut rest)?,
        })
    }
}

impl ChannelMapping {
    fn read(output_channels: u8, header: &mut &[u8]) -> Result<Self, Error> {
        let family = header.try_get_u8()?;
        if family == 0 {
            return match output_channels {
                1 | 2 => Ok(Self::Rtp),
                _ => Err(Error::Channels),
            };
        }
        let (streams, coupled) = (header.try_get_u8()?, header.try_get_u8()?);
        let table = header.get(..usize::from(output_channels)).ok_or(Error::Truncated)?;
        let coded = u16::from(streams) + u16::from(coupled);
        let is_coded = |&channel: &u8| u16::from(channel) < coded || channel == u8::MAX;
        if table.is_empty()
            || streams == 0
            || coupled > streams
            || coded > u16::from(u8::MAX)
            || !table.iter().all(is_coded)
        {
            return Err(Error::Channels);
        }
        Ok(Self::Table { family, streams, coupled, channels: table.to_vec() })
    }
}

/// Samples of a packet at 48 kHz (RFC 6716, 3.1 and 3.2).
///
/// # Errors
///
/// It is empty, ends early, or its frames are none or last more than 120 ms.
pub fn packet_samples(packet: &[u8]) -> Result<u32, Error> {
    const MAX: u32 = SAMPLE_RATE / 1000 * 120;

    let &toc = packet.first().ok_or(Error::Truncated)?;
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1).ok_or(Error::Truncated)? & 0x3f),
    };
    match frames * frame_samples(toc >> 3) {
        samples @ 1..=MAX => Ok(samples),
        _ => Err(Error::Duration),
    }
}

/// Channels of a packet of one stream (RFC 6716, 3.1): 1 or 2.
pub fn packet_channels(packet: &[u8]) -> u8 {
    if packet.first().is_some_and(|toc| toc & 0x04 != 0) { 2 } else { 1 }
}

/// Samples of a frame at 48 kHz, by the configuration number (table 2).
const fn frame_samples(config: u8) -> u32 {
    const MILLISECOND: u32 = SAMPLE_RATE / 1000;
    match (config, config % 4) {
        // SILK: 10, 20, 40, 60 ms.
        (0..12, 0) => 10 * MILLISECOND,
        (0..12, quarter) => 20 * MILLISECOND * quarter as u32,
        // Hybrid: 10, 20 ms.
        (12..16, _) => (10 * MILLISECOND) << (config % 2),
        // CELT: 2.5, 5, 10, 20 ms.
        (_, quarter) => (5 * MILLISECOND / 2) << quarter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From ffmpeg 5.1, libopus: mono, 312 samples of pre-skip.
    const MONO: &[u8] = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    /// The same: 5.1.
    const SURROUND: &[u8] =
        b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\x00\x04\x01\x02\x03\x05";

    #[test]
    fn headers_of_ffmpeg() {
        let mono = IdHeader { pre_skip: 312, ..IdHeader::of_channels(1) };
        assert_eq!(IdHeader::parse(MONO), Ok(mono));
        let mapping = ChannelMapping::Table {
            family: 1,
            streams: 4,
            coupled: 2,
            channels: vec![0, 4, 1, 2, 3, 5],
        };
        let surround = IdHeader { pre_skip: 312, mapping, ..IdHeader::of_channels(6) };
        assert_eq!(IdHeader::parse(SURROUND), Ok(surround));
    }

    #[test]
    fn headers_of_no_use() {
        for end in 8..MONO.len() {
            assert_eq!(IdHeader::parse(&MONO[..end]), Err(Error::Truncated));
        }
        for end in 19..SURROUND.len() {
            assert_eq!(IdHeader::parse(&SURROUND[..end]), Err(Error::Truncated));
        }
        assert_eq!(IdHeader::parse(b"OpusHea"), Err(Error::Magic));
        let changed = |header: &[u8], at: usize, value: u8| {
            let mut header = header.to_vec();
            header[at] = value;
            IdHeader::parse(&header)
        };
        assert_eq!(changed(MONO, 8, 16), Err(Error::Version(16)));
        assert_eq!(changed(MONO, 9, 3), Err(Error::Channels));
        assert_eq!(changed(MONO, 9, 0), Err(Error::Channels));
        for (at, value) in [(9, 0), (19, 0), (19, 254), (20, 5), (21, 6)] {
            assert_eq!(changed(SURROUND, at, value), Err(Error::Channels), "{at}");
        }
        assert!(changed(SURROUND, 21, 255).is_ok());
    }

    #[test]
    fn durations() {
        for (config, samples) in [
            (0, 480),
            (1, 960),
            (2, 1920),
            (3, 2880),
            (11, 2880),
            (12, 480),
            (15, 960),
            (16, 120),
            (17, 240),
            (18, 480),
            (31, 960),
        ] {
            assert_eq!(packet_samples(&[config << 3]), Ok(samples), "{config}");
        }
        assert_eq!(packet_samples(&[31 << 3 | 1]), Ok(1920));
        assert_eq!(packet_samples(&[31 << 3 | 2]), Ok(1920));
        assert_eq!(packet_samples(&[31 << 3 | 3, 0xc6]), Ok(5760));
        assert_eq!(packet_samples(&[31 << 3 | 3, 7]), Err(Error::Duration));
        assert_eq!(packet_samples(&[31 << 3 | 3, 0]), Err(Error::Duration));
        assert_eq!(packet_samples(&[31 << 3 | 3]), Err(Error::Truncated));
        assert_eq!(packet_samples(&[]), Err(Error::Truncated));
        assert_eq!((packet_channels(&[0xfc]), packet_channels(&[0xf8])), (2, 1));
    }
}
