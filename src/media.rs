//! Access units: where RTMP and the packagers meet.

use bytes::Bytes;

use crate::time::Ticks;

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
    /// H.264: NAL units, each behind its length (ISO/IEC 14496-15, 5.3.2). AAC: one raw data block.
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
