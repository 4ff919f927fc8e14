//! Where a stream is cut into segments, whatever their format.

use crate::media::{AccessUnit, Timeline, TrackConfig, TrackKind, Tracks};
use crate::time::Ticks;

/// A keyframe that is early by no more than this is on time: RTMP's timestamps are rounded to
/// milliseconds, and many encoders' jitter. Without it such a stream's segments would now and then
/// be twice as long.
const PUNCTUALITY: Ticks = Ticks::from_millis(20);

/// How long a frame is taken to last that was the only one of its track.
const DEFAULT_FRAME: Ticks = Ticks::from_millis(40);

/// Decides which access units make a segment.
///
/// - A segment starts with a keyframe of the leading track, video if there is video, and ends
///   before the first such keyframe that is a fragment's length after its start.
/// - Without a keyframe it ends at the maximum length. The next segment then depends on it; it is no
///   discontinuity, since neither tracks nor timestamps change.
/// - It ends at once where timestamps jump.
/// - A track that is new or whose configuration changed is left out of the segment that is open.
///   The next keyframe that can starts a segment with it, and a discontinuity.
/// - A track that sent nothing for the maximum length is left out of the next segment, likewise,
///   until it sends again.
#[derive(Clone, Debug)]
pub struct Segmenter {
    /// After how long a keyframe ends a segment.
    fragment: Ticks,
    /// After how long any frame does.
    max_fragment: Ticks,
    /// The tracks as the publisher last described them.
    known: Tracks,
    /// The tracks of the open segment, or of the last one.
    tracks: Tracks,
    timeline: Timeline,
    open: Option<Open>,
    /// How long the last frame of the leading track lasted.
    frame: Ticks,
    /// The next segment does not go on from the last one.
    broken: bool,
}

/// The segment that is being made.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The decoding time of the first access unit of the leading track.
    start: Ticks,
    /// Of the last one.
    last: Ticks,
}

/// What an access unit means for the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The open segment is complete without the access unit, and lasted that long.
    pub ended: Option<Ticks>,
    /// Where the access unit belongs.
    pub place: Place,
}

/// Where an access unit belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In no segment.
    Nowhere,
    /// In the open segment.
    Open,
    /// At the start of a new segment, whose tracks are [`Segmenter::tracks`].
    New {
        /// Its tracks or its timestamps do not go on from the last segment's.
        discontinuity: bool,
        /// It can be decoded without the last segment.
        independent: bool,
    },
}

impl Segmenter {
    /// A segmenter for segments of at least `fragment`, if keyframes allow, and at most
    /// `max_fragment`.
    pub fn new(fragment: Ticks, max_fragment: Ticks) -> Self {
        Self {
            fragment: Ticks(fragment.0 - PUNCTUALITY.0),
            max_fragment,
            known: Tracks::default(),
            tracks: Tracks::default(),
            timeline: Timeline::default(),
            open: None,
            frame: DEFAULT_FRAME,
            broken: false,
        }
    }

    /// Tells of a track, or that its configuration changed. It holds for the access units pushed
    /// from now on.
    pub fn configure(&mut self, config: TrackConfig) {
        self.known.configure(config);
    }

    /// Tells that the stream has no such track, from the access units pushed from now on.
    pub fn remove(&mut self, kind: TrackKind) {
        self.known.remove(kind);
    }

    /// Tells that only `track` is sending: the other is left out until it does.
    pub fn presume_lone(&mut self, track: TrackKind) {
        self.timeline.presume_lone(track);
    }

    /// The tracks of the open segment, or of the last one if none is.
    pub const fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// Places the next access unit. Its times are evened out if they step back a little.
    pub fn push(&mut self, unit: &mut AccessUnit) -> Step {
        let jumped = self.timeline.follow(unit);
        let mut ended = if jumped { self.finish() } else { None };

        let wanted = self.wanted_tracks();
        if wanted.can_start_with(unit) && (self.open.is_none() || wanted != self.tracks) {
            ended = ended.or_else(|| self.end_before(unit));
            return Step { ended, place: self.start(unit, wanted) };
        }
        if !self.takes(unit) {
            return Step { ended, place: Place::Nowhere };
        }
        if self.is_due_before(unit) {
            ended = self.end_before(unit);
            return Step { ended, place: self.start(unit, self.tracks.clone()) };
        }
        self.append(unit);
        Step { ended, place: Place::Open }
    }

    /// Ends the open segment after the last access unit, and gives how long it lasted. What follows,
    /// if anything does, is a discontinuity.
    pub fn finish(&mut self) -> Option<Ticks> {
        let open = self.open.take()?;
        self.broken = true;
        Some(Ticks(open.last.0 + self.frame.0 - open.start.0))
    }

    /// Forgets the open segment.
    pub fn abandon(&mut self) {
        self.finish();
    }

