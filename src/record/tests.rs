//! Recorders over virtual time, and files as a disk would have them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::time::UtcOffset;
use bytes::Bytes;

use super::*;
use crate::amf0::Value;
use crate::file_op::FileOp;
use crate::flv::Survey;
use crate::rtmp::session::RecordStatus;
use crate::rtmp::{Message, MessageType};

const AVC_HEADER: &[u8] = b"\x17\x00\0\0\0header";
const KEY: &[u8] = b"\x17\x01\0\0\0key";
const INTER: &[u8] = b"\x27\x01\0\0\0inter";
const AAC_HEADER: &[u8] = b"\xaf\x00\x12\x10";
const SOUND: &[u8] = b"\xaf\x01sound";

/// `millis` on all clocks, an hour ahead of UTC.
pub(super) fn at(millis: u64) -> Now {
    Now {
        instant: Instant::from_millis(millis),
        unix: UnixMillis(millis),
        utc_offset: UtcOffset::from_hms(1, 0, 0).unwrap(),
    }
}

/// Records audio and video to `/rec/NAME.flv`.
pub(super) fn config() -> RecorderConfig {
    RecorderConfig {
        id: String::new(),
        manual: false,
        media: Media { audio: true, video: Video::All, data: false },
        format: Format::Flv,
        path: "/rec".into(),
        suffix: Suffix::Fixed(".flv".into()),
        unique: false,
        named_after_id: false,
        append: false,
        lock: false,
        limits: Limits::default(),
    }
}

fn message(kind: MessageType, timestamp: u32, payload: &[u8]) -> Message {
    Message { kind, timestamp, stream_id: 1, payload: Bytes::copy_from_slice(payload) }
}

/// A recorder, and the files that it has written.
pub(super) struct Bench {
    pub(super) recorder: Recorder,
    pub(super) now: u64,
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
    closed: Vec<PathBuf>,
    /// Whether files cannot be opened for now, and those that are to be.
    stalled: bool,
    opening: Vec<PathBuf>,
    statuses: Vec<RecordStatus>,
}

