//! When files begin and end.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::Now;
use super::config::{Media, RecorderConfig, Video};
use super::file::{File, WriteError};
use super::headers::{Headers, Kind};
use super::loss::Loss;
use super::names::Names;
use super::opening::{Held, Opening};
use super::recording::Recording;
use super::timeline::{STEP, Timeline};
use crate::file_op::FileOp;
use crate::flv::Survey;
use crate::package::NameError;
use crate::rtmp::Message;
use crate::rtmp::session::RecordStatus;
use crate::stat::{RecorderReport, RecorderState};
use crate::time::Instant;

/// How long after a failure the next file is tried at the earliest.
const RETRY: Duration = Duration::from_secs(1);

/// How often it is looked whether a file is open, while nothing else happens.
const LOOK: Duration = Duration::from_millis(200);

/// How many different losses of one publish are told.
const MAX_REPORTED: usize = 8;

/// One recorder of a publish. Messages in, file operations out: drain [`poll_op`](Self::poll_op) and
/// [`poll_status`](Self::poll_status) after every other call, and call
/// [`handle_timeout`](Self::handle_timeout) when [`timeout`](Self::timeout) has come.
///
/// ```text
///           keyframe, or audio if there is no video
///   Waiting ───────────────> (Opening) ───────────> Recording
///      ^                                                │
///      └─ interval, size or frames reached; failure; ───┤
///         other tracks than the file's
///                                                       │
///   Ended <── limit reached, and no other name; end; stop
///      └───────────────── start ───────────────────> Recording
///
/// A file that is continued has to be opened before it is known what to write.
/// ```
#[derive(Debug)]
pub struct Recorder {
    config: Arc<RecorderConfig>,
    names: Names,
    headers: Headers,
    timeline: Timeline,
    state: State,
    /// Whether there is a file with a part of the stream that must not be replaced: one that was left
    /// as it was when the storage failed or the tracks changed, or another worker's.
    has_part: bool,
    /// Whether the stream has ended.
    finished: bool,
    ops: VecDeque<FileOp>,
    statuses: VecDeque<RecordStatus>,
    losses: VecDeque<Loss>,
    /// The losses that were told.
    reported: Vec<Loss>,
}

#[derive(Debug)]
enum State {
    /// The next file begins at the next keyframe, but not before an instant.
    Waiting(Instant),
    Opening(Opening),
    Recording(Recording),
    Ended,
}

impl Recorder {
    /// The recorder of the stream `name`.
    ///
    /// # Errors
    ///
    /// The name is none for a file.
    pub fn new(config: Arc<RecorderConfig>, name: &str) -> Result<Self, NameError> {
        let state = match config.manual {
            true => State::Ended,
            false => State::Waiting(Instant::default()),
        };
        Ok(Self {
            names: Names::new(&config, name)?,
            config,
            headers: Headers::new(),
            timeline: Timeline::default(),
            state,
            has_part: false,
            finished: false,
            ops: VecDeque::new(),
            statuses: VecDeque::new(),
            losses: VecDeque::new(),
            reported: Vec::new(),
        })
    }

    /// The stream goes on from another worker, which has recorded its beginning.
    pub fn go_on(&mut self) {
        self.has_part = true;
    }

    /// Begins a file now, if there is none. Gives its path; none if nothing is begun.
    pub fn start(&mut self, now: Now) -> Option<PathBuf> {
        if self.finished || !matches!(self.state, State::Ended | State::Waiting(_)) {
            return None;
        }
        self.begin_file(self.timeline.latest(), now);
        self.path()
    }

    /// Completes the file, if there is one, and begins none until it is told to. Gives the file's
    /// path; none if there is no file, or one that is not open yet, which goes on.
    pub fn stop(&mut self) -> Option<PathBuf> {
        if matches!(self.state, State::Opening(_)) {
            return None;
        }
        let path = self.path();
        self.has_part |= path.is_some();
        self.end_file();
        self.state = State::Ended;
        path
    }

    fn path(&self) -> Option<PathBuf> {
        match &self.state {
            State::Opening(opening) => Some(opening.path.clone()),
            State::Recording(recording) => Some(recording.path().to_owned()),
            State::Waiting(_) | State::Ended => None,
        }
    }

