//! What a session sends: answers and, to a player, frames.

use std::time::Duration;

use super::super::sending::{self, Progress};
use super::super::worker::Shared;
use super::{End, Peer, Role};
use crate::live::{Channel, FrameLog, Player};

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

    /// Sends answers and, to a player, frames.
    pub(in crate::nginx) fn send(
        &mut self,
        player: Option<(&mut Player, &FrameLog)>,
    ) -> Result<(), End> {
        let timeout = self.send_timeout();
        match sending::send(&mut self.connection, &mut self.outbox, player, timeout)? {
            Progress::AllSent if self.closing => Err(End::Closed),
            Progress::AllSent | Progress::Waiting => Ok(()),
            Progress::Unread => Err(End::Unread),
        }
    }

    fn send_timeout(&self) -> Duration {
        let of_server = self.endpoint.server.send_timeout;
        self.application.as_ref().map_or(of_server, |application| application.send_timeout)
    }
}
