//! The tracks of a stream.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::{AccessUnit, AudioConfig, TrackConfig, TrackKind, VideoConfig};

/// The tracks of a stream and how each is coded. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracks {
    /// The video track, if there is one.
    pub video: Option<Arc<VideoConfig>>,
    /// The audio track, if there is one.
    pub audio: Option<Arc<AudioConfig>>,
}

impl Tracks {
    /// Adds a track, or replaces its configuration.
    pub fn configure(&mut self, config: TrackConfig) {
        match config {
            TrackConfig::Video(config) => self.video = Some(Arc::new(config)),
            TrackConfig::Audio(config) => self.audio = Some(Arc::new(config)),
        }
    }

    /// Removes a track.
    pub fn remove(&mut self, kind: TrackKind) {
        match kind {
            TrackKind::Video => self.video = None,
            TrackKind::Audio => self.audio = None,
        }
    }

    /// Only the track of one kind.
    pub fn only(&self, kind: TrackKind) -> Self {
        match kind {
            TrackKind::Video => Self { video: self.video.clone(), audio: None },
            TrackKind::Audio => Self { video: None, audio: self.audio.clone() },
        }
    }

    /// Whether there is a track of that kind.
    pub const fn has(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Video => self.video.is_some(),
            TrackKind::Audio => self.audio.is_some(),
        }
    }

    /// The `codecs` parameter of both tracks (RFC 6381).
    pub fn rfc6381_codecs(&self) -> String {
        let video = self.video.as_ref().map(|config| config.rfc6381_codec());
        let audio = self.audio.as_ref().map(|config| config.rfc6381_codec());
        video.into_iter().chain(audio).collect::<Vec<_>>().join(",")
    }

    /// The track by which the stream is cut and timed: video if there is video.
    pub fn lead(&self) -> Option<TrackKind> {
        [TrackKind::Video, TrackKind::Audio].into_iter().find(|kind| self.has(*kind))
    }

    /// Whether playback can start with `unit`.
    pub fn can_start_with(&self, unit: &AccessUnit) -> bool {
        unit.keyframe && self.lead() == Some(unit.track)
    }
}

/// One value for each kind of track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerTrack<T> {
    /// Of the video track.
    pub video: T,
    /// Of the audio track.
    pub audio: T,
}

impl<T> Index<TrackKind> for PerTrack<T> {
    type Output = T;

    fn index(&self, kind: TrackKind) -> &T {
        match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        }
    }
}

impl<T> IndexMut<TrackKind> for PerTrack<T> {
    fn index_mut(&mut self, kind: TrackKind) -> &mut T {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }
}
