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
    Directive { name: c"listen", levels: SERVER, setter: Setter::Arguments(listen::set_listen) },
    Directive {
        name: c"so_keepalive",
        levels: MAIN | SERVER,
        setter: Setter::Unused("use the so_keepalive parameter of \"listen\""),
    },
    Directive {
        name: c"timeout",
        levels: MAIN | SERVER,
        setter: Setter::Time(|settings| &mut settings.core.timeout),
    },
    Directive {
        name: c"ping",
        levels: MAIN | SERVER,
        setter: Setter::Time(|settings| &mut settings.core.ping),
    },
    Directive {
        name: c"ping_timeout",
        levels: MAIN | SERVER,
        setter: Setter::Time(|settings| &mut settings.core.ping_timeout),
    },
    Directive {
        name: c"max_streams",
        levels: MAIN | SERVER,
        // Chunk streams 2 to 7 are those that common encoders and players use.
        setter: Setter::Number(|settings| &mut settings.core.max_streams, 8..=65_600),
    },
    Directive {
        name: c"ack_window",
        levels: MAIN | SERVER,
        setter: Setter::Number(|settings| &mut settings.core.ack_window, 1..=u32::MAX),
    },
    Directive {
        name: c"chunk_size",
        levels: MAIN | SERVER,
        setter: Setter::Number(|settings| &mut settings.core.chunk_size, 128..=MAX_CHUNK_SIZE),
    },
    Directive {
        name: c"max_message",
        levels: MAIN | SERVER,
        setter: Setter::Size(|settings| &mut settings.core.max_message, 1..=usize::MAX),
    },
    Directive {
        name: c"out_queue",
        levels: MAIN | SERVER,
        setter: Setter::Size(|settings| &mut settings.core.out_queue, 1..=1_048_576),
    },
    Directive {
        name: c"out_cork",
        levels: MAIN | SERVER,
        setter: Setter::Unused("messages are gathered into one send per turn of the event loop"),
    },
    Directive {
        name: c"busy",
        levels: MAIN | SERVER,
        setter: Setter::Flag(|settings| &mut settings.core.busy),
    },
    Directive {
        name: c"play_time_fix",
        levels: EVERYWHERE,
        setter: Setter::Flag(|settings| &mut settings.core.play_time_fix),
    },
    Directive {
        name: c"publish_time_fix",
        levels: EVERYWHERE,
        setter: Setter::Flag(|settings| &mut settings.core.publish_time_fix),
    },
    Directive {
        name: c"buflen",
        levels: MAIN | SERVER,
        setter: Setter::Time(|settings| &mut settings.core.buflen),
    },
];

impl CoreSettings {
    /// How long a peer may take for a handshake, or to take what we send.
    pub(super) fn timeout(&self) -> Duration {
        self.session_config().timeout
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