    /// The tracks that the next segment should have.
    fn wanted_tracks(&self) -> Tracks {
        match self.timeline.lone_track(self.max_fragment) {
            Some(lone) => self.known.only(lone),
            None => self.known.clone(),
        }
    }

    /// Whether the open segment has a place for `unit`.
    fn takes(&self, unit: &AccessUnit) -> bool {
        self.open.is_some()
            && self.tracks.has(unit.track)
            && self.tracks.only(unit.track) == self.known.only(unit.track)
    }

    fn is_due_before(&self, unit: &AccessUnit) -> bool {
        let Some(open) = self.open.filter(|_| self.leads(unit)) else {
            return false;
        };
        let least = if unit.keyframe { self.fragment } else { self.max_fragment };
        unit.dts > open.start && unit.dts.0 - open.start.0 >= least.0
    }

    fn leads(&self, unit: &AccessUnit) -> bool {
        self.tracks.lead() == Some(unit.track)
    }

    fn append(&mut self, unit: &AccessUnit) {
        if !self.leads(unit) {
            return;
        }
        if let Some(open) = &mut self.open {
            if unit.dts > open.last {
                self.frame = Ticks(unit.dts.0 - open.last.0);
            }
            open.last = unit.dts;
        }
    }

    /// Ends the open segment where `unit` goes on. Where another track takes the lead its clock is
    /// taken for the same, within reason.
    fn end_before(&mut self, unit: &AccessUnit) -> Option<Ticks> {
        self.append(unit);
        let open = self.open.take()?;
        let latest = Ticks(open.last.0 + self.max_fragment.0);
        Some(Ticks(unit.dts.clamp(open.last, latest).0 - open.start.0))
    }

