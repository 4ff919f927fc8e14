//! Outgoing connections: a name is looked up off the event loop, each of its addresses is tried, and
//! TLS is spoken if that is wanted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use nginx_sys::{ngx_connection_t, ngx_event_t};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::connection::{Connection, Handshake};
use super::schedule::Due;
use super::tls::ClientContext;
use super::worker::{self, Shared, Worker};
use super::{event, guard, thread_pool};
use crate::time::Instant;

/// Names that are looked up at a time: few of the threads that files are written by.
const MAX_LOOKUPS: usize = 8;

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// How to speak TLS, if it is to be spoken.
    pub(super) tls: Option<ClientContext>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("looking up \"{0}\" failed: {1}")]
    Lookup(String, io::Error),
    #[error("\"{0}\" has no address")]
    NoAddress(String),
    #[error("connecting to {0} failed: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("connecting to {0} took too long")]
    ConnectTimeout(SocketAddr),
    #[error("connecting took too long")]
    Timeout,
    #[error("the TLS handshake with {0} failed")]
    Tls(SocketAddr),
    #[error("{0} has no good certificate for \"{1}\"")]
    Certificate(SocketAddr, String),
    #[error("there are not enough worker_connections")]
    NoRoom,
    #[error("bug: looking up a name panicked")]
    Bug,
}

/// Names a dial; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DialId(u64);

/// What is done with what has come of a dial.
type Then = Box<dyn FnOnce(&mut Worker, Result<Connection, DialError>)>;

/// The connections of a worker that are being made.
#[derive(Default)]
pub(super) struct Dials {
    dials: BTreeMap<DialId, Dial>,
    next: u64,
    /// The names that are or will be looked up, each once, and for which dials.
    names: HashMap<String, Vec<DialId>>,
    /// How many names are being looked up.
    lookups: usize,
    /// Those that wait to be.
    waiting: VecDeque<String>,
}

struct Dial {
    destination: Destination,
    deadline: Instant,
    stage: Stage,
    /// The addresses that were not tried yet.
    left: VecDeque<SocketAddr>,
    /// Why the last address was none.
    error: DialError,
    then: Then,
}

enum Stage {
    LookingUp,
    Connecting(Connection, SocketAddr),
    Tls(Connection, SocketAddr),
    /// No address is left.
    Failed,
}

impl Shared {
    /// Connects within `timeout`, and has `then` called, never before this returns.
    pub(super) fn dial(
        &mut self,
        destination: Destination,
        timeout: Duration,
        then: impl FnOnce(&mut Worker, Result<Connection, DialError>) + 'static,
    ) -> DialId {
        self.dials.next += 1;
        let id = DialId(self.dials.next);
        let deadline = event::now() + timeout;
        let address = destination.host.parse().ok().map(|ip: IpAddr| (ip, destination.port));
        let (stage, left) = (Stage::LookingUp, VecDeque::new());
        let error = DialError::NoAddress(destination.host.clone());
        let then = Box::new(then);
        self.dials.dials.insert(id, Dial { destination, deadline, stage, left, error, then });
        self.schedule.set(Due::Dial(id), deadline);
        match address {
            Some(address) => self.try_addresses(id, [address.into()]),
            None => {
                self.dials.wait_for_name(id);
                self.dials.look_up();
            }
        }
        id
    }

    fn try_addresses(&mut self, id: DialId, addresses: impl IntoIterator<Item = SocketAddr>) {
        let Some(dial) = self.dials.dials.get_mut(&id) else { return };
        dial.left.extend(addresses.into_iter().take(MAX_ADDRESSES));
        dial.try_next(id);
        if matches!(dial.stage, Stage::Failed) {
            self.schedule.set(Due::Dial(id), event::now());
        }
    }
}

impl Dials {
    /// Gives up a dial; what was to be done then is not.
    pub(super) fn cancel(&mut self, id: DialId) {
        self.dials.remove(&id);
    }

    /// Has the dial's name looked up, unless that is under way.
    fn wait_for_name(&mut self, id: DialId) {
        let Some(dial) = self.dials.get(&id) else { return };
        let host = &dial.destination.host;
        if let Some(dials) = self.names.get_mut(host) {
            dials.push(id);
            return;
        }
        self.names.insert(host.clone(), vec![id]);
        self.waiting.push_back(host.clone());
    }

    fn look_up(&mut self) {
        while self.lookups < MAX_LOOKUPS
            && let Some(host) = self.waiting.pop_front()
        {
            let is_wanted =
                |dials: &Vec<DialId>| dials.iter().any(|id| self.dials.contains_key(id));
            if !self.names.get(&host).is_some_and(is_wanted) {
                self.names.remove(&host);
                continue;
            }
            self.lookups += 1;
            let name = host.clone();
            thread_pool::run_then(
                move || {
                    let addresses = (name.as_str(), 0).to_socket_addrs()?;
                    Ok(addresses.map(|address| address.ip()).collect())
                },
                move |worker, addresses| worker.shared().on_looked_up(&host, addresses),
            );
        }
    }
}

impl Shared {
    fn on_looked_up(&mut self, host: &str, found: Option<io::Result<Vec<IpAddr>>>) {
        self.dials.lookups -= 1;
        let waiting = self.dials.names.remove(host).unwrap_or_default();
        self.dials.look_up();
        for id in waiting {
            let Some(dial) = self.dials.dials.get_mut(&id) else { continue };
            let port = dial.destination.port;
            let addresses = match &found {
                Some(Ok(addresses)) => &addresses[..],
                Some(Err(error)) => {
                    let error = io::Error::new(error.kind(), error.to_string());
                    dial.error = DialError::Lookup(host.to_owned(), error);
                    &[]
                }
                None => {
                    dial.error = DialError::Bug;
                    &[]
                }
            };
            self.try_addresses(id, addresses.iter().map(|&ip| (ip, port).into()));
        }
    }
}

