//! A client of a stream.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A client of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientReport {
    /// nginx's number of the connection.
    pub id: u64,
    /// The client's address.
    pub address: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// For how long it has been connected, in milliseconds.
    pub time: u64,
    /// `flashVer`.
    pub flash_ver: String,
    /// `pageUrl`.
    pub page_url: String,
    /// `swfUrl`.
    pub swf_url: String,
    /// Frames it did not get because it was too slow.
    pub dropped: u64,
    /// How far audio is ahead of video, in milliseconds.
    pub av_sync: i64,
    /// Where in the stream it is, in milliseconds.
    pub timestamp: u32,
    /// Whether it publishes.
    pub publishing: bool,
    /// Whether the stream goes on.
    pub active: bool,
    /// What it has sent to the server and got from it, in bytes.
    pub bytes_in: u64,
    /// See above.
    pub bytes_out: u64,
    /// How far a player of a live stream is behind it.
    pub lag: Option<Lag>,
    /// Bytes for this client alone, such as answers, that the system has not taken yet.
    pub outbox: u64,
    /// What the system knows of its connection; none of a unix socket.
    pub tcp: Option<TcpReport>,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RTMP.
    #[default]
    Rtmp,
    /// RTMP over TLS.
    Rtmps,
}

impl Protocol {
    /// Its name, as in URLs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
        }
    }
}

/// How far a player is behind the newest frame of its stream: what the server still has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lag {
    /// For how long the oldest of these frames has waited, in milliseconds.
    pub time: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Frames that are not sent, or in part only.
    pub frames: u64,
}

impl Lag {
    /// The frames that have waited for up to `time`.
    pub(crate) const fn new(time: Duration, bytes: u64, frames: u64) -> Self {
        Self { time: time.as_millis() as u64, bytes, frames }
    }
}

/// What the system knows of a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpReport {
    /// The smoothed round-trip time, in microseconds.
    pub rtt: u64,
    /// How much that varies, in microseconds.
    pub rtt_variance: u64,
    /// Segments that were sent again, since the connection was made.
    pub retransmissions: u64,
    /// Bytes that the system has for the client and has no acknowledgement of yet.
    pub send_queue: u64,
}
