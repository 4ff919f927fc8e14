//! Access units: where RTMP and the packagers meet.

mod config;
mod demuxer;
mod sample_clock;
mod timeline;
mod tracks;

#[cfg(test)]
pub(crate) mod samples;

use std::fmt;

use bytes::Bytes;

use crate::codec::{aac, av1, avc, hevc, mp3, opus};
use crate::flv::{self, AudioCodec, VideoCodec};
use crate::time::Ticks;

pub use config::{AudioConfig, TrackConfig, VideoConfig};
pub use demuxer::Demuxer;
pub use timeline::Timeline;
pub use tracks::{PerTrack, Tracks};

/// What a [`Demuxer`] makes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// A track's configuration, the first or a changed one. The track's units that follow need it.
    Config(TrackConfig),
    /// A unit of a track whose configuration came before.
    Unit(AccessUnit),
}

/// What access units are packed into, which decides on the codecs that are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// The MPEG-2 transport stream, of [`mpegts`](crate::mpegts): H.264 and AAC.
    MpegTs,
    /// The fragmented MP4 of [`fmp4`](crate::fmp4): H.264, HEVC and AV1; AAC, MP3 and Opus.
    Mp4,
}

impl Container {
    const fn carries_video(self, codec: VideoCodec) -> bool {
        match self {
            Self::MpegTs => matches!(codec, VideoCodec::Avc),
            Self::Mp4 => matches!(codec, VideoCodec::Avc | VideoCodec::Hevc | VideoCodec::Av1),
        }
    }

    const fn carries_audio(self, codec: AudioCodec) -> bool {
        match self {
            Self::MpegTs => matches!(codec, AudioCodec::Aac),
            Self::Mp4 => matches!(codec, AudioCodec::Aac | AudioCodec::Mp3 | AudioCodec::Opus),
        }
    }
}

/// One coded picture or one audio frame, as a packager takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// The elementary stream it belongs to.
    pub track: TrackKind,
    /// When it is decoded.
    pub dts: Ticks,
    /// When it is presented; at or after `dts`.
    pub pts: Ticks,
    /// Whether decoding can start here. Every audio access unit is a keyframe.
    pub keyframe: bool,
    /// H.264, HEVC: NAL units, each behind its length (ISO/IEC 14496-15, 5.3.2). AV1: the units of
    /// a temporal unit but its delimiter. AAC: one raw data block. MP3: one frame. Opus: one packet.
    pub data: Bytes,
}

/// The kind of an elementary stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// Video.
    Video,
    /// Audio.
    Audio,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
        })
    }
}

/// Why a message holds nothing for a packager. No error ends the stream, nor the other track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A malformed AAC configuration.
    #[error(transparent)]
    Aac(#[from] aac::Error),
    /// A malformed AV1 configuration.
    #[error(transparent)]
    Av1(#[from] av1::Error),
    /// A malformed H.264 configuration.
    #[error(transparent)]
    Avc(#[from] avc::Error),
    /// A malformed tag.
    #[error(transparent)]
    Flv(#[from] flv::Error),
    /// A malformed HEVC configuration.
    #[error(transparent)]
    Hevc(#[from] hevc::Error),
    /// A malformed MP3 frame.
    #[error(transparent)]
    Mp3(#[from] mp3::Error),
    /// A malformed Opus configuration or packet.
    #[error(transparent)]
    Opus(#[from] opus::Error),
    /// A frame of a track whose sequence header did not come, or was malformed.
    #[error("{0} frame without a sequence header")]
    NoSequenceHeader(TrackKind),
    /// Every message of this audio track.
    #[error("unsupported audio codec: {0}")]
    UnsupportedAudio(AudioCodec),
    /// Every message of this video track.
    #[error("unsupported video codec: {0}")]
    UnsupportedVideo(VideoCodec),
}
