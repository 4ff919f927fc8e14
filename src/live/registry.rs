//! The live streams of one worker.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::ops::AddAssign;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::player::Player;
use super::send_window::SMALL_AUDIENCE;
use super::stream::{AlreadyPublishing, Stream, StreamConfig};
use crate::time::Instant;

/// A session, as the owner of the sessions numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// An application, by a number that stays the same from one configuration to the next and from one
/// process to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(pub u64);

impl ApplicationId {
    /// The application `name` of the server that is known by `server`.
    pub fn new(server: &str, name: &str) -> Self {
        // A part of a cryptographic digest, as no two applications may have the same.
        let digest = Sha256::new().chain_update(server).chain_update([0]).chain_update(name);
        let bytes = digest.finalize();
        Self(bytes.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

/// A stream in a [`Registry`]. Never reused, so an old one is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What a stream is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// The application it is published to.
    pub application: ApplicationId,
    /// Its name, without arguments.
    pub name: String,
}

/// A stream that has been published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The stream.
    pub stream: StreamId,
    /// The session that was its publisher up to now.
    pub displaced: Option<SessionId>,
}

/// A stream, its publisher and its players.
#[derive(Debug)]
pub struct Channel {
    /// What the channel is found by.
    pub key: StreamKey,
    /// The stream.
    pub stream: Stream,
    /// The session that publishes the stream.
    pub publisher: Option<SessionId>,
    /// The sessions that play the stream, or wait for it.
    pub players: BTreeMap<SessionId, Player>,
    /// Those of the players that pass the stream on, and must not add to its delay.
    pub relays: BTreeSet<SessionId>,
    /// What was sent to clients that have left.
    pub left: Sent,
    /// All frames before this position have been offered to all players, or are being so.
    offered: u64,
}

/// What players were sent, and what they were too slow for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that were sent.
    pub bytes: u64,
    /// Frames that were sent.
    pub frames: u64,
    /// Frames that were not.
    pub skipped: u64,
}

impl Sent {
    /// What one player was sent.
    pub fn of(player: &Player) -> Self {
        Self {
            bytes: player.bytes_sent(),
            frames: player.frames_sent(),
            skipped: player.skipped_frames(),
        }
    }
}

impl AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.frames += other.frames;
        self.skipped += other.skipped;
    }
}

impl Channel {
    /// Whether what is new since the last call must not wait to be sent: few play the stream, or a
    /// keyframe came, or the publisher left.
    pub fn take_urgency(&mut self) -> bool {
        let log = self.stream.log();
        let offered = mem::replace(&mut self.offered, log.end());
        let has_keyframe =
            log.starts_at_keyframe() && log.entry().is_some_and(|it| it.position >= offered);
        has_keyframe || !self.stream.is_publishing() || self.players.len() <= SMALL_AUDIENCE
    }

    /// Whether nobody plays the stream.
    pub fn is_unwatched(&self) -> bool {
        self.players.is_empty()
    }
}

/// The streams of one worker. A stream exists while it has a publisher or a player.
///
/// A session keeps the id that [`publish`](Self::publish) or [`play`](Self::play) returned, and
/// gives it back with [`unpublish`](Self::unpublish) or [`stop`](Self::stop). A session may play
/// and publish at the same time, but have one player in a stream.
#[derive(Debug, Default)]
pub struct Registry {
    ids: HashMap<StreamKey, StreamId>,
    channels: BTreeMap<StreamId, Channel>,
    next_id: u64,
}

impl Registry {
    /// No streams.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream's channel, while it exists.
    pub fn channel(&self, id: StreamId) -> Option<&Channel> {
        self.channels.get(&id)
    }

    /// The stream's channel, while it exists.
    pub fn channel_mut(&mut self, id: StreamId) -> Option<&mut Channel> {
        self.channels.get_mut(&id)
    }

