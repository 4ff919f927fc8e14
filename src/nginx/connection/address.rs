//! The two addresses of a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;

use nginx_sys::{NGX_OK, ngx_connection_local_sockaddr, ngx_connection_t, ngx_int_t, sockaddr};
use rustix::net::getsockname;

use super::Connection;
use crate::nginx::conf::{Endpoint, Listener};

impl Connection {
    /// What the peer connected to.
    pub(in crate::nginx) fn endpoint(&mut self) -> Endpoint {
        // SAFETY: the connection is open, and nginx accepted it.
        unsafe { endpoint_of(self.raw()) }.clone()
    }

    /// The peer's address as nginx prints it, without the port.
    pub(in crate::nginx) fn client(&self) -> String {
        self.get().addr_text.to_string()
    }

    /// The peer's address; none of a unix socket.
    pub(in crate::nginx) fn client_ip(&self) -> Option<IpAddr> {
        // SAFETY: null of what nginx did not accept, else as large as its family says.
        unsafe { self.get().sockaddr.as_ref().and_then(|address| ip_of(address)) }
    }

    /// The peer's port; none of a unix socket.
    pub(in crate::nginx) fn client_port(&self) -> Option<u16> {
        let address = self.get().sockaddr;
        if address.is_null() {
            return None;
        }
        // SAFETY: it is as large as its family says.
        unsafe {
            match i32::from((*address).sa_family) {
                libc::AF_INET => {
                    Some(address.cast::<libc::sockaddr_in>().read_unaligned().sin_port)
                }
                libc::AF_INET6 => {
                    Some(address.cast::<libc::sockaddr_in6>().read_unaligned().sin6_port)
                }
                _ => None,
            }
        }
        .map(u16::from_be)
    }

    /// The address that the peer connected to; none of a unix socket.
    pub(in crate::nginx) fn server_address(&self) -> Option<SocketAddr> {
        getsockname(self).ok()?.try_into().ok()
    }
}

/// What the peer of a connection connected to.
///
/// # Safety
///
/// `c` is an open connection that nginx accepted for this module. The endpoint lives as long as its
/// cycle.
pub(in crate::nginx) unsafe fn endpoint_of<'a>(c: *mut ngx_connection_t) -> &'a Endpoint {
    // SAFETY: every socket with our handler has a listener in the cycle's pool, which outlives the
    // accepting.
    let listener = unsafe { &*(*(*c).listening).servers.cast::<Listener>() };
    // SAFETY: as above.
    listener.endpoint(|| unsafe { local_ip(c) })
}

/// The address the peer connected to.
///
/// # Safety
///
/// `c` is an open connection.
unsafe fn local_ip(c: *mut ngx_connection_t) -> Option<IpAddr> {
    // SAFETY: nginx fills in the connection's local address.
    unsafe {
        let found = ngx_connection_local_sockaddr(c, ptr::null_mut(), 0);
        if found == NGX_OK as ngx_int_t { ip_of((*c).local_sockaddr) } else { None }
    }
}

/// The IP address of a `sockaddr`; none for unix sockets.
///
/// # Safety
///
/// `address` points to a socket address as large as its family says.
pub(in crate::nginx) unsafe fn ip_of(address: *const sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise.
    unsafe {
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let address = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let address = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}
