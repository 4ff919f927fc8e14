//! Finding out which tracks a stream has.

use crate::media::AccessUnit;
use crate::time::{Ticks, UnixMillis};

/// How much of a stream with one track so far is held back in case a second one appears.
const MAX_SPAN: Ticks = Ticks::from_millis(1000);

/// Bounds what is held back of a stream whose timestamps stand still.
const MAX_UNITS: usize = 512;

/// Bounds what is held back of a stream of huge frames.
const MAX_BYTES: usize = 4 << 20;

/// The first access units of a stream, held back until it is known which tracks it has.
///
/// A publisher announces a track just before the track's first unit, and RTMP does not say how many
/// there will be. If the first segment were started at once, it would often lack a track.
#[derive(Debug, Default)]
pub struct Probe {
    units: Vec<(AccessUnit, UnixMillis)>,
    bytes: usize,
}

impl Probe {
    /// Holds `unit` back, with the time at which it arrived. True once there is enough.
    pub fn push(&mut self, unit: AccessUnit, now: UnixMillis) -> bool {
        self.bytes += unit.data.len();
        self.units.push((unit, now));
        self.span() >= MAX_SPAN || self.units.len() >= MAX_UNITS || self.bytes >= MAX_BYTES
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