    fn start(&mut self, unit: &AccessUnit, tracks: Tracks) -> Place {
        let is_first = self.tracks.lead().is_none();
        let discontinuity = !is_first && (self.broken || tracks != self.tracks);
        self.tracks = tracks;
        self.broken = false;
        self.open = Some(Open { start: unit.dts, last: unit.dts });
        Place::New { discontinuity, independent: unit.keyframe }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::TrackKind::{Audio, Video};
    use crate::media::VideoConfig;
    use crate::media::samples::{aac_config, avc_config};

    const OPEN: Place = Place::Open;
    const NOWHERE: Place = Place::Nowhere;
    const NEW: Place = Place::New { discontinuity: false, independent: true };
    const NEW_TIMELINE: Place = Place::New { discontinuity: true, independent: true };
    const DEPENDENT: Place = Place::New { discontinuity: false, independent: false };

    fn segmenter(configs: impl IntoIterator<Item = TrackConfig>) -> Segmenter {
        let mut segmenter = Segmenter::new(Ticks::from_millis(2000), Ticks::from_millis(10_000));
        configs.into_iter().for_each(|config| segmenter.configure(config));
        segmenter
    }

    /// Pushes an access unit at `millis`: what it means, with durations in milliseconds.
    fn push(
        segmenter: &mut Segmenter,
        track: TrackKind,
        millis: i64,
        keyframe: bool,
    ) -> (Option<i64>, Place) {
        let dts = Ticks::from_millis(millis);
        let mut unit = AccessUnit { track, dts, pts: dts, keyframe, data: Bytes::new() };
        let step = segmenter.push(&mut unit);
        (step.ended.map(Ticks::as_millis), step.place)
    }

    fn video(segmenter: &mut Segmenter, millis: i64, keyframe: bool) -> (Option<i64>, Place) {
        push(segmenter, Video, millis, keyframe)
    }

    fn audio(segmenter: &mut Segmenter, millis: i64) -> (Option<i64>, Place) {
        push(segmenter, Audio, millis, true)
    }

    #[test]
    fn cuts_at_the_first_keyframe_past_the_fragment() {
        let mut s = segmenter([avc_config(), aac_config()]);
        assert_eq!(audio(&mut s, 0), (None, NOWHERE));
        assert_eq!(video(&mut s, 10, false), (None, NOWHERE));
        assert_eq!(video(&mut s, 50, true), (None, NEW));
        assert_eq!(audio(&mut s, 40), (None, OPEN));
        assert_eq!(video(&mut s, 1050, true), (None, OPEN));
        assert_eq!(audio(&mut s, 2100), (None, OPEN));
        assert_eq!(video(&mut s, 2090, false), (None, OPEN));
        assert_eq!(video(&mut s, 2130, true), (Some(2080), NEW));
        assert_eq!(s.finish(), Some(Ticks::from_millis(40)));
        assert_eq!(s.finish(), None);
    }

    #[test]
    fn a_keyframe_that_jitters_is_on_time() {
        let mut s = segmenter([avc_config()]);
        assert_eq!(video(&mut s, 0, true), (None, NEW));
        assert_eq!(video(&mut s, 1979, true), (None, OPEN));
        assert_eq!(video(&mut s, 1980, true), (Some(1980), NEW));
    }

    #[test]
    fn a_long_group_of_pictures_is_cut_without_discontinuity() {
        let mut s = segmenter([avc_config()]);
        assert_eq!(video(&mut s, 0, true), (None, NEW));
        assert_eq!(video(&mut s, 9_960, false), (None, OPEN));
        assert_eq!(video(&mut s, 10_000, false), (Some(10_000), DEPENDENT));
        assert_eq!(video(&mut s, 12_000, true), (Some(2000), NEW));
    }

    #[test]
    fn audio_alone_is_cut_anywhere() {
        let mut s = segmenter([aac_config()]);
        assert_eq!(audio(&mut s, 0), (None, NEW));
        assert_eq!(audio(&mut s, 1970), (None, OPEN));
        assert_eq!(audio(&mut s, 1993), (Some(1993), NEW));
        assert_eq!(s.finish(), Some(Ticks::from_millis(23)));
    }

    #[test]
    fn a_jump_ends_the_segment_after_its_last_frame() {
        let mut s = segmenter([avc_config()]);
        video(&mut s, 50_000, true);
        video(&mut s, 50_033, false);
        assert_eq!(video(&mut s, 0, true), (Some(66), NEW_TIMELINE));
        assert_eq!(video(&mut s, 40, false), (None, OPEN));
        assert_eq!(video(&mut s, 20_000, false), (Some(80), NOWHERE));
        assert_eq!(video(&mut s, 20_040, true), (None, NEW_TIMELINE));
    }

    #[test]
    fn a_track_that_comes_late_joins_at_a_keyframe() {
        let mut s = segmenter([avc_config()]);
        video(&mut s, 0, true);
        s.configure(aac_config());
        assert_eq!(audio(&mut s, 10), (None, NOWHERE));
        assert_eq!(video(&mut s, 40, false), (None, OPEN));
        assert!(!s.tracks().has(Audio));
        assert_eq!(video(&mut s, 80, true), (Some(80), NEW_TIMELINE));
        assert!(s.tracks().has(Video) && s.tracks().has(Audio));
        assert_eq!(audio(&mut s, 90), (None, OPEN));
    }

    #[test]
    fn video_that_comes_late_takes_the_lead() {
        let mut s = segmenter([aac_config()]);
        audio(&mut s, 0);
        s.configure(avc_config());
        assert_eq!(video(&mut s, 10, false), (None, NOWHERE));
        assert_eq!(audio(&mut s, 23), (None, OPEN));
        assert_eq!(video(&mut s, 50, true), (Some(50), NEW_TIMELINE));
        assert_eq!(audio(&mut s, 3000), (None, OPEN));
    }

    #[test]
    fn a_changed_configuration_waits_for_a_keyframe() {
        let mut s = segmenter([avc_config(), aac_config()]);
        video(&mut s, 0, true);
        s.configure(avc_config());
        assert_eq!(video(&mut s, 40, true), (None, OPEN));
        let mut changed = avc_config();
        let TrackConfig::Video(VideoConfig::Avc(config)) = &mut changed else { unreachable!() };
        config.level += 1;
        s.configure(changed);
        assert_eq!(video(&mut s, 80, false), (None, NOWHERE));
        assert_eq!(audio(&mut s, 80), (None, OPEN));
        assert_eq!(video(&mut s, 120, true), (Some(120), NEW_TIMELINE));
    }

    #[test]
    fn a_removed_track_is_left_out() {
        let mut s = segmenter([avc_config(), aac_config()]);
        video(&mut s, 0, true);
        s.remove(Audio);
        assert_eq!(audio(&mut s, 10), (None, NOWHERE));
        assert_eq!(video(&mut s, 40, true), (Some(40), NEW_TIMELINE));
        assert!(!s.tracks().has(Audio));
    }

    #[test]
    fn a_silent_track_is_left_out_until_it_returns() {
        let mut s = segmenter([avc_config(), aac_config()]);
        video(&mut s, 0, true);
        assert_eq!(audio(&mut s, 0), (None, OPEN));
        for second in 1..10 {
            assert_eq!(audio(&mut s, second * 1000), (None, OPEN));
        }
        assert_eq!(audio(&mut s, 10_000), (Some(10_000), NEW_TIMELINE));
        assert!(!s.tracks().has(Video));
        assert_eq!(audio(&mut s, 12_000), (Some(2000), NEW));
        assert_eq!(video(&mut s, 12_010, false), (None, NOWHERE));
        assert_eq!(video(&mut s, 12_050, true), (Some(50), NEW_TIMELINE));
        assert!(s.tracks().has(Video) && s.tracks().has(Audio));
    }

    #[test]
    fn an_abandoned_segment_leaves_a_discontinuity() {
        let mut s = segmenter([avc_config()]);
        video(&mut s, 0, true);
        s.abandon();
        assert_eq!(video(&mut s, 40, false), (None, NOWHERE));
        assert_eq!(video(&mut s, 80, true), (None, NEW_TIMELINE));
    }
}
