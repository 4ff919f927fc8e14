//! How tracks are coded.

use bytes::Bytes;

use super::{Error, TrackKind};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::{av1, avc, hevc, mp3, opus};
use crate::flv::{AudioCodec, VideoCodec};

/// What a decoder has to know before a track's first access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackConfig {
    /// Of the video track.
    Video(VideoConfig),
    /// Of the audio track.
    Audio(AudioConfig),
}

impl TrackConfig {
    /// Of which track it is.
    pub const fn kind(&self) -> TrackKind {
        match self {
            Self::Video(_) => TrackKind::Video,
            Self::Audio(_) => TrackKind::Audio,
        }
    }
}

/// How a video track is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoConfig {
    /// H.264.
    Avc(avc::DecoderConfig),
    /// HEVC.
    Hevc(hevc::DecoderConfig),
    /// AV1.
    Av1(av1::CodecConfig),
}

impl VideoConfig {
    /// Parses the record of a sequence header.
    pub(super) fn parse(codec: VideoCodec, record: &Bytes) -> Result<Self, Error> {
        Ok(match codec {
            VideoCodec::Avc => Self::Avc(avc::DecoderConfig::parse(record)?),
            VideoCodec::Hevc => Self::Hevc(hevc::DecoderConfig::parse(record)?),
            VideoCodec::Av1 => Self::Av1(av1::CodecConfig::parse(record)?),
            other => return Err(Error::UnsupportedVideo(other)),
        })
    }

    pub(super) const fn codec(&self) -> VideoCodec {
        match self {
            Self::Avc(_) => VideoCodec::Avc,
            Self::Hevc(_) => VideoCodec::Hevc,
            Self::Av1(_) => VideoCodec::Av1,
        }
    }

    /// The track's `codecs` parameter (RFC 6381).
    pub fn rfc6381_codec(&self) -> String {
        match self {
            Self::Avc(config) => config.rfc6381_codec(),
            Self::Hevc(config) => config.rfc6381_codec(),
            Self::Av1(config) => config.rfc6381_codec(),
        }
    }

    /// Width and height of the pictures in pixels, if the configuration tells.
    pub fn size(&self) -> Option<(u16, u16)> {
        match self {
            Self::Avc(config) => {
                let sps = config.sps().ok()?;
                Some((sps.width.try_into().ok()?, sps.height.try_into().ok()?))
            }
            Self::Hevc(config) => config.sps().ok().map(|sps| (sps.width, sps.height)),
            Self::Av1(config) => config.sequence_header.map(|header| (header.width, header.height)),
        }
    }
}

/// How an audio track is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioConfig {
    /// AAC.
    Aac {
        /// What the configuration says.
        config: AudioSpecificConfig,
        /// The configuration as it came.
        record: Bytes,
    },
    /// MP3.
    Mp3(mp3::Config),
    /// Opus.
    Opus(opus::IdHeader),
}

impl AudioConfig {
    /// Parses a sequence header; none is needed of MP3.
    pub(super) fn parse(codec: AudioCodec, header: &Bytes) -> Result<Option<Self>, Error> {
        Ok(Some(match codec {
            AudioCodec::Aac => {
                Self::Aac { config: AudioSpecificConfig::parse(header)?, record: header.clone() }
            }
            AudioCodec::Opus => Self::Opus(opus::IdHeader::parse(header)?),
            AudioCodec::Mp3 => return Ok(None),
            other => return Err(Error::UnsupportedAudio(other)),
        }))
    }

    pub(super) const fn codec(&self) -> AudioCodec {
        match self {
            Self::Aac { .. } => AudioCodec::Aac,
            Self::Mp3(_) => AudioCodec::Mp3,
            Self::Opus(_) => AudioCodec::Opus,
        }
    }

    /// The track's `codecs` parameter (RFC 6381).
    pub fn rfc6381_codec(&self) -> String {
        match self {
            Self::Aac { config, .. } => config.rfc6381_codec(),
            // Browsers know it by capitals only.
            Self::Mp3(config) if config.is_mpeg_1() => "mp4a.6B".to_owned(),
            Self::Mp3(_) => "mp4a.69".to_owned(),
            Self::Opus(_) => "opus".to_owned(),
        }
    }

    /// The samples a second by which the track's frames are counted; not zero.
    pub const fn sample_rate(&self) -> u32 {
        match self {
            Self::Aac { config, .. } => config.sample_rate,
            Self::Mp3(config) => config.sample_rate,
            Self::Opus(_) => opus::SAMPLE_RATE,
        }
    }

    /// How many samples `data`, an access unit of the track, holds of each channel.
    ///
    /// # Errors
    ///
    /// It is malformed.
    pub fn samples(&self, data: &[u8]) -> Result<u32, Error> {
        match self {
            Self::Aac { config, .. } => Ok(config.frame_length),
            Self::Mp3(config) => Ok(config.frame_length()),
            Self::Opus(_) => Ok(opus::packet_samples(data)?),
        }
    }
}
