//! Finding the file that a session's peer wants to play: in directories, and on servers.

use std::mem;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::super::conf::{PlayConfig, PlayEntry};
use super::super::dial::Destination;
use super::super::download::{DownloadError, Downloaded, Order};
use super::super::log::Level;
use super::super::thread_pool;
use super::super::vod::{self, OpenError, OpenFile};
use super::super::worker::Shared;
use super::{End, Peer, Role};
use crate::http::{Method, Request, Scheme, Url};
use crate::rtmp;
use crate::rtmp::command::Play;
use crate::rtmp::session::PlayRefusal;
use crate::vod::{FileName, request_target};

/// A file is looked for.
pub(super) struct Search {
    play: Play,
    config: Arc<PlayConfig>,
    /// The names that the file may have, the likeliest first.
    names: Vec<String>,
    /// The place to look at next and, on a server, the name.
    entry: usize,
    name: usize,
    /// Whether a live stream of the name may be waited for, if there is no file.
    may_be_live: bool,
    /// Kept alive by the role, and looked at by what comes back from elsewhere.
    alive: Rc<()>,
}

/// Where to look.
enum Place {
    Directories(Vec<PathBuf>),
    Server(Url, String),
}

impl Search {
    fn next(&mut self) -> Option<Place> {
        let rest = self.config.entries.get(self.entry..)?;
        let directories = rest.iter().map_while(|entry| match entry {
            PlayEntry::Directory(path) => Some(path.clone()),
            PlayEntry::Server(_) => None,
        });
        let directories: Vec<_> = directories.collect();
        if !directories.is_empty() {
            self.entry += directories.len();
            return Some(Place::Directories(directories));
        }
        let Some(PlayEntry::Server(url)) = rest.first() else { return None };
        let place = Place::Server(url.clone(), self.names.get(self.name)?.clone());
        self.name += 1;
        if self.name == self.names.len() {
            self.leave_server();
        }
        Some(place)
    }

    /// Goes to the next place, if this one was not left.
    fn leave_server(&mut self) {
        if mem::take(&mut self.name) > 0 {
            self.entry += 1;
        }
    }
}

impl Peer {
    /// Looks for the file that the client may mean. Gives the request back if it means none.
    pub(super) fn look_for_file(&mut self, play: Play) -> Result<(), Play> {
        let Some(application) = &self.application else { return Err(play) };
        let Some(config) = application.play.clone() else { return Err(play) };
        // -1 second, or milliseconds, is for live streams only.
        let wants_live = application.live && matches!(play.start, -1 | -1000);
        let name = match FileName::parse(&play.name) {
            Ok(name) if !wants_live || name.is_explicit() => name,
            _ => return Err(play),
        };
        self.role = Role::Search(Box::new(Search {
            play,
            config,
            names: name.candidates(),
            entry: 0,
            name: 0,
            may_be_live: application.live && !name.is_explicit(),
            alive: Rc::new(()),
        }));
        Ok(())
    }

    /// Looks at the next place, if there is one.
    pub(super) fn search_on(&mut self, shared: &mut Shared) -> Result<(), rtmp::Error> {
        let Role::Search(search) = &mut self.role else { return Ok(()) };
        let (id, watch) = (self.id.0 as usize, Rc::downgrade(&search.alive));
        match search.next() {
            Some(Place::Directories(directories)) => {
                let names = search.names.clone();
                let open = move || vod::open(&directories, &names);
                thread_pool::run_then(open, move |worker, found| {
                    if watch.strong_count() > 0 {
                        worker.run(id, |peer, shared| peer.on_opened(found, shared));
                    }
                });
            }
            Some(Place::Server(url, name)) => {
                let shown = self.log_mask().name(&name);
                self.connection
                    .log(Level::Info, format_args!("downloading \"{shown}\" from {url}"));
                if let Some(order) = self.order(&url, &name) {
                    shared.download(order, watch.clone(), move |worker, result| {
                        if watch.strong_count() > 0 {
                            worker.run(id, |peer, shared| peer.on_downloaded(result, shared));
                        }
                    });
                }
            }
            None => return self.end_search(shared),
        }
        Ok(())
    }

    /// What is to be downloaded as the file `name` of a server.
    fn order(&self, url: &Url, name: &str) -> Option<Order> {
        let Role::Search(search) = &self.role else { return None };
        let target_for =
            |address: &str| request_target(&url.target, name, address, &search.play.args);
        let target = target_for(&self.info.addr);
        let (method, headers, body) = (Method::Get, &[], None);
        let config = &search.config;
        let tls = config.tls.filter(|_| url.scheme == Scheme::Https);
        Some(Order {
            server: Destination { host: url.host.clone(), port: url.port, tls },
            request: Request { method, url, target: &target, headers, body }.encode(),
            resource: target_for(""),
            temp_path: config.temp_path.clone(),
            target: config.local_path.as_ref().map(|directory| directory.join(name)),
        })
    }

    /// Directories have been looked at; `found` is none after a panic.
    fn on_opened(
        &mut self,
        found: Option<Result<Option<OpenFile>, OpenError>>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        let file = match found {
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                self.connection.log(Level::Error, format_args!("{error}"));
                None
            }
            None => return Err(End::Bug),
        };
        self.begin_or_search(file.map(Arc::new), shared)
    }

    /// A server has been asked.
    fn on_downloaded(
        &mut self,
        result: Result<Downloaded, Arc<DownloadError>>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        let file = match result {
            Ok((file, not_kept)) => {
                if let Some(error) = not_kept {
                    let text = "what was downloaded cannot be kept";
                    self.connection.log(Level::Error, format_args!("{text}: {error}"));
                }
                Some(file)
            }
            Err(error) if matches!(*error, DownloadError::Status(404)) => None,
            Err(error) => {
                self.connection.log(Level::Error, format_args!("downloading failed: {error}"));
                if let Role::Search(search) = &mut self.role {
                    search.leave_server();
                }
                None
            }
        };
        self.begin_or_search(file, shared)
    }

    fn begin_or_search(
        &mut self,
        file: Option<Arc<OpenFile>>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        let done = match file {
            Some(file) => {
                if let Role::Search(search) = mem::replace(&mut self.role, Role::Idle) {
                    self.begin_file(&search.play, file);
                    self.start_viewing(search.play.name, search.play.args, shared);
                    self.start_updates(shared);
                }
                Ok(())
            }
            None => self.search_on(shared),
        };
        self.go_on(done, shared)
    }

    /// There is no file.
    fn end_search(&mut self, shared: &mut Shared) -> Result<(), rtmp::Error> {
        match mem::replace(&mut self.role, Role::Idle) {
            Role::Search(search) if search.may_be_live => self.play_live(search.play, None, shared),
            _ => {
                self.connection.log(Level::Info, format_args!("refused: no such file"));
                self.session.reject_play(PlayRefusal::StreamNotFound);
                Ok(())
            }
        }
    }
}
