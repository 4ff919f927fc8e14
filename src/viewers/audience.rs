//! The viewers of one stream, in bounded memory.
//!
//! They are kept one by one up to a bound. Past it only those are kept whose numbers begin with a zero
//! bit, which is one in two as numbers are drawn by lot; then with two, and so on. As all workers keep
//! the same ones, what they have can be put together (adaptive sampling: Flajolet, "On adaptive
//! sampling", 1990).

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::KEPT;
use crate::time::Instant;

/// A viewer, as all workers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ViewerId(pub(super) u64);

impl ViewerId {
    /// The viewer that is known by `key`. `keys` is secret, so that nobody can send keys whose numbers
    /// are chosen, and be counted more than once for each.
    pub fn new(keys: &impl BuildHasher, key: &[u8]) -> Self {
        Self(keys.hash_one(key))
    }

    /// Whether it is one of those that are kept at `level`, one in 2^level.
    fn is_in(self, level: u32) -> bool {
        self.0.leading_zeros() >= level
    }

    /// The `number`th viewer of a test.
    #[cfg(test)]
    pub(super) fn spread(number: u64) -> Self {
        Self((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The viewers of one stream.
#[derive(Debug)]
pub(super) struct Audience {
    /// How long one is a viewer after a request.
    lasts: Duration,
    /// When each was seen last.
    seen: HashMap<ViewerId, Instant>,
    /// Which of them are kept.
    level: u32,
    /// Which of them have been kept for so long that all who are there have been seen; `level` or more.
    known: u32,
    swept: Instant,
}

impl Audience {
    pub(super) fn new(now: Instant, lasts: Duration) -> Self {
        Self { lasts, seen: HashMap::new(), level: 0, known: 0, swept: now }
    }

    /// How many are kept.
    pub(super) fn kept(&self) -> usize {
        self.seen.len()
    }

    /// A viewer is there, and `bound` viewers may be kept.
    pub(super) fn see(&mut self, now: Instant, viewer: ViewerId, bound: usize) {
        if !viewer.is_in(self.level) {
            return;
        }
        self.seen.insert(viewer, now);
        while self.seen.len() > bound {
            self.level += 1;
            self.known = self.known.max(self.level);
            self.seen.retain(|viewer, _| viewer.is_in(self.level));
        }
    }

    /// Forgets who is gone, once in the time that it takes to be gone.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now.saturating_since(self.swept) <= self.lasts {
            return;
        }
        self.swept = now;
        self.known = self.level;
        let lasts = self.lasts;
        self.seen.retain(|_, seen| now.saturating_since(*seen) <= lasts);
        if self.seen.len() < KEPT / 4 {
            self.level = self.level.saturating_sub(1);
        }
    }

    /// Who is there.
    pub(super) fn sample(&self, now: Instant) -> Sample {
        let is_there = |seen: Instant| now.saturating_since(seen) <= self.lasts;
        let seen = self.seen.iter().filter(|(it, seen)| it.is_in(self.known) && is_there(**seen));
        Sample { level: self.known, viewers: seen.map(|(&viewer, _)| viewer).collect() }
    }
}

/// Viewers of a stream: all of them, or as many as can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    level: u32,
    viewers: BTreeSet<ViewerId>,
}

impl Sample {
    /// How many viewers there are: exactly up to 4096, and within some 2 % beyond.
    pub fn count(&self) -> u64 {
        (self.viewers.len() as u64).saturating_mul(1 << self.level.min(u64::BITS - 1))
    }

    /// Adds the viewers that another worker has seen.
    pub fn merge(&mut self, other: Self) {
        self.viewers.extend(other.viewers);
        self.narrow(self.level.max(other.level));
        while self.viewers.len() > KEPT {
            self.narrow(self.level + 1);
        }
    }

    fn narrow(&mut self, level: u32) {
        self.level = level;
        self.viewers.retain(|viewer| viewer.is_in(level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn see(audience: &mut Audience, second: u64, viewers: std::ops::Range<u64>) {
        for number in viewers {
            audience.see(at(second), ViewerId::spread(number), KEPT);
        }
    }

    fn assert_about(count: u64, expected: u64) {
        assert!(count.abs_diff(expected) < expected / 20, "{count} instead of {expected}");
    }

    #[test]
    fn many_are_estimated_in_bounded_memory() {
        let mut audience = Audience::new(at(0), LASTS);
        see(&mut audience, 0, 0..KEPT as u64);
        assert_eq!(audience.sample(at(0)).count(), KEPT as u64);
        see(&mut audience, 0, 0..200_000);
        assert!(audience.kept() <= KEPT);
        assert_about(audience.sample(at(0)).count(), 200_000);
    }

    #[test]
    fn a_count_stays_right_while_a_large_audience_leaves() {
        let mut audience = Audience::new(at(0), LASTS);
        see(&mut audience, 0, 0..200_000);
        for second in 1..200 {
            let there = 200_000 - (second * 4000).min(199_900);
            see(&mut audience, second, 0..there);
            audience.sweep(at(second));
            let before = 200_000 - (second.saturating_sub(LASTS.as_secs()) * 4000).min(199_900);
            let (count, slack) = (audience.sample(at(second)).count(), before / 20);
            assert!((there - there / 20..=before + slack).contains(&count), "{second}: {count}");
        }
        assert_eq!((audience.level, audience.sample(at(199)).count()), (0, 100));
    }

    #[test]
    fn what_workers_have_is_put_together_as_sets() {
        let mut few = [Sample::default(), Sample::default()];
        for (sample, viewers) in few.iter_mut().zip([0..10, 5..15]) {
            sample.viewers = viewers.map(ViewerId::spread).collect();
        }
        let [mut one, other] = few;
        one.merge(other);
        assert_eq!(one.count(), 15);

        let mut audiences = [Audience::new(at(0), LASTS), Audience::new(at(0), LASTS)];
        see(&mut audiences[0], 0, 0..100_000);
        see(&mut audiences[1], 0, 90_000..92_000);
        let [many, few] = audiences.map(|audience| audience.sample(at(0)));
        for (mut one, other) in [(many.clone(), few.clone()), (few, many)] {
            one.merge(other);
            assert!(one.viewers.len() <= KEPT);
            assert_about(one.count(), 100_000);
        }
    }

    #[test]
    fn numbers_are_drawn_by_lot() {
        let keys = std::hash::RandomState::new();
        let mut audience = Audience::new(at(0), LASTS);
        for number in 0..50_000_u32 {
            let key = format!("10.0.0.1 player/{number}");
            audience.see(at(0), ViewerId::new(&keys, key.as_bytes()), KEPT);
        }
        let count = audience.sample(at(0)).count();
        assert!(count.abs_diff(50_000) < 10_000, "{count}");
    }
}
