//! Finding out which tracks a stream has.

use crate::media::{AccessUnit, PerTrack, TrackKind};
use crate::time::{Ticks, UnixMillis};

/// How much of a stream with one track is held back in case a second one appears.
const MAX_SPAN: Ticks = Ticks::from_millis(1000);

/// Bounds what is held back of a stream whose timestamps stand still.
const MAX_UNITS: usize = 512;

/// Bounds what is held back of a stream of huge frames.
const MAX_BYTES: usize = 4 << 20;

/// The first access units of a stream, held back until it is known which tracks it has.
///
/// RTMP does not say how many there will be, and some publishers announce one that never sends. If
/// the first segment were started at once, it would often lack a track.
#[derive(Debug, Default)]
pub struct Probe {
    units: Vec<(AccessUnit, UnixMillis)>,
    bytes: usize,
    heard: PerTrack<bool>,
}

impl Probe {
    /// Holds `unit` back, with the time at which it arrived. True once there is enough: both tracks,
    /// or a second of one.
    pub fn push(&mut self, unit: AccessUnit, now: UnixMillis) -> bool {
        self.bytes += unit.data.len();
        self.heard[unit.track] = true;
        self.units.push((unit, now));
        self.lone_track().is_none()
            || self.span() >= MAX_SPAN
            || self.units.len() >= MAX_UNITS
            || self.bytes >= MAX_BYTES
    }

    /// The only track that sent something.
    pub fn lone_track(&self) -> Option<TrackKind> {
        match self.heard {
            PerTrack { video: true, audio: false } => Some(TrackKind::Video),
            PerTrack { video: false, audio: true } => Some(TrackKind::Audio),
            _ => None,
        }
    }

    /// The access units that were held back, in order.
    pub fn into_units(self) -> Vec<(AccessUnit, UnixMillis)> {
        self.units
    }

    fn span(&self) -> Ticks {
        match (self.units.first(), self.units.last()) {
            (Some((first, _)), Some((last, _))) => Ticks(last.dts.0.saturating_sub(first.dts.0)),
            _ => Ticks::default(),
        }
    }
}
