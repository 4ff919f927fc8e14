//! Files: everything this module writes goes through here, off the event loop.
//!
//! An output (one HLS stream, one recording) is an ordered queue of file operations with one job
//! of them in flight on nginx's thread pool, so a slow or stalled mount costs that output and
//! nothing else. The queue is bounded; what an output loses by an error or past the bound, its
//! owner learns from [`Storage::take_failure`]. Where nginx has no threads, jobs run inline.
//! Recordings that are complete wait in [`Storage::take_recorded`].

mod writer;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::{iter, mem};

use slab::Slab;

use self::writer::{WriteError, Writer};
use super::event;
use super::log::{self, Level};
use super::packager::{Playlist, PlaylistWatch};
use super::recorder::Recorded;
use super::thread_pool::{self, InFlight};
use super::worker::Worker;
use crate::file_op::FileOp;
use crate::flv::Survey;
use crate::live::StreamKey;
use crate::notify::Hook;
use crate::stat::{Failures, StorageReport, Totals};

/// Bytes that may wait in one output's queue: near a minute of a 2.5 Mbit/s stream.
const MAX_QUEUED: usize = 16 << 20;

/// The outputs of one worker.
#[derive(Default)]
pub(super) struct Storage {
    outputs: Slab<Output>,
    /// Whether there are no threads any more; then all waits for [`Storage::drain`].
    threads_ended: bool,
    recorded: Vec<Recorded>,
    playlists: Vec<Playlist>,
    counts: Counts,
}

/// What there was since the worker started.
#[derive(Debug, Default)]
struct Counts {
    segments: u64,
    recordings: u64,
    errors: Failures,
}

/// Names an output until it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutputId(usize);

#[derive(Default)]
struct Output {
    queue: VecDeque<FileOp>,
    /// Bytes in the queue and in flight.
    queued: usize,
    state: State,
    failure: Option<Failure>,
    /// What there was in the files that were opened to append to them.
    opened: VecDeque<Option<Survey>>,
    /// The failures since all was well: after the first one they are no news.
    failures: u64,
    /// All failures.
    errors: Failures,
    closed: bool,
    /// What a later output that has the same files may go on with.
    key: Option<OutputKey>,
    /// Who wants to know of playlists that are written.
    watch: Option<Rc<PlaylistWatch>>,
    /// What is recorded by each [`FileOp::Close`] that is queued or in flight.
    recordings: VecDeque<Recorded>,
}

/// What tells the files of one recorder from those of all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutputKey {
    pub(super) stream: StreamKey,
    /// The recorder's id.
    pub(super) recorder: String,
}

enum State {
    Idle(Writer),
    InFlight(InFlight<Job>),
}

impl Default for State {
    fn default() -> Self {
        Self::Idle(Writer::default())
    }
}

/// What an output lost. It goes on with the operations pushed next.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// Files that did not get their final names.
    pub(super) lost: Vec<PathBuf>,
}

/// Operations on their way through the thread pool, and how they went.
pub(super) struct Job {
    output: OutputId,
    writer: Writer,
    ops: Vec<FileOp>,
    outcome: Result<(), WriteError>,
}

impl Job {
    /// The files with that extension that it has put in place.
    fn placed<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a PathBuf> {
        let done = self.outcome.as_ref().err().map_or(self.ops.len(), |error| error.index);
        let placed = self.ops.iter().take(done).filter_map(|op| match op {
            FileOp::Rename { to: path, .. } | FileOp::Put { path, .. } => Some(path),
            _ => None,
        });
        placed.filter(move |path| path.extension().is_some_and(|it| it == extension))
    }

    fn segments(&self) -> u64 {
        self.placed("ts").count() as u64
    }
}

impl thread_pool::Job for Job {
    fn execute(&mut self) {
        self.outcome = self.writer.execute(&self.ops);
    }

    fn fail(&mut self) {
        self.outcome = Err(WriteError::bug());
    }

    fn finish(self, worker: &mut Worker) {
        let shared = worker.shared();
        shared.storage.finish(self);
        shared.settle_recordings();
        shared.tell_playlists();
    }
}

impl Storage {
    pub(super) fn open(&mut self) -> OutputId {
        OutputId(self.outputs.insert(Output::default()))
    }

    /// An output whose operations come after those of an earlier one of that key, which has been
    /// closed and may not be through yet.
    pub(super) fn open_after(&mut self, key: OutputKey) -> OutputId {
        let mut outputs = self.outputs.iter_mut();
        match outputs.find(|(_, output)| output.closed && output.key.as_ref() == Some(&key)) {
            Some((index, output)) => {
                output.closed = false;
                output.failure = None;
                output.opened.clear();
                OutputId(index)
            }
            None => OutputId(self.outputs.insert(Output { key: Some(key), ..Output::default() })),
        }
    }

