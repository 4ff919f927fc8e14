//! Where a file's fragments end.

use bytes::{Bytes, BytesMut};

use super::muxer::Muxer;
use super::piece::{Output, Piece};
use super::random_access::{RandomAccess, SyncPoint};
use crate::media::{AccessUnit, TrackKind, Tracks};
use crate::time::Ticks;

/// Bounds what is held back of a stream whose timestamps stand still, or one of huge frames.
pub const MAX_PENDING: usize = 8 << 20;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is played later: no more than a second is lost with the process, and an index of the
    /// keyframes is at its end.
    Recording,
    /// It is played while it is made. Each fragment adds its length to the delay, and some 200 bytes;
    /// every keyframe begins one, as who comes late starts there.
    Live,
}

/// How long fragments are.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    /// One ends before a keyframe when it is at least this long,
    at_keyframe: Ticks,
    /// and before any frame when it is this long.
    at_frame: Ticks,
    /// Where there is video, it is given this long to end a fragment at one of its frames.
    of_sound: Ticks,
}

impl Purpose {
    const fn lengths(self) -> Lengths {
        let (at_keyframe, at_frame, of_sound) = match self {
            Self::Recording => (500, 1000, 1250),
            Self::Live => (0, 200, 400),
        };
        Lengths {
            at_keyframe: Ticks::from_millis(at_keyframe),
            at_frame: Ticks::from_millis(at_frame),
            of_sound: Ticks::from_millis(of_sound),
        }
    }
}

/// Cuts access units into fragments, behind an initialisation segment.
#[derive(Debug)]
pub struct Fragmenter {
    muxer: Muxer,
    lengths: Lengths,
    fragment_start: Option<Ticks>,
    /// Of a recording.
    index: Option<RandomAccess>,
    /// Where in the file its duration belongs.
    duration_at: u64,
    written: u64,
}

impl Fragmenter {
    /// Begins a file of `tracks`.
    pub fn begin(tracks: Tracks, purpose: Purpose, out: &mut impl Output) -> Self {
        let (muxer, start) = (Muxer::new(tracks), out.buffer().len());
        let duration_at = muxer.write_init(out.buffer()) as u64;
        let written = (out.buffer().len() - start) as u64;
        out.end_piece(Piece::Init);
        let index = (purpose == Purpose::Recording).then(RandomAccess::new);
        let lengths = purpose.lengths();
        Self { muxer, lengths, fragment_start: None, index, duration_at, written }
    }

    /// How many bytes have been written.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// See [`Muxer::pending_bytes`].
    pub const fn pending_bytes(&self) -> usize {
        self.muxer.pending_bytes()
    }

    /// Takes an access unit, and ends the fragment when it is time.
    pub fn push(&mut self, unit: &AccessUnit, out: &mut impl Output) {
        self.muxer.push(unit);
        let start = *self.fragment_start.get_or_insert(unit.dts);
        let lasting = unit.dts.0 - start.0;
        if lasting >= self.length(unit).0 || self.muxer.pending_bytes() >= MAX_PENDING {
            // A picture waits for the next fragment.
            let next = (unit.track == TrackKind::Video).then_some(unit.dts);
            self.end_fragment(next, out);
        }
    }

    /// Ends the fragment early: only the last picture goes on waiting.
    pub fn flush(&mut self, out: &mut impl Output) {
        self.end_fragment(None, out);
    }

    /// Ends the last fragment, and the file. Gives what is to be written over what is at a position in
    /// it: its duration.
    pub fn finish(&mut self, out: &mut impl Output) -> (u64, Bytes) {
        self.write(out, Muxer::finish);
        if let Some(index) = &self.index {
            index.write(out.buffer());
        }
        (self.duration_at, self.muxer.duration())
    }

    /// Ends the fragment. The next one starts with what waits, or with what comes.
    fn end_fragment(&mut self, next: Option<Ticks>, out: &mut impl Output) {
        self.write(out, Muxer::end_fragment);
        self.fragment_start = next;
    }

    fn write(
        &mut self,
        out: &mut impl Output,
        fragment: impl FnOnce(&mut Muxer, &mut BytesMut) -> Option<SyncPoint>,
    ) {
        let start = out.buffer().len();
        let point = fragment(&mut self.muxer, out.buffer());
        let length = out.buffer().len() - start;
        if length == 0 {
            return;
        }
        if let (Some(index), Some(point)) = (&mut self.index, point) {
            index.push(self.written, point);
        }
        self.written += length as u64;
        out.end_piece(Piece::Fragment { independent: point.is_some_and(|it| it.sample == 1) });
    }

    /// How long a fragment is that ends with the arrival of `unit`.
    fn length(&self, unit: &AccessUnit) -> Ticks {
        match unit.track {
            TrackKind::Video if unit.keyframe => self.lengths.at_keyframe,
            TrackKind::Audio if self.muxer.tracks().has(TrackKind::Video) => self.lengths.of_sound,
            TrackKind::Video | TrackKind::Audio => self.lengths.at_frame,
        }
    }
}
