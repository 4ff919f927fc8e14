//! What is due later in a worker, with one timer for all of it.

use std::collections::{BTreeSet, HashMap};

use nginx_sys::ngx_event_t;

use super::child::ChildId;
use super::dial::DialId;
use super::download::DownloadId;
use super::exec::GroupId;
use super::http_client::CallId;
use super::peer::Peer;
use super::relays::RelayId;
use super::upstream::Upstream;
use super::worker::{self, Worker};
use super::{event, guard};
use crate::live::{SessionId, StreamId};
use crate::time::Instant;

/// What can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    /// The end of the time that an outgoing connection may take to be made.
    Dial(DialId),
    /// The next attempt of a relay.
    Relay(RelayId),
    /// The end of a session with another server, if another worker has not taken its place by then.
    Leave(SessionId),
    /// The end of the time that a request may take, or that a connection is kept for the next one.
    Call(CallId),
    /// The end of the time that a server may send nothing of a download.
    Download(DownloadId),
    /// The next time that callbacks are told that a session goes on.
    Update(SessionId),
    /// The next line of the access log that says that the session on a connection goes on.
    Line { session: SessionId, connection: u64 },
    /// What the recorders of a stream have waited with for long enough.
    Recorders(StreamId),
    /// A program is to be run again, or looked at.
    Child(ChildId),
    /// Another worker may have left commands to this one.
    Group(GroupId),
    /// The next time that is looked how much has come and gone.
    Sample,
}

/// Each of these is due at one instant. They do not hold up a graceful exit.
pub(super) struct Schedule {
    instants: HashMap<Due, Instant>,
    due: BTreeSet<(Instant, Due)>,
    /// On the heap: nginx links it into its queues by address.
    timer: Box<ngx_event_t>,
}

impl Schedule {
    pub(super) fn new() -> Self {
        let mut timer = event::new(on_timer);
        timer.set_cancelable(1);
        Self { instants: HashMap::new(), due: BTreeSet::new(), timer }
    }

    /// Has `what` become due at `at`, instead of when it was to be.
    pub(super) fn set(&mut self, what: Due, at: Instant) {
        if let Some(before) = self.instants.insert(what, at) {
            self.due.remove(&(before, what));
        }
        self.due.insert((at, what));
        self.arm();
    }

    /// `what` is not due any more.
    pub(super) fn cancel(&mut self, what: Due) {
        if let Some(at) = self.instants.remove(&what) {
            self.due.remove(&(at, what));
        }
    }

    /// What has become due by `now`, in order.
    fn take(&mut self, now: Instant) -> Vec<Due> {
        let mut taken = Vec::new();
        while let Some(&(at, what)) = self.due.first()
            && at <= now
        {
            self.due.pop_first();
            self.instants.remove(&what);
            taken.push(what);
        }
        self.arm();
        taken
    }

    fn arm(&mut self) {
        if let Some(&(at, _)) = self.due.first() {
            // SAFETY: the event lives as long as the schedule, which disarms it.
            unsafe { event::set_timer(&raw mut *self.timer, at) }
        }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        // SAFETY: the event is this one's.
        unsafe { event::cancel(&raw mut *self.timer) }
    }
}

unsafe extern "C" fn on_timer(event: *mut ngx_event_t) {
    // SAFETY: nginx gives the event of the timer.
    unsafe { (*event).set_timedout(0) };
    guard(
        || {
            worker::with(|worker| {
                for due in worker.shared().schedule.take(event::now()) {
                    worker.on_due(due);
                }
            });
        },
        || (),
    );
}

impl Worker {
    fn on_due(&mut self, due: Due) {
        match due {
            Due::Dial(id) => self.on_dial_due(id),
            Due::Relay(id) => self.attempt_relay(id),
            Due::Leave(session) => self.run_upstream(session, Upstream::close),
            Due::Call(id) => self.on_call_due(id),
            Due::Download(id) => self.on_download_due(id),
            Due::Update(session) => self.run(session.0 as usize, Peer::on_update_due),
            Due::Sample => self.sample(),
            Due::Line { session, connection } => {
                self.run(session.0 as usize, |peer, shared| peer.on_line_due(connection, shared));
            }
            Due::Recorders(stream) => self.shared().flush_recorders(stream),
            Due::Child(id) => self.shared().on_child_due(id),
            Due::Group(id) => self.shared().review_group(id),
        }
    }
}
