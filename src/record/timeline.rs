//! A publisher's timestamps as a file's times.

use crate::time::Unwrapper;

/// What is more than this before what came last, in milliseconds, is a leap of the publisher's clock,
/// and not audio and video that are out of order.
const DISORDER: i64 = 10_000;

/// How far from each other what comes before and after a leap is put, in milliseconds.
pub(super) const STEP: i64 = 20;

/// Times that count on where a publisher's timestamps wrap, and where they leap back.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    unwrapper: Unwrapper,
    offset: i64,
    last: Option<i64>,
}

impl Timeline {
    /// The time of a message, in milliseconds since some beginning.
    pub(super) fn stamp(&mut self, timestamp: u32) -> i64 {
        let told = self.unwrapper.unwrap(timestamp);
        let mut time = told + self.offset;
        if let Some(last) = self.last
            && time < last - DISORDER
        {
            time = last + STEP;
            self.offset = time - told;
        }
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        time
    }

    /// The latest time so far, for what tells none that can be relied on: some encoders have headers
    /// and data always be of time 0.
    pub(super) fn latest(&self) -> i64 {
        self.last.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_after_a_leap_back() {
        let mut timeline = Timeline::default();
        let times = [50_000, 49_990, 50_040, 10, 50, 40].map(|it| timeline.stamp(it));
        assert_eq!(times, [50_000, 49_990, 50_040, 50_060, 50_100, 50_090]);
    }

    #[test]
    fn a_gap_stays_one_and_so_does_a_wrap() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.stamp(u32::MAX - 9), i64::from(u32::MAX) - 9);
        assert_eq!(timeline.stamp(30), i64::from(u32::MAX) + 31);
        assert_eq!(timeline.stamp(60_030), i64::from(u32::MAX) + 60_031);
    }
}
