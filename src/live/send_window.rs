//! Gathering what players are sent over time: system calls are what fan-out costs, and one that
//! sends the frames of 100 ms costs hardly more than one that sends a single frame.
//!
//! Within a window each player has its turn once, and the turns of a stream's players are spread
//! evenly over it, so that work and traffic stay smooth:
//!
//! ```text
//!  frames   | |  | |  |  | |  | |  |  | |  | |  |  |
//!  ticks    0   1   2   3   4   0   1   2   3   4          a window of 50 ms
//!  players  A,F B,G C,H D   E   A,F B,G C,H D   E
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::registry::{SessionId, StreamId};
use crate::time::Instant;

/// From one tick to the next, in milliseconds: windows are multiples of it.
const TICK: u64 = 10;

/// A stream with no more players than this is never gathered for: it is no load.
pub const SMALL_AUDIENCE: usize = 8;

/// How many sends a second are not worth any player's wait: some 3% of a processor's time.
const CHEAP_SENDS: u64 = 2000;

/// The longest window that is chosen by itself.
const MAX_AUTO: Duration = Duration::from_millis(100);

/// How often [`Pace`] looks at the load.
const INTERVAL: Duration = Duration::from_secs(1);

/// Over which time players' frames are gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendWindow {
    /// As the load of the worker demands, up to 100 ms.
    #[default]
    Auto,
    /// So long; zero sends at the end of every turn of the event loop.
    Fixed(Duration),
}

/// How long the window of a worker with so much to send has to be.
///
/// It is zero up to [`CHEAP_SENDS`] that sending at once would take each second, and then as long as
/// it takes to make no more sends than that, up to [`MAX_AUTO`].
#[derive(Debug, Default)]
pub struct Pace {
    since: Instant,
    /// The sends that sending at once would have taken since then.
    wanted: u64,
    auto: Duration,
}

impl Pace {
    /// Counts `players` that have something new. Gives whether it is time to
    /// [`update`](Self::update).
    pub fn count(&mut self, now: Instant, players: usize) -> bool {
        self.wanted += players as u64;
        now.saturating_since(self.since) >= INTERVAL
    }

    /// Looks at the load anew. `players` are those of all live streams.
    pub fn update(&mut self, now: Instant, players: usize) {
        let elapsed = (now.saturating_since(self.since).as_millis() as u64).max(1);
        let wanted = self.wanted * 1000 / elapsed;
        self.auto = if wanted <= CHEAP_SENDS {
            Duration::ZERO
        } else {
            Duration::from_millis(players as u64 * 1000 / CHEAP_SENDS).min(MAX_AUTO)
        };
        (self.since, self.wanted) = (now, 0);
    }

    /// What `setting` comes to.
    pub fn window(&self, setting: SendWindow) -> Duration {
        match setting {
            SendWindow::Auto => self.auto,
            SendWindow::Fixed(window) => window,
        }
    }
}

/// The streams whose players have turns to come.
#[derive(Debug, Default)]
pub struct Gathering {
    /// The last tick whose turns were given.
    tick: u64,
    streams: BTreeMap<StreamId, Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    /// The ticks in a window.
    ticks: u64,
    /// The last tick at which a player can lack something.
    until: u64,
}

/// Which players of a stream have their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    first: u64,
    count: u64,
    /// The ticks in a window.
    ticks: u64,
}

impl Gathering {
    /// The stream has something new, which its players get within `window`.
    pub fn hold(&mut self, now: Instant, stream: StreamId, window: Duration) {
        let tick = tick_of(now);
        if self.streams.is_empty() {
            self.tick = tick;
        }
        let ticks = (window.as_millis() as u64 / TICK).max(1);
        self.streams.insert(stream, Held { ticks, until: tick + ticks });
    }

    /// All players of the stream have been offered everything.
    pub fn release(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
    }

    /// When [`take_turns`](Self::take_turns) has something to give.
    pub fn deadline(&self) -> Option<Instant> {
        let next = Instant::from_millis((self.tick + 1) * TICK);
        (!self.streams.is_empty()).then_some(next)
    }

    /// The turns that have come since the last call.
    pub fn take_turns(&mut self, now: Instant) -> Vec<(StreamId, Turn)> {
        let tick = tick_of(now);
        let (first, passed) = (self.tick + 1, tick.saturating_sub(self.tick));
        self.tick = tick.max(self.tick);
        if passed == 0 {
            return Vec::new();
        }
        let turn = |(&stream, held): (&StreamId, &Held)| {
            let ticks = held.ticks;
            (stream, Turn { first: first % ticks, count: passed.min(ticks), ticks })
        };
        let turns = self.streams.iter().map(turn).collect();
        self.streams.retain(|_, held| held.until > tick);
        turns
    }
}

