//! From a publisher's messages to frames: what they are to players, serialised once for all.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::frame::{Content, FrameKind};
use super::frame_log::FrameLog;
use super::metadata::{self, Metadata};
use super::pictures::Pictures;
use super::stream::StreamConfig;
use crate::flv::{self, AudioKind, VideoKind};
use crate::rtmp::chunk::csid;
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::session::STREAM_ID;
use crate::rtmp::{Message, MessageType, play_status};
use crate::stat::MediaFacts;
use crate::time::Instant;

/// How many audio frames may come with no video between them before a new player of a stream that
/// has video, but no keyframe to start from, starts with audio alone: some 3 s of AAC.
const MAX_AUDIO_RUN: u32 = 128;

/// When metadata is said to be of: always the beginning. ffmpeg takes metadata with any other time
/// for a track of subtitles.
const METADATA_TIMESTAMP: u32 = 0;

/// What one publisher sends, from its coming to its leaving.
#[derive(Debug)]
pub(super) struct Publication {
    config: Arc<StreamConfig>,
    since: Instant,
    /// When the newest message came.
    now: Instant,
    metadata: Metadata,
    /// The payloads of the sequence headers in force.
    audio_header: Option<Bytes>,
    video_header: Option<Bytes>,
    has_video: bool,
    pictures: Pictures,
    /// When the newest audio frame came.
    last_audio: Option<Instant>,
    /// The audio messages since the last video message.
    audio_run: u32,
}

impl Publication {
    /// The publisher has come.
    pub(super) fn begin(now: Instant, config: Arc<StreamConfig>, log: &mut FrameLog) -> Self {
        let publication = Self {
            since: now,
            now,
            metadata: Metadata::new(config.meta),
            config,
            audio_header: None,
            video_header: None,
            has_video: false,
            pictures: Pictures::default(),
            last_audio: None,
            audio_run: 0,
        };
        let statuses = [
            ("NetStream.Play.Start", "Start live."),
            ("NetStream.Play.PublishNotify", "Start publishing."),
        ];
        let event = UserControl::StreamBegin(STREAM_ID);
        publication.append_event(FrameKind::Begin, event, statuses, log);
        publication
    }

