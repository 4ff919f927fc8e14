//! Directives of the protocol: timers, sizes and limits of a server's sessions.

use std::time::Duration;

use super::directive::{Directive, EVERYWHERE, MAIN, SERVER, Setter};
use super::{listen, settings};
use crate::rtmp::chunk::Framing;
use crate::rtmp::session::SessionConfig;

settings! {
    /// Settings of the protocol.
    CoreSettings {
        timeout: Duration,
        send_timeout: Duration,
        tcp_nodelay: bool,
        ping: Duration,
        ping_timeout: Duration,
        max_streams: u32,
        ack_window: u32,
        chunk_size: u32,
        max_message: usize,
        out_queue: usize,
        busy: bool,
        play_time_fix: bool,
        publish_time_fix: bool,
        buflen: Duration,
    }
}

/// The longest message there is: its length has 24 bits (RTMP 1.0, 5.3.1.2.1).
const LONGEST_MESSAGE: usize = 0xff_ffff;

/// Largest chunk size that is accepted either way, as in the C module.
const MAX_CHUNK_SIZE: u32 = 10_485_760;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"listen", SERVER, Setter::Arguments(listen::set_listen)),
    Directive::new(
        c"so_keepalive",
        MAIN | SERVER,
        Setter::Unused("use the so_keepalive parameter of \"listen\""),
    ),
    Directive::new(c"timeout", MAIN | SERVER, Setter::Time(|s| &mut s.core.timeout)),
    Directive::new(c"send_timeout", EVERYWHERE, Setter::Time(|s| &mut s.core.send_timeout)),
    Directive::new(c"tcp_nodelay", EVERYWHERE, Setter::Flag(|s| &mut s.core.tcp_nodelay)),
    Directive::new(
        c"tcp_nopush",
        EVERYWHERE,
        Setter::Unused("messages are gathered into whole packets already"),
    ),
    Directive::new(
        c"send_lowat",
        EVERYWHERE,
        Setter::Unused("the system has no such mark for what is sent"),
    ),
    Directive::new(
        c"connection_pool_size",
        MAIN | SERVER,
        Setter::Unused("a connection takes the memory it needs"),
    ),
    Directive::new(
        c"resolver",
        EVERYWHERE,
        Setter::UnusedMany("names are looked up by the system's resolver"),
    ),
    Directive::new(
        c"resolver_timeout",
        EVERYWHERE,
        Setter::Unused("names are looked up by the system's resolver"),
    ),
    Directive::new(
        c"merge_slashes",
        MAIN | SERVER,
        Setter::Unused("names are taken as clients send them"),
    ),
    Directive::new(c"ping", MAIN | SERVER, Setter::TimeOrOff(|s| &mut s.core.ping)),
    Directive::new(c"ping_timeout", MAIN | SERVER, Setter::Time(|s| &mut s.core.ping_timeout)),
    // Chunk streams 2 to 7 are those that common encoders and players use.
    Directive::new(
        c"max_streams",
        MAIN | SERVER,
        Setter::Number(|s| &mut s.core.max_streams, 8..=65_600),
    ),
    Directive::new(
        c"ack_window",
        MAIN | SERVER,
        Setter::Number(|s| &mut s.core.ack_window, 1..=u32::MAX),
    ),
    Directive::new(
        c"chunk_size",
        MAIN | SERVER,
        Setter::Number(|s| &mut s.core.chunk_size, 128..=MAX_CHUNK_SIZE),
    ),
    Directive::new(
        c"max_message",
        MAIN | SERVER,
        Setter::Size(|s| &mut s.core.max_message, 1..=u32::MAX as usize),
    ),
    Directive::new(
        c"out_queue",
        MAIN | SERVER,
        Setter::Size(|s| &mut s.core.out_queue, 1..=1_048_576),
    ),
    Directive::new(
        c"out_cork",
        MAIN | SERVER,
        Setter::Unused("messages are gathered into one send per turn of the event loop"),
    ),
    Directive::new(c"busy", MAIN | SERVER, Setter::Flag(|s| &mut s.core.busy)),
    Directive::new(c"play_time_fix", EVERYWHERE, Setter::Flag(|s| &mut s.core.play_time_fix)),
    Directive::new(c"publish_time_fix", EVERYWHERE, Setter::Flag(|s| &mut s.core.publish_time_fix)),
    Directive::new(c"buflen", MAIN | SERVER, Setter::TimeOrOff(|s| &mut s.core.buflen)),
];

impl CoreSettings {
    /// How long a peer may take none of what we send.
    pub(super) fn send_timeout(&self) -> Duration {
        self.send_timeout.unwrap_or_else(|| self.session_config().timeout)
    }

    /// Whether small writes are sent at once.
    pub(super) fn tcp_nodelay(&self) -> bool {
        self.tcp_nodelay.unwrap_or(true)
    }

    /// How many messages a player may lag behind before it skips to a keyframe.
    pub(super) fn out_queue(&self) -> usize {
        self.out_queue.unwrap_or(256)
    }

    /// How messages to players are cut into chunks.
    pub(super) fn framing(&self) -> Framing {
        let session = self.session_config();
        Framing { chunk_size: session.chunk_size, repeat_extended_timestamp: session.play_time_fix }
    }

    pub(super) fn session_config(&self) -> SessionConfig {
        let default = SessionConfig::default();
        SessionConfig {
            timeout: self.timeout.unwrap_or(default.timeout),
            ping: self.ping.unwrap_or(default.ping),
            ping_timeout: self.ping_timeout.unwrap_or(default.ping_timeout),
            max_streams: self.max_streams.unwrap_or(default.max_streams),
            ack_window: self.ack_window.unwrap_or(default.ack_window),
            chunk_size: self.chunk_size.unwrap_or(default.chunk_size),
            max_message: self.max_message.map_or(default.max_message, |n| n.min(LONGEST_MESSAGE)),
            play_time_fix: self.play_time_fix.unwrap_or(default.play_time_fix),
            publish_time_fix: self.publish_time_fix.unwrap_or(default.publish_time_fix),
            busy: self.busy.unwrap_or(default.busy),
            buflen: self.buflen.unwrap_or(default.buflen),
        }
    }
}
