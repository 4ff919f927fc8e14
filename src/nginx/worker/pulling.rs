//! What a worker does about the streams of others: pulls those that its players want, and feeds
//! others with its own.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{Shared, Worker};
use crate::live::{SessionId, StreamId, StreamKey};
use crate::nginx::cluster::Owner;
use crate::nginx::connection::Connection;
use crate::nginx::log::{self, Level};
use crate::nginx::peer::Peer;
use crate::nginx::pull::{self, PULL, Pull};
use crate::nginx::upstream::{Upstream, is_upstream};
use crate::nginx::{conf, event};

/// What is to be done about a stream.
enum Verdict {
    /// It is published here.
    NoPull,
    /// Nobody plays it here.
    Unwatched,
    /// It comes from where it is.
    Good,
    /// It is nowhere.
    Wait,
    PullFrom(Owner),
    /// It has come to be published elsewhere, and nobody plays it here.
    Displaced(SessionId),
}

impl Worker {
    /// Looks after the streams for which something has changed.
    pub(in crate::nginx) fn review(&mut self) {
        for session in self.shared.review.take_displaced() {
            self.finalize_displaced(session);
        }
        for stream in self.shared.review.take() {
            match self.verdict(stream) {
                Verdict::NoPull => self.drop_pull(stream),
                Verdict::Unwatched => {
                    self.drop_pull(stream);
                    self.shared.stop_pull(stream);
                }
                Verdict::Good => {}
                Verdict::Wait => {
                    self.end_broadcast(stream);
                    self.shared.start_pull(stream);
                    self.shared.review.post_later(stream);
                }
                Verdict::PullFrom(owner) => {
                    self.shared.stop_pull(stream);
                    self.pull(stream, owner);
                }
                Verdict::Displaced(session) => {
                    self.drop_pull(stream);
                    self.shared.displace(stream, session);
                }
            }
        }
    }

    /// Ends a session of this worker whose publisher's place another one has taken.
    fn finalize_displaced(&mut self, session: SessionId) {
        match is_upstream(session) {
            true => self.run_upstream(session, Upstream::close),
            false => self.run(session.0 as usize, Peer::displace),
        }
    }

    fn verdict(&self, stream: StreamId) -> Verdict {
        let Some(channel) = self.shared.streams.channel(stream) else { return Verdict::Unwatched };
        let owner = self.shared.cluster.as_ref().and_then(|cluster| cluster.owner(&channel.key));
        let publisher = channel.publisher.filter(|&publisher| publisher != PULL);
        match (owner, publisher, self.pulls.get(&stream)) {
            (None, Some(_), _) if channel.is_unwatched() => Verdict::Unwatched,
            (None, Some(_), _) => Verdict::NoPull,
            // What another worker's publisher has taken over goes on here, if anybody plays it.
            (Some(_), Some(publisher), _) if channel.is_unwatched() => {
                Verdict::Displaced(publisher)
            }
            (_, None, _) if channel.is_unwatched() => Verdict::Unwatched,
            (Some(owner), _, Some(pull)) if pull.owner() == owner => Verdict::Good,
            (Some(owner), ..) => Verdict::PullFrom(owner),
            // It ends by itself.
            (None, None, Some(_)) => Verdict::Good,
            (None, None, None) => Verdict::Wait,
        }
    }

    fn pull(&mut self, stream: StreamId, owner: Owner) {
        let Some(pull) = self.new_pull(stream, owner) else {
            return self.shared.review.post_later(stream);
        };
        // What comes from elsewhere now goes on where the old pull was.
        self.pulls.insert(stream, pull);
        self.succeed_publisher(stream);
    }

    /// Puts the stream's pull in the place of a publisher of this worker, which another one's has
    /// taken over from. It is told at once, though the other one may not send anything for a while.
    fn succeed_publisher(&mut self, stream: StreamId) {
        let Some(channel) = self.shared.streams.channel(stream) else { return };
        let (key, config) = (channel.key.clone(), channel.stream.config().clone());
        if channel.publisher.is_none_or(|publisher| publisher == PULL) {
            return;
        }
        let published = self.shared.streams.publish(event::now(), PULL, key, &config, true);
        if let Some(session) = published.ok().and_then(|published| published.displaced) {
            self.shared.displace(stream, session);
        }
    }

    fn new_pull(&mut self, stream: StreamId, owner: Owner) -> Option<Pull> {
        let key = self.shared.streams.channel(stream)?.key.clone();
        let (_, application) = conf::main()?.application(key.application)?;
        let config = Arc::clone(&application.stream);
        let descriptor = self.shared.cluster.as_ref()?.pull(owner, &key).ok()?;
        Pull::new(descriptor, owner, stream, key, config)
    }

    /// Ends the pull of the stream, if there is one.
    fn drop_pull(&mut self, stream: StreamId) {
        self.pulls.remove(&stream);
        if self.shared.streams.unpublish(stream, PULL) {
            self.shared.fanout.mark(stream);
        }
    }

    /// Runs an event of a pull, and ends the pull if that is what comes of it.
    pub(in crate::nginx) fn run_pull(
        &mut self,
        stream: StreamId,
        event: impl FnOnce(&mut Pull, &mut Shared) -> Result<(), pull::End>,
    ) {
        if let Some(pull) = self.pulls.get_mut(&stream)
            && let Err(end) = event(pull, &mut self.shared)
        {
            self.end_pull(stream, &end);
        }
    }

    /// A pull has come to its end; its players wait for the stream to come from elsewhere.
    pub(in crate::nginx) fn end_pull(&mut self, stream: StreamId, end: &pull::End) {
        let has_come = self.pulls.get(&stream).is_some_and(Pull::publishes);
        if let Some(channel) = self.shared.streams.channel(stream) {
            let mask = conf::log_mask(channel.key.application);
            let name = mask.name(&channel.key.name);
            log::cycle(Level::Info, format_args!("pull of stream \"{name}\" ended: {end}"));
        }
        self.drop_pull(stream);
        match has_come {
            true => self.shared.review.post(stream),
            false => self.shared.review.post_later(stream),
        }
    }

    /// Another worker has a new stream, or one that was this worker's.
    pub(in crate::nginx) fn on_published(&mut self, key: &StreamKey) {
        if let Some(stream) = self.shared.streams.find(key) {
            self.shared.review.post(stream);
        }
    }

    /// Another worker wants a stream of this one on the connection. If it is gone, so is the
    /// connection.
    pub(in crate::nginx) fn feed(&mut self, key: StreamKey, descriptor: OwnedFd) {
        if self.shared.streams.publisher(&key).is_none_or(|publisher| publisher == PULL) {
            return;
        }
        let Some((server, application)) =
            conf::main().and_then(|main| main.application(key.application))
        else {
            return;
        };
        let Some(connection) = Connection::adopt(descriptor, super::server::on_read) else {
            return;
        };
        let id = super::server::take_in(self, connection, |id, connection| {
            Peer::feed(id, connection, server, application)
        });
        self.run(id, |peer, shared| peer.start_feed(key, shared));
    }
}
