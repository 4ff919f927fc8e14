//! A file that is written while it is recorded.

use std::mem;

use bytes::{Bytes, BytesMut};

use super::muxer::Muxer;
use super::random_access::{RandomAccess, SyncPoint};
use crate::media::{AccessUnit, MediaEvent, PerTrack, Timeline, TrackConfig, TrackKind, Tracks};
use crate::time::Ticks;

/// A fragment ends before a keyframe when it is at least this long,
const MIN_FRAGMENT: Ticks = Ticks::from_millis(500);

/// and before any frame when it is this long: no more is lost with the process.
const MAX_FRAGMENT: Ticks = Ticks::from_millis(1000);

/// Where there is video, it is given this long to end a fragment at one of its frames.
const MAX_FRAGMENT_OF_SOUND: Ticks = Ticks::from_millis(1250);

/// Bounds what is held back of a stream whose timestamps stand still, or one of huge frames.
const MAX_PENDING: usize = 8 << 20;

/// How much of a stream is held back in case another track appears.
const MAX_PROBE: Ticks = Ticks::from_millis(1000);

/// The tracks are no longer those that the file began with: the stream goes on in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracksChanged;

/// One file: media in, bytes out.
///
/// It begins once it is known how all tracks are coded, or after a second. From then on a fragment
/// is written about once a second, so that the file can be played at any time up to the last one.
#[derive(Debug)]
pub struct FileWriter {
    /// Which tracks there may be.
    expected: PerTrack<bool>,
    tracks: Tracks,
    timeline: Timeline,
    /// What is added to the stream's times, so that they do not leap back.
    offset: i64,
    /// Where the latest access unit starts in the file.
    latest: Ticks,
    state: State,
    written: u64,
}

#[derive(Debug)]
enum State {
    Probing(Vec<AccessUnit>),
    Writing(Writing),
}

#[derive(Debug)]
struct Writing {
    muxer: Muxer,
    fragment_start: Option<Ticks>,
    /// How long the file is.
    position: u64,
    index: RandomAccess,
    /// Where in the file its duration belongs.
    duration_at: u64,
}

impl FileWriter {
    /// A file of the tracks that are expected. The times of what is pushed count from its start.
    pub fn new(expected: PerTrack<bool>) -> Self {
        Self {
            expected,
            tracks: Tracks::default(),
            timeline: Timeline::default(),
            offset: 0,
            latest: Ticks::default(),
            state: State::Probing(vec![]),
            written: 0,
        }
    }

    /// Takes what comes next in the stream.
    ///
    /// # Errors
    ///
    /// It has no place in this file. Finish it, and begin another one with it.
    pub fn push(&mut self, event: MediaEvent, out: &mut BytesMut) -> Result<(), TracksChanged> {
        let before = out.len();
        let pushed = match event {
            MediaEvent::Config(config) => self.configure(config),
            MediaEvent::Unit(unit) => {
                self.push_unit(unit, out);
                Ok(())
            }
        };
        self.written += (out.len() - before) as u64;
        pushed
    }

    /// Writes what waits as a fragment, early as it may be: only the last picture goes on waiting.
    pub fn flush(&mut self, out: &mut BytesMut) {
        let before = out.len();
        self.end_probe(out);
        if let State::Writing(writing) = &mut self.state {
            writing.end_fragment(None, out);
        }
        self.written += (out.len() - before) as u64;
    }

    /// Writes all that waits, and the index of keyframes. Gives what is to be written over what is at a
    /// position in the file: its duration. None if there is nothing in it.
    pub fn finish(&mut self, out: &mut BytesMut) -> Option<(u64, Bytes)> {
        self.end_probe(out);
        match &mut self.state {
            State::Probing(_) => None,
            State::Writing(writing) => {
                writing.finish(out);
                Some((writing.duration_at, writing.muxer.duration()))
            }
        }
    }

    /// About how large the file is with what waits, in bytes.
    pub fn size(&self) -> u64 {
        let pending = match &self.state {
            State::Probing(units) => units.iter().map(|unit| unit.data.len()).sum(),
            State::Writing(writing) => writing.muxer.pending_bytes(),
        };
        self.written + pending as u64
    }

