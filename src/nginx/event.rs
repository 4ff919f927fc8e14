//! nginx's events: timers, posted events, and the clock behind them.

use std::mem;

use nginx_sys::{
    ngx_add_timer, ngx_connection_t, ngx_current_msec, ngx_cycle, ngx_del_timer,
    ngx_delete_posted_event, ngx_event_t, ngx_post_event, ngx_posted_events,
    ngx_posted_next_events, ngx_timeofday,
};

use crate::time::{Instant, UnixMillis};

/// Monotonic time, read once a turn of the event loop.
pub(super) fn now() -> Instant {
    // SAFETY: nginx updates it in this thread only.
    Instant::from_millis(unsafe { ngx_current_msec } as u64)
}

/// Wall-clock time, read once a turn of the event loop.
pub(super) fn unix_now() -> UnixMillis {
    let time = ngx_timeofday();
    UnixMillis(time.sec.max(0) as u64 * 1000 + time.msec as u64)
}

/// An event of this module's own. On the heap, as nginx links events into its queues by address.
pub(super) fn new(handler: unsafe extern "C" fn(*mut ngx_event_t)) -> Box<ngx_event_t> {
    // SAFETY: all-zero is an event that is neither posted nor timed (ngx_pcalloc).
    let mut event: Box<ngx_event_t> = Box::new(unsafe { mem::zeroed() });
    event.handler = Some(handler);
    // SAFETY: the cycle is there in a worker.
    event.log = unsafe { (*ngx_cycle).log };
    event
}

/// Whether nginx has called the event's handler for its timer; that is reset.
///
/// # Safety
///
/// `event` points to an event.
pub(super) unsafe fn take_timeout(event: *mut ngx_event_t) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let timed_out = (*event).timedout() != 0;
        (*event).set_timedout(0);
        timed_out
    }
}

/// The number that the event's connection has been given
/// ([`Connection::set_data`](super::connection::Connection::set_data)).
///
/// # Safety
///
/// `event` is of an open connection.
pub(super) unsafe fn number(event: *mut ngx_event_t) -> usize {
    // SAFETY: an event of a connection has it as its data.
    unsafe { (*(*event).data.cast::<ngx_connection_t>()).data.addr() }
}

/// Arms or moves an event's timer.
///
/// # Safety
///
/// `event` points to an event of a live connection, or one that outlives its timer.
pub(super) unsafe fn set_timer(event: *mut ngx_event_t, at: Instant) {
    let delay = at.saturating_since(now()).as_millis() as usize;
    // SAFETY: the caller's promise.
    unsafe { ngx_add_timer(event, delay) }
}

/// Disarms an event's timer, if it is armed.
///
/// # Safety
///
/// As for [`set_timer`].
pub(super) unsafe fn clear_timer(event: *mut ngx_event_t) {
    // SAFETY: the caller's promise.
    unsafe {
        if (*event).timer_set() != 0 {
            ngx_del_timer(event);
        }
    }
}

/// Disarms an event's timer and takes the event out of the queue it is posted to.
///
/// # Safety
///
/// `event` points to an event.
pub(super) unsafe fn cancel(event: *mut ngx_event_t) {
    // SAFETY: the caller's promise.
    unsafe {
        clear_timer(event);
        if (*event).posted() != 0 {
            ngx_delete_posted_event(event);
        }
    }
}

/// Posts an event to the end of this turn of the event loop, once.
///
/// # Safety
///
/// `event` stays where it is until it has run.
pub(super) unsafe fn post(event: *mut ngx_event_t) {
    // SAFETY: the caller's promise.
    unsafe { ngx_post_event(event, &raw mut ngx_posted_events) }
}

/// Posts an event to the next turn of the event loop, so that others have theirs first.
///
/// # Safety
///
/// As for [`post`].
pub(super) unsafe fn post_next(event: *mut ngx_event_t) {
    // SAFETY: the caller's promise.
    unsafe {
        if (*event).posted() != 0 {
            ngx_delete_posted_event(event);
        }
        ngx_post_event(event, &raw mut ngx_posted_next_events);
    }
}
