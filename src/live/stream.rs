//! One live stream: the frame log, and the publisher that fills it, if there is one.

use std::sync::Arc;

use super::continuity::Continuity;
use super::frame_log::{FrameLog, LogLimits};
use super::metadata::Meta;
use super::pictures::Pictures;
use super::player::Player;
use super::publication::Publication;
use super::received::Received;
use super::send_window::SendWindow;
use crate::rtmp::Message;
use crate::rtmp::chunk::Framing;
use crate::stat::MediaFacts;
use crate::time::Instant;

/// How an application's live streams are passed on.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// How messages to players are cut into chunks.
    pub framing: Framing,
    /// What players get as metadata.
    pub meta: Meta,
    /// Over which time players' frames are gathered.
    pub send_window: SendWindow,
    /// The bounds of the frame log.
    pub limits: LogLimits,
    /// Whether audio and video share a chunk stream.
    pub interleave: bool,
    /// Whether new players wait for a keyframe, if none is kept.
    pub wait_key: bool,
    /// Whether new players get no audio before the first picture.
    pub wait_video: bool,
    /// Whether players are told of publishers by NetStream.Play.PublishNotify and UnpublishNotify.
    pub publish_notify: bool,
    /// Whether players are told of publishers by NetStream.Play.Start and Stop.
    pub play_restart: bool,
}

impl StreamConfig {
    /// What a stream is like that no directive says anything about.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            meta: Meta::default(),
            send_window: SendWindow::default(),
            limits: LogLimits::default(),
            interleave: false,
            wait_key: true,
            wait_video: false,
            publish_notify: false,
            play_restart: false,
        }
    }
}

/// Why a stream cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("already publishing")]
pub struct AlreadyPublishing;

/// A live stream. It outlives its publisher for as long as there are players that wait for the
/// next one.
///
/// Besides its [log](FrameLog) it holds the publisher's newest metadata and sequence headers, each
/// no larger than a message.
#[derive(Debug)]
pub struct Stream {
    config: Arc<StreamConfig>,
    log: FrameLog,
    continuity: Continuity,
    publication: Option<Publication>,
    timestamp: u32,
    received: Received,
}

impl Stream {
    /// A stream that nobody publishes yet.
    pub fn new(config: Arc<StreamConfig>) -> Self {
        let (log, received) = (FrameLog::new(config.limits, config.framing), Received::default());
        Self {
            config,
            log,
            continuity: Continuity::default(),
            publication: None,
            timestamp: 0,
            received,
        }
    }

    /// A publisher comes. Players learn of it by a Stream Begin.
    ///
    /// # Errors
    ///
    /// The stream has a publisher.
    pub fn publish(&mut self, now: Instant) -> Result<(), AlreadyPublishing> {
        if self.is_publishing() {
            return Err(AlreadyPublishing);
        }
        self.continuity = Continuity::default();
        self.publication = Some(Publication::begin(now, self.config.clone(), &mut self.log));
        Ok(())
    }

    /// Another publisher takes over from the one that the stream has. Players see the stream go on:
    /// its frames get timestamps that continue the old publisher's, from its first keyframe on.
    pub fn succeed(&mut self) {
        self.continuity.succeed();
    }

    /// The message as it is to be [pushed](Self::push) and packaged; `None` if it is not to be.
    pub fn retime(&mut self, message: Message) -> Option<Message> {
        self.continuity.retime(message)
    }

    /// The publisher leaves. Players learn of it by a Stream Dry, and new ones do not start from
    /// its frames.
    pub fn unpublish(&mut self) {
        if let Some(publication) = self.publication.take() {
            publication.end(&mut self.log);
        }
    }

    /// Takes a message of the publisher's, at `now`, and appends it to the log: serialised, once for
    /// all players, if there are any. Players get audio, video, and data that is in AMF0 and begins with its
    /// name, such as `onMetaData`; other messages are ignored, and so are all while there is no
    /// publisher.
    pub fn push(&mut self, now: Instant, message: Message) {
        if let Some(publication) = &mut self.publication {
            self.timestamp = message.timestamp;
            self.received.count(&message);
            publication.push(now, message, &mut self.log);
        }
    }

    /// A player, who starts from the log's entry point when there is one.
    pub fn play(&mut self) -> Player {
        self.log.begin_serving();
        Player::new(&self.log)
    }

    /// The last player has left.
    pub fn desert(&mut self) {
        self.log.end_serving();
    }

    /// The timestamp of the newest message.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// What has come of the stream.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// How the stream is coded, if it has a publisher.
    pub fn facts(&self) -> Option<MediaFacts> {
        self.publication.as_ref().map(Publication::facts)
    }

    /// The pictures of the stream's publisher, if it has one.
    pub fn pictures(&self) -> Option<&Pictures> {
        self.publication.as_ref().map(Publication::pictures)
    }

    /// When the stream's publisher last sent audio.
    pub fn last_audio(&self) -> Option<Instant> {
        self.publication.as_ref().and_then(Publication::last_audio)
    }

    /// How the stream is passed on.
    pub fn config(&self) -> &Arc<StreamConfig> {
        &self.config
    }

    /// The frames for players.
    pub fn log(&self) -> &FrameLog {
        &self.log
    }

    /// Whether the stream has a publisher.
    pub fn is_publishing(&self) -> bool {
        self.publication.is_some()
    }

    /// Since when the stream has had its publisher.
    pub fn published_since(&self) -> Option<Instant> {
        self.publication.as_ref().map(Publication::since)
    }
}
