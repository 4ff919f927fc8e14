//! The viewers of HLS, as far as their requests come to this worker: whose files they ask for, and who
//! they are.

use std::collections::HashMap;
use std::fs;
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::{conf, event};
use crate::stat::AudienceReport;
use crate::time::Instant;
use crate::viewers::{Places, ViewerId, Viewers, Watched};

/// What all workers number viewers with, which they inherit from the master.
static KEYS: OnceLock<RandomState> = OnceLock::new();

/// Draws the keys, in the master.
pub(super) fn prepare() {
    KEYS.get_or_init(RandomState::new);
}

/// The viewers that ask this worker for files.
#[derive(Default)]
pub(super) struct HlsViewers {
    places: Places,
    links: Links,
    viewers: Viewers,
}

impl HlsViewers {
    /// The worker has started, and nginx has made the directories before.
    pub(super) fn start(&mut self) {
        let applications = conf::main().into_iter().flat_map(|main| main.applications());
        for (_, application) in applications {
            let Some(hls) = &application.hls else { continue };
            self.places.add(hls.path.clone(), application.id, hls);
            if let Some(real) = real_path(&hls.path) {
                self.places.add(real, application.id, hls);
            }
        }
    }

    /// The streams that the file at `path` is of, which a client has got.
    pub(super) fn streams_of(&mut self, path: &Path) -> Vec<Watched> {
        if self.places.is_empty() {
            return Vec::new();
        }
        let found = self.places.streams_of(path);
        if !found.is_empty() {
            return found;
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Vec::new();
        };
        let real = self.links.resolve(directory);
        real.map(|it| self.places.streams_of(&it.join(name))).unwrap_or_default()
    }

    /// Whoever is known by `key` has got a file of the stream.
    pub(super) fn see(&mut self, watched: Watched, key: &[u8]) {
        let viewer = ViewerId::new(KEYS.get_or_init(RandomState::new), key);
        self.viewers.see(event::now(), watched, viewer);
    }

    /// See [`Viewers::sweep`].
    pub(super) fn sweep(&mut self) {
        self.viewers.sweep(event::now());
    }

    /// The viewers of each stream.
    pub(super) fn report(&self) -> Vec<AudienceReport> {
        self.viewers.audiences(event::now()).map(AudienceReport::from).collect()
    }
}

/// How long a directory is taken to lead where it did.
const LIFETIME: Duration = Duration::from_secs(60);

/// Most directories of which that is known.
const MAX_LINKS: usize = 1024;

/// Where directories lead that are reached by symbolic links.
#[derive(Default)]
struct Links(HashMap<PathBuf, Link>);

struct Link {
    real: Option<PathBuf>,
    found: Instant,
}

impl Links {
    /// The directory that `path` leads to, if it leads elsewhere.
    fn resolve(&mut self, path: &Path) -> Option<&Path> {
        let now = event::now();
        let is_known = self.0.get(path).is_some_and(|it| now.saturating_since(it.found) < LIFETIME);
        if !is_known {
            if self.0.len() >= MAX_LINKS {
                self.0.clear();
            }
            self.0.insert(path.to_owned(), Link { real: real_path(path), found: now });
        }
        self.0.get(path)?.real.as_deref()
    }
}

/// Where `path` leads, if that is elsewhere. It is where nginx has just opened a file, or about to
/// write one, so what this waits for has been waited for.
fn real_path(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok().filter(|real| real != path)
}
