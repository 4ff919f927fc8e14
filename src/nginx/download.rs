//! Downloads of files to be played, from HTTP servers: what comes is written to a temporary file in
//! threads, and no faster than that goes is more of it received.

mod temp_file;

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::rc::Weak;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_event_t;

use self::temp_file::TempFile;
use super::connection::{Broken, Connection, Received};
use super::dial::{Destination, DialError};
use super::schedule::Due;
use super::vod::OpenFile;
use super::worker::{self, Shared, Worker};
use super::{event, guard, thread_pool};
use crate::http::{self, Part, Response};

/// How long connecting may take, and how long a server may send nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that are written at once, and that may wait to be.
const WRITE: usize = 64 << 10;
const MAX_WAITING: usize = 256 << 10;

/// Downloads of a worker at a time.
const MAX_DOWNLOADS: usize = 256;

/// Names a download; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DownloadId(u64);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the server sent nothing for too long")]
    Timeout,
    #[error("connection failed")]
    Broken,
    #[error("server sent {0}")]
    Protocol(#[from] http::Error),
    #[error("server answered with status {0}")]
    Status(u16),
    #[error("writing to \"{}\" failed: {error}", directory.display())]
    Write { directory: PathBuf, error: io::Error },
    #[error("there are {MAX_DOWNLOADS} downloads already")]
    TooMany,
    #[error("bug: writing panicked")]
    Bug,
}

impl From<Broken> for DownloadError {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

/// What is to be downloaded.
pub(super) struct Order {
    pub(super) server: Destination,
    pub(super) request: Vec<u8>,
    /// What is requested, without the address of who wants it.
    pub(super) resource: String,
    /// The directory of the temporary file.
    pub(super) temp_path: PathBuf,
    /// Where the file is kept, if it is.
    pub(super) target: Option<PathBuf>,
}

impl Order {
    /// Whether what is downloaded for one is for the other, too: the server is asked the same, or but
    /// for the address, which does not matter for a file that is kept for everybody.
    fn is_same(&self, other: &Self) -> bool {
        self.server == other.server
            && self.resource == other.resource
            && self.target == other.target
            && (self.target.is_some() || self.request == other.request)
    }
}

/// What there is in the end: the file, and why it could not be kept as was wanted, which only the first
/// of those who wait for it is told.
pub(super) type Downloaded = (Arc<OpenFile>, Option<io::Error>);

type Then = Box<dyn FnOnce(&mut Worker, Result<Downloaded, Arc<DownloadError>>)>;

/// Who waits for a download.
struct Waiter {
    /// Nobody does any more when nobody holds this.
    watch: Weak<()>,
    then: Then,
}

/// The downloads of a worker.
#[derive(Default)]
pub(super) struct Downloads {
    active: BTreeMap<DownloadId, Download>,
    next: u64,
}

struct Download {
    order: Order,
    sent: usize,
    talk: Option<(Connection, Response)>,
    file: FileState,
    /// What was received and not written.
    waiting: Vec<u8>,
    /// Whether all has been received.
    is_whole: bool,
    waiters: Vec<Waiter>,
}

enum FileState {
    /// There is none yet.
    None,
    Idle(TempFile),
    /// A thread has it.
    Writing,
}

/// What a thread has done.
enum Written {
    Part(TempFile),
    Whole(WholeFile),
}

/// The file, and whether it was kept as was wanted.
type WholeFile = (OpenFile, io::Result<()>);

impl Shared {
    /// Downloads a file, unless that is being done, and has `then` called with it, never before this
    /// returns. It is given up when nobody who waits for it holds what is watched any more.
    pub(super) fn download(
        &mut self,
        order: Order,
        watch: Weak<()>,
        then: impl FnOnce(&mut Worker, Result<Downloaded, Arc<DownloadError>>) + 'static,
    ) {
        let waiter = Waiter { watch, then: Box::new(then) };
        let mut active = self.downloads.active.values_mut();
        if let Some(download) = active.find(|it| it.order.is_same(&order)) {
            return download.waiters.push(waiter);
        }
        self.downloads.next += 1;
        let id = DownloadId(self.downloads.next);
        let is_full = self.downloads.active.len() >= MAX_DOWNLOADS;
        let server = order.server.clone();
        let download = Download {
            order,
            sent: 0,
            talk: None,
            file: FileState::None,
            waiting: Vec::new(),
            is_whole: false,
            waiters: vec![waiter],
        };
        self.downloads.active.insert(id, download);
        if is_full {
            return self.schedule.set(Due::Download(id), event::now());
        }
        self.dial(server, CONNECT_TIMEOUT, move |worker, result| match result {
            Ok(connection) => worker.begin_download(id, connection),
            Err(error) => worker.end_download(id, Err(error.into())),
        });
    }
}

impl Worker {
    fn begin_download(&mut self, id: DownloadId, mut connection: Connection) {
        let Some(download) = self.shared().downloads.active.get_mut(&id) else { return };
        connection.blame_peer();
        connection.set_data(id.0 as usize);
        connection.set_handlers(on_event, on_event);
        download.talk = Some((connection, Response::default()));
        self.on_download_event(id);
    }

