//! Who is sent what, and when.

use super::Worker;
use crate::live::{Channel, Player, SessionId, StreamId, Turn};
use crate::nginx::event;
use crate::nginx::peer::End;
use crate::nginx::upstream::{self, Upstream, is_upstream};

impl Worker {
    /// Offers players what their streams got in this turn of the event loop, or has them wait for
    /// their turns in the stream's `send_window`.
    pub(in crate::nginx) fn fan_out(&mut self) {
        for stream in self.shared.fanout.take() {
            let Some(channel) = self.shared.streams.channel_mut(stream) else { continue };
            let (players, has_relays) = (channel.players.len(), !channel.relays.is_empty());
            let is_urgent = channel.take_urgency();
            let setting = channel.stream.config().send_window;
            if self.shared.fanout.pace.count(event::now(), players) {
                self.update_pace();
            }
            let window = self.shared.fanout.pace.window(setting);
            if is_urgent || window.is_zero() {
                self.shared.fanout.gathering.release(stream);
                self.offer(stream, Audience::All);
            } else {
                self.shared.fanout.gathering.hold(event::now(), stream, window);
                if has_relays {
                    self.offer(stream, Audience::Relays);
                }
            }
        }
        self.shared.fanout.wait_for_turn();
    }

    /// Offers players what their streams got since they had their last turns.
    pub(in crate::nginx) fn give_turns(&mut self) {
        for (stream, turn) in self.shared.fanout.gathering.take_turns(event::now()) {
            self.offer(stream, Audience::Turn(turn));
        }
        self.shared.fanout.wait_for_turn();
    }

    fn update_pace(&mut self) {
        let live = self.shared.streams.channels().filter(|it| it.stream.is_publishing());
        let players = live.map(|channel| channel.players.len()).sum();
        self.shared.fanout.pace.update(event::now(), players);
    }

    /// Offers the stream's frames to some of its players.
    fn offer(&mut self, stream: StreamId, audience: Audience) {
        self.feed_viewers(stream);
        let Self { peers, upstreams, shared, .. } = self;
        let Some(channel) = shared.streams.channel_mut(stream) else { return };
        let Channel { stream, players, relays, .. } = channel;
        let mut ended: Vec<(usize, End)> = Vec::new();
        let mut ended_upstreams: Vec<(SessionId, upstream::End)> = Vec::new();
        let mut offer = |session: SessionId, player: &mut Player| {
            if is_upstream(session) {
                let Some(upstream) = upstreams.get_mut(&session) else { return };
                if !stream.is_publishing() {
                    upstream.on_publisher_left();
                }
                if let Err(end) = upstream.send(Some((player, stream.log()))) {
                    ended_upstreams.push((session, end));
                }
                return;
            }
            let id = session.0 as usize;
            let Some(peer) = peers.get_mut(id) else { return };
            if !stream.is_publishing() {
                peer.on_publisher_left();
            }
            if let Err(end) = peer.send(Some((player, stream.log()))) {
                ended.push((id, end));
            }
        };
        match audience {
            Audience::All => players.iter_mut().for_each(|(&session, it)| offer(session, it)),
            Audience::Turn(turn) => {
                let chosen = players.iter_mut().filter(|(session, _)| turn.is_of(**session));
                chosen.for_each(|(&session, it)| offer(session, it));
            }
            Audience::Relays => {
                for session in relays.iter() {
                    players.get_mut(session).into_iter().for_each(|it| offer(*session, it));
                }
            }
        }
        for (id, end) in ended {
            self.finalize(id, &end);
        }
        for (id, end) in ended_upstreams {
            match end {
                upstream::End::PublisherLeft => self.run_upstream(id, Upstream::close),
                end => self.finalize_upstream(id, &end),
            }
        }
    }
}

/// Which players of a stream are offered something.
#[derive(Clone, Copy)]
enum Audience {
    All,
    /// Those that have their turn.
    Turn(Turn),
    /// Those that pass the stream on.
    Relays,
}
