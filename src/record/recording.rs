//! One file that is being written.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;

use super::config::Limits;
use super::file::{File, WriteError};
use crate::file_op::FileOp;
use crate::flv::Patch;
use crate::rtmp::Message;
use crate::time::Instant;

/// A file is written in pieces of about this many bytes,
const WRITE_LEN: usize = 64 << 10;

/// or of what came in this time. It bounds what is lost with the process.
const WRITE_INTERVAL: Duration = Duration::from_millis(500);

/// Fragments are as long as their makers want them, unless a stream is so slow.
const FRAGMENT_INTERVAL: Duration = Duration::from_millis(1500);

/// A file that is open.
#[derive(Debug)]
pub(super) struct Recording {
    path: PathBuf,
    file: File,
    since: Instant,
    /// The stream's time at which the file begins.
    base: i64,
    /// The pictures in it.
    pictures: u64,
    /// Whether there is a keyframe in it, so that pictures that need others can be decoded.
    pub(super) has_keyframe: bool,
    /// What the file has and the storage layer has not,
    buffer: BytesMut,
    /// and since when there is anything that it has not.
    buffered_since: Option<Instant>,
}

impl Recording {
    /// A file that has been begun, with `buffer`.
    pub(super) fn new(
        path: PathBuf,
        file: File,
        base: i64,
        now: Instant,
        buffer: BytesMut,
    ) -> Self {
        Self {
            path,
            file,
            since: now,
            base,
            pictures: 0,
            has_keyframe: false,
            buffer,
            buffered_since: Some(now),
        }
    }

    /// Appends a message of the stream's time `time`.
    ///
    /// # Errors
    ///
    /// It has no place in the file.
    pub(super) fn write(
        &mut self,
        message: &Message,
        time: i64,
        now: Instant,
    ) -> Result<(), WriteError> {
        let written = self.file.write(message, time - self.base, &mut self.buffer);
        self.buffered_since.get_or_insert(now);
        written
    }

    /// Counts a picture that was written.
    pub(super) fn count_picture(&mut self, is_keyframe: bool) {
        self.pictures += 1;
        self.has_keyframe |= is_keyframe;
    }

    /// When what is buffered has to be written.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let interval = if self.file.is_in_fragments() { FRAGMENT_INTERVAL } else { WRITE_INTERVAL };
        self.buffered_since.map(|since| since + interval)
    }

    /// Writes what is buffered, if it is much, old or a fragment.
    pub(super) fn flush_due(&mut self, now: Instant, ops: &mut VecDeque<FileOp>) {
        let is_late = self.deadline().is_some_and(|at| at <= now);
        if is_late {
            self.file.flush(&mut self.buffer);
        }
        let has_fragment = self.file.is_in_fragments() && !self.buffer.is_empty();
        if is_late || has_fragment || self.buffer.len() >= WRITE_LEN {
            self.flush(ops);
        }
    }

    fn flush(&mut self, ops: &mut VecDeque<FileOp>) {
        self.buffered_since = None;
        if !self.buffer.is_empty() {
            let data = self.buffer.split().freeze();
            ops.push_back(FileOp::Write { path: self.path.clone(), data });
        }
    }

    /// Whether the file has all that it may have.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        limits.max_size.is_some_and(|max| self.file.len() >= max)
            || limits.max_frames.is_some_and(|max| self.pictures >= max)
    }

    /// Whether the next one is to begin.
    pub(super) fn is_over(&self, limits: &Limits, now: Instant) -> bool {
        limits.interval.is_some_and(|interval| now >= self.since + interval)
            || limits.interval_size.is_some_and(|size| self.file.len() >= size)
    }

    /// How long the file is, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.file.len()
    }

    /// The pictures in it.
    pub(super) fn pictures(&self) -> u64 {
        self.pictures
    }

    /// What of the stream is in it when the stream is at `time`, in milliseconds.
    pub(super) fn duration(&self, time: i64) -> u64 {
        u64::try_from(time - self.base).unwrap_or_default()
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// When the file was begun.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Completes the file.
    pub(super) fn finish(mut self, ops: &mut VecDeque<FileOp>) {
        let patches = self.file.finish(&mut self.buffer);
        self.flush(ops);
        let path = &self.path;
        ops.extend(patches.into_iter().map(|Patch { offset, data }| FileOp::Patch {
            path: path.clone(),
            offset,
            data,
        }));
        self.close(ops);
    }

    /// Leaves the file as it is.
    pub(super) fn close(self, ops: &mut VecDeque<FileOp>) {
        ops.push_back(FileOp::Close { path: self.path });
    }
}
