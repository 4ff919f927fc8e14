//! What a line of the access log may say.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::client::ClientInfo;
use crate::time::UnixMillis;

/// The values of one line.
pub struct Entry<'a> {
    /// What the client said when it connected; empty if it never did.
    pub client: &'a ClientInfo,
    /// nginx's number of the connection.
    pub connection: u64,
    /// The client's address as text; `unix:` of a unix socket.
    pub remote_addr: &'a str,
    /// The client's address; none of a unix socket.
    pub remote_ip: Option<IpAddr>,
    /// The client's port, if it is known.
    pub remote_port: Option<u16>,
    /// The first name of the server.
    pub server_name: &'a str,
    /// What the client has asked for.
    pub command: Command,
    /// The stream that it asked for last, without the query.
    pub name: &'a str,
    /// The query of the stream's name, without the `?`.
    pub args: &'a str,
    /// What went over the connection.
    pub usage: Usage,
    /// How long the session has lasted.
    pub duration: Duration,
    /// The time of the line.
    pub now: UnixMillis,
    /// The time of the line in the common log format, in local time.
    pub time_local: &'a [u8],
    /// The time of the line by ISO 8601, in local time.
    pub time_iso8601: &'a [u8],
    /// A random number of the session.
    pub request_id: u128,
    /// The process that serves the session.
    pub pid: u32,
    /// The name of the machine.
    pub hostname: &'a [u8],
    /// nginx's version.
    pub nginx_version: &'a [u8],
    /// The address that the client connected to. Asked for only where a format says it, as this
    /// and the next cost a system call.
    pub server_address: &'a dyn Fn() -> Option<SocketAddr>,
    /// What the system knows of a TCP connection.
    pub tcp_info: &'a dyn Fn() -> Option<TcpInfo>,
}

/// Which commands a client has sent; `NONE` if neither of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// `play`
    pub play: bool,
    /// `publish`
    pub publish: bool,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.play, self.publish) {
            (false, false) => "NONE",
            (true, false) => "PLAY",
            (false, true) => "PUBLISH",
            (true, true) => "PLAY+PUBLISH",
        })
    }
}

/// Bytes that went over a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// To the client.
    pub sent: u64,
    /// From the client.
    pub received: u64,
}

impl Usage {
    /// What came on top of `earlier`.
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(earlier.sent),
            received: self.received.saturating_sub(earlier.received),
        }
    }
}

/// What Linux tells of a TCP connection (`TCP_INFO`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// The time that a packet takes there and back, in microseconds.
    pub rtt: u32,
    /// How much that varies, in microseconds.
    pub rttvar: u32,
    /// The congestion window, in packets.
    pub snd_cwnd: u32,
    /// The receiver's window, in bytes.
    pub rcv_space: u32,
}
