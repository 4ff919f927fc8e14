//! A file that is written while it is recorded.

use std::mem;

use bytes::Bytes;

use super::fragmenter::{Fragmenter, MAX_PENDING, Purpose};
use super::piece::Output;
use crate::media::{AccessUnit, MediaEvent, PerTrack, Timeline, TrackConfig, TrackKind, Tracks};
use crate::time::Ticks;

/// How much of a stream is held back in case another track appears.
const MAX_PROBE: Ticks = Ticks::from_millis(1000);

/// The tracks are no longer those that the file began with: the stream goes on in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracksChanged;

/// One file: media in, bytes out.
///
/// It begins once it is known how all tracks are coded, or after a second. From then on fragments
/// are written, so that the file can be played at any time up to the last one.
#[derive(Debug)]
pub struct FileWriter {
    /// Which tracks there may be.
    expected: PerTrack<bool>,
    purpose: Purpose,
    tracks: Tracks,
    timeline: Timeline,
    /// What is added to the stream's times, so that they do not leap back.
    offset: i64,
    /// Where the latest access unit starts in the file.
    latest: Ticks,
    state: State,
}

#[derive(Debug)]
enum State {
    Probing(Vec<AccessUnit>),
    Writing(Fragmenter),
}

impl FileWriter {
    /// A file of the tracks that are expected. The times of what is pushed count from its start.
    pub fn new(expected: PerTrack<bool>, purpose: Purpose) -> Self {
        Self {
            expected,
            purpose,
            tracks: Tracks::default(),
            timeline: Timeline::default(),
            offset: 0,
            latest: Ticks::default(),
            state: State::Probing(vec![]),
        }
    }

    /// Takes what comes next in the stream.
    ///
    /// # Errors
    ///
    /// It has no place in this file. Finish it, and begin another one with it.
    pub fn push(&mut self, event: MediaEvent, out: &mut impl Output) -> Result<(), TracksChanged> {
        match event {
            MediaEvent::Config(config) => self.configure(config)?,
            MediaEvent::Unit(unit) => self.push_unit(unit, out),
        }
        Ok(())
    }

    /// Writes what waits as a fragment, early as it may be: only the last picture goes on waiting.
    pub fn flush(&mut self, out: &mut impl Output) {
        self.end_probe(out);
        if let State::Writing(fragmenter) = &mut self.state {
            fragmenter.flush(out);
        }
    }

    /// Writes all that waits, and the index of keyframes of a recording. Gives what is to be written over
    /// what is at a position in the file: its duration. None if there is nothing in it.
    pub fn finish(&mut self, out: &mut impl Output) -> Option<(u64, Bytes)> {
        self.end_probe(out);
        match &mut self.state {
            State::Probing(_) => None,
            State::Writing(fragmenter) => Some(fragmenter.finish(out)),
        }
    }

    /// Ends the file, and begins the next one. Its tracks are the same until others are told, and its
    /// times go on.
    pub fn begin_next(&mut self, out: &mut impl Output) {
        self.finish(out);
        self.state = State::Probing(vec![]);
    }

    /// The tracks that are known.
    pub const fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// Whether anything is written: then [`tracks`](Self::tracks) are those of the file.
    pub const fn has_begun(&self) -> bool {
        matches!(self.state, State::Writing(_))
    }

    /// About how large the file is with what waits, in bytes.
    pub fn size(&self) -> u64 {
        match &self.state {
            State::Probing(units) => units.iter().map(|unit| unit.data.len() as u64).sum(),
            State::Writing(fragmenter) => fragmenter.written() + fragmenter.pending_bytes() as u64,
        }
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

    fn push_unit(&mut self, mut unit: AccessUnit, out: &mut impl Output) {
        if !self.tracks.has(unit.track) {
            return;
        }
        self.place(&mut unit);
        match &mut self.state {
            State::Writing(fragmenter) => fragmenter.push(&unit, out),
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

    fn end_probe(&mut self, out: &mut impl Output) {
        let State::Probing(units) = &mut self.state else {
            return;
        };
        if units.is_empty() {
            return;
        }
        let units = mem::take(units);
        let mut fragmenter = Fragmenter::begin(self.tracks.clone(), self.purpose, out);
        units.iter().for_each(|unit| fragmenter.push(unit, out));
        self.state = State::Writing(fragmenter);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

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
            let mut file = Self {
                writer: FileWriter::new(expected, Purpose::Recording),
                out: BytesMut::new(),
            };
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
    fn the_next_file_goes_on_in_time() {
        let mut file = File::new(BOTH, [avc_config(), aac_config()]);
        file.push(Video, 0, true);
        file.push(Video, 2000, true);
        let mut changed = avc_config();
        let TrackConfig::Video(VideoConfig::Avc(config)) = &mut changed else { unreachable!() };
        config.level += 1;
        assert_eq!(file.configure(changed.clone()), Err(TracksChanged));
        file.out.clear();
        file.writer.begin_next(&mut file.out);
        assert_eq!(fragments(&file.out), [1]);
        assert!(!file.writer.has_begun());
        file.configure(changed).unwrap();
        file.push(Video, 0, true);
        assert!(file.writer.has_begun() && file.writer.tracks().has(Audio));
        let (_, duration) = file.writer.finish(&mut file.out).unwrap();
        assert_eq!(duration[16..], 2040_u32.to_be_bytes());
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
