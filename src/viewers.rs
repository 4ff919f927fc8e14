//! Who watches streams by HLS. To the server that is requests for files and no session, so a viewer is
//! whoever has asked for a file of the stream of late.
//!
//! 1. [`Places::streams_of`] tells which streams the file of a request is of.
//! 2. [`Viewers::see`] notes the request's sender, by a number that no client can choose.
//! 3. [`Viewers::audiences`] gives the viewers of each stream as a [`Sample`]. Those of several workers
//!    are [merged](Sample::merge) as the sets that they are: the requests of one viewer come to
//!    whichever worker.

mod audience;
mod places;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use self::audience::Audience;
use crate::live::StreamKey;
use crate::time::Instant;

pub use audience::{Sample, ViewerId};
pub use places::{Places, Watched};

/// Most streams whose viewers are counted.
const MAX_STREAMS: usize = 16_384;

/// How many viewers of all streams are kept one by one. From there on, more are sampled.
const MAX_KEPT: usize = 1 << 19;

/// How many viewers of one stream are kept one by one; past it they are sampled, and their number is
/// right within some 2 %.
const KEPT: usize = 4096;

/// As [`KEPT`], when there are [`MAX_KEPT`].
const KEPT_OF_MANY: usize = 64;

/// The viewers of one worker's requests.
#[derive(Debug, Default)]
pub struct Viewers {
    audiences: HashMap<StreamKey, Audience>,
    /// How many viewers are kept.
    kept: usize,
}

impl Viewers {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// A viewer of a stream has got a file of it.
    pub fn see(&mut self, now: Instant, watched: Watched, viewer: ViewerId) {
        let is_full = self.audiences.len() >= MAX_STREAMS;
        let audience = match self.audiences.entry(watched.stream) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(entry) => entry.insert(Audience::new(now, watched.lasts)),
        };
        let bound = if self.kept < MAX_KEPT { KEPT } else { KEPT_OF_MANY };
        let before = audience.kept();
        audience.see(now, viewer, bound);
        self.kept = self.kept - before + audience.kept();
    }

    /// Forgets who has not been seen for long; to be called about once a second.
    pub fn sweep(&mut self, now: Instant) {
        self.audiences.retain(|_, audience| {
            audience.sweep(now);
            audience.kept() > 0
        });
        self.kept = self.audiences.values().map(Audience::kept).sum();
    }

    /// The viewers that each stream has.
    pub fn audiences(&self, now: Instant) -> impl Iterator<Item = (&StreamKey, Sample)> {
        self.audiences.iter().map(move |(stream, audience)| (stream, audience.sample(now)))
    }
}

/// How long one is a viewer after a request: as long as a playlist lasts, in which a player comes back
/// for the next one several times. A player comes back after each fragment, so it is at least three.
fn lasts(fragment: Duration, playlist_length: Duration) -> Duration {
    playlist_length.max(fragment * 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::ApplicationId;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn watched(name: &str) -> Watched {
        let stream = StreamKey { application: ApplicationId(1), name: name.into() };
        Watched { stream, lasts: Duration::from_secs(10) }
    }

    /// How many watch each stream, by name.
    fn counts(viewers: &Viewers, now: Instant) -> Vec<(&str, u64)> {
        let all = viewers.audiences(now);
        let mut counts: Vec<_> = all.map(|(key, it)| (key.name.as_str(), it.count())).collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn one_viewer_is_one_whatever_it_asks_for() {
        let mut viewers = Viewers::new();
        for (second, name, viewer) in [(0, "a", 1), (1, "a", 1), (2, "a", 2), (2, "b", 1)] {
            viewers.see(at(second), watched(name), ViewerId(viewer));
        }
        assert_eq!(counts(&viewers, at(3)), [("a", 2), ("b", 1)]);
    }

    #[test]
    fn who_asks_for_nothing_any_more_is_gone_and_so_is_its_memory() {
        let mut viewers = Viewers::new();
        viewers.see(at(0), watched("a"), ViewerId(1));
        viewers.see(at(5), watched("a"), ViewerId(2));
        assert_eq!(counts(&viewers, at(10)), [("a", 2)]);
        assert_eq!(counts(&viewers, at(11)), [("a", 1)]);
        assert_eq!(counts(&viewers, at(16)), [("a", 0)]);
        for second in 0..30 {
            viewers.sweep(at(second));
        }
        assert!(viewers.audiences.is_empty() && viewers.kept == 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut viewers = Viewers::new();
        for number in 0..MAX_STREAMS as u64 + 10 {
            viewers.see(at(0), watched(&number.to_string()), ViewerId(number));
        }
        assert_eq!(viewers.audiences.len(), MAX_STREAMS);
        assert_eq!(viewers.kept, MAX_STREAMS);
        viewers.kept = MAX_KEPT;
        for number in 0..1000 {
            viewers.see(at(0), watched("7"), ViewerId::spread(number));
        }
        assert!(viewers.kept <= MAX_KEPT + KEPT_OF_MANY);
    }

    #[test]
    fn a_player_that_comes_back_after_each_fragment_is_there_all_the_time() {
        let seconds = Duration::from_secs;
        assert_eq!(lasts(seconds(5), seconds(30)), seconds(30));
        assert_eq!(lasts(seconds(5), seconds(5)), seconds(15));
    }
}