impl Turn {
    /// Whether it is the player's turn.
    pub fn is_of(self, player: SessionId) -> bool {
        let Self { first, count, ticks } = self;
        (player.0 % ticks + ticks - first) % ticks < count
    }
}

fn tick_of(now: Instant) -> u64 {
    now.as_millis() / TICK
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// When each of `players` has its turn, with a frame each `step` up to `end`.
    fn turns(window: u64, players: u64, step: usize, end: u64) -> Vec<Vec<u64>> {
        let mut gathering = Gathering::default();
        let mut turns = vec![Vec::new(); players as usize];
        for now in 1000..end + 1000 {
            if ((now - 1000) as usize).is_multiple_of(step) {
                gathering.hold(at(now), STREAM, millis(window));
            }
            if gathering.deadline().is_none_or(|deadline| deadline > at(now)) {
                continue;
            }
            for (_, turn) in gathering.take_turns(at(now)) {
                let has_turn = |player: &u64| turn.is_of(SessionId(*player));
                (0..players).filter(has_turn).for_each(|it| turns[it as usize].push(now));
            }
        }
        turns
    }

    #[test]
    fn each_player_has_its_turn_once_in_a_window() {
        for window in [10, 50, 100, 350] {
            for (player, turns) in turns(window, 40, 7, 2000).iter().enumerate() {
                let gaps: Vec<_> = turns.windows(2).map(|pair| pair[1] - pair[0]).collect();
                assert!(gaps.iter().all(|&gap| gap == window), "player {player}: {gaps:?}");
                assert!(turns[0] <= 1000 + window);
            }
        }
    }

    #[test]
    fn turns_are_spread_evenly() {
        let turns = turns(100, 500, 7, 1000);
        let mut by_tick = BTreeMap::new();
        turns.iter().flatten().for_each(|&tick| *by_tick.entry(tick).or_insert(0) += 1);
        assert!(by_tick.values().all(|&players| players == 50), "{by_tick:?}");
    }

    #[test]
    fn everybody_gets_the_last_frame_and_then_there_are_no_turns() {
        for turns in turns(100, 40, 10_000, 5000) {
            assert_eq!(turns.len(), 1, "{turns:?}");
        }
        let mut gathering = Gathering::default();
        gathering.hold(at(0), STREAM, millis(50));
        gathering.take_turns(at(60));
        assert_eq!(gathering.deadline(), None);
    }

    #[test]
    fn a_late_tick_gives_the_turns_that_it_missed() {
        let mut gathering = Gathering::default();
        gathering.hold(at(1000), STREAM, millis(100));
        let turns = gathering.take_turns(at(1035));
        let [(STREAM, turn)] = turns[..] else { panic!("{turns:?}") };
        let players: Vec<_> = (0..10).filter(|&player| turn.is_of(SessionId(player))).collect();
        assert_eq!(players, [1, 2, 3]);
        assert_eq!(gathering.deadline(), Some(at(1040)));
        let turns = gathering.take_turns(at(9000));
        assert!((0..10).all(|player| turns[0].1.is_of(SessionId(player))));
    }

    #[test]
    fn a_stream_that_is_released_has_no_turns() {
        let mut gathering = Gathering::default();
        gathering.hold(at(0), STREAM, millis(50));
        gathering.release(STREAM);
        assert_eq!(gathering.deadline(), None);
        assert!(gathering.take_turns(at(30)).is_empty());
    }

    #[test]
    fn the_window_grows_with_the_load() {
        let mut pace = Pace::default();
        for (players, frames, expected) in [
            (20, 73, 0),
            (27, 73, 0),
            (30, 73, 15),
            (100, 73, 50),
            (500, 73, 100),
            (5000, 73, 100),
            (20, 73, 0),
        ] {
            let start = pace.since;
            for _ in 0..frames {
                assert!(!pace.count(start, players));
            }
            assert!(pace.count(start + INTERVAL, 0));
            pace.update(start + INTERVAL, players);
            assert_eq!(pace.window(SendWindow::Auto), millis(expected), "{players} players");
            assert_eq!(pace.window(SendWindow::Fixed(millis(7))), millis(7));
        }
    }
}