    /// Queues the end of a recording. It is in [`take_recorded`](Self::take_recorded) when the file
    /// is closed, unless nothing was written to it.
    pub(super) fn push_close(&mut self, id: OutputId, recorded: Recorded) {
        let op = FileOp::Close { path: recorded.path.clone() };
        self.outputs[id.0].recordings.push_back(recorded);
        self.push(id, op);
    }

    /// What there is in the next file that has been opened to append to it.
    pub(super) fn take_opened(&mut self, id: OutputId) -> Option<Option<Survey>> {
        self.outputs[id.0].opened.pop_front()
    }

    /// Whether callbacks wait for a recording to be complete.
    pub(super) fn owes_recordings(&self) -> bool {
        let mut recordings = self.outputs.iter().flat_map(|(_, output)| &output.recordings);
        recordings.any(|it| it.recorder.callbacks.callbacks.has(Hook::RecordDone))
    }

    /// The recordings that were completed since the last call.
    pub(super) fn take_recorded(&mut self) -> Vec<Recorded> {
        mem::take(&mut self.recorded)
    }

    /// Has the playlists of the output, once they are in place, in
    /// [`take_playlists`](Self::take_playlists).
    pub(super) fn watch_playlists(&mut self, id: OutputId, watch: PlaylistWatch) {
        self.outputs[id.0].watch = Some(Rc::new(watch));
    }

    /// The playlists that were written since the last call.
    pub(super) fn take_playlists(&mut self) -> Vec<Playlist> {
        mem::take(&mut self.playlists)
    }

    /// Queues an operation of the output.
    pub(super) fn push(&mut self, id: OutputId, op: FileOp) {
        let output = &mut self.outputs[id.0];
        output.queued += weight(&op);
        output.queue.push_back(op);
        if output.queued > MAX_QUEUED {
            output.overflow(&mut self.counts.errors);
        }
        self.start(id);
    }

    /// What the output lost since the last call.
    pub(super) fn take_failure(&mut self, id: OutputId) -> Option<Failure> {
        self.outputs[id.0].failure.take()
    }

    /// Ends the output, once what is queued has been executed.
    pub(super) fn close(&mut self, id: OutputId) {
        self.outputs[id.0].closed = true;
        self.start(id);
    }

    /// What could not be written of the output.
    pub(super) fn errors_of(&self, id: OutputId) -> &Failures {
        &self.outputs[id.0].errors
    }

    /// Whether the output has failed, and has not been written since.
    pub(super) fn fails(&self, id: OutputId) -> bool {
        self.outputs[id.0].failures > 0
    }

    /// What waits to be written, and what could not be.
    pub(super) fn report(&self) -> StorageReport {
        let outputs = || self.outputs.iter().map(|(_, output)| output);
        let in_flight = outputs().filter(|it| matches!(it.state, State::InFlight(_)));
        StorageReport {
            outputs: self.outputs.len() as u64,
            queued: outputs().map(|output| output.queued as u64).sum(),
            in_flight: in_flight.count() as u64,
            failing: outputs().filter(|output| output.failures > 0).count() as u64,
            errors: self.counts.errors.clone(),
        }
    }

    /// Adds what was written, and what could not be, since the worker started.
    pub(super) fn add_totals(&self, totals: &mut Totals) {
        let Counts { segments, recordings, errors } = &self.counts;
        totals.segments = *segments;
        totals.recordings = *recordings;
        totals.storage_errors = errors.count;
    }

    /// Takes back a job that has been executed, and starts the next.
    fn finish(&mut self, job: Job) {
        let id = job.output;
        let output = &mut self.outputs[id.0];
        self.playlists.extend(output.playlists_of(&job));
        self.counts.segments += job.segments();
        let recorded = output.finish(job, &mut self.counts.errors);
        self.counts.recordings += recorded.len() as u64;
        self.recorded.extend(recorded);
        self.start(id);
    }

    /// From now on operations are only queued.
    ///
    /// # Safety
    ///
    /// nginx has ended its threads, so whatever was in flight has been executed.
    pub(super) unsafe fn end_threads(&mut self) {
        self.threads_ended = true;
    }

