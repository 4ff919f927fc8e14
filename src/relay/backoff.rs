//! How long to wait before the next attempt.

use std::time::Duration;

/// The longest wait, unless the first one is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Attempts that have failed since the last one that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failed: u32,
}

impl Backoff {
    /// An attempt has failed. Gives how long to wait before the next one: `first` at first, then
    /// twice as long each time, up to a minute.
    pub fn fail(&mut self, first: Duration) -> Duration {
        let factor = 1 << self.failed.min(16);
        self.failed = self.failed.saturating_add(1);
        (first * factor).min(first.max(LONGEST))
    }

    /// An attempt was successful.
    pub fn succeed(&mut self) {
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let first = Duration::from_secs(3);
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..7).map(|_| backoff.fail(first).as_secs()).collect();
        assert_eq!(waits, [3, 6, 12, 24, 48, 60, 60]);
        backoff.succeed();
        assert_eq!(backoff.fail(first), first);
        for _ in 0..100 {
            assert!(backoff.fail(first) <= LONGEST);
        }
    }

    #[test]
    fn a_long_first_wait_stays() {
        let first = Duration::from_secs(300);
        let mut backoff = Backoff::default();
        assert_eq!([backoff.fail(first), backoff.fail(first)], [first, first]);
    }
}