    /// What there is to tell of the recorder, but for what the storage knows.
    pub fn facts(&self) -> RecorderReport {
        let report = RecorderReport {
            id: self.config.id.clone(),
            file: self.path().map(|path| path.display().to_string()),
            ..RecorderReport::default()
        };
        match &self.state {
            State::Ended => report,
            State::Waiting(_) => RecorderReport { state: RecorderState::Waiting, ..report },
            State::Opening(_) => RecorderReport { state: RecorderState::Opening, ..report },
            State::Recording(recording) => RecorderReport {
                state: RecorderState::Recording,
                bytes: recording.len(),
                time: recording.duration(self.timeline.latest()),
                frames: recording.pictures(),
                ..report
            },
        }
    }

    /// What the recorder was made from.
    pub fn config(&self) -> &Arc<RecorderConfig> {
        &self.config
    }

    /// Takes the stream's next message, at `now`.
    pub fn push(&mut self, message: &Message, now: Now) {
        let kind = self.headers.learn(message);
        if !self.config.media.wants(kind) {
            return;
        }
        let time = match kind {
            Kind::AudioHeader | Kind::VideoHeader | Kind::Data => self.timeline.latest(),
            _ => self.timeline.stamp(message.timestamp),
        };
        if self.may_begin_with(kind) {
            self.begin_if_due(time, now);
        }
        self.write(message, kind, time, now);
    }