    /// Executes everything that is queued, before the process ends.
    pub(super) fn drain(&mut self) {
        assert!(self.threads_ended, "jobs may be in flight");
        for (index, output) in &mut self.outputs {
            match mem::take(&mut output.state) {
                State::Idle(writer) => output.state = State::Idle(writer),
                State::InFlight(in_flight) => {
                    // SAFETY: see `end_threads`.
                    let job = unsafe { in_flight.into_job() };
                    self.recorded.extend(output.finish(job, &mut self.counts.errors));
                }
            }
            while let Some(mut job) = output.next_job(OutputId(index)) {
                thread_pool::Job::execute(&mut job);
                self.recorded.extend(output.finish(job, &mut self.counts.errors));
            }
        }
    }

    fn start(&mut self, id: OutputId) {
        if self.threads_ended {
            return;
        }
        let output = &mut self.outputs[id.0];
        if let Some(job) = output.next_job(id) {
            output.state = State::InFlight(thread_pool::dispatch(job));
        }
        if output.closed && output.queue.is_empty() && matches!(output.state, State::Idle(_)) {
            self.outputs.remove(id.0);
        }
    }
}

impl Output {
    /// Everything that is queued, if no other job is in flight.
    fn next_job(&mut self, output: OutputId) -> Option<Job> {
        let State::Idle(writer) = &mut self.state else { return None };
        if self.queue.is_empty() {
            return None;
        }
        let ops = mem::take(&mut self.queue).into();
        Some(Job { output, writer: mem::take(writer), ops, outcome: Ok(()) })
    }

    /// Takes back a job, and gives the recordings that it has completed.
    fn finish(&mut self, mut job: Job, errors: &mut Failures) -> Vec<Recorded> {
        self.queued -= job.ops.iter().map(weight).sum::<usize>();
        self.opened.extend(job.writer.take_opened());
        let closed = job.writer.take_closed().into_iter();
        let recordings = closed.zip(iter::from_fn(|| self.recordings.pop_front()));
        let recorded = recordings.filter_map(|(is_written, it)| is_written.then_some(it)).collect();
        match job.outcome {
            Ok(()) => self.recover(&job),
            Err(error) => {
                self.report(&error.to_string(), errors);
                self.lose(job.ops.into_iter().skip(error.index));
            }
        }
        self.state = State::Idle(job.writer);
        recorded
    }

    /// The playlists that the job has put in place, if anybody wants to know.
    fn playlists_of(&self, job: &Job) -> Vec<Playlist> {
        let Some(watch) = &self.watch else { return Vec::new() };
        let playlists = job.placed("m3u8");
        playlists.map(|path| Playlist { watch: Rc::clone(watch), path: path.clone() }).collect()
    }

    /// Tells that all is well again, if it is: a full disk still takes empty files, and the pieces of
    /// one that is not in place yet may be few and small.
    fn recover(&mut self, job: &Job) {
        let is_well = job.ops.iter().rev().find(|op| match op {
            FileOp::Rename { .. } | FileOp::Put { .. } => true,
            FileOp::Write { .. } => job.writer.is_in_place(),
            _ => false,
        });
        if let Some(op) = is_well
            && let failures @ 1.. = mem::take(&mut self.failures)
        {
            let path = op.path().display();
            log::cycle(
                Level::Warn,
                format_args!("writing works again after {failures} failures: \"{path}\""),
            );
        }
    }

    fn overflow(&mut self, errors: &mut Failures) {
        let waiting = self.queued;
        let last = self.queue.back().map(|op| op.path().display().to_string()).unwrap_or_default();
        let text = format!("the disk is too slow: {waiting} bytes wait, up to \"{last}\"");
        self.report(&text, errors);
        self.lose([]);
    }

    /// Notes that `ops` and all that is queued are lost, as what follows an operation relies on it.
    /// Files are closed nevertheless.
    fn lose(&mut self, ops: impl IntoIterator<Item = FileOp>) {
        let failure = self.failure.get_or_insert_default();
        let queued = mem::take(&mut self.queue).into_iter();
        for op in ops.into_iter().chain(queued.inspect(|op| self.queued -= weight(op))) {
            match op {
                FileOp::Close { .. } => self.queue.push_back(op),
                FileOp::Rename { to: path, .. } | FileOp::Put { path, .. } => {
                    failure.lost.push(path);
                }
                _ => {}
            }
        }
    }

    fn report(&mut self, text: &str, errors: &mut Failures) {
        self.failures += 1;
        for failures in [&mut self.errors, errors] {
            failures.add(text.to_owned(), event::unix_now());
        }
        if self.failures == 1 {
            log::cycle(Level::Error, format_args!("{text}"));
        }
    }
}

/// What an operation costs while it waits, in bytes; paths are not counted.
fn weight(op: &FileOp) -> usize {
    match op {
        FileOp::Write { data, .. } | FileOp::Put { data, .. } | FileOp::Patch { data, .. } => {
            data.len()
        }
        _ => 0,
    }
}
