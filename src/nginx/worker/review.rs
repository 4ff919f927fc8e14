//! What to look after at the end of the event loop's turn: streams whose players may lack a pull, or
//! whose pull may lack players, and publishers that others have displaced.

use std::collections::BTreeSet;
use std::mem;
use std::time::Duration;

use nginx_sys::ngx_event_t;

use crate::live::{SessionId, StreamId};
use crate::nginx::worker::{self, Worker};
use crate::nginx::{event, guard};

/// How often the streams whose players wait are looked for, in case that their announcement was
/// lost.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is due now, and what is due later.
pub(in crate::nginx) struct Review {
    displaced: Vec<SessionId>,
    due: BTreeSet<StreamId>,
    later: BTreeSet<StreamId>,
    /// On the heap: nginx links them into its queues by address.
    posted: Box<ngx_event_t>,
    timer: Box<ngx_event_t>,
}

impl Review {
    pub(super) fn new() -> Self {
        let mut timer = event::new(on_timer);
        // Who waits for a stream does not hold up a graceful exit.
        timer.set_cancelable(1);
        let posted = event::new(on_posted);
        let displaced = Vec::new();
        Self { displaced, due: BTreeSet::new(), later: BTreeSet::new(), posted, timer }
    }

    pub(in crate::nginx) fn post(&mut self, stream: StreamId) {
        self.due.insert(stream);
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post(&raw mut *self.posted) }
    }

    /// Another publisher has taken the place of the session's.
    pub(in crate::nginx) fn displace(&mut self, session: SessionId) {
        self.displaced.push(session);
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post(&raw mut *self.posted) }
    }

    pub(super) fn post_later(&mut self, stream: StreamId) {
        self.later.insert(stream);
        if self.timer.timer_set() == 0 {
            // SAFETY: the event lives as long as the worker.
            unsafe { event::set_timer(&raw mut *self.timer, event::now() + INTERVAL) }
        }
    }

    /// The publishers that were displaced.
    pub(super) fn take_displaced(&mut self) -> Vec<SessionId> {
        mem::take(&mut self.displaced)
    }

    /// The streams to look after.
    pub(super) fn take(&mut self) -> Vec<StreamId> {
        mem::take(&mut self.due).into_iter().collect()
    }

    fn ripen(&mut self) {
        for stream in mem::take(&mut self.later) {
            self.post(stream);
        }
    }
}

impl Drop for Review {
    fn drop(&mut self) {
        // SAFETY: the events are this one's.
        unsafe {
            event::cancel(&raw mut *self.timer);
            event::cancel(&raw mut *self.posted);
        }
    }
}

unsafe extern "C" fn on_posted(_event: *mut ngx_event_t) {
    guard(|| worker::with(Worker::review), || ());
}

unsafe extern "C" fn on_timer(event: *mut ngx_event_t) {
    // SAFETY: nginx gives the event of the timer.
    unsafe { (*event).set_timedout(0) };
    guard(|| worker::with(|worker| worker.shared().review.ripen()), || ());
}