    /// The server has been silent for too long, or there is no room for the download.
    pub(super) fn on_download_due(&mut self, id: DownloadId) {
        let Some(download) = self.shared().downloads.active.get(&id) else { return };
        let error = match (&download.talk, &download.file) {
            // The disk is what is slow.
            (_, FileState::Writing) => return,
            (None, _) => DownloadError::TooMany,
            (Some(_), _) => DownloadError::Timeout,
        };
        self.end_download(id, Err(error));
    }

    /// Something has happened to a download's connection, or there is room for more.
    fn on_download_event(&mut self, id: DownloadId) {
        let shared = self.shared();
        let Some(download) = shared.downloads.active.get_mut(&id) else { return };
        let result = download.step(&mut shared.scratch);
        shared.schedule.set(Due::Download(id), event::now() + SILENCE_TIMEOUT);
        if download.waiters.iter().all(|waiter| waiter.watch.strong_count() == 0) {
            self.forget_download(id);
        } else if let Err(error) = result {
            self.end_download(id, Err(error));
        } else {
            download.write(id);
        }
    }

    /// A thread has written something; none after a panic.
    fn on_download_written(&mut self, id: DownloadId, written: Option<io::Result<Written>>) {
        let Some(download) = self.shared().downloads.active.get_mut(&id) else { return };
        match written {
            Some(Ok(Written::Part(file))) => {
                download.file = FileState::Idle(file);
                self.on_download_event(id);
            }
            Some(Ok(Written::Whole(file))) => self.end_download(id, Ok(file)),
            Some(Err(error)) => {
                let directory = download.order.temp_path.clone();
                self.end_download(id, Err(DownloadError::Write { directory, error }));
            }
            None => self.end_download(id, Err(DownloadError::Bug)),
        }
    }

    fn end_download(&mut self, id: DownloadId, result: Result<WholeFile, DownloadError>) {
        let (file, mut not_kept) = match result {
            Ok((file, kept)) => (Ok(Arc::new(file)), kept.err()),
            Err(error) => (Err(Arc::new(error)), None),
        };
        for waiter in self.forget_download(id) {
            (waiter.then)(self, file.clone().map(|file| (file, not_kept.take())));
        }
    }

    /// Gives those who waited for it.
    fn forget_download(&mut self, id: DownloadId) -> Vec<Waiter> {
        self.shared().schedule.cancel(Due::Download(id));
        let Some(download) = self.shared().downloads.active.remove(&id) else { return Vec::new() };
        if let FileState::Idle(file) = download.file {
            // Removing a large file takes time.
            thread_pool::run_then(move || drop(file), |_, _| ());
        }
        download.waiters
    }
}

impl Download {
    /// Sends and receives what can be.
    fn step(&mut self, scratch: &mut [u8]) -> Result<(), DownloadError> {
        let Some((connection, response)) = &mut self.talk else { return Ok(()) };
        let request = &self.order.request;
        while self.sent < request.len() && connection.is_writable() {
            self.sent += connection.send(&[&request[self.sent..]])?;
        }
        if self.sent < request.len() || !connection.flush()? {
            connection.wait_writable()?;
        }
        while !self.is_whole && self.waiting.len() < MAX_WAITING {
            match connection.recv(scratch) {
                Received::Bytes(length) => {
                    let input = &scratch[..length];
                    self.is_whole = take(response, input, &mut self.waiting)?;
                }
                Received::Again => break,
                Received::Eof => {
                    response.handle_eof()?;
                    self.is_whole = true;
                }
                Received::Error => return Err(DownloadError::Broken),
            }
        }
        Ok(connection.wait_readable()?)
    }

    /// Has what waits written, if it is time.
    fn write(&mut self, id: DownloadId) {
        let is_due = self.waiting.len() >= WRITE || self.is_whole;
        if matches!(self.file, FileState::Writing) || !is_due {
            return;
        }
        let file = mem::replace(&mut self.file, FileState::Writing);
        let (bytes, directory) = (mem::take(&mut self.waiting), self.order.temp_path.clone());
        let (is_whole, target) = (self.is_whole, self.order.target.clone());
        thread_pool::run_then(
            move || {
                let mut file = match file {
                    FileState::Idle(file) => file,
                    FileState::None | FileState::Writing => TempFile::create(&directory, id.0)?,
                };
                file.append(&bytes)?;
                Ok(match is_whole {
                    true => Written::Whole(file.finish(target)?),
                    false => Written::Part(file),
                })
            },
            move |worker, written| worker.on_download_written(id, written),
        );
    }
}

/// Takes the file out of what was received; whether it is whole.
fn take(
    response: &mut Response,
    mut input: &[u8],
    file: &mut Vec<u8>,
) -> Result<bool, DownloadError> {
    while let Some(part) = response.handle_input(&mut input)? {
        match part {
            Part::Head(head) if head.status == 200 => {}
            Part::Head(head) => return Err(DownloadError::Status(head.status)),
            Part::Body(bytes) => file.extend_from_slice(bytes),
            Part::End { .. } => return Ok(true),
        }
    }
    Ok(false)
}

/// Something has happened to a connection.
unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection has it as its data, and the download's number is in there.
    let id = unsafe { event::number(event) } as u64;
    let id = DownloadId(id);
    guard(
        || worker::with(|worker| worker.on_download_event(id)),
        || guard(|| worker::with(|worker| worker.end_download(id, Err(DownloadError::Bug))), || ()),
    );
}
