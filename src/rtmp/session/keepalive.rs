//! Finding out whether a silent peer is alive.

use std::time::Duration;

use crate::rtmp::{Error, Limit};
use crate::time::Instant;

/// Asks for a ping when nothing was received for a while, and gives up when nothing comes back.
///
/// Anything received is a sign of life, not just a Ping Response: a publisher busy sending may take
/// long to answer.
#[derive(Debug)]
pub(super) struct Keepalive {
    ping: Duration,
    ping_timeout: Duration,
    busy: bool,
    heard: Instant,
    pinged: Option<Instant>,
}

impl Keepalive {
    /// A zero `ping` turns it off.
    pub(super) const fn new(
        ping: Duration,
        ping_timeout: Duration,
        busy: bool,
        now: Instant,
    ) -> Self {
        Self { ping, ping_timeout, busy, heard: now, pinged: None }
    }

    /// Something was received.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.pinged {
            _ if self.ping.is_zero() => None,
            Some(pinged) => Some(pinged + self.ping_timeout),
            None => Some(self.heard + self.ping),
        }
    }

    /// Whether a Ping Request has to be sent now.
    ///
    /// # Errors
    ///
    /// [`Limit::PingTimeout`] when the last one brought no sign of life, [`Limit::Busy`] instead of
    /// a ping when every peer must be sending.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<bool, Error> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(false);
        }
        if self.pinged.is_some() {
            return Err(Limit::PingTimeout(self.ping_timeout).into());
        }
        if self.busy {
            return Err(Limit::Busy(self.ping).into());
        }
        self.pinged = Some(now);
        Ok(true)
    }
}
