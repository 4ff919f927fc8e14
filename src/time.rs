//! Time as the protocols count it: monotonic and wall-clock milliseconds handed in by the caller,
//! RTMP's wrapping 32-bit timestamps, and the 90 kHz clock of MPEG systems.

use std::ops::Add;
use std::time::Duration;

/// A point in monotonic time: milliseconds since an arbitrary epoch.
///
/// The program's only clock is in the glue; everything else is told the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Wall-clock time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

/// Ticks of the 90 kHz clock that MPEG systems stamp access units with (ISO/IEC 13818-1, 2.4.2),
/// unwrapped: 64 bits, so that a stream of any length stays ordered. May be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub i64);

impl Ticks {
    /// Ticks in one second.
    pub const PER_SECOND: i64 = 90_000;

    /// The tick at `millis` milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 90)
    }

    /// The whole milliseconds up to this tick, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(90)
    }

    /// The time from `earlier` to `self` in seconds; negative if `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / Self::PER_SECOND as f64
    }
}

/// Unwraps RTMP's 32-bit millisecond timestamps, which start over after 49.7 days (RTMP 1.0, 3).
///
/// Each timestamp is taken to lie within half the range of the one before it, so small steps back
/// stay steps back.
#[derive(Clone, Debug, Default)]
pub struct Unwrapper {
    last: Option<i64>,
}

impl Unwrapper {
    /// How far from zero a time may be, in milliseconds: 34,000 years. Only a peer that leaps on
    /// purpose gets there and is set back; so no arithmetic on [`Ticks`] overflows.
    const RANGE: i64 = 1 << 50;

    /// The unwrapped milliseconds of `timestamp`. The first timestamp is itself.
    pub fn unwrap(&mut self, timestamp: u32) -> i64 {
        let told = i64::from(timestamp);
        let unwrapped = match self.last {
            None => told,
            Some(last) => last + i64::from(timestamp.wrapping_sub(last as u32) as i32),
        };
        let unwrapped = if unwrapped.abs() <= Self::RANGE { unwrapped } else { told };
        self.last = Some(unwrapped);
        unwrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwrapper_counts_on_past_the_wrap() {
        let mut unwrapper = Unwrapper::default();
        assert_eq!(unwrapper.unwrap(u32::MAX - 10), i64::from(u32::MAX) - 10);
        assert_eq!(unwrapper.unwrap(10), i64::from(u32::MAX) + 11);
        assert_eq!(unwrapper.unwrap(u32::MAX), i64::from(u32::MAX));
        assert_eq!(unwrapper.unwrap(5), i64::from(u32::MAX) + 6);
    }

    #[test]
    fn unwrapper_stays_in_range() {
        let mut unwrapper = Unwrapper { last: Some(Unwrapper::RANGE - 5) };
        assert_eq!(unwrapper.unwrap(0), Unwrapper::RANGE);
        assert_eq!(unwrapper.unwrap(1), 1);
        let mut unwrapper = Unwrapper { last: Some(-Unwrapper::RANGE) };
        assert_eq!(unwrapper.unwrap(u32::MAX), i64::from(u32::MAX));
    }

    #[test]
    fn instants_add_and_subtract_without_overflow() {
        let instant = Instant::from_millis(u64::MAX - 1) + Duration::from_secs(5);
        assert_eq!(instant.as_millis(), u64::MAX);
        assert_eq!(Instant::default().saturating_since(instant), Duration::ZERO);
    }

    #[test]
    fn ticks_round_down_to_milliseconds() {
        assert_eq!(Ticks(179).as_millis(), 1);
        assert_eq!(Ticks(-1).as_millis(), -1);
        assert_eq!(Ticks::from_millis(40).seconds_since(Ticks::default()), 0.04);
    }
}
