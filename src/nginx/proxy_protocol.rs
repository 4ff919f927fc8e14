//! The PROXY protocol in front of RTMP: who the client is, said by a load balancer.

use nginx_sys::{NGX_PROXY_PROTOCOL_MAX_HEADER, ngx_proxy_protocol_read};

use super::connection::{Connection, Received};

/// What reading the header gave.
pub(super) enum Header {
    /// The header is read. The client's address, if the header tells one.
    Client(Option<String>),
    /// It has not come yet.
    Again,
    /// There is none, or it is broken; nginx has logged which.
    Invalid,
}

/// Reads the header, version 1 or 2, and leaves what follows it.
pub(super) fn read(connection: &mut Connection) -> Header {
    let mut buffer = [0_u8; NGX_PROXY_PROTOCOL_MAX_HEADER as usize];
    let c = connection.raw();
    // The header has no length up front, so it is looked at before its part is taken.
    // SAFETY: the buffer has that length.
    let peeked =
        unsafe { libc::recv(c.fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_PEEK) };
    if peeked < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock {
        // SAFETY: an open connection has its events.
        unsafe { (*c.read).set_ready(0) };
        return Header::Again;
    }
    let Some(peeked @ 1..) = usize::try_from(peeked).ok() else {
        return Header::Invalid;
    };
    let start = buffer.as_mut_ptr();
    // SAFETY: the first `peeked` bytes of the buffer are set.
    let end = unsafe { ngx_proxy_protocol_read(c, start, start.add(peeked)) };
    if end.is_null() {
        return Header::Invalid;
    }
    let length = end.addr() - start.addr();
    // SAFETY: null or set by ngx_proxy_protocol_read.
    let client = unsafe { c.proxy_protocol.as_ref() }
        .map(|header| header.src_addr.to_string())
        .filter(|address| !address.is_empty());
    match connection.recv(&mut buffer[..length]) {
        Received::Bytes(n) if n == length => Header::Client(client),
        _ => Header::Invalid,
    }
}
