//! When a player gets what: as far ahead of its time as the player buffers.

use std::time::Duration;

use crate::time::Instant;

/// The part of a player's buffer that may be lacking when it is filled up: so are several messages
/// sent at once.
const SLACK: u32 = 8;

/// The longest time between two fillings.
const MAX_SLACK: Duration = Duration::from_millis(250);

/// Tells when messages are due.
#[derive(Debug)]
pub(super) struct Pacer {
    buffer: Duration,
    /// What the player sees, at which instant.
    base: Option<Base>,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    at: Instant,
    timestamp: u32,
    /// Since when the player has stood still.
    paused: Option<Instant>,
}

impl Pacer {
    pub(super) const fn new(buffer: Duration) -> Self {
        Self { buffer, base: None }
    }

    pub(super) const fn set_buffer(&mut self, buffer: Duration) {
        self.buffer = buffer;
    }

    /// What is sent next is seen at once.
    pub(super) const fn restart(&mut self) {
        self.base = None;
    }

    pub(super) fn pause(&mut self, now: Instant) {
        if let Some(base) = &mut self.base {
            base.paused.get_or_insert(now);
        }
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(base) = &mut self.base
            && let Some(since) = base.paused.take()
        {
            base.at = base.at + now.saturating_since(since);
        }
    }

    /// How long the message with the timestamp has to wait; `None` if it is due.
    pub(super) fn wait(&mut self, now: Instant, timestamp: u32) -> Option<Instant> {
        let begin = Base { at: now, timestamp, paused: None };
        let base = self.base.get_or_insert(begin);
        // What is earlier than the first one, or a leap back, is negative.
        let ahead = timestamp.wrapping_sub(base.timestamp) as i32;
        let ahead = Duration::from_millis(u64::try_from(ahead).ok()?);
        let due = base.at + ahead.checked_sub(self.buffer)?;
        (due > now).then(|| due + (self.buffer / SLACK).min(MAX_SLACK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_buffer_is_filled_and_kept_full() {
        let mut pacer = Pacer::new(Duration::from_secs(1));
        assert_eq!(pacer.wait(at(5000), 70), None);
        assert_eq!(pacer.wait(at(5000), 1070), None);
        assert_eq!(pacer.wait(at(5000), 1110), Some(at(5040 + 125)));
        assert_eq!(pacer.wait(at(5040), 1110), None);
        assert_eq!(pacer.wait(at(5165), 1230), None);
        pacer.set_buffer(Duration::from_secs(10));
        assert_eq!(pacer.wait(at(5165), 10_230), None);
        assert_eq!(pacer.wait(at(5165), 11_235), Some(at(6165 + 250)));
        pacer.set_buffer(Duration::ZERO);
        assert_eq!(pacer.wait(at(5165), 236), Some(at(5166)));
    }

    #[test]
    fn time_stands_still_in_a_pause() {
        let mut pacer = Pacer::new(Duration::ZERO);
        assert_eq!(pacer.wait(at(0), 0), None);
        pacer.pause(at(40));
        pacer.pause(at(60));
        pacer.resume(at(1040));
        assert_eq!(pacer.wait(at(1040), 50), Some(at(1050)));
        pacer.resume(at(2000));
        assert_eq!(pacer.wait(at(1040), 50), Some(at(1050)));
    }

    #[test]
    fn what_is_early_is_due() {
        let mut pacer = Pacer::new(Duration::ZERO);
        assert_eq!(pacer.wait(at(0), 5), None);
        assert_eq!(pacer.wait(at(0), 0), None);
        assert_eq!(pacer.wait(at(0), u32::MAX - 5), None);
        pacer.restart();
        assert_eq!(pacer.wait(at(0), 99_999), None);
        assert_eq!(pacer.wait(at(0), 100_000), Some(at(1)));
    }
}
