//! Streams with frames that their players have not been offered yet.

use std::collections::BTreeSet;
use std::mem;

use nginx_sys::ngx_event_t;

use super::{event, guard, worker};
use crate::live::{Gathering, Pace, StreamId};

/// The streams that got something in this turn of the event loop, and the event at its end that
/// offers it to their players: each player gets all it lacks in one gathered send. Under load the
/// players wait for the turns that a `send_window` gives them.
pub(super) struct Fanout {
    dirty: BTreeSet<StreamId>,
    pub(super) pace: Pace,
    pub(super) gathering: Gathering,
    /// On the heap: nginx links them into its queues by address.
    posted: Box<ngx_event_t>,
    timer: Box<ngx_event_t>,
}

impl Fanout {
    pub(super) fn new() -> Self {
        let mut timer = event::new(on_timer);
        // Players have timers of their own, which do hold up a graceful exit.
        timer.set_cancelable(1);
        Self {
            dirty: BTreeSet::new(),
            pace: Pace::default(),
            gathering: Gathering::default(),
            posted: event::new(fan_out),
            timer,
        }
    }

    /// Notes that the stream has something new.
    pub(super) fn mark(&mut self, stream: StreamId) {
        self.dirty.insert(stream);
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post(&raw mut *self.posted) }
    }

    /// The streams noted since the last call.
    pub(super) fn take(&mut self) -> BTreeSet<StreamId> {
        mem::take(&mut self.dirty)
    }

    /// Asks for an event when the next turn is due.
    pub(super) fn wait_for_turn(&mut self) {
        let event = &raw mut *self.timer;
        if self.timer.timer_set() == 0
            && let Some(deadline) = self.gathering.deadline()
        {
            // SAFETY: the event lives as long as the worker.
            unsafe { event::set_timer(event, deadline) }
        }
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        // SAFETY: the events are this one's.
        unsafe {
            event::cancel(&raw mut *self.timer);
            event::cancel(&raw mut *self.posted);
        }
    }
}

unsafe extern "C" fn fan_out(_event: *mut ngx_event_t) {
    guard(|| worker::with(worker::Worker::fan_out), || ());
}

unsafe extern "C" fn on_timer(event: *mut ngx_event_t) {
    // SAFETY: nginx gives the event of the timer.
    unsafe { (*event).set_timedout(0) };
    guard(|| worker::with(worker::Worker::give_turns), || ());
}
