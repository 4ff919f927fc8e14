//! When a command that has ended is run again.

use std::time::Duration;

/// A command that has run that long did its work.
const STEADY: Duration = Duration::from_secs(30);

/// What a command that fails at once waits for at least, from its second failure on.
const LEAST: Duration = Duration::from_millis(100);

/// How often the time to wait is doubled at most.
const DOUBLINGS: u32 = 3;

/// How long to wait before a command is run again: `respawn_timeout`, and up to eight times that for
/// one that ends again and again soon after its start.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    /// How often in a row it has ended soon.
    failures: u32,
}

impl Backoff {
    /// Waits for `first` at first.
    pub fn new(first: Duration) -> Self {
        Self { first, failures: 0 }
    }

    /// The command has ended after it has run for `ran`; gives how long to wait.
    pub fn ended(&mut self, ran: Duration) -> Duration {
        if ran >= STEADY {
            self.failures = 0;
        }
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        match failures {
            0 => self.first,
            _ => self.first.max(LEAST) * (1 << failures.min(DOUBLINGS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(first: Duration, ran: &[u64]) -> Vec<u128> {
        let mut backoff = Backoff::new(first);
        ran.iter().map(|&secs| backoff.ended(Duration::from_secs(secs)).as_millis()).collect()
    }

    #[test]
    fn one_that_ends_soon_waits_longer_each_time() {
        let second = Duration::from_secs(1);
        assert_eq!(waits(second, &[0, 1, 2, 3, 4, 0]), [1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(waits(Duration::ZERO, &[0, 0, 0, 0, 0]), [0, 200, 400, 800, 800]);
    }

    #[test]
    fn one_that_has_run_waits_as_at_first() {
        let second = Duration::from_secs(1);
        assert_eq!(waits(second, &[60, 60, 0, 0, 30, 0]), [1000, 1000, 2000, 4000, 1000, 2000]);
    }
}