    fn configure(&mut self, config: TrackConfig) -> Result<(), TracksChanged> {
        let kind = config.kind();
        if !self.expected[kind] {
            return Ok(());
        }
        let mut tracks = self.tracks.clone();
        tracks.configure(config);
        let may_change = match &self.state {
            State::Probing(units) => units.iter().all(|unit| unit.track != kind),
            State::Writing(_) => false,
        };
        if !may_change && tracks != self.tracks {
            return Err(TracksChanged);
        }
        self.tracks = tracks;
        Ok(())
    }

    fn push_unit(&mut self, mut unit: AccessUnit, out: &mut BytesMut) {
        if !self.tracks.has(unit.track) {
            return;
        }
        self.place(&mut unit);
        match &mut self.state {
            State::Writing(writing) => writing.push(&unit, out),
            State::Probing(units) => {
                units.push(unit);
                if self.has_probed_enough() {
                    self.end_probe(out);
                }
            }
        }
    }

    /// Moves a unit to its time in the file.
    fn place(&mut self, unit: &mut AccessUnit) {
        let jumped = self.timeline.follow(unit);
        if jumped && unit.dts.0 + self.offset < self.latest.0 {
            self.offset = self.latest.0 - unit.dts.0;
        }
        unit.dts.0 += self.offset;
        unit.pts.0 += self.offset;
        self.latest = self.latest.max(unit.dts);
    }

    fn has_probed_enough(&self) -> bool {
        let mut kinds = [TrackKind::Video, TrackKind::Audio].into_iter();
        kinds.all(|kind| !self.expected[kind] || self.tracks.has(kind))
            || self.latest >= MAX_PROBE
            || self.size() >= MAX_PENDING as u64
    }

    fn end_probe(&mut self, out: &mut BytesMut) {
        let State::Probing(units) = &mut self.state else {
            return;
        };
        if units.is_empty() {
            return;
        }
        let units = mem::take(units);
        let mut writing = Writing::begin(self.tracks.clone(), self.written, out);
        units.iter().for_each(|unit| writing.push(unit, out));
        self.state = State::Writing(writing);
    }
}

impl Writing {
    /// Begins to write at a position in the file.
    fn begin(tracks: Tracks, position: u64, out: &mut BytesMut) -> Self {
        let (muxer, start) = (Muxer::new(tracks), out.len());
        let duration_at = position + muxer.write_init(out) as u64;
        let position = position + (out.len() - start) as u64;
        Self { muxer, fragment_start: None, position, index: RandomAccess::new(), duration_at }
    }

    fn push(&mut self, unit: &AccessUnit, out: &mut BytesMut) {
        self.muxer.push(unit);
        let start = *self.fragment_start.get_or_insert(unit.dts);
        let lasting = unit.dts.0 - start.0;
        if lasting >= self.fragment_length(unit).0 || self.muxer.pending_bytes() >= MAX_PENDING {
            // A picture waits for the next fragment.
            let next = (unit.track == TrackKind::Video).then_some(unit.dts);
            self.end_fragment(next, out);
        }
    }

    /// Ends the fragment. The next one starts with what waits, or with what comes.
    fn end_fragment(&mut self, next: Option<Ticks>, out: &mut BytesMut) {
        self.write(out, Muxer::end_fragment);
        self.fragment_start = next;
    }

    fn finish(&mut self, out: &mut BytesMut) {
        self.write(out, Muxer::finish);
        self.index.write(out);
    }

    fn write(
        &mut self,
        out: &mut BytesMut,
        fragment: impl FnOnce(&mut Muxer, &mut BytesMut) -> Option<SyncPoint>,
    ) {
        let start = out.len();
        if let Some(point) = fragment(&mut self.muxer, out) {
            self.index.push(self.position, point);
        }
        self.position += (out.len() - start) as u64;
    }

