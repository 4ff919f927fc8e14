//! What the timestamps of a live stream tell: jumps, and tracks that have fallen silent.

use super::{AccessUnit, PerTrack, TrackKind};
use crate::time::Ticks;

/// A step back that is taken for an encoder's or a network's jitter.
const MAX_STEP_BACK: Ticks = Ticks::from_millis(1000);

/// A step forward that is taken for lost frames.
const MAX_STEP_FORWARD: Ticks = Ticks::from_millis(10_000);

/// Follows the decoding times of both tracks.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The last decoding time of each track.
    last: PerTrack<Option<Ticks>>,
    run: Option<Run>,
}

/// Units of one track with none of the other in between.
#[derive(Clone, Copy, Debug)]
struct Run {
    track: TrackKind,
    /// The time of the first; none if there never was a unit of the other track.
    since: Option<Ticks>,
}

impl Timeline {
    /// Takes note of the next access unit; true if time does not go on from the ones before it, as
    /// when an encoder's clock was reset. Then both tracks start anew.
    ///
    /// A unit that is a little too early is moved, so that decoding times do not decrease.
    pub fn follow(&mut self, unit: &mut AccessUnit) -> bool {
        let jumped = self.jumped(unit);
        if jumped {
            *self = Self { run: self.run.filter(|run| run.since.is_none()), ..Self::default() };
        }
        if let Some(last) = self.last[unit.track].filter(|last| !far(*last, unit.dts)) {
            unit.dts = unit.dts.max(last);
        }
        unit.pts = unit.pts.max(unit.dts);
        self.last[unit.track] = Some(unit.dts);
        if self.run.is_none_or(|run| run.track != unit.track) {
            self.run = Some(Run { track: unit.track, since: Some(unit.dts) });
        }
        jumped
    }

    /// Takes `track` for the only one until the other sends something.
    pub fn presume_lone(&mut self, track: TrackKind) {
        self.run = Some(Run { track, since: None });
    }

    /// The only track that sent anything for at least `span`.
    pub fn lone_track(&self, span: Ticks) -> Option<TrackKind> {
        let run = self.run?;
        let is_lone = match (run.since, self.last[run.track]) {
            (Some(since), Some(last)) => last.0 - since.0 >= span.0,
            (Some(_), None) => false,
            (None, _) => true,
        };
        is_lone.then_some(run.track)
    }

    /// Far from both tracks. A track that was silent for long is only far from itself, and tracks
    /// that have always been far from each other only are from the other.
    fn jumped(&self, unit: &AccessUnit) -> bool {
        let mut seen = [self.last.video, self.last.audio].into_iter().flatten();
        self.last[unit.track].is_some() && seen.all(|last| far(last, unit.dts))
    }
}

fn far(from: Ticks, to: Ticks) -> bool {
    !(-MAX_STEP_BACK.0..=MAX_STEP_FORWARD.0).contains(&(to.0 - from.0))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::TrackKind::{Audio, Video};
    use super::*;

    fn unit(track: TrackKind, millis: i64) -> AccessUnit {
        let time = Ticks::from_millis(millis);
        AccessUnit { track, dts: time, pts: time, keyframe: true, data: Bytes::new() }
    }

    /// What `follow` gives for each of `units`, and the time in milliseconds that each is given.
    fn follow(units: &[(TrackKind, i64)]) -> Vec<(bool, i64)> {
        let mut timeline = Timeline::default();
        let follow = |&(track, millis): &(TrackKind, i64)| {
            let mut unit = unit(track, millis);
            (timeline.follow(&mut unit), unit.dts.as_millis())
        };
        units.iter().map(follow).collect()
    }

    #[test]
    fn small_steps_back_are_evened_out() {
        assert_eq!(
            follow(&[(Video, 100), (Audio, 90), (Video, 99), (Video, 140)]),
            [(false, 100), (false, 90), (false, 100), (false, 140)]
        );
    }

    #[test]
    fn a_clock_that_was_reset_jumps_once() {
        assert_eq!(
            follow(&[
                (Video, 50_000),
                (Audio, 50_000),
                (Video, 0),
                (Audio, 50_020),
                (Audio, 20),
                (Video, 40)
            ]),
            [
                (false, 50_000),
                (false, 50_000),
                (true, 0),
                (false, 50_020),
                (false, 20),
                (false, 40)
            ]
        );
    }

    #[test]
    fn a_long_gap_in_one_track_is_none_in_the_stream() {
        let mut units = vec![(Audio, 0)];
        units.extend((0..20).map(|second| (Video, 1000 * second)));
        units.push((Audio, 19_000));
        assert!(follow(&units).iter().all(|(jumped, _)| !jumped));
        assert!(follow(&[(Video, 0), (Video, 10_001)])[1].0);
    }

    #[test]
    fn tracks_with_clocks_of_their_own_do_not_jump() {
        let units: Vec<_> =
            (0..10).flat_map(|n| [(Video, 40 * n), (Audio, 900_000 + 40 * n)]).collect();
        assert!(follow(&units).iter().all(|(jumped, _)| !jumped));
    }

    #[test]
    fn a_track_is_alone_once_the_other_has_been_silent() {
        let span = Ticks::from_millis(1000);
        let mut timeline = Timeline::default();
        for (track, millis, lone) in [
            (Audio, 0, None),
            (Video, 10, None),
            (Video, 1009, None),
            (Video, 1010, Some(Video)),
            (Audio, 1010, None),
        ] {
            timeline.follow(&mut unit(track, millis));
            assert_eq!(timeline.lone_track(span), lone, "{millis}");
        }
    }
    #[test]
    fn a_track_that_is_presumed_alone_is_until_the_other_sends() {
        let span = Ticks::from_millis(1000);
        let mut timeline = Timeline::default();
        timeline.presume_lone(Video);
        for (track, millis, lone) in [
            (Video, 0, Some(Video)),
            (Video, 900_000, Some(Video)),
            (Audio, 900_000, None),
            (Video, 900_000, None),
        ] {
            timeline.follow(&mut unit(track, millis));
            assert_eq!(timeline.lone_track(span), lone, "{millis}");
        }
    }
}
