//! Fragments: `moof` and `mdat`.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{self, put_box, put_full_box, set_u32};
use super::track_id;
use crate::media::TrackKind;

/// The samples of one track in a fragment, in decoding order. Not empty.
#[derive(Debug)]
pub struct Run {
    /// The track.
    pub kind: TrackKind,
    /// When the first sample is decoded, in the track's timescale.
    pub decode_time: u64,
    /// The samples.
    pub samples: Vec<Sample>,
}

impl Run {
    /// The first sample at which decoding can start, counted from 0, and when it is presented.
    pub fn first_sync(&self) -> Option<(u32, u64)> {
        let index = self.samples.iter().position(|sample| sample.keyframe)?;
        let (before, from_there) = self.samples.split_at(index);
        let passed: u64 = before.iter().map(|sample| u64::from(sample.duration)).sum();
        let offset = from_there.first().map_or(0, |sample| sample.composition_offset.into());
        let time = (self.decode_time + passed).saturating_add_signed(offset);
        Some((u32::try_from(index).ok()?, time))
    }
}

/// A sample, with times in its track's timescale.
#[derive(Debug)]
pub struct Sample {
    /// From its decoding to that of the next.
    pub duration: u32,
    /// From its decoding to its presentation.
    pub composition_offset: i32,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// The access unit.
    pub data: Bytes,
}

/// Writes a fragment, less than 2 GiB long.
pub fn write(sequence_number: u32, runs: &[Run], out: &mut BytesMut) {
    let start = out.len();
    let mut data_offset_fields = Vec::with_capacity(runs.len());
    put_box(out, b"moof", |out| {
        put_full_box(out, b"mfhd", 0, 0, |out| out.put_u32(sequence_number));
        data_offset_fields.extend(runs.iter().map(|run| put_track_fragment(run, out)));
    });
    let mut data_offset = out.len() - start + boxes::HEADER_SIZE;
    for (field, run) in data_offset_fields.into_iter().zip(runs) {
        set_u32(out, field, data_offset as u32);
        data_offset += run.samples.iter().map(|sample| sample.data.len()).sum::<usize>();
    }
    put_box(out, b"mdat", |out| {
        let samples = runs.iter().flat_map(|run| &run.samples);
        samples.for_each(|sample| out.put_slice(&sample.data));
    });
}

/// Writes `traf`: where its data offset is to be written.
fn put_track_fragment(run: &Run, out: &mut BytesMut) -> usize {
    const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
    const DEFAULT_SAMPLE_FLAGS: u32 = 0x00_0020;

    let mut data_offset_field = 0;
    put_box(out, b"traf", |out| {
        put_full_box(out, b"tfhd", 0, DEFAULT_BASE_IS_MOOF | DEFAULT_SAMPLE_FLAGS, |out| {
            out.put_u32(track_id(run.kind));
            out.put_u32(sample_flags(true));
        });
        put_full_box(out, b"tfdt", 1, 0, |out| out.put_u64(run.decode_time));
        data_offset_field = put_track_run(run, out);
    });
    data_offset_field
}

fn put_track_run(run: &Run, out: &mut BytesMut) -> usize {
    const DATA_OFFSET: u32 = 0x001;
    const DURATIONS_AND_SIZES: u32 = 0x100 | 0x200;
    const FLAGS_AND_COMPOSITION_OFFSETS: u32 = 0x400 | 0x800;
    const SIGNED_COMPOSITION_OFFSETS: u8 = 1;

    let is_video = run.kind == TrackKind::Video;
    let per_kind = if is_video { FLAGS_AND_COMPOSITION_OFFSETS } else { 0 };
    let flags = DATA_OFFSET | DURATIONS_AND_SIZES | per_kind;
    let mut data_offset_field = 0;
    put_full_box(out, b"trun", SIGNED_COMPOSITION_OFFSETS, flags, |out| {
        out.put_u32(run.samples.len() as u32);
        data_offset_field = out.len();
        out.put_u32(0);
        for sample in &run.samples {
            out.put_u32(sample.duration);
            out.put_u32(sample.data.len() as u32);
            if is_video {
                out.put_u32(sample_flags(sample.keyframe));
                out.put_i32(sample.composition_offset);
            }
        }
    });
    data_offset_field
}

/// The flags of a sample (8.8.3.1).
const fn sample_flags(keyframe: bool) -> u32 {
    const DEPENDS_ON_OTHERS: u32 = 1 << 24;
    const DEPENDS_ON_NONE: u32 = 2 << 24;
    const IS_NON_SYNC: u32 = 1 << 16;

    if keyframe { DEPENDS_ON_NONE } else { DEPENDS_ON_OTHERS | IS_NON_SYNC }
}
