//! A connection that nginx accepted.

mod address;
mod facts;

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nginx_sys::{
    NGX_AGAIN, NGX_OK, ngx_buf_t, ngx_chain_t, ngx_close_connection, ngx_connection_counter,
    ngx_connection_log_error_e_NGX_ERROR_INFO as NGX_ERROR_INFO, ngx_connection_t, ngx_create_pool,
    ngx_cycle, ngx_destroy_pool, ngx_event_t, ngx_get_connection, ngx_handle_read_event,
    ngx_handle_write_event, ngx_int_t, ngx_io, ngx_log_t, ngx_palloc, ngx_tcp_nodelay,
};

use rustix::io::Errno;
use rustix::net::sockopt;

use super::conf::POOL_SIZE;
use super::event;
use super::log::{self, Level};
use super::tls;
use crate::time::Instant;

pub(super) use self::address::{endpoint_of, ip_of};

/// Most slices of one gathered send; nginx's own limit for one writev (NGX_IOVS_PREALLOCATE).
pub(super) const MAX_SLICES: usize = 64;

/// A connection, closed when dropped.
pub(super) struct Connection(NonNull<ngx_connection_t>);

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Bytes(usize),
    /// Nothing now; an event tells when there is more.
    Again,
    /// The peer sends no more.
    Eof,
    /// nginx has logged why.
    Error,
}

/// What nginx has to say to a connection when its worker shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The worker takes no more connections, and ends when those it has are closed.
    WorkerLeaves,
    /// `worker_shutdown_timeout` has passed.
    MustClose,
}

/// How far a TLS handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(ngx_feature = "ssl"), allow(dead_code))]
pub(super) enum Handshake {
    Done,
    /// It goes on by itself; the event handler of reading is called when it is done or failed.
    Pending,
    /// nginx has logged why.
    Failed,
    /// The client's certificate is bad or missing.
    Unverified,
}

