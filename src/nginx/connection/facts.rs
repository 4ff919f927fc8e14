//! What is known of a connection, for logs.

use std::mem;

use super::Connection;
use crate::access_log::TcpInfo;
use crate::nginx::tls;
use crate::stat::{Protocol, TcpReport};

impl Connection {
    /// How many bytes the connection has taken.
    pub(in crate::nginx) fn bytes_sent(&self) -> u64 {
        self.get().sent.max(0) as u64
    }

    /// What is spoken on it.
    pub(in crate::nginx) fn protocol(&self) -> Protocol {
        if tls::is_spoken(self.get()) { Protocol::Rtmps } else { Protocol::Rtmp }
    }

    /// What the access log tells of a TCP connection.
    pub(in crate::nginx) fn tcp_info(&self) -> Option<TcpInfo> {
        self.raw_tcp_info().map(|info| TcpInfo {
            rtt: info.tcpi_rtt,
            rttvar: info.tcpi_rttvar,
            snd_cwnd: info.tcpi_snd_cwnd,
            rcv_space: info.tcpi_rcv_space,
        })
    }

    /// What is told of a TCP connection; two calls to the system.
    pub(in crate::nginx) fn tcp_report(&self) -> Option<TcpReport> {
        self.raw_tcp_info().map(|info| TcpReport {
            rtt: info.tcpi_rtt.into(),
            rtt_variance: info.tcpi_rttvar.into(),
            retransmissions: info.tcpi_total_retrans.into(),
            send_queue: self.send_queue(),
        })
    }

    /// Bytes that the system has of what was sent and not acknowledged: `SIOCOUTQ`, tcp(7).
    fn send_queue(&self) -> u64 {
        let mut queued: libc::c_int = 0;
        // SAFETY: the descriptor is open as long as the connection; the system writes an `int`.
        let got = unsafe { libc::ioctl(self.get().fd, libc::TIOCOUTQ, &raw mut queued) };
        if got == 0 { queued.max(0) as u64 } else { 0 }
    }

    /// What the system knows of a TCP connection.
    fn raw_tcp_info(&self) -> Option<libc::tcp_info> {
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
        (got == 0).then_some(info)
    }
}
