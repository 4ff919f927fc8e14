//! Streams with frames that their players have not been offered yet.

use std::mem;
use std::ptr;

use nginx_sys::{ngx_cycle, ngx_event_t};

use super::{event, guard, worker};
use crate::live::StreamId;

/// The streams that got something in this turn of the event loop, and the event at its end that
/// offers it to their players: each player gets all it lacks in one gathered send.
pub(super) struct Fanout {
    dirty: Vec<StreamId>,
    /// On the heap: nginx links it into its queues by address.
    event: Box<ngx_event_t>,
}

impl Fanout {
    pub(super) fn new() -> Self {
        // SAFETY: all-zero is an event that is not posted (ngx_pcalloc).
        let mut event: Box<ngx_event_t> = Box::new(unsafe { mem::zeroed() });
        event.handler = Some(fan_out);
        // SAFETY: the cycle is there in a worker.
        event.log = unsafe { (*ngx_cycle).log };
        event.data = ptr::null_mut();
        Self { dirty: Vec::new(), event }
    }

    /// Notes that the stream has something new.
    pub(super) fn mark(&mut self, stream: StreamId) {
        // A publisher's messages come one after the other, so this keeps nearly all repetitions
        // out; the rest cost a look at players that lack nothing.
        if self.dirty.last() != Some(&stream) {
            self.dirty.push(stream);
        }
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post(&raw mut *self.event) }
    }

    /// The streams noted since the last call.
    pub(super) fn take(&mut self) -> Vec<StreamId> {
        mem::take(&mut self.dirty)
    }
}

unsafe extern "C" fn fan_out(_event: *mut ngx_event_t) {
    guard(|| worker::with(worker::Worker::fan_out), || ());
}