/// The connection is broken; nginx has logged why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl Connection {
    /// # Safety
    ///
    /// `c` is a connection that was just accepted and that nobody else closes.
    pub(super) unsafe fn from_raw(c: NonNull<ngx_connection_t>) -> Self {
        Self(c)
    }

    /// Takes on a stream or datagram socket that nginx did not accept. `on_read` is called when
    /// there is something to read. `None` if nginx has no room for it.
    pub(super) fn adopt(
        descriptor: OwnedFd,
        on_read: unsafe extern "C" fn(*mut ngx_event_t),
    ) -> Option<Self> {
        // SAFETY: the cycle is there in a worker; what nginx gives is a connection with its events.
        unsafe {
            let log = (*ngx_cycle).log;
            let pool = NonNull::new(ngx_create_pool(POOL_SIZE, log))?.as_ptr();
            let own_log: *mut ngx_log_t = ngx_palloc(pool, size_of::<ngx_log_t>()).cast();
            let c = match own_log.is_null() {
                false => NonNull::new(ngx_get_connection(descriptor.as_raw_fd(), log)),
                true => None,
            };
            let Some(c) = c else {
                ngx_destroy_pool(pool);
                return None;
            };
            // It is the connection's now.
            let _ = descriptor.into_raw_fd();
            let mut connection = Self(c);
            let c = connection.raw();
            own_log.write(*log);
            (c.pool, c.log) = (pool, own_log);
            c.recv = ngx_io.recv;
            c.send_chain = ngx_io.send_chain;
            c.number = next_number();
            for event in [c.read, c.write] {
                (*event).log = c.log;
            }
            (*c.write).set_ready(1);
            (*c.read).handler = Some(on_read);
            connection.wait_readable().ok()?;
            Some(connection)
        }
    }

    /// nginx's number of the connection, which log lines begin with.
    pub(super) fn number(&self) -> u64 {
        self.get().number
    }

    /// Sets the number by which handlers find whose the connection is.
    pub(super) fn set_data(&mut self, number: usize) {
        self.raw().data = ptr::without_provenance_mut(number);
    }

    /// Asks for an event when a socket that is being connected is so, or has failed.
    pub(super) fn wait_connected(
        &mut self,
        on_event: unsafe extern "C" fn(*mut ngx_event_t),
    ) -> Result<(), Broken> {
        let write = self.raw().write;
        // SAFETY: an open connection has its events.
        unsafe {
            (*write).set_ready(0);
            (*write).handler = Some(on_event);
        }
        self.wait_writable()
    }

    /// What has gone wrong with the socket since the last call.
    pub(super) fn take_error(&self) -> io::Result<()> {
        Ok(sockopt::socket_error(self)??)
    }

    /// Has the system find out when a peer that sends nothing is gone, within two minutes.
    pub(super) fn keep_alive(&self) {
        // SAFETY: the descriptor is open as long as the connection.
        let socket = unsafe { BorrowedFd::borrow_raw(self.get().fd) };
        // Without it the peer is found out when it is sent something.
        let _ = sockopt::set_socket_keepalive(socket, true)
            .and_then(|()| sockopt::set_tcp_keepidle(socket, Duration::from_secs(60)))
            .and_then(|()| sockopt::set_tcp_keepintvl(socket, Duration::from_secs(15)))
            .and_then(|()| sockopt::set_tcp_keepcnt(socket, 4));
    }

    /// Sets who is called when there is something to read, and when more can be sent.
    pub(super) fn set_handlers(
        &mut self,
        on_read: unsafe extern "C" fn(*mut ngx_event_t),
        on_write: unsafe extern "C" fn(*mut ngx_event_t),
    ) {
        let c = self.raw();
        // SAFETY: an open connection has its events.
        unsafe {
            (*c.read).handler = Some(on_read);
            (*c.write).handler = Some(on_write);
        }
    }

    pub(super) fn raw(&mut self) -> &mut ngx_connection_t {
        // SAFETY: it is open until it is dropped, and this is its only owner.
        unsafe { self.0.as_mut() }
    }

    fn get(&self) -> &ngx_connection_t {
        // SAFETY: as for `raw`.
        unsafe { self.0.as_ref() }
    }

    /// Logs resets and the like as the peer's fault, which they are.
    pub(super) fn blame_peer(&mut self) {
        self.raw().set_log_error(NGX_ERROR_INFO);
    }

    /// Sends small writes at once: they are gathered here already.
    pub(super) fn set_nodelay(&mut self) -> Result<(), Broken> {
        // SAFETY: an open connection.
        check(unsafe { ngx_tcp_nodelay(self.raw()) })
    }

    /// Asks for [`Notice::WorkerLeaves`], which nginx gives connections that it takes for idle.
    pub(super) fn expect_notice(&mut self) {
        self.raw().set_idle(1);
    }

    /// What nginx has called the event handler of reading for, besides reading; given once.
    pub(super) fn take_notice(&mut self) -> Option<Notice> {
        let c = self.raw();
        if c.close() == 0 {
            return None;
        }
        // Set by ngx_shutdown_timer_handler only. With it TLS would end without a word.
        let notice = if c.error() != 0 { Notice::MustClose } else { Notice::WorkerLeaves };
        c.set_close(0);
        c.set_error(0);
        Some(notice)
    }

    pub(super) fn recv(&mut self, buffer: &mut [u8]) -> Received {
        let c = self.raw();
        let Some(recv) = c.recv else { return Received::Error };
        // SAFETY: `recv` writes at most `len` bytes.
        match unsafe { recv(c, buffer.as_mut_ptr(), buffer.len()) } {
            0 => Received::Eof,
            n if n > 0 => Received::Bytes(n as usize),
            n if n == NGX_AGAIN as isize => Received::Again,
            _ => Received::Error,
        }
    }

    /// [`recv`](Self::recv) from what is no socket.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Received {
        match rustix::io::read(self.as_fd(), buffer) {
            Ok(0) => Received::Eof,
            Ok(n) => Received::Bytes(n),
            Err(Errno::AGAIN | Errno::INTR) => Received::Again,
            Err(_) => Received::Error,
        }
    }

    /// Whether a read may give something.
    pub(super) fn is_readable(&self) -> bool {
        // SAFETY: a connection has its events for as long as it lives.
        unsafe { (*self.get().read).ready() != 0 }
    }

    /// Whether the peer is known to have closed its side, behind what is still to be read.
    pub(super) fn peer_has_closed(&self) -> bool {
        // SAFETY: a connection has its events for as long as it lives.
        unsafe { (*self.get().read).pending_eof() != 0 }
    }

    /// Whether a send may take something.
    pub(super) fn is_writable(&self) -> bool {
        // SAFETY: a connection has its events for as long as it lives.
        unsafe { (*self.get().write).ready() != 0 }
    }

    /// Sends the slices, at most [`MAX_SLICES`], in one call; gives how many bytes were taken.
    pub(super) fn send(&mut self, slices: &[&[u8]]) -> Result<usize, Broken> {
        let mut buffers = [const { MaybeUninit::<ngx_buf_t>::uninit() }; MAX_SLICES];
        let mut links = [const { MaybeUninit::<ngx_chain_t>::uninit() }; MAX_SLICES];
        let mut next = ptr::null_mut();
        for ((slice, buffer), link) in slices.iter().zip(&mut buffers).zip(&mut links).rev() {
            let buf = buffer.write(buffer_of(slice));
            next = link.write(ngx_chain_t { buf, next });
        }
        if let Some(last) = buffers.get_mut(slices.len().wrapping_sub(1)) {
            // SAFETY: written above. TLS sends what it gathers when it comes to this.
            unsafe { last.assume_init_mut() }.set_flush(1);
        }
        let c = self.raw();
        let Some(send_chain) = c.send_chain else { return Err(Broken) };
        // SAFETY: the chain and what it points to outlive the call; nginx only reads the bytes.
        let rest = unsafe { send_chain(c, next, 0) };
        // NGX_CHAIN_ERROR
        if rest.addr() == usize::MAX {
            return Err(Broken);
        }
        // Not by `c.sent`, which does not count what TLS has taken and not sent yet.
        let taken = slices.iter().zip(&buffers).map(|(slice, buffer)| {
            // SAFETY: written above; nginx moves the position by what it takes.
            unsafe { buffer.assume_init_ref() }.pos.addr() - slice.as_ptr().addr()
        });
        Ok(taken.sum())
    }

    /// Sends what TLS has taken and not sent yet. Whether nothing is left.
    pub(super) fn flush(&mut self) -> Result<bool, Broken> {
        let c = self.raw();
        if !tls::has_buffered(c) {
            return Ok(true);
        }
        let Some(send_chain) = c.send_chain else { return Err(Broken) };
        // SAFETY: no chain means to send what is buffered.
        let rest = unsafe { send_chain(c, ptr::null_mut(), 0) };
        if rest.addr() == usize::MAX { Err(Broken) } else { Ok(!tls::has_buffered(self.raw())) }
    }

    /// Asks for an event when there is more to read than was read by other means than
    /// [`recv`](Self::recv).
    pub(super) fn wait_for_more(&mut self) -> Result<(), Broken> {
        // SAFETY: an open connection has its events.
        unsafe { (*self.raw().read).set_ready(0) };
        self.wait_readable()
    }

    /// Asks for an event when there is more to read.
    pub(super) fn wait_readable(&mut self) -> Result<(), Broken> {
        // SAFETY: an open connection's event.
        check(unsafe { ngx_handle_read_event(self.raw().read, 0) })
    }

    /// Asks for an event when more can be sent.
    pub(super) fn wait_writable(&mut self) -> Result<(), Broken> {
        // SAFETY: an open connection's event.
        check(unsafe { ngx_handle_write_event(self.raw().write, 0) })
    }

    /// Continues reading in the next turn of the event loop.
    pub(super) fn post_read(&mut self) {
        // SAFETY: closing a connection takes its events out of every queue.
        unsafe { event::post_next(self.raw().read) }
    }

    /// Sets the time of the next timeout of reading.
    pub(super) fn set_read_timer(&mut self, at: Instant) {
        // SAFETY: closing a connection disarms its timers.
        unsafe { event::set_timer(self.raw().read, at) }
    }

    /// Tells the peer that nothing more comes. Over TLS that is told when the connection is closed.
    pub(super) fn end_sending(&mut self) {
        if !tls::is_spoken(self.get()) {
            // A peer that is gone needs not be told.
            let _ = rustix::net::shutdown(self.as_fd(), rustix::net::Shutdown::Write);
        }
    }

    /// Clears the time of the next timeout of reading.
    pub(super) fn clear_read_timer(&mut self) {
        // SAFETY: an open connection has its events.
        unsafe { event::clear_timer(self.raw().read) }
    }

    /// Sets or clears the time by which the peer must have taken something.
    pub(super) fn set_write_timer(&mut self, at: Option<Instant>) {
        let event = self.raw().write;
        // SAFETY: closing a connection disarms its timers.
        unsafe {
            match at {
                Some(at) => event::set_timer(event, at),
                None => event::clear_timer(event),
            }
        }
    }

    /// Whether there is a time by which the peer must have taken something.
    pub(super) fn has_write_timer(&self) -> bool {
        // SAFETY: a connection has its events for as long as it lives.
        unsafe { (*self.get().write).timer_set() != 0 }
    }

    /// What log lines say is going on.
    pub(super) fn set_action(&mut self, action: &'static CStr) {
        // SAFETY: a connection has a log of its own.
        unsafe { (*self.raw().log).action = action.as_ptr().cast_mut() }
    }

    pub(super) fn log(&self, level: Level, text: fmt::Arguments<'_>) {
        // SAFETY: a connection has a log of its own.
        unsafe { log::write(self.get().log, level, 0, text) }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the connection is open until it is dropped.
        unsafe { BorrowedFd::borrow_raw(self.get().fd) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let c = self.raw();
        tls::shut_down(c);
        let pool = c.pool;
        // SAFETY: as ngx_stream_close_connection does; the pool holds nothing of ours.
        unsafe {
            ngx_close_connection(c);
            ngx_destroy_pool(pool);
        }
    }
}

fn buffer_of(slice: &[u8]) -> ngx_buf_t {
    // SAFETY: all-zero is an empty buffer (ngx_calloc_buf).
    let mut buffer: ngx_buf_t = unsafe { mem::zeroed() };
    let range = slice.as_ptr_range();
    buffer.pos = range.start.cast_mut();
    buffer.last = range.end.cast_mut();
    buffer.set_memory(1);
    buffer
}

fn check(code: ngx_int_t) -> Result<(), Broken> {
    if code == NGX_OK as ngx_int_t { Ok(()) } else { Err(Broken) }
}

/// The next of the numbers that nginx gives connections, for all of its workers.
pub(super) fn next_number() -> u64 {
    // SAFETY: in a worker nginx's counter is there, in memory that all of them share.
    unsafe { AtomicU64::from_ptr(ngx_connection_counter.cast()).fetch_add(1, Relaxed) }
}