impl Worker {
    /// A dial has taken too long, or has failed before it began.
    pub(super) fn on_dial_due(&mut self, id: DialId) {
        if let Some(dial) = self.shared().dials.dials.remove(&id) {
            let error = match dial.stage {
                Stage::Failed => dial.error,
                Stage::Connecting(_, address) | Stage::Tls(_, address) => {
                    DialError::ConnectTimeout(address)
                }
                Stage::LookingUp => DialError::Timeout,
            };
            (dial.then)(self, Err(error));
        }
    }

    fn on_dial_event(&mut self, id: DialId, happened: Happened) {
        let Some(dial) = self.shared().dials.dials.get_mut(&id) else { return };
        if let Some(connection) = dial.step(id, happened) {
            self.end_dial(id, Ok(connection));
        } else if matches!(dial.stage, Stage::Failed) {
            self.on_dial_due(id);
        }
    }

    fn end_dial(&mut self, id: DialId, result: Result<Connection, DialError>) {
        self.shared().schedule.cancel(Due::Dial(id));
        if let Some(dial) = self.shared().dials.dials.remove(&id) {
            (dial.then)(self, result);
        }
    }
}

/// What an event of a connection that is being made is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happened {
    /// It may be connected, or have failed.
    Progress,
    /// This address has taken its share of the time.
    TimedOut,
    /// The TLS handshake has ended.
    TlsEnded,
}

impl Dial {
    /// Tries one address after the other until one takes time.
    fn try_next(&mut self, id: DialId) {
        while let Some(address) = self.left.pop_front() {
            match begin(id, address) {
                Ok(mut connection) => {
                    let share =
                        self.deadline.saturating_since(event::now()) / (self.left.len() as u32 + 1);
                    connection.set_write_timer(Some(event::now() + share));
                    self.stage = Stage::Connecting(connection, address);
                    return;
                }
                Err(error) => self.error = error,
            }
        }
        self.stage = Stage::Failed;
    }

    /// Goes on after an event. Gives the connection when all is done.
    fn step(&mut self, id: DialId, happened: Happened) -> Option<Connection> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Connecting(connection, address) => match happened {
                Happened::Progress => return self.on_progress(id, connection, address),
                _ => self.fail(id, DialError::ConnectTimeout(address)),
            },
            Stage::Tls(mut connection, address) => {
                let (Some(tls), Happened::TlsEnded) = (self.destination.tls, happened) else {
                    self.stage = Stage::Tls(connection, address);
                    return None;
                };
                let handshake = tls.finish(connection.raw(), &self.destination.host);
                return self.settle_tls(id, connection, address, handshake);
            }
            stage => self.stage = stage,
        }
        None
    }

    fn on_progress(
        &mut self,
        id: DialId,
        mut connection: Connection,
        address: SocketAddr,
    ) -> Option<Connection> {
        if let Err(error) = connection.take_error() {
            self.fail(id, DialError::Connect(address, error));
            return None;
        }
        if !connection.is_writable() {
            self.stage = Stage::Connecting(connection, address);
            return None;
        }
        connection.set_write_timer(None);
        match self.destination.tls {
            Some(tls) => {
                let handshake = tls.begin(connection.raw(), &self.destination.host, on_tls_end);
                self.settle_tls(id, connection, address, handshake)
            }
            None => Some(connection),
        }
    }

    fn settle_tls(
        &mut self,
        id: DialId,
        connection: Connection,
        address: SocketAddr,
        handshake: Handshake,
    ) -> Option<Connection> {
        let host = || self.destination.host.clone();
        match handshake {
            Handshake::Done => return Some(connection),
            Handshake::Pending => self.stage = Stage::Tls(connection, address),
            Handshake::Failed => self.fail(id, DialError::Tls(address)),
            Handshake::Unverified => self.fail(id, DialError::Certificate(address, host())),
        }
        None
    }

    fn fail(&mut self, id: DialId, error: DialError) {
        self.error = error;
        self.try_next(id);
    }
}

/// Begins to connect to an address.
fn begin(id: DialId, address: SocketAddr) -> Result<Connection, DialError> {
    let failed = |error: Errno| DialError::Connect(address, error.into());
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(failed)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(failed(error)),
    }
    let mut connection = Connection::adopt(socket, on_event).ok_or(DialError::NoRoom)?;
    connection.set_data(id.0 as usize);
    connection.wait_connected(on_event).map_err(|_| DialError::NoRoom)?;
    Ok(connection)
}

/// Something has happened to a connection that is being made.
unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection has it as its data.
    let (id, timed_out) = unsafe { (event::number(event), event::take_timeout(event)) };
    run(id, if timed_out { Happened::TimedOut } else { Happened::Progress });
}

unsafe extern "C" fn on_tls_end(c: *mut ngx_connection_t) {
    // SAFETY: nginx gives the connection whose handshake has ended.
    run(unsafe { (*c).data.addr() }, Happened::TlsEnded);
}

fn run(id: usize, happened: Happened) {
    let id = DialId(id as u64);
    guard(|| worker::with(|worker| worker.on_dial_event(id, happened)), || ());
}
