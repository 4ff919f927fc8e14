//! The time line of an audio track.

use crate::time::Ticks;

/// Stamps audio frames by counting samples.
///
/// RTMP tells time in milliseconds, so the timestamps of frames that last, say, 21.33 ms are up to
/// one off. Passed on, they open gaps and overlaps between frames that players make audible. So a
/// frame starts where the samples before it end, and RTMP's time only steers:
///
/// - Up to [`ROUNDING`](Self::ROUNDING) apart, the count is right: that much is rounding.
/// - Beyond it, each frame draws the count towards RTMP's time by a small part of the distance.
///   This follows an encoder whose sample clock and timestamps drift apart, or whose timestamps
///   jitter, without a step that can be heard.
/// - Later than the count by more than [`GAP`](Self::GAP), frames were lost, or the encoder paused:
///   the count starts anew at RTMP's time, as it does when that leaps back by
///   [`LEAP`](Self::LEAP). Less far back, time does not go.
#[derive(Clone, Debug)]
pub(super) struct SampleClock {
    /// Samples a second; not zero.
    rate: u64,
    /// Where the next frame starts, and what that leaves out: a fraction of a tick, over `rate`.
    next: Option<(Ticks, u64)>,
}

impl SampleClock {
    /// A millisecond: two timestamps, each cut or rounded to whole ones, are so far out at most.
    const ROUNDING: i64 = 90;
    /// 40 ms: a lag of sound and picture that viewers do not notice (ITU-R BT.1359: 45 ms), more
    /// than the jitter of encoders that stamp by the wall clock, and less than two lost frames.
    const GAP: i64 = 40 * 90;
    /// A second.
    const LEAP: i64 = Ticks::PER_SECOND;
    /// The part of a deviation that one frame corrects. An encoder whose clocks drift apart by 1 %
    /// is so followed 8 ms behind.
    const CORRECTION: i64 = 32;

    /// A clock for frames whose samples are `rate` a second; not zero.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate: u64::from(rate), next: None }
    }

    /// When the next frame, one of so many samples, is to be presented, given the time that RTMP
    /// tells.
    pub(super) fn stamp(&mut self, told: Ticks, samples: u32) -> Ticks {
        // Its length in ticks, over `rate`.
        let frame = u64::from(samples) * Ticks::PER_SECOND as u64;
        let half_frame = (frame / self.rate / 2) as i64;
        let (start, fraction) = match self.next {
            Some((counted, fraction)) => match Self::correction(told.0 - counted.0, half_frame) {
                Some(correction) => (Ticks(counted.0 + correction), fraction),
                None => (told, 0),
            },
            None => (told, 0),
        };
        let end = frame + fraction;
        self.next = Some((Ticks(start.0 + (end / self.rate) as i64), end % self.rate));
        start
    }

    /// The ticks by which to correct the count if RTMP tells a time `ahead` of it; none if the
    /// count has to start anew.
    fn correction(ahead: i64, half_frame: i64) -> Option<i64> {
        if !(-Self::LEAP..=Self::GAP).contains(&ahead) {
            return None;
        }
        let beyond_rounding = ahead - ahead.clamp(-Self::ROUNDING, Self::ROUNDING);
        // At most half a frame back, so that each frame starts after the one before it.
        Some((beyond_rounding / Self::CORRECTION).max(-half_frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The starts of `count` frames at 44.1 kHz, told `told(index)` ms.
    fn stamps(count: i64, told: impl Fn(i64) -> i64) -> Vec<i64> {
        let mut clock = SampleClock::new(44_100);
        (0..count).map(|index| clock.stamp(Ticks::from_millis(told(index)), 1024).0).collect()
    }

    /// The exact start of a frame, in milliseconds, cut.
    fn exact(index: i64) -> i64 {
        index * 1024 * 1000 / 44_100
    }

    fn steps(stamps: &[i64]) -> impl Iterator<Item = i64> {
        stamps.windows(2).map(|pair| pair[1] - pair[0])
    }

    #[test]
    fn rounding_is_undone() {
        for (offset, round) in [(0, 0), (12_345, 0), (0, 500)] {
            let stamps =
                stamps(200_000, |index| (index * 1_024_000_000 / 44_100 + round) / 1000 + offset);
            for (index, &stamp) in (0..).zip(&stamps) {
                assert_eq!(stamp, offset * 90 + index * 1024 * 90_000 / 44_100);
            }
        }
    }

    #[test]
    fn a_rate_that_divides_the_clock_is_exact() {
        let mut clock = SampleClock::new(48_000);
        for index in 0..1000 {
            assert_eq!(clock.stamp(Ticks::from_millis(index * 20), 960), Ticks(index * 1800));
        }
    }

    #[test]
    fn drift_is_followed_without_a_step() {
        // 23 ms a frame, where it lasts 23.22: the fault of encoders that add up cut durations.
        let stamps = stamps(20_000, |index| index * 23);
        assert!(steps(&stamps).all(|step| (2060..=2091).contains(&step)));
        let behind = stamps[19_999] - 19_999 * 23 * 90;
        assert!((0..=900).contains(&behind), "{behind}");
    }

    #[test]
    fn jitter_is_smoothed() {
        // Timestamps by a wall clock, 15 ms early or late.
        let stamps = stamps(20_000, |index| exact(index) + index * 7919 % 31);
        // No step is off by a millisecond.
        assert!(steps(&stamps).all(|step| (2000..=2180).contains(&step)));
    }

    #[test]
    fn a_gap_and_a_leap_are_passed_on() {
        let gap = stamps(20, |index| exact(index) + if index < 10 { 0 } else { 100 });
        assert_eq!(gap[10], (exact(10) + 100) * 90);
        let leap = stamps(20, |index| if index < 10 { 5_000_000 + exact(index) } else { index });
        assert_eq!(leap[10], 900);
    }

    #[test]
    fn time_does_not_go_back_a_little() {
        let hiccup = stamps(2000, |index| exact(index) + if index == 10 { 300 } else { 0 });
        assert_eq!(hiccup[10], (exact(10) + 300) * 90);
        assert!(steps(&hiccup).all(|step| step > 0));
        assert!((hiccup[1999] - exact(1999) * 90).abs() <= 270);
    }

    #[test]
    fn extreme_clocks_count() {
        for (rate, frame_length) in [(1, 1024), ((1 << 24) - 1, 960)] {
            let mut clock = SampleClock::new(rate);
            for _ in 0..10 {
                clock.stamp(Ticks::from_millis(1 << 50), frame_length);
                clock.stamp(Ticks::from_millis(-(1 << 50)), frame_length);
            }
        }
    }
}
