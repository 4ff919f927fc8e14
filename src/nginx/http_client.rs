//! Requests to HTTP servers, on connections that are kept for the next ones.
//!
//! A worker has so many requests of one server under way at a time, and more wait their turn: a server
//! that is slow or away costs its own callers time, up to their timeouts, and nobody else.

mod exchange;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use nginx_sys::ngx_event_t;

use self::exchange::{End, Exchange, Stage, Talk};
use super::connection::{Connection, Received};
use super::dial::{Destination, DialError};
use super::schedule::Due;
use super::worker::{self, Shared, Worker};
use super::{event, guard};
use crate::http::{self, Head};
use crate::time::Instant;

/// Requests of one server that are under way at a time.
const MAX_IN_FLIGHT: usize = 64;

/// Requests of one server that wait.
const MAX_WAITING: usize = 4096;

/// Connections to one server that are kept, and for how long.
const MAX_IDLE: usize = 16;
const IDLE_TIME: Duration = Duration::from_secs(30);

/// How long the exit of a worker waits for files to be closed, of which callbacks are told.
const FILES_TIME: Duration = Duration::from_secs(5);

/// Names a call, or a connection that is kept; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CallId(u64);

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("no reply in time")]
    Timeout,
    #[error("connection failed")]
    Broken,
    #[error("server sent {0}")]
    Protocol(#[from] http::Error),
    #[error("{MAX_WAITING} requests wait for the server already")]
    TooMany,
}

/// What is done with the head of the reply.
type Then = Box<dyn FnOnce(&mut Worker, CallId, Result<Head, CallError>)>;

/// The requests of a worker.
pub(super) struct HttpClient {
    calls: BTreeMap<CallId, Exchange>,
    servers: HashMap<Destination, Server>,
    kept: BTreeMap<CallId, (Destination, Connection)>,
    next: u64,
    /// The latest deadline of the calls.
    latest: Instant,
    /// Whether the worker ends.
    is_closed: bool,
    /// Whether there are calls to come, when files are closed.
    expects: bool,
    /// Holds up a graceful exit while there are calls, or some to come. On the heap: nginx links it by address.
    hold: Box<ngx_event_t>,
}

/// What there is of one server.
#[derive(Default)]
struct Server {
    in_flight: usize,
    waiting: VecDeque<CallId>,
    /// The connections that are kept, the one used last at the end.
    idle: Vec<CallId>,
}

impl HttpClient {
    pub(super) fn new() -> Self {
        Self {
            calls: BTreeMap::new(),
            servers: HashMap::new(),
            kept: BTreeMap::new(),
            next: 0,
            latest: Instant::default(),
            is_closed: false,
            expects: false,
            hold: event::new(on_hold),
        }
    }

    /// Gives up all calls, and takes no more.
    pub(super) fn close(&mut self) {
        *self = Self::new();
        self.is_closed = true;
    }

    fn new_id(&mut self) -> CallId {
        self.next += 1;
        CallId(self.next)
    }

    fn hold_exit(&mut self) {
        let event = &raw mut *self.hold;
        // SAFETY: the event is this one's, which disarms it when it is dropped.
        unsafe {
            match self.calls.is_empty() && !self.expects {
                true => event::clear_timer(event),
                false => event::set_timer(event, self.latest),
            }
        }
    }

    /// Says whether there are calls to come, when files are closed.
    pub(super) fn expect(&mut self, expects: bool) {
        if self.expects != expects && !self.is_closed {
            self.expects = expects;
            self.latest = self.latest.max(event::now() + FILES_TIME);
            self.hold_exit();
        }
    }

    /// Takes the connection to the server that was used last.
    fn take_kept(&mut self, server: &Destination) -> Option<(CallId, Connection)> {
        let id = self.servers.get_mut(server)?.idle.pop()?;
        let (_, connection) = self.kept.remove(&id)?;
        Some((id, connection))
    }