impl Bench {
    pub(super) fn new(config: RecorderConfig) -> Self {
        let recorder = Recorder::new(Arc::new(config), "cam").unwrap();
        Self {
            recorder,
            now: 1_000_000,
            files: BTreeMap::new(),
            closed: Vec::new(),
            stalled: false,
            opening: Vec::new(),
            statuses: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, kind: MessageType, timestamp: u32, payload: &[u8]) {
        self.recorder.push(&message(kind, timestamp, payload), at(self.now));
        self.drain();
    }

    fn video(&mut self, timestamp: u32, payload: &[u8]) {
        self.push(MessageType::Video, timestamp, payload);
    }

    fn audio(&mut self, timestamp: u32, payload: &[u8]) {
        self.push(MessageType::Audio, timestamp, payload);
    }

    /// A second of a stream with headers, from `second` on: a keyframe, another picture, sound.
    fn second(&mut self, second: u32) {
        let start = second * 1000;
        if second == 0 {
            self.video(0, AVC_HEADER);
            self.audio(0, AAC_HEADER);
        }
        self.video(start, KEY);
        self.audio(start + 10, SOUND);
        self.now += 500;
        self.video(start + 500, INTER);
        self.now += 500;
    }

    fn drain(&mut self) {
        self.statuses.extend(std::iter::from_fn(|| self.recorder.poll_status()));
        while let Some(op) = self.recorder.poll_op() {
            match op {
                FileOp::Replace { path, .. } => drop(self.files.insert(path, Vec::new())),
                FileOp::Append { path } => self.opening.push(path),
                FileOp::Write { path, data } => self.file(path).extend(data),
                FileOp::Patch { path, offset, data } => {
                    self.file(path)[offset as usize..][..data.len()].copy_from_slice(&data);
                }
                FileOp::Close { path } => self.closed.push(path),
                op => panic!("{op:?}"),
            }
        }
        if !self.stalled && !self.opening.is_empty() {
            self.open();
        }
    }

    fn open(&mut self) {
        for path in std::mem::take(&mut self.opening) {
            let file = self.files.entry(path).or_default();
            let survey = Survey::of(&mut Cursor::new(&file)).unwrap();
            file.truncate(survey.as_ref().map_or(0, |survey| survey.end as usize));
            self.recorder.opened(survey, at(self.now));
        }
        self.drain();
    }

    fn file(&mut self, path: PathBuf) -> &mut Vec<u8> {
        assert!(!self.closed.ends_with(std::slice::from_ref(&path)), "{path:?} was closed");
        self.files.get_mut(&path).expect("a file that was created")
    }

    pub(super) fn finish(mut self) -> Self {
        self.recorder.finish();
        self.drain();
        assert_eq!(self.closed.iter().collect::<BTreeSet<_>>(), self.files.keys().collect());
        self
    }

    /// The tags of a file but the metadata: type, time, and what tells one payload from the others.
    fn tags(&self, path: &str) -> Vec<(u8, u32, &[u8])> {
        let mut rest = &self.files[&PathBuf::from(path)][13..];
        let mut tags = Vec::new();
        while let [kind, l0, l1, l2, t0, t1, t2, t3, _, _, _, tail @ ..] = rest {
            let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
            tags.push((*kind, u32::from_be_bytes([*t3, *t0, *t1, *t2]), &tail[..length]));
            rest = &tail[length + 4..];
        }
        assert_eq!(tags[0].0, 18);
        tags.split_off(1)
    }

    fn names(&self) -> Vec<&str> {
        self.files.keys().map(|path| path.to_str().unwrap()).collect()
    }

    fn metadata(&self, path: &str) -> Value {
        let file = &self.files[&PathBuf::from(path)];
        Value::decode_all(
            &file[24..][..u32::from_be_bytes([0, file[14], file[15], file[16]]) as usize],
        )
        .unwrap()
        .pop()
        .unwrap()
    }
}

#[test]
fn a_file_has_everything_from_its_beginning_on() {
    let mut bench = Bench::new(config());
    bench.video(7000, INTER);
    assert!(bench.files.is_empty());
    for second in 0..2 {
        bench.second(second);
    }
    // Repeated by some encoders.
    bench.video(2000, AVC_HEADER);
    let bench = bench.finish();
    assert_eq!(
        bench.tags("/rec/cam.flv"),
        [
            (9, 0, AVC_HEADER),
            (8, 0, AAC_HEADER),
            (9, 0, KEY),
            (8, 10, SOUND),
            (9, 500, INTER),
            (9, 1000, KEY),
            (8, 1010, SOUND),
            (9, 1500, INTER),
        ]
    );
    assert_eq!(bench.metadata("/rec/cam.flv").get("duration"), Some(&1.5.into()));
    assert_eq!(bench.statuses, [RecordStatus::Start, RecordStatus::Stop]);
}

#[test]
fn sound_alone_is_recorded_too() {
    let mut bench = Bench::new(config());
    bench.audio(5000, AAC_HEADER);
    bench.audio(5000, SOUND);
    bench.audio(5023, SOUND);
    let bench = bench.finish();
    let expected = [(8, 0, AAC_HEADER), (8, 0, SOUND), (8, 23, SOUND)];
    assert_eq!(bench.tags("/rec/cam.flv"), expected);
}

#[test]
fn media_are_chosen() {
    let chosen = |audio, video, data, is_wanted: fn(&(u8, &[u8])) -> bool| {
        let media = Media { audio, video, data };
        let mut bench = Bench::new(RecorderConfig { media, ..config() });
        bench.second(0);
        bench.push(MessageType::DataAmf0, 0, b"\x02\x00\x06onText\x05");
        bench.second(1);
        let bench = bench.finish();
        let tags: Vec<_> =
            bench.tags("/rec/cam.flv").into_iter().map(|(kind, _, body)| (kind, body)).collect();
        assert!(tags.iter().all(is_wanted), "{tags:?}");
        tags.len()
    };
    assert_eq!(chosen(true, Video::All, true, |_| true), 9);
    assert_eq!(chosen(true, Video::All, false, |tag| tag.0 != 18), 8);
    assert_eq!(chosen(true, Video::None, false, |tag| tag.0 == 8), 3);
    assert_eq!(chosen(false, Video::All, false, |tag| tag.0 == 9), 5);
    assert_eq!(chosen(false, Video::Keyframes, false, |tag| tag.0 == 9 && tag.1 != INTER), 3);
    assert_eq!(chosen(true, Video::Keyframes, false, |tag| tag.1 != INTER), 6);
}

#[test]
fn an_interval_ends_at_a_keyframe() {
    let interval = Some(Duration::from_millis(1500));
    let limits = Limits { interval, ..Limits::default() };
    let mut bench = Bench::new(RecorderConfig { unique: true, limits, ..config() });
    for second in 0..6 {
        bench.second(second);
    }
    let bench = bench.finish();
    let names = ["/rec/cam-1000.flv", "/rec/cam-1002.flv", "/rec/cam-1004.flv"];
    assert_eq!(bench.names(), names);
    for name in names {
        let times: Vec<_> = bench.tags(name).into_iter().map(|(_, time, _)| time).collect();
        assert_eq!(times, [0, 0, 0, 10, 500, 1000, 1010, 1500]);
    }
    assert_eq!(bench.statuses, [RecordStatus::Start, RecordStatus::Stop].repeat(3));
}

#[test]
fn a_file_that_is_full_waits_for_the_interval() {
    let interval = Some(Duration::from_secs(3));
    let limits = Limits { max_frames: Some(1), interval, ..Limits::default() };
    let mut bench = Bench::new(RecorderConfig { unique: true, limits, ..config() });
    for second in 0..6 {
        bench.second(second);
    }
    let bench = bench.finish();
    assert_eq!(bench.names(), ["/rec/cam-1000.flv", "/rec/cam-1003.flv"]);
    assert_eq!(bench.tags("/rec/cam-1003.flv").len(), 3);
}

#[test]
fn a_full_file_is_followed_unless_it_would_be_replaced() {
    let limits = Limits { max_size: Some(19_000), ..Limits::default() };
    for (unique, files) in [(true, 6), (false, 1)] {
        let mut bench = Bench::new(RecorderConfig { unique, limits, ..config() });
        for second in 0..6 {
            bench.second(second);
            bench.video(second * 1000 + 900, &[INTER, &[0; 1000]].concat());
        }
        let bench = bench.finish();
        assert_eq!(bench.files.len(), files);
        assert!(bench.files.values().all(|file| (19_000..20_100).contains(&file.len())));
    }
}

#[test]
fn a_size_may_be_the_interval() {
    let limits = Limits { interval_size: Some(19_000), ..Limits::default() };
    let mut bench = Bench::new(RecorderConfig { unique: true, limits, ..config() });
    for second in 0..4 {
        bench.second(second);
        bench.video(second * 1000 + 900, &[INTER, &[0; 1000]].concat());
    }
    let bench = bench.finish();
    assert_eq!(bench.files.len(), 4);
    assert!(bench.files.keys().all(|path| bench.tags(path.to_str().unwrap())[2].2 == KEY));
}

#[test]
fn what_came_is_written_in_time() {
    let mut bench = Bench::new(config());
    bench.video(0, KEY);
    let path = PathBuf::from("/rec/cam.flv");
    assert!(bench.files[&path].is_empty());
    let due = bench.recorder.timeout().unwrap();
    assert_eq!(due, Instant::from_millis(bench.now + 500));
    bench.recorder.handle_timeout(due);
    bench.drain();
    assert_eq!(bench.tags("/rec/cam.flv"), [(9, 0, KEY)]);
    assert_eq!(bench.recorder.timeout(), None);
    bench.video(40, &[INTER, &[0; 70_000]].concat());
    assert_eq!(bench.tags("/rec/cam.flv").len(), 2);
}

#[test]
fn after_a_failure_a_keyframe_begins_a_file_of_another_name() {
    let mut bench = Bench::new(config());
    bench.second(0);
    bench.recorder.storage_failed(at(bench.now).instant);
    bench.drain();
    assert_eq!(bench.closed, [PathBuf::from("/rec/cam.flv")]);
    // Too soon, then no keyframe.
    bench.video(1000, KEY);
    bench.now += 2000;
    bench.video(3000, INTER);
    bench.audio(3000, SOUND);
    assert_eq!(bench.files.len(), 1);
    bench.video(3040, KEY);
    let bench = bench.finish();
    let expected = [(9, 0, AVC_HEADER), (8, 0, AAC_HEADER), (9, 0, KEY)];
    assert_eq!(bench.tags("/rec/cam-1003.flv"), expected);
    assert_eq!(
        bench.statuses,
        [RecordStatus::Start, RecordStatus::Failed, RecordStatus::Start, RecordStatus::Stop]
    );
}

#[test]
fn what_another_worker_has_recorded_is_not_replaced() {
    let mut bench = Bench::new(config());
    bench.recorder.go_on();
    bench.second(0);
    assert_eq!(bench.finish().names(), ["/rec/cam-1000.flv"]);
}

#[test]
fn enhanced_headers_are_recorded_and_metadata_is_the_publishers() {
    let mut bench = Bench::new(config());
    let metadata = Value::EcmaArray(vec![
        ("width".into(), 640.0.into()),
        ("duration".into(), 100.0.into()),
        ("framerate".into(), 25.0.into()),
    ]);
    let mut payload = bytes::BytesMut::from(&b"\x02\x00\x0aonMetaData"[..]);
    metadata.encode(&mut payload);
    bench.push(MessageType::DataAmf0, 0, &payload);
    bench.video(0, b"\x90hvc1header");
    bench.video(0, b"\x91hvc1\0\0\0key");
    bench.video(40, b"\xa3hvc1inter");
    let bench = bench.finish();
    assert_eq!(bench.tags("/rec/cam.flv").len(), 3);
    let metadata = bench.metadata("/rec/cam.flv");
    assert_eq!(metadata.get("width"), Some(&640.0.into()));
    assert_eq!(metadata.get("framerate"), Some(&25.0.into()));
    assert_eq!(metadata.get("duration"), Some(&0.04.into()));
}

#[test]
fn a_header_that_changes_is_recorded_where_it_came() {
    let mut bench = Bench::new(config());
    bench.second(0);
    bench.video(0, b"\x17\x00\0\0\0other");
    bench.second(1);
    let bench = bench.finish();
    assert_eq!(bench.tags("/rec/cam.flv")[5], (9, 500, &b"\x17\x00\0\0\0other"[..]));
}

/// Records two seconds to the file that there is, if there is one.
fn appended(files: BTreeMap<PathBuf, Vec<u8>>) -> Bench {
    let mut bench = Bench::new(RecorderConfig { append: true, ..config() });
    bench.files = files;
    bench.second(0);
    bench.second(1);
    bench.finish()
}

#[test]
fn a_file_is_continued_in_one_time_line() {
    let mut files = appended(BTreeMap::new()).files;
    // Cut off in a tag, as by a crash.
    files.get_mut(&PathBuf::from("/rec/cam.flv")).unwrap().extend([9, 0, 1, 0, 0]);
    let bench = appended(files);
    assert_eq!(bench.names(), ["/rec/cam.flv"]);
    let times: Vec<_> = bench.tags("/rec/cam.flv").iter().map(|tag| tag.1).collect();
    let once = [0, 0, 0, 10, 500, 1000, 1010, 1500];
    assert_eq!(times, [once, once.map(|time| time + 1520)].concat());
    let metadata = bench.metadata("/rec/cam.flv");
    assert_eq!(metadata.get("duration"), Some(&3.02.into()));
    let times = metadata.get("keyframes").and_then(|it| it.get("times"));
    let expected = [0.0, 1.0, 1.52, 2.52].map(Value::from);
    assert_eq!(times, Some(&Value::StrictArray(expected.to_vec())));
}

#[test]
fn what_comes_before_the_file_is_open_is_held() {
    let mut bench = Bench::new(RecorderConfig { append: true, ..config() });
    bench.stalled = true;
    bench.second(0);
    assert!(bench.recorder.timeout().is_some_and(|at| at.as_millis() < bench.now + 500));
    bench.second(1);
    bench.recorder.finish();
    assert!(!bench.recorder.has_ended());
    bench.open();
    assert!(bench.recorder.has_ended());
    assert_eq!(bench.closed, [PathBuf::from("/rec/cam.flv")]);
    assert_eq!(bench.tags("/rec/cam.flv").len(), 8);
}

#[test]
fn only_so_much_is_held() {
    let mut bench = Bench::new(RecorderConfig { append: true, ..config() });
    bench.stalled = true;
    bench.second(0);
    for _ in 0..9 {
        bench.video(1000, &[INTER, &[0; 1 << 20]].concat());
    }
    assert_eq!(bench.statuses, [RecordStatus::Start, RecordStatus::Failed]);
    assert_eq!(bench.closed, [PathBuf::from("/rec/cam.flv")]);
    let loss = bench.recorder.poll_loss().map(|loss| loss.to_string());
    let expected = "the disk is too slow: \"/rec/cam.flv\" is not open yet";
    assert_eq!((loss.as_deref(), bench.recorder.poll_loss()), (Some(expected), None));
    bench.open();
    bench.closed.clear();
    bench.stalled = false;
    bench.now += 1000;
    bench.second(2);
    let bench = bench.finish();
    assert_eq!(bench.tags("/rec/cam.flv").len(), 5);
}

#[test]
fn a_failure_is_followed_by_more_of_the_same_file() {
    let mut bench = Bench::new(RecorderConfig { append: true, ..config() });
    bench.second(0);
    bench.recorder.handle_timeout(at(bench.now + 500).instant);
    bench.drain();
    bench.recorder.storage_failed(at(bench.now).instant);
    bench.drain();
    bench.closed.clear();
    bench.now += 2000;
    bench.second(3);
    let bench = bench.finish();
    assert_eq!(bench.names(), ["/rec/cam.flv"]);
    assert_eq!(bench.tags("/rec/cam.flv").len(), 10);
}

#[test]
fn a_manual_recorder_records_when_it_is_told_to() {
    let mut bench = Bench::new(RecorderConfig { manual: true, ..config() });
    bench.second(0);
    assert!(bench.files.is_empty());
    assert_eq!(bench.recorder.stop(), None);
    let path = bench.recorder.start(at(bench.now));
    bench.drain();
    assert_eq!(path, Some("/rec/cam.flv".into()));
    assert_eq!(bench.recorder.start(at(bench.now)), None, "it records already");
    bench.second(1);
    assert_eq!(bench.recorder.stop(), path);
    bench.drain();
    bench.second(2);
    assert_eq!(bench.closed, ["/rec/cam.flv"].map(PathBuf::from));
    // What was recorded is not replaced.
    let second = bench.recorder.start(at(bench.now)).unwrap();
    assert_ne!(Some(second), path);
    bench.second(3);
    bench.recorder.finish();
    bench.drain();
    assert_eq!(bench.closed.len(), 2);
    assert_eq!(bench.recorder.start(at(bench.now)), None, "the stream has ended");
}
