//! The frame log: the recent messages of one stream, each serialised once for all its players.

use std::collections::VecDeque;

use bytes::Bytes;

/// The recent frames of a live stream, in the order in which its publisher sent them.
///
/// A frame's position counts the frames appended before it and never changes, so a player is no
/// more than a position (see [`Player`](super::Player)). The log holds
///
/// - the frames since the entry point, where a new player starts: the newest keyframe. A group of
///   pictures that outgrows [`LogLimits::gop`] loses its entry point, and new players wait for the
///   next keyframe;
/// - the newest frames within [`LogLimits::lag`], for players that are behind.
///
/// Its memory is the larger of the two bounds and one message, for whatever number of players.
#[derive(Debug)]
pub struct FrameLog {
    limits: LogLimits,
    frames: VecDeque<Frame>,
    /// The position of the first frame held.
    start: u64,
    /// The bytes of all frames ever appended.
    appended_bytes: u64,
    /// The position after the newest header, 0 if the publisher has sent none.
    headers_end: u64,
    entry: Option<EntryPoint>,
}

impl FrameLog {
    /// An empty log.
    pub fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            frames: VecDeque::new(),
            start: 0,
            appended_bytes: 0,
            headers_end: 0,
            entry: None,
        }
    }

    /// Appends a frame, and drops the oldest ones that nobody may need any more.
    pub fn append(&mut self, kind: FrameKind, bytes: Bytes) {
        let offset = self.appended_bytes;
        self.appended_bytes += bytes.len() as u64;
        self.frames.push_back(Frame { bytes, kind, offset });
        if kind == FrameKind::Header {
            self.headers_end = self.end();
        }
        self.evict();
    }

    /// Appends a frame from which new players start, after they got `preamble`: the metadata and
    /// sequence headers in force, serialised; empty if there are none.
    pub fn append_entry(&mut self, kind: FrameKind, bytes: Bytes, preamble: Bytes) {
        self.entry =
            Some(EntryPoint { position: self.end(), preamble, headers_end: self.headers_end });
        self.append(kind, bytes);
    }

    /// Forgets entry point and headers, so that the next publisher's players do not start from
    /// this one's. The frames stay for the players that have not got them yet.
    pub fn forget_entry(&mut self) {
        self.entry = None;
        self.headers_end = 0;
    }

    /// Where a new player starts.
    pub fn entry(&self) -> Option<&EntryPoint> {
        self.entry.as_ref()
    }

    /// Whether new players start at a keyframe.
    pub fn starts_at_keyframe(&self) -> bool {
        self.entry
            .as_ref()
            .and_then(|entry| self.frame(entry.position))
            .is_some_and(|frame| frame.kind == FrameKind::Keyframe)
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
        position < self.start || self.exceeds(position, self.limits.lag)
    }

    /// Whether the frames from `position` on are more than `bound`.
    fn exceeds(&self, position: u64, bound: Bound) -> bool {
        self.frame(position).is_some_and(|frame| {
            self.end() - position > bound.frames as u64
                || self.appended_bytes - frame.offset > bound.bytes as u64
        })
    }

    fn evict(&mut self) {
        if self.entry.as_ref().is_some_and(|entry| self.exceeds(entry.position, self.limits.gop)) {
            self.entry = None;
        }
        let needed = self.entry.as_ref().map_or_else(|| self.end() - 1, |entry| entry.position);
        while self.start < needed && self.exceeds(self.start, self.limits.lag) {
            self.frames.pop_front();
            self.start += 1;
        }
    }
}

/// One message, serialised for the wire: chunks with a full header, the same for every player.
#[derive(Debug)]
pub struct Frame {
    /// The chunks.
    pub bytes: Bytes,
    /// What the message is.
    pub kind: FrameKind,
    /// The bytes of all frames before this one.
    offset: u64,
}

/// What a frame is to a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// User Control Stream Begin: a publisher came, and what follows is its stream.
    Begin,
    /// User Control Stream Dry: the publisher left.
    Dry,
    /// Metadata or a sequence header.
    Header,
    /// Any other data message, such as `onTextData`.
    Data,
    /// Audio.
    Audio,
    /// Video from which decoding can start.
    Keyframe,
    /// Video that needs the video before it.
    Inter,
}

/// Where a new player starts.
#[derive(Debug)]
pub struct EntryPoint {
    /// The position of the frame to start from.
    pub position: u64,
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
    pub lag: Bound,
    /// The longest group of pictures that is kept whole for new players to start from.
    pub gop: Bound,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            lag: Bound { frames: 256, bytes: 8 << 20 },
            gop: Bound { frames: 4096, bytes: 32 << 20 },
        }
    }
}

/// A number of frames that is limited in two ways, whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The most frames.
    pub frames: usize,
    /// The most bytes, as serialised.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LogLimits =
        LogLimits { lag: Bound { frames: 4, bytes: 1000 }, gop: Bound { frames: 8, bytes: 2000 } };

    fn append(log: &mut FrameLog, kind: FrameKind, length: usize) {
        let bytes = Bytes::from(vec![0; length]);
        match kind {
            FrameKind::Keyframe => log.append_entry(kind, bytes, Bytes::new()),
            _ => log.append(kind, bytes),
        }
    }

    #[test]
    fn reaches_back_to_the_newest_keyframe() {
        let mut log = FrameLog::new(LIMITS);
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
            let mut log = FrameLog::new(LIMITS);
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
    fn the_newest_frame_is_kept_whatever_its_size() {
        let mut log = FrameLog::new(LIMITS);
        append(&mut log, FrameKind::Inter, 10);
        append(&mut log, FrameKind::Inter, 5000);
        assert_eq!((log.start(), log.end()), (1, 2));
        assert_eq!(log.frame(1).unwrap().bytes.len(), 5000);
        assert!(log.frame(0).is_none() && log.frame(2).is_none());
    }

    #[test]
    fn behind_is_counted_in_frames_and_in_bytes() {
        let mut log = FrameLog::new(LIMITS);
        append(&mut log, FrameKind::Keyframe, 10);
        for _ in 0..4 {
            append(&mut log, FrameKind::Inter, 10);
        }
        assert!(log.is_behind(0) && !log.is_behind(1) && !log.is_behind(log.end()));
        append(&mut log, FrameKind::Inter, 991);
        assert!(log.is_behind(4) && !log.is_behind(5));
    }
}
