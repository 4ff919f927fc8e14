//! What is counted.

use serde::{Deserialize, Serialize};

/// Declares the counts, each a number that only grows.
macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts that only grow as long as a worker lives.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Totals {
            /// How many counts there are.
            pub const COUNT: usize = [$(stringify!($name)),*].len();

            /// The counts in their order.
            pub const fn numbers(&self) -> [u64; Self::COUNT] {
                [$(self.$name),*]
            }
        }

        impl From<[u64; Totals::COUNT]> for Totals {
            fn from([$($name),*]: [u64; Self::COUNT]) -> Self {
                Self { $($name),* }
            }
        }
    };
}

totals! {
    /// Connections of clients that were accepted.
    accepted,
    /// Connections that were refused because of `max_connections`.
    refused,
    /// Sessions that clients ended.
    ended_by_client,
    /// Sessions whose connections failed.
    ended_broken,
    /// Sessions of clients that broke the protocol.
    ended_invalid,
    /// Sessions of clients that sent or took nothing for too long.
    ended_timeout,
    /// Sessions that `rtmp_control` or a callback ended.
    ended_dropped,
    /// Sessions that ended with their worker.
    ended_shutdown,
    /// Sessions that ended by a bug.
    ended_bug,
    /// Bytes that came from clients and other servers.
    bytes_in,
    /// Bytes that went to them.
    bytes_out,
    /// Publishes that began.
    publishes,
    /// Plays of live streams that began.
    plays,
    /// Messages that came from publishers.
    messages,
    /// Frames that players were sent.
    frames_sent,
    /// Frames that players were too slow for.
    frames_skipped,
    /// HLS segments that were written.
    segments,
    /// Recordings that were completed.
    recordings,
    /// File operations that failed, and outputs for which the disk was too slow.
    storage_errors,
    /// Attempts to connect to other servers that failed, and connections that broke.
    relay_errors,
    /// Programs that were started, again or for the first time.
    children_started,
    /// Callbacks that were made.
    callbacks,
    /// Callbacks that were not answered.
    callback_errors,
}

impl Totals {
    /// Adds those of another worker.
    pub fn add(&mut self, other: &Self) {
        let (ours, theirs) = (self.numbers(), other.numbers());
        *self = std::array::from_fn(|index| ours[index].saturating_add(theirs[index])).into();
    }

    /// What was counted since they were `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let (now, before) = (self.numbers(), before.numbers());
        std::array::from_fn(|index| now[index].saturating_sub(before[index])).into()
    }
}

/// What was counted from some time on, in all workers that there have been, as far as one knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counted {
    /// From when on, in milliseconds since 1970; 0 is not known.
    pub since: u64,
    /// The counts.
    pub totals: Totals,
}

impl Counted {
    /// Takes in what another worker knows: of numbers that only grow, the larger is the newer.
    pub fn merge(&mut self, other: &Self) {
        self.since = self.since.max(other.since);
        let (ours, theirs) = (self.totals.numbers(), other.totals.numbers());
        self.totals = std::array::from_fn(|index| ours[index].max(theirs[index])).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_since_is_what_is_added() {
        let before = Totals { plays: 2, ..Totals::default() };
        let now = Totals { plays: 5, callbacks: 1, ..Totals::default() };
        assert_eq!(now.since(&before), Totals { plays: 3, callbacks: 1, ..Totals::default() });
        assert_eq!(before.since(&now), Totals::default());
        let mut sum = before;
        sum.add(&now.since(&before));
        assert_eq!(sum, now);
        assert_eq!(Totals::from(now.numbers()), now);
        let mut known = Counted { since: 7, totals: before };
        known.merge(&Counted { since: 7, totals: now });
        known.merge(&Counted::default());
        assert_eq!(known, Counted { since: 7, totals: now });
    }
}