    /// Whether a connection that is kept is of no use any more: a server has nothing to say there but
    /// that it has closed.
    fn has_lost_kept(&mut self, id: CallId, scratch: &mut [u8]) -> bool {
        let Some((_, connection)) = self.kept.get_mut(&id) else { return false };
        let is_silent = connection.recv(scratch) == Received::Again;
        !is_silent || connection.wait_readable().is_err()
    }

    fn drop_kept(&mut self, id: CallId) -> bool {
        let Some((server, _)) = self.kept.remove(&id) else { return false };
        if let Some(state) = self.servers.get_mut(&server) {
            state.idle.retain(|&other| other != id);
        }
        self.forget_unused(&server);
        true
    }

    fn forget_unused(&mut self, server: &Destination) {
        let is_unused =
            |it: &Server| it.in_flight == 0 && it.waiting.is_empty() && it.idle.is_empty();
        if self.servers.get(server).is_some_and(is_unused) {
            self.servers.remove(server);
        }
    }
}

impl Drop for HttpClient {
    fn drop(&mut self) {
        // SAFETY: the event is this one's.
        unsafe { event::cancel(&raw mut *self.hold) }
    }
}

impl Shared {
    /// Sends a request, and has `then` called with the head of the reply within `timeout`, never
    /// before this returns.
    pub(super) fn call(
        &mut self,
        server: Destination,
        request: Vec<u8>,
        timeout: Duration,
        then: impl FnOnce(&mut Worker, CallId, Result<Head, CallError>) + 'static,
    ) -> CallId {
        let http = &mut self.http;
        let id = http.new_id();
        if http.is_closed {
            return id;
        }
        let deadline = event::now() + timeout;
        http.latest = http.latest.max(deadline);
        let state = http.servers.entry(server.clone()).or_default();
        let is_full = state.waiting.len() >= MAX_WAITING;
        let stage = if is_full { Stage::Refused } else { Stage::Waiting };
        if !is_full {
            state.waiting.push_back(id);
        }
        http.calls
            .insert(id, Exchange::new(server.clone(), request, deadline, stage, Box::new(then)));
        http.hold_exit();
        self.schedule.set(Due::Call(id), if is_full { event::now() } else { deadline });
        self.start_calls(&server);
        id
    }

    /// Gives up a call; what was to be done then is not.
    pub(super) fn cancel_call(&mut self, id: CallId) {
        if let Some(call) = self.remove_call(id) {
            self.start_calls(&call.server);
        }
    }

    /// Starts what may be under way now.
    fn start_calls(&mut self, server: &Destination) {
        while let Some(state) = self.http.servers.get_mut(server)
            && state.in_flight < MAX_IN_FLIGHT
            && let Some(id) = state.waiting.pop_front()
        {
            state.in_flight += 1;
            self.start_call(id, server);
        }
        self.http.forget_unused(server);
    }

    fn start_call(&mut self, id: CallId, server: &Destination) {
        while let Some((kept, connection)) = self.http.take_kept(server) {
            self.schedule.cancel(Due::Call(kept));
            let Some(call) = self.http.calls.get_mut(&id) else { return };
            let mut talk = Talk::new(own(connection, id), true);
            if talk.send(&call.request).is_ok() {
                call.stage = Stage::Talking(talk);
                return;
            }
        }
        self.dial_call(id);
    }

    fn dial_call(&mut self, id: CallId) {
        let Some(call) = self.http.calls.get(&id) else { return };
        let timeout = call.deadline.saturating_since(event::now());
        let server = call.server.clone();
        let dial = self.dial(server, timeout, move |worker, result| worker.on_dialed(id, result));
        if let Some(call) = self.http.calls.get_mut(&id) {
            call.stage = Stage::Dialing(dial);
        }
    }

    /// Forgets a call. Others may have waited for its end.
    fn remove_call(&mut self, id: CallId) -> Option<Exchange> {
        self.schedule.cancel(Due::Call(id));
        let call = self.http.calls.remove(&id)?;
        self.http.hold_exit();
        if let Some(state) = self.http.servers.get_mut(&call.server) {
            match call.stage {
                Stage::Waiting => state.waiting.retain(|&other| other != id),
                Stage::Refused => {}
                Stage::Dialing(_) | Stage::Talking(_) => state.in_flight -= 1,
            }
        }
        if let Stage::Dialing(dial) = call.stage {
            self.dials.cancel(dial);
            self.schedule.cancel(Due::Dial(dial));
        }
        Some(call)
    }

