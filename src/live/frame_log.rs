//! The frame log: the recent messages of one stream, each serialised once for all its players.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::frame::{Content, Frame, FrameKind};
use crate::rtmp::chunk::Framing;
use crate::stat::Lag;
use crate::time::Instant;

/// Frames are serialised one behind the other in blocks of so many bytes, and nginx sends what lies
/// together as one piece.
const BLOCK: usize = 64 << 10;

/// The recent frames of a live stream, in the order in which its publisher sent them.
///
/// A frame's position counts the frames appended before it and never changes, so a player is no
/// more than a position (see [`Player`](super::Player)). The log holds
///
/// - the frames since the entry point, where a new player starts: the newest keyframe. A group of
///   pictures that outgrows [`LogLimits::gop`] loses its entry point, and new players wait for the
///   next keyframe. Without a limit for them groups are not kept, and all new players wait;
/// - if somebody plays it, the newest frames within [`LogLimits::lag`], for players that are behind.
///
/// Its memory is the larger of the two bounds and one message, for whatever number of players. What
/// nobody plays is kept as it came, and serialised when somebody does.
#[derive(Debug)]
pub struct FrameLog {
    limits: LogLimits,
    framing: Framing,
    /// Where the next frames are serialised; `None` if nobody plays them.
    block: Option<BytesMut>,
    frames: VecDeque<Frame>,
    /// The position of the first frame held.
    start: u64,
    /// The bytes of all frames ever appended.
    appended_bytes: u64,
    /// The position after the newest header, 0 if the publisher has sent none.
    headers_end: u64,
    entry: Option<EntryPoint>,
    /// What there is of each kind from the entry point on.
    group: Group,
    edge: Option<EntryPoint>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    video: usize,
    audio: usize,
}

impl Group {
    fn count(&mut self, kind: FrameKind) {
        match kind {
            FrameKind::Audio => self.audio += 1,
            FrameKind::Keyframe | FrameKind::Inter => self.video += 1,
            FrameKind::Begin | FrameKind::Dry | FrameKind::Header | FrameKind::Data => {}
        }
    }
}

impl FrameLog {
    /// An empty log that nobody plays.
    pub fn new(limits: LogLimits, framing: Framing) -> Self {
        Self {
            limits,
            framing,
            block: None,
            frames: VecDeque::new(),
            start: 0,
            appended_bytes: 0,
            headers_end: 0,
            entry: None,
            group: Group::default(),
            edge: None,
        }
    }

    /// Somebody plays the frames from now on: they are serialised as they come, and those that are
    /// there now.
    pub fn begin_serving(&mut self) {
        if self.block.is_none() {
            let mut block = BytesMut::with_capacity(BLOCK);
            for frame in &mut self.frames {
                frame.content.serialise(self.framing, &mut block);
            }
            self.block = Some(block);
        }
    }

    /// Nobody plays the frames any more.
    pub fn end_serving(&mut self) {
        self.block = None;
    }

    /// Appends a frame that came at `now`, and drops the oldest ones that nobody may need any more.
    pub fn append(&mut self, now: Instant, kind: FrameKind, content: impl Into<Content>) {
        let mut content = content.into();
        if let Some(block) = &mut self.block {
            content.serialise(self.framing, block);
        }
        let offset = self.appended_bytes;
        self.appended_bytes += content.length(self.framing) as u64;
        self.frames.push_back(Frame { kind, content, offset, came: now });
        self.group.count(kind);
        if kind == FrameKind::Header {
            self.headers_end = self.end();
        }
        self.evict();
    }

    /// Appends a frame from which new players start, after they got `preamble`: the metadata and
    /// sequence headers in force, serialised; empty if there are none.
    pub fn append_entry(
        &mut self,
        now: Instant,
        kind: FrameKind,
        content: impl Into<Content>,
        preamble: Bytes,
    ) {
        self.entry = Some(self.next_entry(kind, preamble));
        self.edge = None;
        self.group = Group::default();
        self.append(now, kind, content);
    }

    /// Appends a frame from which new players start that find no keyframe; they get `preamble`
    /// before it.
    pub fn append_edge(
        &mut self,
        now: Instant,
        kind: FrameKind,
        content: impl Into<Content>,
        preamble: Bytes,
    ) {
        self.edge = Some(self.next_entry(kind, preamble));
        self.append(now, kind, content);
    }

