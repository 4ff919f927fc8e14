//! Directives of live streams.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::core::CoreSettings;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter, set_once};
use super::{Block, settings};
use crate::live::{GopLimits, IdleLimits, LagLimits, LogLimits, Meta, SendWindow, StreamConfig};

settings! {
    /// Settings of live streams.
    LiveSettings {
        live: bool,
        meta: Meta,
        publish_takeover: bool,
        idle_timeout: Duration,
        drop_idle_publisher: Duration,
        send_window: SendWindow,
        gop_cache: bool,
        gop_max_frame_count: usize,
        gop_max_video_count: usize,
        gop_max_audio_count: usize,
        gop_max_size: usize,
        max_lag: Duration,
        interleave: bool,
        wait_key: bool,
        wait_video: bool,
        publish_notify: bool,
        play_restart: bool,
        idle_streams: bool,
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
    Directive::new(c"gop_cache", EVERYWHERE, Setter::Flag(|s| &mut s.live.gop_cache)),
    Directive::new(
        c"gop_max_frame_count",
        EVERYWHERE,
        Setter::Size(|s| &mut s.live.gop_max_frame_count, COUNT),
    ),
    Directive::new(
        c"gop_max_video_count",
        EVERYWHERE,
        Setter::Size(|s| &mut s.live.gop_max_video_count, COUNT),
    ),
    Directive::new(
        c"gop_max_audio_count",
        EVERYWHERE,
        Setter::Size(|s| &mut s.live.gop_max_audio_count, COUNT),
    ),
    Directive::new(
        c"gop_max_size",
        EVERYWHERE,
        Setter::Size(|s| &mut s.live.gop_max_size, 1..=u32::MAX as usize),
    ),
    Directive::new(c"max_lag", EVERYWHERE, Setter::TimeOrOff(|s| &mut s.live.max_lag)),
    Directive::new(c"interleave", EVERYWHERE, Setter::Flag(|s| &mut s.live.interleave)),
    Directive::new(c"wait_key", EVERYWHERE, Setter::Flag(|s| &mut s.live.wait_key)),
    Directive::new(c"wait_video", EVERYWHERE, Setter::Flag(|s| &mut s.live.wait_video)),
    Directive::new(c"publish_notify", EVERYWHERE, Setter::Flag(|s| &mut s.live.publish_notify)),
    Directive::new(c"play_restart", EVERYWHERE, Setter::Flag(|s| &mut s.live.play_restart)),
    Directive::new(c"idle_streams", EVERYWHERE, Setter::Flag(|s| &mut s.live.idle_streams)),
    Directive::new(
        c"stream_buckets",
        EVERYWHERE,
        Setter::Unused("streams are found in a table that grows"),
    ),
    Directive::new(
        c"buffer",
        EVERYWHERE,
        Setter::Unused("\"send_window\" says how long messages are gathered"),
    ),
    Directive::new(
        c"sync",
        EVERYWHERE,
        Setter::Unused("every message has an absolute timestamp, so nothing gets out of step"),
    ),
    Directive::new(c"meta", EVERYWHERE, Setter::Argument(set_meta)),
];

/// How many frames of a kind a group of pictures may be limited to.
const COUNT: RangeInclusive<usize> = 1..=1_048_576;

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
    set_once(&mut block.settings.live.meta, meta)
}

/// Longest `send_window`: what is gathered longer makes hardly fewer system calls.
const MAX_SEND_WINDOW: Duration = Duration::from_millis(350);

/// The shortest `out_queue`, in messages, with which anything is gathered: more than come in the
/// longest window at 60 pictures a second.
const MIN_GATHERED: usize = 64;

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
    set_once(&mut block.settings.live.send_window, window)
}

impl LiveSettings {
    pub(super) fn is_on(&self) -> bool {
        self.live.unwrap_or(false)
    }

    /// Whether a stream may have players and no publisher.
    pub(super) fn idle_streams(&self) -> bool {
        self.idle_streams.unwrap_or(true)
    }

    pub(super) fn idle_limits(&self) -> IdleLimits {
        IdleLimits {
            idle_timeout: self.idle_timeout.unwrap_or_default(),
            drop_idle_publisher: self.drop_idle_publisher.unwrap_or_default(),
        }
    }

    pub(super) fn stream_config(&self, core: &CoreSettings) -> StreamConfig {
        let default = StreamConfig::new(core.framing());
        StreamConfig {
            framing: default.framing,
            meta: self.meta.unwrap_or(default.meta),
            send_window: self.send_window(core),
            limits: LogLimits { lag: self.lag_limits(core), gop: self.gop_limits() },
            interleave: self.interleave.unwrap_or(default.interleave),
            wait_key: self.wait_key.unwrap_or(default.wait_key),
            wait_video: self.wait_video.unwrap_or(default.wait_video),
            publish_notify: self.publish_notify.unwrap_or(default.publish_notify),
            play_restart: self.play_restart.unwrap_or(default.play_restart),
        }
    }

    /// What is gathered must fit the queue, or it would look as if players lagged.
    fn send_window(&self, core: &CoreSettings) -> SendWindow {
        match core.out_queue() {
            ..MIN_GATHERED => SendWindow::Fixed(Duration::ZERO),
            _ => self.send_window.unwrap_or_default(),
        }
    }

    fn lag_limits(&self, core: &CoreSettings) -> LagLimits {
        let default = LogLimits::default().lag;
        LagLimits { frames: core.out_queue(), age: self.max_lag.unwrap_or(default.age), ..default }
    }

    /// None if `gop_cache` is off.
    fn gop_limits(&self) -> Option<GopLimits> {
        let default = GopLimits::default();
        self.gop_cache.unwrap_or(true).then(|| GopLimits {
            frames: self.gop_max_frame_count.unwrap_or(default.frames),
            video: self.gop_max_video_count.unwrap_or(default.video),
            audio: self.gop_max_audio_count.unwrap_or(default.audio),
            bytes: self.gop_max_size.unwrap_or(default.bytes),
        })
    }
}
