//! The index at the end of a file: in which fragments decoding can start (ISO/IEC 14496-12, 8.8.9 to
//! 8.8.11).

use bytes::{BufMut, BytesMut};

use super::boxes::{put_box, put_full_box, set_u32};
use super::track_id;
use crate::media::TrackKind;
use crate::spread::Spread;

/// More than an hour of fragments before the first is dropped.
const CAPACITY: usize = 4096;

/// A sample in a fragment at which decoding can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPoint {
    /// The track whose sample it is: video, if there is any.
    pub track: TrackKind,
    /// When it is presented, in the track's timescale.
    pub time: u64,
    /// The track's number among those of the fragment, from 1.
    pub track_fragment: u8,
    /// The sample's number in its run, from 1.
    pub sample: u32,
}

/// The sync points of a file that is being written.
#[derive(Debug)]
pub(super) struct RandomAccess {
    points: Spread<(u64, SyncPoint)>,
}

impl RandomAccess {
    pub(super) const fn new() -> Self {
        Self { points: Spread::new(CAPACITY) }
    }

    /// Takes the first sync point of the fragment that begins at `position` in the file.
    pub(super) fn push(&mut self, position: u64, point: SyncPoint) {
        self.points.push((position, point));
    }

    /// Writes `mfra`, the last box of the file.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let start = out.len();
        put_box(out, b"mfra", |out| {
            self.put_table(out);
            put_full_box(out, b"mfro", 0, 0, |out| out.put_u32(0));
        });
        let size = (out.len() - start) as u32;
        // Whoever looks for the index finds its size in the last bytes of the file.
        let at = out.len() - 4;
        set_u32(out, at, size);
    }

    fn put_table(&self, out: &mut BytesMut) {
        const LONG_TIMES_AND_OFFSETS: u8 = 1;
        /// One byte for the number of the track fragment, one for that of the run, four for that of
        /// the sample.
        const LENGTHS: u32 = 3;

        let points = self.points.as_slice();
        let Some((_, first)) = points.first() else { return };
        put_full_box(out, b"tfra", LONG_TIMES_AND_OFFSETS, 0, |out| {
            out.put_u32(track_id(first.track));
            out.put_u32(LENGTHS);
            out.put_u32(points.len() as u32);
            for (position, point) in points {
                out.put_u64(point.time);
                out.put_u64(*position);
                out.put_u8(point.track_fragment);
                out.put_u8(1);
                out.put_u32(point.sample);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_ends_with_its_size() {
        let mut index = RandomAccess::new();
        let point =
            SyncPoint { track: TrackKind::Video, time: 0x0102, track_fragment: 1, sample: 9 };
        index.push(0x1_0000_0000, point);
        let mut out = BytesMut::from(&b"before"[..]);
        index.write(&mut out);
        let expected = b"\0\0\0\x46mfra\
            \0\0\0\x2etfra\x01\0\0\0\0\0\0\x01\0\0\0\x03\0\0\0\x01\
            \0\0\0\0\0\0\x01\x02\0\0\0\x01\0\0\0\0\x01\x01\0\0\0\x09\
            \0\0\0\x10mfro\0\0\0\0\0\0\0\x46";
        assert_eq!(out[6..], expected[..]);
    }

    #[test]
    fn there_may_be_no_such_points() {
        let mut out = BytesMut::new();
        RandomAccess::new().write(&mut out);
        assert_eq!(out, b"\0\0\0\x18mfra\0\0\0\x10mfro\0\0\0\0\0\0\0\x18"[..]);
    }
}
