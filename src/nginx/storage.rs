//! Files: everything this module writes goes through here, off the event loop.
//!
//! An output (one HLS stream, one recording) is an ordered queue of file operations with one job
//! of them in flight on nginx's thread pool, so a slow or stalled mount costs that output and
//! nothing else. The queue is bounded; what an output loses by an error or past the bound, its
//! owner learns from [`Storage::take_failure`]. Where nginx has no threads, jobs run inline.

mod writer;

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;

use slab::Slab;

use self::writer::{WriteError, Writer};
use super::log::{self, Level};
use super::thread_pool::{self, InFlight};
use super::worker::Worker;
use crate::package::FileOp;

/// Bytes that may wait in one output's queue: near a minute of a 2.5 Mbit/s stream.
const MAX_QUEUED: usize = 16 << 20;

/// The outputs of one worker.
#[derive(Default)]
pub(super) struct Storage {
    outputs: Slab<Output>,
    /// Whether there are no threads any more; then all waits for [`Storage::drain`].
    threads_ended: bool,
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
    /// Whether the last thing that happened was a failure: then the next one is no news.
    failing: bool,
    closed: bool,
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

impl thread_pool::Job for Job {
    fn execute(&mut self) {
        self.outcome = self.writer.execute(&self.ops);
    }

    fn fail(&mut self) {
        self.outcome = Err(WriteError::bug());
    }

    fn finish(self, worker: &mut Worker) {
        worker.storage().finish(self);
    }
}

impl Storage {
    pub(super) fn open(&mut self) -> OutputId {
        OutputId(self.outputs.insert(Output::default()))
    }

    /// Queues an operation of the output.
    pub(super) fn push(&mut self, id: OutputId, op: FileOp) {
        let output = &mut self.outputs[id.0];
        output.queued += weight(&op);
        output.queue.push_back(op);
        if output.queued > MAX_QUEUED {
            output.overflow();
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

    /// Takes back a job that has been executed, and starts the next.
    fn finish(&mut self, job: Job) {
        let id = job.output;
        self.outputs[id.0].finish(job);
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
        for (index, mut output) in mem::take(&mut self.outputs) {
            match mem::take(&mut output.state) {
                State::Idle(writer) => output.state = State::Idle(writer),
                // SAFETY: see `end_threads`.
                State::InFlight(in_flight) => output.finish(unsafe { in_flight.into_job() }),
            }
            while let Some(mut job) = output.next_job(OutputId(index)) {
                thread_pool::Job::execute(&mut job);
                output.finish(job);
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

    fn finish(&mut self, job: Job) {
        self.queued -= job.ops.iter().map(weight).sum::<usize>();
        self.state = State::Idle(job.writer);
        match job.outcome {
            // A full disk still takes empty files, so only a whole one shows that all is well.
            Ok(()) => self.failing &= !job.ops.iter().any(|op| matches!(op, FileOp::Rename { .. })),
            Err(error) => {
                self.report(format_args!("{error}"));
                self.lose(job.ops.into_iter().skip(error.index));
            }
        }
    }

    fn overflow(&mut self) {
        let waiting = self.queued;
        let last =
            self.queue.back().map(|op| writer::path(op).display().to_string()).unwrap_or_default();
        self.report(format_args!("the disk is too slow: {waiting} bytes wait, up to \"{last}\""));
        self.lose([]);
    }

    /// Notes that `ops` and all that is queued are lost: what follows an operation relies on it.
    fn lose(&mut self, ops: impl IntoIterator<Item = FileOp>) {
        let failure = self.failure.get_or_insert_default();
        let queued = self.queue.drain(..).inspect(|op| self.queued -= weight(op));
        failure.lost.extend(ops.into_iter().chain(queued).filter_map(|op| match op {
            FileOp::Rename { to, .. } => Some(to),
            _ => None,
        }));
    }

    fn report(&mut self, text: std::fmt::Arguments<'_>) {
        if !mem::replace(&mut self.failing, true) {
            log::cycle(Level::Error, text);
        }
    }
}

/// What an operation costs while it waits, in bytes; paths are not counted.
fn weight(op: &FileOp) -> usize {
    match op {
        FileOp::Write { data, .. } => data.len(),
        _ => 0,
    }
}
