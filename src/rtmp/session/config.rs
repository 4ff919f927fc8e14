//! What the core directives of an RTMP server set.

use std::time::Duration;

use crate::rtmp::chunk::ReaderConfig;

/// The settings of a session; each field but the last is the directive of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// By when a peer has to have sent its `connect` command.
    pub timeout: Duration,
    /// How long a peer may be silent before it gets a ping; zero for ever.
    pub ping: Duration,
    /// How long a peer may stay silent after a ping.
    pub ping_timeout: Duration,
    /// The first chunk stream id that a peer may not use.
    pub max_streams: u32,
    /// How many bytes may be sent before they are acknowledged, in either direction.
    pub ack_window: u32,
    /// The size of outgoing chunks, in bytes; 1 to 10485760.
    pub chunk_size: u32,
    /// The largest incoming message, in bytes.
    pub max_message: usize,
    /// Whether outgoing continuation chunks repeat an extended timestamp.
    pub play_time_fix: bool,
    /// Whether incoming continuation chunks are expected to repeat an extended timestamp.
    pub publish_time_fix: bool,
    /// Whether a peer that is silent for `ping` is dropped instead of pinged.
    pub busy: bool,
    /// How much a player is taken to buffer until it says so.
    pub buflen: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            ping: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(30),
            max_streams: 32,
            ack_window: 5_000_000,
            chunk_size: 4096,
            max_message: 1024 * 1024,
            play_time_fix: true,
            publish_time_fix: true,
            busy: false,
            buflen: Duration::from_secs(1),
        }
    }
}

impl SessionConfig {
    pub(super) const fn reader(&self) -> ReaderConfig {
        ReaderConfig {
            max_message: self.max_message,
            max_streams: self.max_streams,
            fix_extended_timestamp: self.publish_time_fix,
        }
    }
}