    /// All channels, in the order of their creation.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// All channels, each with its stream.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, &Channel)> {
        self.channels.iter().map(|(&id, channel)| (id, channel))
    }

    /// The streams from `first` on, in the order of their creation.
    pub fn streams_from(&self, first: StreamId) -> impl Iterator<Item = (StreamId, &Channel)> {
        self.channels.range(first..).map(|(&id, channel)| (id, channel))
    }

    /// The stream that `key` names, if it exists.
    pub fn find(&self, key: &StreamKey) -> Option<StreamId> {
        self.ids.get(key).copied()
    }

    /// The publisher of the stream that `key` names, if it has one.
    pub fn publisher(&self, key: &StreamKey) -> Option<SessionId> {
        self.find(key).and_then(|stream| self.channel(stream)?.publisher)
    }

    /// Makes `session` the publisher of the stream that `key` names. A stream that does not exist
    /// yet is passed on as `config` says. With `take_over` it goes on from the publisher that it
    /// has, if it has one.
    ///
    /// # Errors
    ///
    /// The stream has a publisher, and `take_over` is not set.
    pub fn publish(
        &mut self,
        now: Instant,
        session: SessionId,
        key: StreamKey,
        config: &Arc<StreamConfig>,
        take_over: bool,
    ) -> Result<Published, AlreadyPublishing> {
        let (stream, channel) = self.find_or_create(key, config);
        match channel.publisher {
            Some(_) if take_over => channel.stream.succeed(),
            _ => channel.stream.publish(now)?,
        }
        Ok(Published { stream, displaced: channel.publisher.replace(session) })
    }

    /// Makes `session` a player of the stream that `key` names, from the stream's entry point on.
    /// A stream that does not exist yet is passed on as `config` says.
    pub fn play(
        &mut self,
        session: SessionId,
        key: StreamKey,
        config: &Arc<StreamConfig>,
    ) -> StreamId {
        let (id, channel) = self.find_or_create(key, config);
        channel.players.insert(session, channel.stream.play());
        id
    }

    /// `session` leaves the stream, if it is its publisher still. Whether it was.
    pub fn unpublish(&mut self, id: StreamId, session: SessionId) -> bool {
        let Some(channel) = self.channels.get_mut(&id) else { return false };
        if channel.publisher != Some(session) {
            return false;
        }
        channel.stream.unpublish();
        channel.publisher = None;
        self.remove_if_deserted(id);
        true
    }

    /// The player of `session` leaves the stream.
    pub fn stop(&mut self, id: StreamId, session: SessionId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.players.remove(&session);
            channel.relays.remove(&session);
            if channel.is_unwatched() {
                channel.stream.desert();
            }
            self.remove_if_deserted(id);
        }
    }

    fn find_or_create(
        &mut self,
        key: StreamKey,
        config: &Arc<StreamConfig>,
    ) -> (StreamId, &mut Channel) {
        let id = *self.ids.entry(key.clone()).or_insert_with(|| {
            self.next_id += 1;
            StreamId(self.next_id)
        });
        let channel = self.channels.entry(id).or_insert_with(|| Channel {
            key,
            stream: Stream::new(config.clone()),
            publisher: None,
            players: BTreeMap::new(),
            relays: BTreeSet::new(),
            left: Sent::default(),
            offered: 0,
        });
        (id, channel)
    }

    fn remove_if_deserted(&mut self, id: StreamId) {
        let deserted =
            |channel: &Channel| channel.publisher.is_none() && channel.players.is_empty();
        if self.channels.get(&id).is_some_and(deserted)
            && let Some(channel) = self.channels.remove(&id)
        {
            self.ids.remove(&channel.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::chunk::Framing;

    const NOW: Instant = Instant::from_millis(5);
    const PUBLISHER: SessionId = SessionId(1);
    const PLAYER: SessionId = SessionId(2);

    fn config() -> Arc<StreamConfig> {
        let framing = Framing { chunk_size: 4096, repeat_extended_timestamp: true };
        Arc::new(StreamConfig::new(framing))
    }

    fn key(application: u64, name: &str) -> StreamKey {
        StreamKey { application: ApplicationId(application), name: name.to_owned() }
    }

    #[test]
    fn a_stream_exists_while_it_has_a_publisher_or_a_player() {
        let (mut registry, config) = (Registry::new(), config());
        for publisher_leaves_first in [true, false] {
            let id = registry.play(PLAYER, key(0, "a"), &config);
            let published = registry.publish(NOW, PUBLISHER, key(0, "a"), &config, false);
            assert_eq!(published, Ok(Published { stream: id, displaced: None }));
            assert_eq!(registry.find(&key(0, "a")), Some(id));
            let channel = registry.channel(id).unwrap();
            assert_eq!(channel.publisher, Some(PUBLISHER));
            assert_eq!(channel.stream.published_since(), Some(NOW));
            assert!(channel.players.contains_key(&PLAYER));

            if publisher_leaves_first {
                registry.unpublish(id, PUBLISHER);
                assert!(!registry.channel(id).unwrap().stream.is_publishing());
                registry.stop(id, PLAYER);
            } else {
                registry.stop(id, PLAYER);
                assert!(registry.channel(id).unwrap().stream.is_publishing());
                registry.unpublish(id, PUBLISHER);
            }
            assert!(registry.channel(id).is_none());
            assert_eq!(registry.find(&key(0, "a")), None);
            assert_eq!(registry.channels().count(), 0);
            registry.unpublish(id, PUBLISHER);
            registry.stop(id, PLAYER);
        }
    }

    #[test]
    fn a_second_publisher_is_refused_and_changes_nothing() {
        let (mut registry, config) = (Registry::new(), config());
        let id = registry.publish(NOW, PUBLISHER, key(0, "a"), &config, false).unwrap().stream;
        let second = registry.publish(NOW, PLAYER, key(0, "a"), &config, false);
        assert_eq!(second, Err(AlreadyPublishing));
        assert_eq!(registry.channel(id).unwrap().publisher, Some(PUBLISHER));
    }

    #[test]
    fn a_second_publisher_may_take_over() {
        let (mut registry, config) = (Registry::new(), config());
        let stream = registry.publish(NOW, PUBLISHER, key(0, "a"), &config, true).unwrap().stream;
        let second = registry.publish(NOW, PLAYER, key(0, "a"), &config, true);
        assert_eq!(second, Ok(Published { stream, displaced: Some(PUBLISHER) }));
        assert!(!registry.unpublish(stream, PUBLISHER), "it is not the publisher any more");
        assert!(registry.channel(stream).unwrap().stream.is_publishing());
        assert!(registry.unpublish(stream, PLAYER));
        assert!(registry.channel(stream).is_none());
    }

    #[test]
    fn streams_are_told_apart_by_application_and_name() {
        let (mut registry, config) = (Registry::new(), config());
        let keys = [key(0, "a"), key(0, "b"), key(1, "a")];
        let ids = keys.clone().map(|key| registry.play(PLAYER, key, &config));
        assert_eq!(
            registry.channels().map(|channel| &channel.key).collect::<Vec<_>>(),
            [&keys[0], &keys[1], &keys[2]]
        );
        registry.stop(ids[0], PLAYER);
        let again = registry.play(PLAYER, keys[0].clone(), &config);
        assert!(!ids.contains(&again), "ids are not reused");
    }
}
