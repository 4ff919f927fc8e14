//! A live stream as an endless fragmented MP4, for those who watch it over HTTP.
//!
//! It is made once, for whatever number of viewers, and only while there are any: a [`LiveMp4`] plays
//! the stream like any player, and keeps a [`FrameLog`] of what it makes. In that log a header is an
//! initialisation segment, and each frame a fragment; a viewer is a [`Player`] of it. So viewers start
//! from the last keyframe, share the bytes, and skip to the newest keyframe if they are too slow, as the
//! stream's players do.
//!
//! ```text
//!  FrameLog of the stream ── Player ──> Demuxer ──> FileWriter ──> FrameLog of fragments
//!                                                                     ^       ^
//!                                                                  viewer   viewer
//! ```

mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::fmp4::{FileWriter, Output, Piece, Purpose};
use crate::live::{FrameKind, FrameLog, Player, Stream, StreamConfig};
use crate::media::{self, Container, Demuxer, MediaEvent, PerTrack, TrackKind, Tracks};
use crate::rtmp::chunk::csid;
use crate::rtmp::control::Control;
use crate::rtmp::{self, Feed, Message};
use crate::time::{Instant, Ticks};

pub use url::stream_of;

/// How long a stream has been there that has sent something of each track that it has.
const SETTLED: Duration = Duration::from_secs(1);

/// One stream, as its viewers get it.
pub struct LiveMp4 {
    feed: Feed,
    maker: Maker,
    /// Whether anything has been taken of the stream.
    has_begun: bool,
}

impl LiveMp4 {
    /// For viewers of `stream`, whose bounds hold for them too.
    ///
    /// # Errors
    ///
    /// None, unless the stream's configuration is of no use.
    pub fn new(stream: &Stream) -> Result<Self, rtmp::Error> {
        let (config, mut feed) = (stream.config(), Feed::default());
        let mut chunk_size = BytesMut::new();
        let announcement = Control::SetChunkSize(config.framing.chunk_size).to_message();
        config.framing.encode(csid::CONTROL, &announcement, &mut chunk_size);
        feed.handle_input(&chunk_size, |_| ())?;
        Ok(Self { feed, maker: Maker::new(config), has_begun: false })
    }

    /// Takes all that `player` lacks, which plays `stream`.
    ///
    /// # Errors
    ///
    /// The stream's own frames are malformed.
    pub fn take(
        &mut self,
        now: Instant,
        player: &mut Player,
        stream: &Stream,
    ) -> Result<(), rtmp::Error> {
        let Self { feed, maker, has_begun } = self;
        maker.out.now = now;
        while let Some((_, chunks)) = player.take(stream.log()) {
            feed.handle_input(chunks, |message| maker.push(&message))?;
        }
        if !*has_begun && maker.start.is_some() {
            *has_begun = true;
            maker.catch_up(stream);
        }
        Ok(())
    }

    /// The stream has ended: there is nothing to wait for.
    pub fn finish(&mut self) {
        self.maker.writer.finish(&mut self.maker.out);
    }

    /// The initialisation segment and fragments.
    pub fn log(&self) -> &FrameLog {
        &self.maker.out.log
    }

    /// What the viewers get, with its `codecs` (RFC 6381), once that is known. When it changes, it goes
    /// on as another response.
    pub fn media_type(&self) -> Option<&Arc<str>> {
        self.maker.media_type.as_ref()
    }

    /// Why there is nothing for viewers, if that has a reason.
    pub fn obstacle(&self) -> Option<media::Error> {
        let has_tracks = self.maker.writer.tracks().lead().is_some();
        self.maker.obstacle.filter(|_| !has_tracks)
    }
}

/// Makes the fragments.
struct Maker {
    demuxer: Demuxer,
    writer: FileWriter,
    out: Fragments,
    media_type: Option<Arc<str>>,
    /// When the first access unit is decoded, in the stream's time.
    start: Option<Ticks>,
    /// Whether video is left out until it can be decoded.
    needs_keyframe: bool,
    obstacle: Option<media::Error>,
}