    fn next_entry(&self, kind: FrameKind, preamble: Bytes) -> EntryPoint {
        let (position, offset) = (self.end(), self.appended_bytes);
        EntryPoint { position, kind, offset, preamble, headers_end: self.headers_end }
    }

    /// Forgets where to start, and headers, so that the next publisher's players do not start from
    /// this one's. The frames stay for the players that have not got them yet.
    pub fn forget_entry(&mut self) {
        self.entry = None;
        self.edge = None;
        self.headers_end = 0;
    }

    /// Where a player starts that waits at `position`, or has passed it waiting.
    pub fn entry_for(&self, position: u64) -> Option<&EntryPoint> {
        let is_kept = self.limits.gop.is_some();
        let starts = |entry: &&EntryPoint| match is_kept {
            true => entry.position <= position,
            // What was before the player came is not repeated for it.
            false => entry.position == position,
        };
        self.entry.as_ref().filter(starts)
    }

    /// The newest frame, if players may start from there without a keyframe.
    pub fn edge(&self) -> Option<&EntryPoint> {
        self.edge.as_ref()
    }

    /// The newest keyframe from which a player may start, or sound where there are no pictures.
    pub fn entry(&self) -> Option<&EntryPoint> {
        self.entry.as_ref()
    }

    /// Whether new players start at a keyframe.
    pub fn starts_at_keyframe(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.kind == FrameKind::Keyframe)
    }

    /// The frame at `position`, if it is held.
    pub fn frame(&self, position: u64) -> Option<&Frame> {
        let index = position.checked_sub(self.start)?;
        self.frames.get(usize::try_from(index).ok()?)
    }

    /// The position of the oldest frame held.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The position that the next frame will have.
    pub fn end(&self) -> u64 {
        self.start + self.frames.len() as u64
    }

    /// Whether a player that lacks all frames from `position` on is further behind than
    /// [`LogLimits::lag`].
    pub fn is_behind(&self, position: u64) -> bool {
        position < self.start || self.frame(position).is_some_and(|it| self.lags(position, it))
    }

    /// What is held of the frames from `position` on.
    pub fn lag(&self, position: u64, now: Instant) -> Lag {
        let position = position.max(self.start);
        let Some(frame) = self.frame(position) else { return Lag::default() };
        let bytes = self.appended_bytes - frame.offset;
        Lag::new(now.saturating_since(frame.came), bytes, self.end() - position)
    }

    fn lags(&self, position: u64, frame: &Frame) -> bool {
        let LagLimits { frames, bytes, age } = self.limits.lag;
        let newest = self.frames.back().map_or(frame.came, |newest| newest.came);
        self.end() - position > frames as u64
            || self.appended_bytes - frame.offset > bytes as u64
            || (!age.is_zero() && newest.saturating_since(frame.came) > age)
    }

    /// Whether the group of pictures that begins at `entry` is too large to be kept.
    fn outgrows(&self, entry: &EntryPoint, limits: GopLimits) -> bool {
        entry.position < self.start
            || self.end() - entry.position > limits.frames as u64
            || self.group.video > limits.video
            || self.group.audio > limits.audio
            || self.appended_bytes - entry.offset > limits.bytes as u64
    }

    fn evict(&mut self) {
        let newest = self.end() - 1;
        let needed = match (&self.entry, self.limits.gop) {
            (Some(entry), Some(limits)) if !self.outgrows(entry, limits) => entry.position,
            (Some(_), Some(_)) => {
                self.entry = None;
                newest
            }
            (Some(_), None) | (None, _) => newest,
        };
        // Where nobody plays, nobody lags.
        while self.start < needed && (self.block.is_none() || self.is_behind(self.start)) {
            self.frames.pop_front();
            self.start += 1;
        }
        if self.entry.as_ref().is_some_and(|entry| entry.position < self.start) {
            self.entry = None;
        }
    }
}

