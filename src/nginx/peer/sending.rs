//! What a session sends: answers and, to a player, frames.

use std::iter;
use std::time::Duration;

use super::super::connection::MAX_SLICES;
use super::super::event;
use super::super::worker::Shared;
use super::{End, Peer, Role};
use crate::live::{Channel, FrameLog, Player};

/// Bytes of answers that may wait for a peer that does not read them.
const MAX_UNREAD: usize = 256 << 10;

impl Peer {
    /// Sends what there is for the peer.
    pub(super) fn flush(&mut self, shared: &mut Shared) -> Result<(), End> {
        let channel = match self.role {
            Role::Player { stream } => shared.streams.channel_mut(stream),
            _ => None,
        };
        match channel {
            Some(Channel { players, stream, .. }) => {
                let id = self.id;
                self.send(players.get_mut(&id).map(|player| (player, stream.log())))
            }
            None => self.send(None),
        }
    }

    /// Sends answers and, to a player, frames: everything there is, in as few calls as there can
    /// be, until the connection takes no more.
    pub(in crate::nginx) fn send(
        &mut self,
        mut player: Option<(&mut Player, &FrameLog)>,
    ) -> Result<(), End> {
        let mut progress = false;
        while self.connection.is_writable() {
            let player = player.as_mut().map(|(player, log)| (&mut **player, *log));
            match self.send_batch(player)? {
                Batch::Empty if self.connection.flush()? => return self.all_sent(),
                Batch::Empty => {}
                Batch::Sent { any } => progress |= any,
            }
        }
        if self.outbox.len() > MAX_UNREAD {
            return Err(End::Unread);
        }
        if progress || !self.connection.has_write_timer() {
            let at = event::now() + self.send_timeout();
            self.connection.set_write_timer(Some(at));
        }
        Ok(self.connection.wait_writable()?)
    }

    fn send_timeout(&self) -> Duration {
        let of_server = self.endpoint.server.send_timeout;
        self.application.as_ref().map_or(of_server, |application| application.send_timeout)
    }

    /// One gathered send.
    fn send_batch(&mut self, player: Option<(&mut Player, &FrameLog)>) -> Result<Batch, End> {
        // As after each message of a publisher.
        if player.is_none() && self.outbox.len() == 0 {
            return Ok(Batch::Empty);
        }
        let partial = player.as_ref().map_or(&[][..], |(player, _)| player.partial());
        let frames = player.as_ref().map(|(player, log)| player.gather(log));
        let mut slices: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
        let mut filled = 0;
        let due = iter::once(partial)
            .filter(|partial| !partial.is_empty())
            .chain(self.outbox.slices())
            .chain(frames.into_iter().flatten());
        for (slot, slice) in slices.iter_mut().zip(due) {
            *slot = slice;
            filled += 1;
        }
        let finished = partial.len();
        let sent = if filled == 0 { 0 } else { self.connection.send(&slices[..filled])? };
        let answers = sent.saturating_sub(finished).min(self.outbox.len());
        self.outbox.advance(answers);
        if let Some((player, log)) = player {
            player.advance(log, sent - answers);
        }
        Ok(if filled == 0 { Batch::Empty } else { Batch::Sent { any: sent > 0 } })
    }

    fn all_sent(&mut self) -> Result<(), End> {
        self.connection.set_write_timer(None);
        if self.closing { Err(End::Closed) } else { Ok(()) }
    }
}

/// What one gathered send did.
enum Batch {
    /// There was nothing to send.
    Empty,
    Sent {
        any: bool,
    },
}