impl Maker {
    fn new(config: &StreamConfig) -> Self {
        let expected = PerTrack { video: true, audio: true };
        Self {
            demuxer: Demuxer::new(Container::Mp4),
            writer: FileWriter::new(expected, Purpose::Live),
            out: Fragments::new(config),
            media_type: None,
            start: None,
            needs_keyframe: true,
            obstacle: None,
        }
    }

    fn push(&mut self, message: &Message) {
        use media::Error::{UnsupportedAudio, UnsupportedVideo};

        // What any other error is about is left out.
        if let Err(error @ (UnsupportedVideo(_) | UnsupportedAudio(_))) = self.demuxer.push(message)
        {
            self.obstacle = Some(error);
        }
        while let Some(event) = self.demuxer.poll_event() {
            self.push_event(event);
        }
        self.describe();
    }

    fn push_event(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Config(config) => {
                let event = MediaEvent::Config(config);
                if self.writer.push(event.clone(), &mut self.out).is_err() {
                    self.begin_anew();
                    // A file that has not begun takes any.
                    let _ = self.writer.push(event, &mut self.out);
                }
            }
            MediaEvent::Unit(mut unit) => {
                if unit.track == TrackKind::Video {
                    self.needs_keyframe &= !unit.keyframe;
                    if self.needs_keyframe {
                        return;
                    }
                }
                let start = *self.start.get_or_insert(unit.dts);
                unit.dts.0 -= start.0;
                unit.pts.0 -= start.0;
                // Only a configuration may have no place in the file.
                let _ = self.writer.push(MediaEvent::Unit(unit), &mut self.out);
            }
        }
    }

    /// The tracks are to be others. Who comes from now on starts with these.
    fn begin_anew(&mut self) {
        self.writer.begin_next(&mut self.out);
        self.out.log.forget_entry();
        self.media_type = None;
        self.needs_keyframe = true;
    }

    /// Does not wait for tracks that the stream, or it would have sent something of them, has not got.
    fn catch_up(&mut self, stream: &Stream) {
        let age = stream.published_since().map(|since| self.out.now.saturating_since(since));
        let (received, tracks) = (stream.received(), self.writer.tracks());
        let is_complete = (received.video == 0 || tracks.has(TrackKind::Video))
            && (received.audio == 0 || tracks.has(TrackKind::Audio));
        if is_complete && age.is_some_and(|age| age >= SETTLED) {
            self.writer.flush(&mut self.out);
            self.describe();
        }
    }

    fn describe(&mut self) {
        if self.media_type.is_none() && self.writer.has_begun() {
            self.media_type = Some(media_type(self.writer.tracks()).into());
        }
    }
}

/// RFC 4337, RFC 6381.
fn media_type(tracks: &Tracks) -> String {
    let kind = if tracks.has(TrackKind::Video) { "video" } else { "audio" };
    format!("{kind}/mp4; codecs=\"{}\"", tracks.rfc6381_codecs())
}

/// What was made, as a log for players.
struct Fragments {
    log: FrameLog,
    now: Instant,
    buffer: BytesMut,
    /// The newest initialisation segment.
    init: Bytes,
}

impl Fragments {
    fn new(config: &StreamConfig) -> Self {
        let mut log = FrameLog::new(config.limits, config.framing);
        log.begin_serving();
        Self { log, now: Instant::default(), buffer: BytesMut::new(), init: Bytes::new() }
    }
}

impl Output for Fragments {
    fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    fn end_piece(&mut self, piece: Piece) {
        let bytes = self.buffer.split().freeze();
        match piece {
            Piece::Init => {
                self.init = bytes.clone();
                self.log.append(self.now, FrameKind::Header, bytes);
            }
            Piece::Fragment { independent: true } => {
                self.log.append_entry(self.now, FrameKind::Keyframe, bytes, self.init.clone());
            }
            Piece::Fragment { independent: false } => {
                self.log.append(self.now, FrameKind::Inter, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests;
