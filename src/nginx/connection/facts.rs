//! What is known of a connection, for logs.

use std::mem;

use super::Connection;
use crate::access_log::TcpInfo;

impl Connection {
    /// How many bytes the connection has taken.
    pub(in crate::nginx) fn bytes_sent(&self) -> u64 {
        self.get().sent.max(0) as u64
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
