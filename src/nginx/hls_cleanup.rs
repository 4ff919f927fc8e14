//! The directories that HLS writes to: they are there when nginx starts, and nginx's cache manager
//! process removes from them what is too old.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fs::{self, DirBuilder, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nginx_sys::{ngx_add_path, ngx_msec_t, ngx_path_t, ngx_pcalloc, ngx_str_t};

use super::conf::{Conf, Failure, check};
use super::guard;
use super::log::{self, Level};

/// How deep below `hls_path` streams may lie: `hls_nested`, and names with slashes.
const MAX_DEPTH: usize = 16;

/// How often the cache manager looks, at the most.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The directories of all applications, each once: applications may share one.
#[derive(Debug, Default)]
pub(super) struct Directories(BTreeMap<PathBuf, Option<Duration>>);

impl Directories {
    /// Adds a directory; with `cleanup`, a playlist's length, what is too old is removed from it.
    /// Of applications that share it, the one that keeps files longest is heeded.
    pub(super) fn add(&mut self, path: PathBuf, cleanup: Option<Duration>) {
        let kept = self.0.entry(path).or_insert(cleanup);
        *kept = kept.zip(cleanup).map(|(one, other)| one.max(other));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has nginx create the directories, give them to the workers' user, and call [`clean`].
    pub(super) fn add_paths(self, conf: &mut Conf) -> Result<(), Failure> {
        self.0.into_iter().try_for_each(|(path, cleanup)| add_path(conf, path, cleanup))
    }
}

fn add_path(conf: &mut Conf, path: PathBuf, cleanup: Option<Duration>) -> Result<(), Failure> {
    // nginx creates the last component only.
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(|error| {
            Failure::from(format!("creating \"{}\" for hls_path failed: {error}", parent.display()))
        })?;
    }
    let cf = &raw mut *conf.raw();
    let bytes = path.as_os_str().as_bytes();
    // SAFETY: the configuration's pool; `ngx_pcalloc` gives zeroed memory, or null.
    let (slot, name) = unsafe {
        (
            ngx_pcalloc((*cf).pool, size_of::<ngx_path_t>()).cast::<ngx_path_t>(),
            ngx_pcalloc((*cf).pool, bytes.len() + 1).cast::<u8>(),
        )
    };
    if slot.is_null() || name.is_null() {
        return Err(Failure::from("is out of memory".to_owned()));
    }
    // SAFETY: both are new, and large enough.
    unsafe {
        name.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        (*slot).name = ngx_str_t { len: bytes.len(), data: name };
        (*slot).conf_file = (*(*cf).conf_file).file.name.data;
        (*slot).line = (*(*cf).conf_file).line;
    }
    if let Some(playlist_length) = cleanup {
        let data = conf.keep(Cleanup { path, playlist_length });
        // SAFETY: as above.
        unsafe {
            (*slot).data = data.cast();
            (*slot).manager = Some(clean);
        }
    }
    let mut slot = slot;
    // SAFETY: the path is whole, and in the configuration's pool.
    check(unsafe { ngx_add_path(cf, &raw mut slot) })
}

/// A directory to be cleaned.
struct Cleanup {
    path: PathBuf,
    playlist_length: Duration,
}

/// Called by the cache manager process; answers when to be called again, in milliseconds.
unsafe extern "C" fn clean(data: *mut c_void) -> ngx_msec_t {
    // SAFETY: see `add_path`; the cycle outlives the process's work for it.
    let cleanup = unsafe { &*data.cast::<Cleanup>() };
    guard(|| cleanup.sweep(&cleanup.path, SystemTime::now(), MAX_DEPTH), || ());
    cleanup.playlist_length.max(MIN_INTERVAL).as_millis() as ngx_msec_t
}

impl Cleanup {
    /// Removes what is too old below `directory`.
    fn sweep(&self, directory: &Path, now: SystemTime, depth: usize) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return report("reading", directory, &error),
        };
        for entry in entries.filter_map(Result::ok) {
            // Does not follow symbolic links. What is gone by now is gone.
            if let Ok(metadata) = entry.metadata() {
                self.sweep_entry(&entry, &metadata, now, depth);
            }
        }
    }

    fn sweep_entry(&self, entry: &DirEntry, metadata: &Metadata, now: SystemTime, depth: usize) {
        let path = entry.path();
        let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
        if metadata.is_dir() && depth > 0 {
            self.sweep(&path, now, depth - 1);
            if age > Some(self.playlist_length * 2) {
                // Fails while there is anything in it, which is as well.
                let _ = fs::remove_dir(&path);
            }
        } else if metadata.is_file()
            && age > self.max_age(&path)
            && let Err(error) = fs::remove_file(&path)
        {
            report("removing", &path, &error);
        }
    }

    /// The age past which a file goes; `None` is younger than any age, so what is not ours has an
    /// age that none exceeds.
    fn max_age(&self, path: &Path) -> Option<Duration> {
        match path.extension().map(OsStrExt::as_bytes) {
            // A player may still be fetching what the playlist named a moment ago.
            Some(b"ts" | b"tmp") => Some(self.playlist_length * 2),
            Some(b"m3u8") => Some(self.playlist_length),
            _ => Some(Duration::MAX),
        }
    }
}

fn report(action: &str, path: &Path, error: &io::Error) {
    if error.kind() != io::ErrorKind::NotFound {
        log::cycle(Level::Error, format_args!("{action} \"{}\" failed: {error}", path.display()));
    }
}
