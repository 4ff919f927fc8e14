//! A stream's frames on their way to the server that it is pushed to.

use super::{Closing, End, Role, Upstream};
use crate::live::{Channel, FrameLog, Player};
use crate::nginx::log::Level;
use crate::nginx::sending::{self, Progress};
use crate::nginx::worker::Shared;
use crate::relay::{Forwarded, Forwarding};
use crate::rtmp::session::Output;

/// Bytes that wait to be sent, past which the next frames stay in the log, where a server that is too
/// slow for the stream skips some.
const WINDOW: usize = 64 << 10;

impl Upstream {
    /// Becomes a player of the stream: what players get is what the server gets.
    pub(super) fn push(&mut self, stream_id: u32, shared: &mut Shared) -> Result<(), End> {
        let key = self.local.key();
        if shared.streams.publisher(&key).is_none() {
            return self.close(shared);
        }
        let config = &self.local.application.stream;
        let forwarding = Box::new(Forwarding::new(stream_id, config.framing.chunk_size));
        let stream = shared.streams.play(self.id, key, config);
        if let Some(channel) = shared.streams.channel_mut(stream) {
            channel.relays.insert(self.id);
        }
        self.role = Role::Player { stream, forwarding };
        self.connection.log(Level::Info, format_args!("pushing"));
        shared.relay_succeeded(self.relay);
        Ok(())
    }

    /// Sends what there is for the server.
    pub(super) fn flush(&mut self, shared: &mut Shared) -> Result<(), End> {
        let channel = match self.role {
            Role::Player { stream, .. } => shared.streams.channel_mut(stream),
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

    /// Sends answers and, when pushing, frames.
    pub(in crate::nginx) fn send(
        &mut self,
        mut player: Option<(&mut Player, &FrameLog)>,
    ) -> Result<(), End> {
        let timeout = self.local.application.send_timeout;
        loop {
            let has_more = player.as_mut().is_some_and(|(player, log)| self.take(player, log));
            match sending::send(&mut self.connection, &mut self.outbox, None, timeout)? {
                Progress::AllSent if has_more => {}
                Progress::AllSent if self.closing == Closing::Sending => {
                    self.linger();
                    return Ok(());
                }
                Progress::AllSent if self.ends && matches!(self.role, Role::Player { .. }) => {
                    return Err(End::PublisherLeft);
                }
                Progress::AllSent | Progress::Waiting => return Ok(()),
                Progress::Unread => return Err(End::Unread),
            }
        }
    }

    /// Takes frames out of the log while there is room for them; whether there may be more.
    fn take(&mut self, player: &mut Player, log: &FrameLog) -> bool {
        let Role::Player { forwarding, .. } = &mut self.role else { return false };
        while self.outbox.len() < WINDOW {
            let Some((kind, chunks)) = player.take(log) else { return false };
            match forwarding.forward(kind, chunks) {
                Forwarded::Nothing => {}
                Forwarded::AsItIs => self.outbox.push_media(chunks.clone()),
                Forwarded::Anew(messages) => {
                    messages.iter().for_each(|message| self.client.send(message));
                    if let Output::Send(bytes) = self.client.poll_output() {
                        self.outbox.push_media(bytes);
                    }
                }
            }
        }
        true
    }
}