    /// The publisher has left.
    pub(super) fn end(self, log: &mut FrameLog) {
        log.forget_entry();
        let statuses = [
            ("NetStream.Play.Stop", "Stop live."),
            ("NetStream.Play.UnpublishNotify", "Stop publishing."),
        ];
        self.append_event(FrameKind::Dry, UserControl::StreamDry(STREAM_ID), statuses, log);
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    pub(super) fn last_audio(&self) -> Option<Instant> {
        self.last_audio
    }

    pub(super) fn facts(&self) -> MediaFacts {
        let properties = self.metadata.properties();
        MediaFacts::new(self.video_header.as_ref(), self.audio_header.as_ref(), &properties)
    }

    /// Appends `message` to the log, if it is for players.
    pub(super) fn push(&mut self, now: Instant, message: Message, log: &mut FrameLog) {
        self.now = now;
        match message.kind {
            MessageType::Audio => self.push_audio(message, log),
            MessageType::Video => self.push_video(message, log),
            MessageType::DataAmf0 if metadata::is_metadata(&message.payload) => {
                let changed = self.metadata.publish(&message.payload);
                self.append_metadata(changed, log);
            }
            MessageType::DataAmf0 => self.append(FrameKind::Data, message, log),
            _ => {}
        }
    }

    fn push_audio(&mut self, message: Message, log: &mut FrameLog) {
        self.audio_run = self.audio_run.saturating_add(1);
        let kind = flv::audio_kind(&message.payload);
        if kind == AudioKind::Frame {
            self.last_audio = Some(self.now);
        }
        match kind {
            AudioKind::SequenceHeader => self.push_header(message, log),
            AudioKind::Frame if self.starts_with_audio(log) => {
                self.append_entry(FrameKind::Audio, message, log);
            }
            AudioKind::Frame if self.starts_anywhere(log) && !self.config.wait_video => {
                self.append_edge(FrameKind::Audio, message, log);
            }
            AudioKind::Frame | AudioKind::Other => self.append(FrameKind::Audio, message, log),
        }
    }

    fn push_video(&mut self, message: Message, log: &mut FrameLog) {
        self.has_video = true;
        self.audio_run = 0;
        let kind = flv::video_kind(&message.payload);
        match kind {
            VideoKind::Keyframe => self.pictures.count_keyframe(message.timestamp, self.now),
            VideoKind::Inter => self.pictures.count_inter(),
            VideoKind::SequenceHeader | VideoKind::Other => {}
        }
        match kind {
            VideoKind::SequenceHeader => self.push_header(message, log),
            VideoKind::Keyframe => self.append_entry(FrameKind::Keyframe, message, log),
            VideoKind::Inter if self.starts_anywhere(log) => {
                self.append_edge(FrameKind::Inter, message, log);
            }
            VideoKind::Inter | VideoKind::Other => self.append(FrameKind::Inter, message, log),
        }
    }

    /// Appends a sequence header, unless it is the one in force: encoders repeat theirs, some before
    /// every keyframe, and players would set up their decoders anew each time.
    fn push_header(&mut self, message: Message, log: &mut FrameLog) {
        let header = match message.kind {
            MessageType::Audio => &mut self.audio_header,
            _ => &mut self.video_header,
        };
        if header.as_ref() == Some(&message.payload) {
            return;
        }
        *header = Some(message.payload.clone());
        let changed = self.metadata.set_header(&message);
        self.append_metadata(changed, log);
        self.append(FrameKind::Header, message, log);
    }

    /// Whether a new player may start from an audio frame: the stream has no video, or has had none
    /// for a while and no keyframe to start from.
    fn starts_with_audio(&self, log: &FrameLog) -> bool {
        let expects_video = self.has_video || self.metadata.promises_video();
        let gave_up = !expects_video || self.audio_run > MAX_AUDIO_RUN;
        gave_up && !self.config.wait_video && !log.starts_at_keyframe()
    }

    /// Whether a new player may start from any frame: it must not wait for a keyframe, and none is
    /// kept.
    fn starts_anywhere(&self, log: &FrameLog) -> bool {
        let is_kept = self.config.limits.gop.is_some() && log.starts_at_keyframe();
        !self.config.wait_key && !is_kept
    }

    fn append_metadata(&self, changed: Option<Bytes>, log: &mut FrameLog) {
        if let Some(payload) = changed {
            let (kind, timestamp) = (MessageType::DataAmf0, METADATA_TIMESTAMP);
            let message = Message { kind, timestamp, stream_id: STREAM_ID, payload };
            log.append(self.now, FrameKind::Header, self.content(message));
        }
    }

    fn append(&self, kind: FrameKind, message: Message, log: &mut FrameLog) {
        log.append(self.now, kind, self.content(message));
    }

    fn append_entry(&self, kind: FrameKind, message: Message, log: &mut FrameLog) {
        let preamble = self.preamble(message.timestamp);
        log.append_entry(self.now, kind, self.content(message), preamble);
    }

    fn append_edge(&self, kind: FrameKind, message: Message, log: &mut FrameLog) {
        let preamble = self.preamble(message.timestamp);
        log.append_edge(self.now, kind, self.content(message), preamble);
    }

    /// Appends what players are told when a publisher comes or leaves; of the two statuses, code
    /// and description, the one for `play_restart` comes first, that for `publish_notify` second.
    fn append_event(
        &self,
        kind: FrameKind,
        event: UserControl,
        statuses: [(&str, &str); 2],
        log: &mut FrameLog,
    ) {
        let mut chunks = BytesMut::new();
        let framing = self.config.framing;
        framing.encode(csid::CONTROL, &Control::User(event).to_message(), &mut chunks);
        let wanted = [self.config.play_restart, self.config.publish_notify];
        for ((code, description), _) in statuses.into_iter().zip(wanted).filter(|(_, it)| *it) {
            framing.encode(csid::COMMAND, &play_status(code, description), &mut chunks);
        }
        log.append(self.now, kind, chunks.freeze());
    }

    /// Metadata and sequence headers in force. The headers are stamped with the time of the frame
    /// that follows them: their own may be hours old, and players take a leap in time for an error.
    fn preamble(&self, timestamp: u32) -> Bytes {
        let headers = [
            (MessageType::DataAmf0, METADATA_TIMESTAMP, self.metadata.payload()),
            (MessageType::Video, timestamp, self.video_header.as_ref()),
            (MessageType::Audio, timestamp, self.audio_header.as_ref()),
        ];
        let mut chunks = BytesMut::new();
        for (kind, timestamp, payload) in headers {
            if let Some(payload) = payload.cloned() {
                let message = Message { kind, timestamp, stream_id: STREAM_ID, payload };
                self.config.framing.encode(self.csid(kind), &message, &mut chunks);
            }
        }
        chunks.freeze()
    }

    /// A message as players get it.
    fn content(&self, message: Message) -> Content {
        let message = Message { stream_id: STREAM_ID, ..message };
        Content::Message { csid: self.csid(message.kind), message }
    }

    fn csid(&self, kind: MessageType) -> u32 {
        match kind {
            MessageType::Audio if !self.config.interleave => csid::AUDIO,
            MessageType::Audio | MessageType::Video => csid::VIDEO,
            _ => csid::DATA,
        }
    }
}
