//! nginx's events of a connection: accepted, readable, writable, timed out.

use std::ptr::NonNull;

use nginx_sys::{ngx_connection_t, ngx_event_t};

use super::connection::Connection;
use super::log::Level;
use super::peer::{End, Peer};
use super::worker::{self, Shared, Worker};
use super::{conf, event, guard};

/// nginx accepted a connection.
pub(super) unsafe extern "C" fn accept(c: *mut ngx_connection_t) {
    let Some(raw) = NonNull::new(c) else { return };
    // SAFETY: nginx leaves it to its handler to close what it accepted.
    let connection = unsafe { Connection::from_raw(raw) };
    let id = guard(|| worker::with(|worker| admit(worker, connection)), || None);
    if let Some(id) = id {
        run(id, Peer::start);
    }
}

/// Makes a session of a client's connection, unless there are too many already.
fn admit(worker: &mut Worker, connection: Connection) -> Option<usize> {
    if let Some(limit) = conf::main().and_then(|main| main.max_connections)
        && worker.shared().connections() >= u64::from(limit)
    {
        let client = connection.client();
        connection.log(
            Level::Warn,
            format_args!("refused: max_connections {limit} are in use, client: {client}"),
        );
        worker.shared().meters.totals.refused += 1;
        return None;
    }
    worker.shared().count_connection(1);
    worker.shared().meters.totals.accepted += 1;
    Some(take_in(worker, connection, Peer::new))
}

/// Makes a session of a connection by `make`, and gives the session's number.
pub(super) fn take_in(
    worker: &mut Worker,
    mut connection: Connection,
    make: impl FnOnce(usize, Connection) -> Peer,
) -> usize {
    connection.set_handlers(on_read, on_write);
    worker.add(|id| {
        // The number is all that the connection keeps of its peer, so no event can reach what is
        // gone.
        connection.set_data(id);
        make(id, connection)
    })
}

/// There is something to read, or the session's timer has fired.
pub(super) unsafe extern "C" fn on_read(event: *mut ngx_event_t) {
    // SAFETY: nginx gives an event of an open connection.
    let timed_out = unsafe { event::take_timeout(event) };
    // SAFETY: as above.
    unsafe {
        handle(event, |peer, shared| match timed_out {
            true => peer.on_timeout(shared),
            false => peer.on_readable(shared),
        });
    }
}

/// More can be sent, or the peer has not taken anything for too long.
pub(super) unsafe extern "C" fn on_write(event: *mut ngx_event_t) {
    // SAFETY: nginx gives an event of an open connection.
    let timed_out = unsafe { event::take_timeout(event) };
    // SAFETY: as above.
    unsafe {
        handle(event, |peer, shared| match timed_out {
            true => Err(End::SendTimeout),
            false => peer.on_writable(shared),
        });
    }
}

/// Runs the handler of a connection's event.
unsafe fn handle(
    event: *mut ngx_event_t,
    handler: impl FnOnce(&mut Peer, &mut Shared) -> Result<(), End>,
) {
    // SAFETY: an event of a connection has it as its data, and the session's number is in there.
    run(unsafe { event::number(event) }, handler);
}

/// Runs a handler of a session. A panic in it ends the session, and nothing else.
fn run(id: usize, handler: impl FnOnce(&mut Peer, &mut Shared) -> Result<(), End>) {
    guard(
        || worker::with(|worker| worker.run(id, handler)),
        || guard(|| worker::with(|worker| worker.finalize(id, &End::Bug)), || ()),
    );
}