/// Where a new player starts.
#[derive(Debug)]
pub struct EntryPoint {
    /// The position of the frame to start from.
    pub position: u64,
    /// What that frame is.
    kind: FrameKind,
    /// The bytes of all frames before it.
    offset: u64,
    /// What to send before that frame: the metadata and sequence headers in force there, stamped
    /// with its time. Empty if there are none.
    pub preamble: Bytes,
    /// The position after the newest frame that `preamble` repeats, 0 if it is empty. A player that
    /// got all frames before this position needs no preamble.
    pub headers_end: u64,
}

/// The bounds of a frame log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// How far a player may lag behind the newest frame before it skips to the newest keyframe.
    pub lag: LagLimits,
    /// The longest group of pictures that is kept whole for new players to start from: the
    /// directive `gop_cache`; without it none is.
    pub gop: Option<GopLimits>,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            lag: LagLimits { frames: 256, bytes: 8 << 20, age: Duration::from_secs(10) },
            gop: Some(GopLimits::default()),
        }
    }
}

/// How far a player may lag behind; whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagLimits {
    /// The most frames: the directive `out_queue`.
    pub frames: usize,
    /// The most bytes, as serialised.
    pub bytes: usize,
    /// How long before the newest frame its next one came, zero for no limit: the directive
    /// `max_lag`.
    pub age: Duration,
}

/// How large a group of pictures may be, with the sound and data in it; whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GopLimits {
    /// The most frames: the directive `gop_max_frame_count`.
    pub frames: usize,
    /// The most video frames: the directive `gop_max_video_count`.
    pub video: usize,
    /// The most audio frames: the directive `gop_max_audio_count`.
    pub audio: usize,
    /// The most bytes, as serialised: the directive `gop_max_size`.
    pub bytes: usize,
}

