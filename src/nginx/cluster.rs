//! The workers of one nginx, and how they find each other's streams.
//!
//! Each worker holds a slot in a shared [`Table`], which tells which worker has which stream, and a
//! private socket. A worker that has players for another one's stream pulls it once, whatever the
//! number of players: it sends the owner one end of a connection, and is fed on the other (see
//! [`Pull`](super::pull::Pull)). A worker that gets a publisher tells all others, so that players
//! that wait there get their stream.
//!
//! ```text
//!   publisher ──> worker 1 ──> players of worker 1
//!                    │  ^
//!               feed │  │ Datagram::Pull(stream, connection)
//!                    v  │
//!                 worker 2 ──> players of worker 2
//! ```
//!
//! Workers that are shutting down stay members until their last session ends, so what was published
//! before a reload or a binary upgrade is found afterwards.

mod datagram;
mod directory;
mod table;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nginx_sys::{
    NGX_OK, NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_core_conf_t, ngx_core_module, ngx_cycle_t,
    ngx_event_t, ngx_int_t, ngx_process, ngx_test_config,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use self::datagram::{Datagram, Socket};
use self::directory::{Directory, Owner as FileOwner};
use self::table::Table;
use super::connection::Connection;
use super::log::{self, Level};
use super::worker::{self, Worker};
use super::{conf, event, guard, viewers};
use crate::live::{ApplicationId, StreamKey};
use crate::stat::{Counted, Totals};

pub(super) use self::table::{Claim, Owner};

/// The master's hold on the table, which its workers inherit; none if that could not be prepared.
static TABLE: Mutex<Option<File>> = Mutex::new(None);

fn held_table() -> MutexGuard<'static, Option<File>> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker's membership.
pub(super) struct Cluster {
    directory: Directory,
    table: Table,
    socket: Socket,
    /// Tells when there is something on the socket; closed before it.
    connection: Connection,
}

/// nginx's `init_module`: the master is about to start workers.
pub(super) unsafe extern "C" fn prepare(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: set before any module is initialised.
    let only_tests = unsafe { ngx_test_config } != 0;
    guard(
        || {
            // SAFETY: nginx gives its new cycle.
            let (core, main) = unsafe { (core_conf(cycle), conf::main_of(cycle)) };
            viewers::prepare();
            if !only_tests && main.is_some() {
                let prepared = directory(core).prepare(file_owner(core), table::SIZE);
                let table = prepared
                    .inspect_err(|error| report("preparing a place where workers meet", error))
                    .ok();
                *held_table() = table;
            }
        },
        || (),
    );
    NGX_OK as ngx_int_t
}

/// nginx's `exit_master`: the master ends, after its workers unless it was told to leave them.
pub(super) unsafe extern "C" fn dissolve(cycle: *mut ngx_cycle_t) {
    guard(
        || {
            if let Some(table) = held_table().take() {
                // SAFETY: nginx gives its cycle.
                directory(unsafe { core_conf(cycle) }).dissolve(&table);
            }
        },
        || (),
    );
}

/// nginx's `init_process`: a process has started, as the user it will be.
pub(super) unsafe extern "C" fn join(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: set when a process starts.
    let process = unsafe { ngx_process };
    guard(
        || {
            let has_sessions = [NGX_PROCESS_WORKER, NGX_PROCESS_SINGLE].contains(&(process as u32));
            if !has_sessions || conf::main().is_none() {
                return;
            }
            // SAFETY: nginx gives its cycle.
            let directory = directory(unsafe { core_conf(cycle) });
            let is_prepared = held_table().is_some();
            match is_prepared.then(|| Cluster::join(directory)).transpose() {
                Ok(cluster) => worker::with(|worker| worker.shared().cluster = cluster),
                Err(error) => log::cycle(
                    Level::Error,
                    format_args!(
                        "rtmp streams of this worker process are not visible in others: {error}"
                    ),
                ),
            }
            worker::with(Worker::start);
        },
        || (),
    );
    NGX_OK as ngx_int_t
}

unsafe fn core_conf<'a>(cycle: *mut ngx_cycle_t) -> &'a ngx_core_conf_t {
    // SAFETY: a cycle has the core module's configuration (ngx_get_conf).
    unsafe { &*(*(*cycle).conf_ctx.add(ngx_core_module.index)).cast::<ngx_core_conf_t>() }
}

fn directory(core: &ngx_core_conf_t) -> Directory {
    Directory::of_pid_file(core.pid.to_string().as_ref())
}

/// Whose the files are to be, if the master may choose.
fn file_owner(core: &ngx_core_conf_t) -> Option<FileOwner> {
    rustix::process::geteuid().is_root().then_some(FileOwner { user: core.user, group: core.group })
}

impl Cluster {
    fn join(directory: Directory) -> io::Result<Self> {
        let table = Table::join(directory.open_table()?, event::unix_now())?;
        let slot = table.slot().number();
        directory.remove_socket(slot)?;
        let socket = Socket::bind(&directory.socket(slot))?;
        directory.protect_socket(slot)?;
        // nginx closes the descriptor with its connection.
        let watched = socket.as_fd().try_clone_to_owned()?;
        let mut connection = Connection::adopt(watched, on_datagram)
            .ok_or_else(|| io::Error::other("there are not enough worker_connections"))?;
        connection.expect_notice();
        Ok(Self { directory, table, socket, connection })
    }

