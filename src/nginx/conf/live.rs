//! Directives of live streams.

use std::time::Duration;

use super::core::CoreSettings;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter};
use super::{Block, settings};
use crate::live::{Bound, IdleLimits, LogLimits, Meta, StreamConfig};

settings! {
    /// Settings of live streams.
    LiveSettings {
        live: bool,
        meta: Meta,
        publish_takeover: bool,
        idle_timeout: Duration,
        drop_idle_publisher: Duration,
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
            limits: LogLimits { lag, ..limits },
        }
    }
}
