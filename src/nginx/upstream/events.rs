//! nginx's events of a connection to another server: readable, writable, timed out.

use nginx_sys::ngx_event_t;

use super::{End, Upstream};
use crate::live::SessionId;
use crate::nginx::worker::{self, Shared};
use crate::nginx::{event, guard};

/// There is something to read, or the server has taken too long to start the stream.
pub(super) unsafe extern "C" fn on_read(event: *mut ngx_event_t) {
    // SAFETY: nginx gives an event of an open connection.
    unsafe {
        handle(event, |upstream, shared, timed_out| match timed_out {
            true => upstream.on_timeout(shared),
            false => upstream.on_readable(shared),
        });
    }
}

/// More can be sent, or the server has not taken anything for too long.
pub(super) unsafe extern "C" fn on_write(event: *mut ngx_event_t) {
    // SAFETY: nginx gives an event of an open connection.
    unsafe {
        handle(event, |upstream, shared, timed_out| match timed_out {
            true => Err(End::SendTimeout),
            false => upstream.on_writable(shared),
        });
    }
}

/// Runs the handler of a connection's event, which is told whether that is of its timer.
unsafe fn handle(
    event: *mut ngx_event_t,
    handler: impl FnOnce(&mut Upstream, &mut Shared, bool) -> Result<(), End>,
) {
    // SAFETY: an event of a connection has it as its data, and the session's number is in there.
    let (id, timed_out) = unsafe { (event::number(event), event::take_timeout(event)) };
    let id = SessionId(id as u64);
    guard(
        || {
            worker::with(|worker| {
                worker.run_upstream(id, |it, shared| handler(it, shared, timed_out))
            })
        },
        || guard(|| worker::with(|worker| worker.finalize_upstream(id, &End::Bug)), || ()),
    );
}
