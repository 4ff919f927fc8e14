//! Directives of live streams.

use std::time::Duration;

use super::core::CoreSettings;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter};
use super::{Block, settings};
use crate::live::{Bound, IdleLimits, LogLimits, Meta, SendWindow, StreamConfig};

settings! {
    /// Settings of live streams.
    LiveSettings {
        live: bool,
        meta: Meta,
        publish_takeover: bool,
        idle_timeout: Duration,
        drop_idle_publisher: Duration,
        send_window: SendWindow,
    }
}

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"live", EVERYWHERE, Setter::Flag(|s| &mut s.live.live)),
    Directive::new(c"publish_takeover", EVERYWHERE, Setter::Flag(|s| &mut s.live.publish_takeover)),
    Directive::new(c"idle_timeout", EVERYWHERE, Setter::TimeOrOff(|s| &mut s.live.idle_timeout)),
    Directive::new(
        c"drop_idle_publisher",
        EVERYWHERE,
        Setter::TimeOrOff(|s| &mut s.live.drop_idle_publisher),
    ),
    Directive::new(c"send_window", EVERYWHERE, Setter::Argument(set_send_window)),
    Directive::new(c"meta", EVERYWHERE, Setter::Argument(set_meta)),
];

fn set_meta(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let meta = match conf.text(1)? {
        "on" => Meta::On,
        "off" => Meta::Off,
        "copy" => Meta::Copy,
        other => {
            return Err(format!(
                "has the invalid value \"{other}\", it must be \"on\", \"off\" or \"copy\""
            )
            .into());
        }
    };
    match block.settings.live.meta.replace(meta) {
        None => Ok(()),
        Some(_) => Err(Failure::duplicate()),
    }
}

/// Longest `send_window`: what is gathered longer makes hardly fewer system calls.
const MAX_SEND_WINDOW: Duration = Duration::from_millis(350);

/// `send_window auto|0|TIME`; a bare number is milliseconds.
fn set_send_window(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let text = conf.text(1)?;
    let millis = text.strip_suffix("ms").unwrap_or(text).parse().map(Duration::from_millis);
    let window = match (text, millis) {
        ("auto", _) => SendWindow::Auto,
        (_, Ok(window)) if window <= MAX_SEND_WINDOW => SendWindow::Fixed(window),
        _ => {
            return Err(format!(
                "has the invalid value \"{text}\", it must be \"auto\" or a number of milliseconds \
                 from 0 to {}",
                MAX_SEND_WINDOW.as_millis()
            )
            .into());
        }
    };
    match block.settings.live.send_window.replace(window) {
        None => Ok(()),
        Some(_) => Err(Failure::duplicate()),
    }
}

impl LiveSettings {
    pub(super) fn is_on(&self) -> bool {
        self.live.unwrap_or(false)
    }

    pub(super) fn idle_limits(&self) -> IdleLimits {
        IdleLimits {
            idle_timeout: self.idle_timeout.unwrap_or_default(),
            drop_idle_publisher: self.drop_idle_publisher.unwrap_or_default(),
        }
    }

    pub(super) fn stream_config(&self, core: &CoreSettings) -> StreamConfig {
        let limits = LogLimits::default();
        let lag = Bound { frames: core.out_queue(), ..limits.lag };
        StreamConfig {
            framing: core.framing(),
            meta: self.meta.unwrap_or(Meta::On),
            send_window: self.send_window.unwrap_or_default(),
            limits: LogLimits { lag, ..limits },
        }
    }
}