    /// Writes what has waited long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Recording(recording) => recording.flush_due(now, &mut self.ops),
            State::Opening(opening) => opening.look_again = now + LOOK,
            State::Waiting(_) | State::Ended => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Recording(recording) => recording.deadline(),
            State::Opening(opening) => Some(opening.look_again),
            State::Waiting(_) | State::Ended => None,
        }
    }

    /// The file of [`FileOp::Append`] is open, and holds what `survey` says, if anything.
    pub fn opened(&mut self, survey: Option<Survey>, now: Now) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Opening(opening) => {
                let recording = self.resume(opening.path, survey, opening.base, now.instant);
                self.state = State::Recording(recording);
                for Held { message, kind, time } in opening.messages {
                    self.write(&message, kind, time, now);
                }
                if self.finished {
                    self.finish();
                }
            }
            state => self.state = state,
        }
    }

    /// File operations failed or were dropped. What is written of the file stays, and the next one
    /// begins at a keyframe.
    pub fn storage_failed(&mut self, now: Instant) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Recording(recording) => {
                recording.close(&mut self.ops);
                self.fail(now);
            }
            State::Opening(opening) => {
                opening.close(&mut self.ops);
                self.fail(now);
            }
            state => self.state = state,
        }
    }

    fn fail(&mut self, now: Instant) {
        self.has_part = true;
        self.statuses.push_back(RecordStatus::Failed);
        self.state = match self.finished {
            true => State::Ended,
            false => State::Waiting(now + RETRY),
        };
    }

    /// The stream has ended.
    pub fn finish(&mut self) {
        self.finished = true;
        if !matches!(self.state, State::Opening(_)) {
            self.end_file();
            self.state = State::Ended;
        }
    }

    /// Whether nothing more will be done; when the stream has ended, a file may still have to be
    /// [`opened`](Self::opened).
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The next file operation.
    pub fn poll_op(&mut self) -> Option<FileOp> {
        self.ops.pop_front()
    }

    /// The next thing that the publisher may be told.
    pub fn poll_status(&mut self) -> Option<RecordStatus> {
        self.statuses.pop_front()
    }

    /// The next reason why messages are not recorded, of those that were not told before.
    pub fn poll_loss(&mut self) -> Option<Loss> {
        self.losses.pop_front()
    }

    /// Whether a file may begin with a message of that kind.
    fn may_begin_with(&self, kind: Kind) -> bool {
        match kind {
            Kind::Keyframe => true,
            Kind::Audio => {
                self.config.media.video == Video::None || self.headers.may_begin_with_audio()
            }
            _ => false,
        }
    }

    fn begin_if_due(&mut self, time: i64, now: Now) {
        match &self.state {
            State::Recording(recording) if recording.is_over(&self.config.limits, now.instant) => {
                self.end_file();
                self.begin_file(time, now);
            }
            State::Waiting(from) if *from <= now.instant => self.begin_file(time, now),
            State::Recording(_) | State::Opening(_) | State::Waiting(_) | State::Ended => {}
        }
    }

    fn begin_file(&mut self, time: i64, now: Now) {
        let RecorderConfig { append, lock, .. } = *self.config;
        let path = match self.has_part && !append {
            true => self.names.next_stamped(now),
            false => self.names.next(now),
        };
        self.statuses.push_back(RecordStatus::Start);
        self.state = if append {
            self.ops.push_back(FileOp::Append { path: path.clone() });
            State::Opening(Opening::new(path, time, now.instant + LOOK))
        } else {
            self.ops.push_back(FileOp::Replace { path: path.clone(), lock });
            State::Recording(self.resume(path, None, time, now.instant))
        };
    }

    /// Begins or continues a file, with headers.
    fn resume(&self, path: PathBuf, survey: Option<Survey>, time: i64, now: Instant) -> Recording {
        let RecorderConfig { format, media, .. } = *self.config;
        let mut buffer = BytesMut::new();
        let (file, base) = match survey {
            Some(survey) => {
                let base = time - i64::from(survey.duration) - STEP;
                (File::resume(survey), base)
            }
            None => (File::begin(format, media, &self.headers, &mut buffer), time),
        };
        let mut recording = Recording::new(path, file, base, now, buffer);
        let Headers { audio, video, .. } = &self.headers;
        let video = video.iter().filter(|_| media.video != Video::None);
        for header in video.chain(audio.iter().filter(|_| media.audio)) {
            // What comes of an error comes of those of the frames.
            let _ = recording.write(header, time, now);
        }
        recording
    }

    fn write(&mut self, message: &Message, kind: Kind, time: i64, now: Now) {
        let recording = match &mut self.state {
            State::Recording(recording) => recording,
            State::Opening(opening) => {
                let held = Held { message: message.clone(), kind, time };
                if !opening.hold(held) {
                    let path = opening.path.clone();
                    self.report(Loss::NotOpened(path));
                    self.storage_failed(now.instant);
                }
                return;
            }
            State::Waiting(_) | State::Ended => return,
        };
        if kind == Kind::Inter && !recording.has_keyframe {
            return;
        }
        match recording.write(message, time, now.instant) {
            Ok(()) => {}
            Err(WriteError::TracksChanged) => return self.begin_another(now.instant),
            Err(WriteError::Media(error)) => return self.report(error.into()),
        }
        if matches!(kind, Kind::Keyframe | Kind::Inter) {
            recording.count_picture(kind == Kind::Keyframe);
        }
        recording.flush_due(now.instant, &mut self.ops);
        if recording.is_full(&self.config.limits) {
            let since = recording.since();
            self.end_file();
            self.wait_after_limit(since, now.instant);
        }
    }

    /// Completes the file, if there is one; the caller says what comes next.
    fn end_file(&mut self) {
        if let State::Recording(recording) = mem::replace(&mut self.state, State::Ended) {
            recording.finish(&mut self.ops);
            self.statuses.push_back(RecordStatus::Stop);
        }
    }

    /// The stream's tracks are no longer the file's: the next one begins, but not more often than
    /// files are tried after failures.
    fn begin_another(&mut self, now: Instant) {
        let from = match &self.state {
            State::Recording(recording) => recording.since() + RETRY,
            State::Opening(_) | State::Waiting(_) | State::Ended => now,
        };
        self.end_file();
        self.has_part = true;
        self.state = State::Waiting(from);
    }

    /// Tells a loss unless it is no news: most concern every message of a track.
    fn report(&mut self, loss: Loss) {
        if self.reported.len() < MAX_REPORTED && !self.reported.contains(&loss) {
            self.reported.push(loss.clone());
            self.losses.push_back(loss);
        }
    }

    /// A file that was begun at `since` is full: without an interval the next one begins at once,
    /// unless it would take its place.
    fn wait_after_limit(&mut self, since: Instant, now: Instant) {
        self.state = match self.config.limits.interval {
            Some(interval) => State::Waiting(since + interval),
            None if self.names.vary() => State::Waiting(now),
            None => State::Ended,
        };
    }
}

impl Media {
    /// Whether messages of that kind are recorded.
    fn wants(self, kind: Kind) -> bool {
        match kind {
            Kind::AudioHeader | Kind::Audio | Kind::OtherAudio => self.audio,
            Kind::VideoHeader | Kind::Keyframe => self.video != Video::None,
            Kind::Inter | Kind::OtherVideo => self.video == Video::All,
            Kind::Data => self.data,
            Kind::Nothing => false,
        }
    }
}