    /// How long a fragment is that ends with the arrival of `unit`.
    fn fragment_length(&self, unit: &AccessUnit) -> Ticks {
        match unit.track {
            TrackKind::Video if unit.keyframe => MIN_FRAGMENT,
            TrackKind::Audio if self.muxer.tracks().has(TrackKind::Video) => MAX_FRAGMENT_OF_SOUND,
            TrackKind::Video | TrackKind::Audio => MAX_FRAGMENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::mp3;
    use crate::media::samples::{aac_config, avc_config};
    use crate::media::{AudioConfig, VideoConfig};

    const BOTH: PerTrack<bool> = PerTrack { video: true, audio: true };

    /// A file under test, and what was written.
    struct File {
        writer: FileWriter,
        out: BytesMut,
    }

    impl File {
        fn new(expected: PerTrack<bool>, configs: impl IntoIterator<Item = TrackConfig>) -> Self {
            let mut file = Self { writer: FileWriter::new(expected), out: BytesMut::new() };
            configs.into_iter().for_each(|config| file.configure(config).unwrap());
            file
        }

        fn configure(&mut self, config: TrackConfig) -> Result<(), TracksChanged> {
            self.writer.push(MediaEvent::Config(config), &mut self.out)
        }

        /// Pushes a unit of one byte: the fragments' lengths in samples that this makes complete.
        fn push(&mut self, track: TrackKind, millis: i64, keyframe: bool) -> Vec<usize> {
            let (time, data) = (Ticks::from_millis(millis), Bytes::from_static(b"x"));
            let unit = AccessUnit { track, dts: time, pts: time, keyframe, data };
            self.out.clear();
            self.writer.push(MediaEvent::Unit(unit), &mut self.out).unwrap();
            fragments(&self.out)
        }

        fn finish(&mut self) -> Vec<usize> {
            self.out.clear();
            self.writer.finish(&mut self.out);
            fragments(&self.out)
        }
    }

    /// The sizes of the `mdat` boxes.
    fn fragments(mut data: &[u8]) -> Vec<usize> {
        let mut sizes = vec![];
        while let Some((header, _)) = data.split_at_checked(8) {
            let size = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
            if header[4..] == *b"mdat" {
                sizes.push(size - 8);
            }
            data = &data[size..];
        }
        sizes
    }

    use TrackKind::{Audio, Video};

    #[test]
    fn a_fragment_ends_with_a_keyframe_or_after_a_second() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        assert!(file.push(Video, 0, true).is_empty());
        assert!(file.out.starts_with(b"\0\0\0"));
        for millis in (40..800).step_by(40) {
            assert!(file.push(Video, millis, false).is_empty());
        }
        assert_eq!(file.push(Video, 800, true), [20]);
        assert!(file.push(Video, 1000, true).is_empty());
        assert!(file.push(Video, 1799, false).is_empty());
        assert_eq!(file.push(Video, 1800, false), [3]);
        assert_eq!(file.finish(), [1]);
    }

    #[test]
    fn sound_ends_fragments_where_there_are_no_pictures() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        file.push(Video, 0, true);
        assert!(file.push(Audio, 1249, true).is_empty());
        assert_eq!(file.push(Audio, 1250, true), [2]);
        let expected = PerTrack { video: false, audio: true };
        let mut file = File::new(expected, [aac_config()]);
        file.push(Audio, 0, true);
        assert!(file.push(Audio, 999, true).is_empty());
        assert_eq!(file.push(Audio, 1000, true), [3]);
    }

    #[test]
    fn a_file_waits_for_its_tracks() {
        let mut file = File::new(BOTH, [avc_config()]);
        file.push(Video, 0, true);
        assert!(file.out.is_empty());
        file.configure(aac_config()).unwrap();
        file.push(Audio, 20, true);
        assert!(!file.out.is_empty());
        // Not for long.
        let mut file = File::new(BOTH, [avc_config()]);
        file.push(Video, 0, true);
        assert!(file.push(Video, 990, false).is_empty());
        assert!(file.out.is_empty());
        assert_eq!(file.push(Video, 1000, false), [2]);
        assert_eq!(file.configure(aac_config()), Err(TracksChanged));
        // Nor at the end.
        let mut file = File::new(BOTH, [avc_config()]);
        file.push(Video, 0, true);
        assert_eq!(file.finish(), [1]);
    }