    /// Keeps a connection for the next call.
    fn keep_connection(&mut self, server: Destination, connection: Connection) {
        let id = self.http.new_id();
        let connection = own(connection, id);
        let state = self.http.servers.entry(server.clone()).or_default();
        if state.idle.len() < MAX_IDLE {
            state.idle.push(id);
            self.http.kept.insert(id, (server, connection));
            self.schedule.set(Due::Call(id), event::now() + IDLE_TIME);
        }
    }
}

impl Worker {
    fn on_dialed(&mut self, id: CallId, result: Result<Connection, DialError>) {
        let Some(call) = self.shared().http.calls.get_mut(&id) else { return };
        match result {
            Ok(mut connection) => {
                // A request is one send, so nothing waits for anything anyway.
                let _ = connection.set_nodelay();
                call.stage = Stage::Talking(Talk::new(own(connection, id), false));
                self.on_call_event(id);
            }
            Err(error) => self.end_call(id, Err(error.into())),
        }
    }

    /// A call has taken too long, or could not be made; or a connection was kept for long enough.
    pub(super) fn on_call_due(&mut self, id: CallId) {
        if self.shared().http.drop_kept(id) {
            return;
        }
        let is_refused = |call: &Exchange| matches!(call.stage, Stage::Refused);
        let error = match self.shared().http.calls.get(&id).is_some_and(is_refused) {
            true => CallError::TooMany,
            false => CallError::Timeout,
        };
        self.end_call(id, Err(error));
    }

    /// Something has happened to a call's connection.
    fn on_call_event(&mut self, id: CallId) {
        let shared = self.shared();
        if shared.http.has_lost_kept(id, &mut shared.scratch) {
            shared.http.drop_kept(id);
            shared.schedule.cancel(Due::Call(id));
        }
        let Some(call) = shared.http.calls.get_mut(&id) else { return };
        let (head, end) = call.step(&mut shared.scratch);
        if let Some(head) = head
            && let Some(then) = call.then.take()
        {
            then(self, id, Ok(head));
        }
        match end {
            None => {}
            Some(End::Whole { reusable }) => self.finish_call(id, reusable),
            Some(End::Stale) => self.shared().dial_call(id),
            Some(End::Failed(error)) => self.end_call(id, Err(error)),
        }
    }

    fn finish_call(&mut self, id: CallId, reusable: bool) {
        let shared = self.shared();
        let Some(Exchange { server, stage, .. }) = shared.remove_call(id) else { return };
        if let Stage::Talking(talk) = stage
            && reusable
        {
            shared.keep_connection(server.clone(), talk.connection);
        }
        shared.start_calls(&server);
    }

    fn end_call(&mut self, id: CallId, result: Result<Head, CallError>) {
        let Some(call) = self.shared().remove_call(id) else { return };
        self.shared().start_calls(&call.server);
        if let Some(then) = call.then {
            then(self, id, result);
        }
    }
}

/// Makes events of the connection those of the call.
fn own(mut connection: Connection, id: CallId) -> Connection {
    connection.blame_peer();
    connection.set_data(id.0 as usize);
    connection.set_handlers(on_event, on_event);
    connection
}

/// Something has happened to a connection.
unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection has it as its data, and the call's number is in there.
    let id = CallId(unsafe { event::number(event) } as u64);
    guard(
        || worker::with(|worker| worker.on_call_event(id)),
        || guard(|| worker::with(|worker| worker.end_call(id, Err(CallError::Broken))), || ()),
    );
}

/// The last call that was known when the timer was set has taken its time.
unsafe extern "C" fn on_hold(event: *mut ngx_event_t) {
    // SAFETY: nginx gives the event of the timer.
    unsafe { (*event).set_timedout(0) };
}
