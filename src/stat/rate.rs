//! How fast a count grows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// Over which time it is measured, as in the C module.
const WINDOW: Duration = Duration::from_secs(10);

/// A count's growth over the last 10 seconds, by what it was once a second.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// The count is `bytes` at `now`; to be called about once a second.
    pub fn sample(&mut self, now: Instant, bytes: u64) {
        // One that is older than the window is needed, to measure from.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, bytes));
    }

    /// Bits a second, up to now that the count is `bytes`. What has been counted for less than a
    /// second is taken to be that of a second.
    pub fn bits_per_second(&self, now: Instant, bytes: u64) -> u64 {
        let Some(&(since, before)) = self.samples.front() else { return 0 };
        let millis = now.saturating_since(since).as_millis().max(1000);
        let bits = u128::from(bytes.saturating_sub(before)) * 8 * 1000 / millis;
        u64::try_from(bits).unwrap_or(u64::MAX)
    }

    /// How many a second, in thousandths, up to now that the count is `count`. What has been counted
    /// for less than a second is taken to be that of a second.
    pub fn per_second(&self, now: Instant, count: u64) -> f64 {
        let Some(&(since, before)) = self.samples.front() else { return 0.0 };
        let millis = now.saturating_since(since).as_millis().max(1000);
        let thousandths = u128::from(count.saturating_sub(before)) * 1_000_000 / millis;
        thousandths as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn is_of_the_last_ten_seconds() {
        let mut rate = Rate::default();
        assert_eq!(rate.bits_per_second(at(0), 100), 0);
        rate.sample(at(0), 0);
        assert_eq!(rate.bits_per_second(Instant::from_millis(100), 100), 800);
        for second in 1..=60 {
            rate.sample(at(second), second * 1000);
            assert_eq!(rate.bits_per_second(at(second), second * 1000), 8000);
        }
        assert!(rate.samples.len() <= 12);
        for second in 61..=72 {
            rate.sample(at(second), 60_000);
        }
        assert_eq!(rate.bits_per_second(at(72), 60_000), 0);
    }

    #[test]
    fn a_count_that_shrinks_has_no_rate() {
        let mut rate = Rate::default();
        rate.sample(at(0), 1000);
        assert_eq!(rate.bits_per_second(at(5), 0), 0);
    }
}