impl Default for GopLimits {
    fn default() -> Self {
        Self { frames: 4096, video: 2048, audio: 2048, bytes: 32 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::{Message, MessageType};

    const NOW: Instant = Instant::from_millis(0);
    const FRAMING: Framing = Framing { chunk_size: 4, repeat_extended_timestamp: true };
    const GOP: GopLimits = GopLimits { frames: 8, video: 100, audio: 100, bytes: 2000 };
    const LIMITS: LogLimits = LogLimits {
        lag: LagLimits { frames: 4, bytes: 1000, age: Duration::from_secs(1) },
        gop: Some(GOP),
    };

    /// A log that somebody plays.
    fn log_of(limits: LogLimits) -> FrameLog {
        let mut log = FrameLog::new(limits, FRAMING);
        log.begin_serving();
        log
    }

    fn append(log: &mut FrameLog, kind: FrameKind, length: usize) {
        append_at(log, NOW, kind, length);
    }

    fn append_at(log: &mut FrameLog, now: Instant, kind: FrameKind, length: usize) {
        let bytes = Bytes::from(vec![0; length]);
        match kind {
            FrameKind::Keyframe => log.append_entry(now, kind, bytes, Bytes::new()),
            _ => log.append(now, kind, bytes),
        }
    }

    #[test]
    fn reaches_back_to_the_newest_keyframe() {
        let mut log = log_of(LIMITS);
        append(&mut log, FrameKind::Keyframe, 10);
        for _ in 0..7 {
            append(&mut log, FrameKind::Inter, 10);
        }
        assert_eq!((log.start(), log.end()), (0, 8));
        assert_eq!(log.entry().unwrap().position, 0);

        append(&mut log, FrameKind::Keyframe, 10);
        assert_eq!(log.entry().unwrap().position, 8);
        assert_eq!((log.start(), log.end()), (5, 9), "what may lag is kept before it");
    }

    #[test]
    fn a_group_past_its_bound_loses_its_entry_point() {
        for (length, kept) in [(10, 8), (300, 6)] {
            let mut log = log_of(LIMITS);
            append(&mut log, FrameKind::Keyframe, length);
            for _ in 1..kept {
                append(&mut log, FrameKind::Inter, length);
                assert_eq!(log.start(), 0);
            }
            assert!(log.entry().is_some());
            append(&mut log, FrameKind::Inter, length);
            assert!(log.entry().is_none());
            assert!(log.start() > 0);
        }
    }

    #[test]
    fn a_group_is_counted_by_kind() {
        for (kind, gop) in [
            (FrameKind::Inter, GopLimits { video: 3, ..GOP }),
            (FrameKind::Audio, GopLimits { audio: 2, ..GOP }),
        ] {
            let mut log = log_of(LogLimits { gop: Some(gop), ..LIMITS });
            for _ in 0..2 {
                append(&mut log, FrameKind::Keyframe, 10);
                append(&mut log, FrameKind::Data, 10);
                for _ in 0..2 {
                    append(&mut log, kind, 10);
                }
                assert!(log.entry().is_some());
            }
            append(&mut log, kind, 10);
            assert!(log.entry().is_none());
        }
    }

    #[test]
    fn groups_are_not_kept_without_a_limit() {
        let mut log = log_of(LogLimits { gop: None, ..LIMITS });
        append(&mut log, FrameKind::Keyframe, 10);
        for _ in 0..3 {
            append(&mut log, FrameKind::Inter, 10);
        }
        assert_eq!(log.entry().unwrap().position, 0, "for those that lag");
        assert!(log.entry_for(0).is_some() && log.entry_for(1).is_none());
        append(&mut log, FrameKind::Inter, 10);
        assert_eq!((log.start(), log.end()), (1, 5));
        assert!(log.entry().is_none());
    }

    #[test]
    fn the_newest_frame_is_kept_whatever_its_size() {
        let mut log = log_of(LIMITS);
        append(&mut log, FrameKind::Inter, 10);
        append(&mut log, FrameKind::Inter, 5000);
        assert_eq!((log.start(), log.end()), (1, 2));
        assert_eq!(log.frame(1).unwrap().chunks().unwrap().len(), 5000);
        assert!(log.frame(0).is_none() && log.frame(2).is_none());
    }

    #[test]
    fn behind_is_counted_in_time() {
        for (age, start) in [(Duration::from_secs(1), 2), (Duration::ZERO, 0)] {
            let lag = LagLimits { age, ..LIMITS.lag };
            let mut log = log_of(LogLimits { lag, ..LIMITS });
            for millis in [0, 400, 600] {
                append_at(&mut log, Instant::from_millis(millis), FrameKind::Inter, 10);
            }
            append_at(&mut log, Instant::from_millis(1401), FrameKind::Keyframe, 10);
            assert_eq!(log.start(), start, "of what is older than the bound, nothing is kept");
            assert!(!log.is_behind(2));
        }
    }

    #[test]
    fn behind_is_counted_in_frames_and_in_bytes() {
        let mut log = log_of(LIMITS);
        append(&mut log, FrameKind::Keyframe, 10);
        for _ in 0..4 {
            append(&mut log, FrameKind::Inter, 10);
        }
        assert!(log.is_behind(0) && !log.is_behind(1) && !log.is_behind(log.end()));
        append(&mut log, FrameKind::Inter, 991);
        assert!(log.is_behind(4) && !log.is_behind(5));
    }
    #[test]
    fn messages_are_serialised_when_somebody_plays_them() {
        let message = Message {
            kind: MessageType::Audio,
            timestamp: 0x0100_0000,
            stream_id: 1,
            payload: Bytes::from_static(b"abcdefghi"),
        };
        let mut expected = BytesMut::new();
        FRAMING.encode(64, &message, &mut expected);
        let append = |log: &mut FrameLog| {
            log.append(
                NOW,
                FrameKind::Audio,
                Content::Message { csid: 64, message: message.clone() },
            );
        };
        let chunks = |log: &FrameLog, at| log.frame(at).unwrap().chunks().cloned();

        let mut log = FrameLog::new(LIMITS, FRAMING);
        append(&mut log);
        append(&mut log);
        assert_eq!((log.start(), chunks(&log, 1)), (1, None), "nobody lags");
        assert_eq!(log.frame(1).unwrap().offset, expected.len() as u64);
        log.begin_serving();
        append(&mut log);
        log.begin_serving();
        assert_eq!([1, 2].map(|at| chunks(&log, at).unwrap()), [&expected, &expected]);
        log.end_serving();
        append(&mut log);
        assert_eq!((log.start(), chunks(&log, 3)), (3, None));
        log.begin_serving();
        assert_eq!(chunks(&log, 3).unwrap(), expected);
    }
}
