//! What is known of a connection, for logs.

use std::mem;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::net::getsockname;

use super::Connection;
use crate::access_log::TcpInfo;

impl Connection {
    /// How many bytes the connection has taken.
    pub(in crate::nginx) fn bytes_sent(&self) -> u64 {
        self.get().sent.max(0) as u64
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
        // SAFETY: the descriptor is open as long as the connection.
        let socket = unsafe { BorrowedFd::borrow_raw(self.get().fd) };
        getsockname(socket).ok()?.try_into().ok()
    }

    /// What the system knows of a TCP connection.
    pub(in crate::nginx) fn tcp_info(&self) -> Option<TcpInfo> {
        // SAFETY: all-zero is a `tcp_info`.
        let mut info: libc::tcp_info = unsafe { mem::zeroed() };
        let mut size = size_of_val(&info) as libc::socklen_t;
        // SAFETY: the system writes at most `size` bytes.
        let got = unsafe {
            libc::getsockopt(
                self.get().fd,
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &raw mut size,
            )
        };
        (got == 0).then_some(TcpInfo {
            rtt: info.tcpi_rtt,
            rttvar: info.tcpi_rttvar,
            snd_cwnd: info.tcpi_snd_cwnd,
            rcv_space: info.tcpi_rcv_space,
        })
    }
}