    /// Takes the name of a stream that is about to be published here; from another worker only with
    /// `take_over`, or if that one [offers](Self::offer) it.
    pub(super) fn claim(&self, key: &StreamKey, take_over: bool) -> Claim {
        self.table.claim(key, take_over).unwrap_or_else(|error| {
            report("claiming a stream's name", &error);
            Claim::Granted
        })
    }

    /// Lets any other worker take the name.
    pub(super) fn offer(&self, key: &StreamKey) {
        self.table.offer(key).unwrap_or_else(|error| report("offering a stream", &error));
    }

    /// Gives the name back.
    pub(super) fn release(&self, key: &StreamKey) {
        self.table.release(key).unwrap_or_else(|error| report("releasing a name", &error));
    }

    /// Takes what only one worker of all may do, or keeps it; `name` says what that is. It is free
    /// again when this worker [gives it up](Self::give_up) or ends, however it ends.
    pub(super) fn lease(&self, name: &str) -> bool {
        self.claim(&lease_key(name), false) == Claim::Granted
    }

    /// Lets another worker do it.
    pub(super) fn give_up(&self, name: &str) {
        self.release(&lease_key(name));
    }

    /// Notes something about a stream that is published here, for other workers.
    pub(super) fn note(&self, key: &StreamKey, text: &str) {
        self.table.note(key, text).unwrap_or_else(|error| report("noting a stream", &error));
    }

    /// What the worker that has the stream has noted about it.
    pub(super) fn noted(&self, key: &StreamKey) -> Option<String> {
        self.table.noted(key).unwrap_or_else(|error| {
            report("looking for a stream", &error);
            None
        })
    }

    /// Tells all other workers that the stream is published here.
    pub(super) fn announce(&self, key: &StreamKey) {
        let datagram = Datagram::Published(key.clone());
        for slot in self.table.others() {
            // Who has no room for it looks into the table before long.
            let _ = self.socket.send(&self.directory.socket(slot.number()), &datagram);
        }
    }

    /// The other worker that has the stream.
    pub(super) fn owner(&self, key: &StreamKey) -> Option<Owner> {
        self.table.owner(key).unwrap_or_else(|error| {
            report("looking for a stream", &error);
            None
        })
    }

    /// Asks `owner` for the stream; it is what comes on the connection.
    ///
    /// # Errors
    ///
    /// The system's: the owner is gone, or has too much to do.
    pub(super) fn pull(&self, owner: Owner, key: &StreamKey) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let path = self.directory.socket(owner.0.number());
        self.socket.send(&path, &Datagram::Pull(key.clone(), theirs))?;
        Ok(ours)
    }

    /// Adds to what all workers have counted.
    pub(super) fn count(&self, more: &Totals) {
        self.table.count(more);
    }

    /// What all workers have counted since nginx started, those that have ended too.
    pub(super) fn counted(&self) -> Counted {
        self.table.counted()
    }

    /// Asks all other workers, those that are shutting down too. Each answers on a connection of its
    /// own; who cannot be asked is left out.
    pub(super) fn inquire(&self, question: &[u8]) -> Vec<OwnedFd> {
        self.table.others().filter_map(|slot| self.ask(slot.number(), question).ok()).collect()
    }

    fn ask(&self, slot: u32, question: &[u8]) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // A new connection has room for far more.
        if rustix::io::write(&ours, question)? < question.len() {
            return Err(io::Error::other("the question is too long"));
        }
        self.socket.send(&self.directory.socket(slot), &Datagram::Inquire(theirs))?;
        Ok(ours)
    }

    /// Counts a connection, in or out.
    pub(super) fn count_connection(&self, change: i32) {
        self.table.count_connection(change);
    }

    /// The connections of all workers.
    pub(super) fn connections(&self) -> u64 {
        self.table.connections()
    }
}

/// A lease's place in the table of streams: no server is known by that name.
fn lease_key(name: &str) -> StreamKey {
    StreamKey { application: ApplicationId::new("lease", name), name: String::new() }
}

fn report(what: &str, error: &io::Error) {
    log::cycle(Level::Error, format_args!("{what} failed: {error}"));
}

/// There is something on the worker's socket.
unsafe extern "C" fn on_datagram(_event: *mut ngx_event_t) {
    guard(|| worker::with(receive), || ());
}

/// How many datagrams are read before sessions have their turn.
const MAX_DATAGRAMS: usize = 64;

fn receive(worker: &mut Worker) {
    let cluster = worker.shared().cluster.as_mut();
    if cluster.and_then(|cluster| cluster.connection.take_notice()).is_some() {
        worker.leave();
    }
    for _ in 0..MAX_DATAGRAMS {
        let Some(cluster) = &mut worker.shared().cluster else { return };
        match cluster.socket.receive() {
            Some(Datagram::Published(key)) => worker.on_published(&key),
            Some(Datagram::Pull(key, descriptor)) => worker.feed(key, descriptor),
            Some(Datagram::Inquire(descriptor)) => worker.reply(descriptor),
            None => {
                // It is watched already, so nothing can fail.
                let _ = cluster.connection.wait_for_more();
                return;
            }
        }
    }
    if let Some(cluster) = &mut worker.shared().cluster {
        cluster.connection.post_read();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // While the slot is still this worker's. What stays is removed by the next one.
        let _ = self.directory.remove_socket(self.table.slot().number());
    }
}
