//! The PROXY protocol in front of RTMP: who the client is, said by a load balancer.

use std::io::{Error, ErrorKind};

use nginx_sys::ngx_proxy_protocol_read;

use super::connection::{Connection, Received};
use crate::proxy_protocol::{Extent, MAX_BINARY};

/// Reads the header, version 1 or 2, in however many pieces it comes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reader {
    /// What has come of it.
    held: Vec<u8>,
}

/// What reading the header gave.
pub(super) enum Header {
    /// The header is read. The client's address, if the header tells one.
    Client(Option<String>),
    /// It has not come yet, or not all of it.
    Again,
    /// There is none, or it is broken; nginx has logged which.
    Invalid,
}

impl Reader {
    /// Reads on, and leaves what follows the header.
    pub(super) fn read(&mut self, connection: &mut Connection) -> Header {
        let mut buffer = [0_u8; MAX_BINARY];
        loop {
            let held = self.held.len();
            buffer[..held].copy_from_slice(&self.held);
            // The header has no length up front, so it is looked at before its part is taken.
            let end = match peek(connection, &mut buffer[held..]) {
                Received::Bytes(peeked) => held + peeked,
                Received::Again => return Header::Again,
                Received::Eof | Received::Error => return Header::Invalid,
            };
            if Extent::of(&buffer[..end]) != Extent::Part {
                return parse(connection, &mut buffer[..end], held);
            }
            // Taken, as else a level-triggered event would come for it again at once.
            if connection.recv(&mut buffer[held..end]) != Received::Bytes(end - held) {
                return Header::Invalid;
            }
            self.held = buffer[..end].to_vec();
        }
    }
}

/// What can be read, without taking it.
fn peek(connection: &mut Connection, buffer: &mut [u8]) -> Received {
    let c = connection.raw();
    // SAFETY: the buffer has that length.
    let peeked =
        unsafe { libc::recv(c.fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_PEEK) };
    match usize::try_from(peeked) {
        Ok(0) => Received::Eof,
        Ok(peeked) => Received::Bytes(peeked),
        Err(_) if Error::last_os_error().kind() == ErrorKind::WouldBlock => {
            // SAFETY: an open connection has its events.
            unsafe { (*c.read).set_ready(0) };
            Received::Again
        }
        Err(_) => Received::Error,
    }
}

/// Parses a header that is whole, or none, and takes what of it is not `held` already.
fn parse(connection: &mut Connection, bytes: &mut [u8], held: usize) -> Header {
    let (start, end) = (bytes.as_mut_ptr(), bytes.as_mut_ptr_range().end);
    let c = connection.raw();
    // SAFETY: nginx reads these bytes only, and logs what is wrong with them.
    let rest = unsafe { ngx_proxy_protocol_read(c, start, end) };
    if rest.is_null() {
        return Header::Invalid;
    }
    let length = rest.addr() - start.addr();
    // SAFETY: null or set by ngx_proxy_protocol_read.
    let client = unsafe { c.proxy_protocol.as_ref() }
        .map(|header| header.src_addr.to_string())
        .filter(|address| !address.is_empty());
    let Some(new @ 1..) = length.checked_sub(held) else { return Header::Invalid };
    match connection.recv(&mut bytes[held..length]) {
        Received::Bytes(n) if n == new => Header::Client(client),
        _ => Header::Invalid,
    }
}