    #[test]
    fn a_fragment_is_written_early_if_it_has_to_be() {
        let mut file = File::new(BOTH, [avc_config()]);
        file.push(Video, 0, true);
        file.push(Video, 40, false);
        file.push(Video, 80, false);
        file.out.clear();
        file.writer.flush(&mut file.out);
        assert_eq!(fragments(&file.out), [2]);
        assert!(file.push(Video, 120, false).is_empty());
        assert!(file.push(Video, 1080, false).is_empty());
        assert_eq!(file.push(Video, 1120, false), [3]);
    }

    #[test]
    fn nothing_makes_no_file() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        assert_eq!(file.writer.finish(&mut file.out), None);
        assert!(file.out.is_empty());
        assert_eq!(file.writer.size(), 0);
    }

    #[test]
    fn the_duration_is_known_at_the_end() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        file.push(Video, 0, true);
        let at = file.out.windows(4).position(|name| name == b"free").unwrap() - 4;
        file.push(Video, 40, false);
        let (position, data) = file.writer.finish(&mut file.out).unwrap();
        assert_eq!(position, at as u64);
        assert_eq!(data, b"\0\0\0\x14mehd\x01\0\0\0\0\0\0\0\0\0\0\x50"[..]);
    }

    #[test]
    fn the_index_tells_where_keyframes_are() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        let mut bytes = BytesMut::new();
        for millis in (0..3000).step_by(40) {
            file.push(Video, millis, millis % 1200 == 0);
            bytes.extend_from_slice(&file.out);
        }
        file.finish();
        bytes.extend_from_slice(&file.out);
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let index = bytes.len() - number(bytes.len() - 4) as usize;
        let entries = bytes[index + 8 + 24..bytes.len() - 16].chunks(22);
        let entries: Vec<_> = entries
            .map(|entry| {
                let long = |at: usize| u64::from_be_bytes(entry[at..at + 8].try_into().unwrap());
                let at = long(8) as usize;
                assert_eq!(bytes[at + 4..at + 8], *b"moof");
                (long(0) / 90, entry[16], entry[17], entry[21])
            })
            .collect();
        assert_eq!(entries, [(0, 1, 1, 1), (1200, 1, 1, 6), (2400, 1, 1, 11)]);
    }

    #[test]
    fn a_change_is_for_another_file() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        file.push(Video, 0, true);
        file.configure(avc_config()).unwrap();
        let mut changed = avc_config();
        let TrackConfig::Video(VideoConfig::Avc(config)) = &mut changed else { unreachable!() };
        config.level += 1;
        assert_eq!(file.configure(changed.clone()), Err(TracksChanged));
        // Before there is anything of the track it is none.
        let mut file = File::new(BOTH, [avc_config()]);
        file.configure(changed).unwrap();
        let mp3 = |sample_rate| {
            TrackConfig::Audio(AudioConfig::Mp3(mp3::Config { sample_rate, channels: 2 }))
        };
        let mut file = File::new(BOTH, [mp3(44_100)]);
        file.push(Audio, 0, true);
        assert_eq!(file.configure(mp3(48_000)), Err(TracksChanged));
        assert_eq!(file.finish(), [1]);
    }

    #[test]
    fn tracks_that_are_not_expected_are_left_out() {
        let expected = PerTrack { video: true, audio: false };
        let mut file = File::new(expected, [avc_config(), aac_config()]);
        file.push(Audio, 0, true);
        assert_eq!(file.writer.size(), 0);
        file.push(Video, 0, true);
        file.push(Audio, 5, true);
        assert_eq!(file.finish(), [1]);
    }

    #[test]
    fn time_does_not_leap_back() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        for (track, millis) in [(Video, 0), (Video, 5000), (Video, 40), (Audio, 60), (Video, 540)] {
            file.push(track, millis, true);
        }
        let (_, duration) = file.writer.finish(&mut file.out).unwrap();
        assert_eq!(duration[16..], 6000_u32.to_be_bytes());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        let ended = (0..1_000_000).find(|_| !file.push(Audio, 0, true).is_empty());
        assert!(ended.is_some_and(|count| count > 10_000));
    }
}
