//! The files of the access log. nginx opens them, and opens them again when it is told to (`USR1`).

use std::fmt;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nginx_sys::{ngx_open_file_t, ngx_str_t};
use rustix::io::{Errno, write};

use super::event;
use super::log::{self, Level};
use crate::access_log::{Entry, Format};
use crate::time::Instant;

/// What is logged of the sessions of an application or server.
#[derive(Debug)]
pub(super) struct AccessLog {
    outputs: Vec<Output>,
    /// How often a session that goes on has a line, if it has.
    pub(super) interval: Option<Duration>,
    /// The longest line, in bytes.
    size: usize,
}

impl AccessLog {
    pub(super) fn new(outputs: Vec<Output>, interval: Option<Duration>, size: usize) -> Self {
        Self { outputs, interval, size }
    }

    pub(super) fn is_off(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Writes a line to each file.
    pub(super) fn write(&self, entry: &Entry<'_>) {
        for output in &self.outputs {
            output.write(&output.format.line(entry, self.size));
        }
    }
}

/// How long a file that cannot be written to is not complained of again.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a file is not written to when its disk was full.
const FULL: Duration = Duration::from_secs(1);

/// A file, and how lines in it are worded.
#[derive(Debug)]
pub(super) struct Output {
    file: LogFile,
    format: Arc<Format>,
    /// Milliseconds of an [`Instant`].
    full_until: AtomicU64,
    silent_until: AtomicU64,
}

/// A file in the cycle's list of files, which outlives the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogFile(NonNull<ngx_open_file_t>);

// SAFETY: only nginx changes what it points to, in the event loop's thread, and only that thread
// looks at it.
unsafe impl Send for LogFile {}
// SAFETY: as above.
unsafe impl Sync for LogFile {}

impl LogFile {
    /// # Safety
    ///
    /// `file` is in the list of the cycle that the configuration is for.
    pub(super) unsafe fn new(file: NonNull<ngx_open_file_t>) -> Self {
        Self(file)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: nginx keeps the file open, under whatever descriptor, while the cycle is used.
        unsafe { BorrowedFd::borrow_raw(self.0.as_ref().fd) }
    }

    fn name(&self) -> ngx_str_t {
        // SAFETY: the list lives as long as the cycle.
        unsafe { self.0.as_ref() }.name
    }
}

impl Output {
    pub(super) fn new(file: LogFile, format: Arc<Format>) -> Self {
        Self { file, format, full_until: AtomicU64::new(0), silent_until: AtomicU64::new(0) }
    }

    fn write(&self, line: &[u8]) {
        if is_before(&self.full_until) {
            return;
        }
        match write(self.file.descriptor(), line) {
            Ok(written) if written == line.len() => {}
            Ok(written) => self.complain(format_args!("took {written} of {} bytes", line.len())),
            Err(error) => {
                if error == Errno::NOSPC {
                    set(&self.full_until, event::now() + FULL);
                }
                self.complain(format_args!("could not be written to: {error}"));
            }
        }
    }

    fn complain(&self, what: fmt::Arguments<'_>) {
        if !is_before(&self.silent_until) {
            set(&self.silent_until, event::now() + SILENCE);
            let name = self.file.name();
            log::cycle(Level::Error, format_args!("access log \"{name}\" {what}"));
        }
    }
}

fn set(instant: &AtomicU64, value: Instant) {
    instant.store(value.as_millis(), Relaxed);
}

/// Whether it is before `instant`.
fn is_before(instant: &AtomicU64) -> bool {
    event::now().as_millis() < instant.load(Relaxed)
}
