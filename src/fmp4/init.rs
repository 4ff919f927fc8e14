//! The initialisation segment: what tracks there are and how they are coded.

use bytes::{BufMut, BytesMut};

use super::boxes::{put_box, put_full_box};
use super::{sample_entry, timescale, track_id};
use crate::media::{TrackKind, Tracks, VideoConfig};

/// The times of the whole file are told in milliseconds.
const MOVIE_TIMESCALE: u32 = 1000;

/// A matrix that changes nothing.
const UNITY_MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// Writes `ftyp` and `moov`: where in `out` the box is that [`put_duration`] may be put in place of.
pub fn write(tracks: &Tracks, out: &mut BytesMut) -> usize {
    let mut duration_at = 0;
    let kinds = [TrackKind::Video, TrackKind::Audio].into_iter().filter(|kind| tracks.has(*kind));
    put_file_type(tracks, out);
    put_box(out, b"moov", |out| {
        put_movie_header(out);
        kinds.clone().for_each(|kind| put_track(kind, tracks, out));
        put_box(out, b"mvex", |out| {
            duration_at = out.len();
            put_full_box(out, b"free", 0, 0, |out| out.put_u64(0));
            kinds.for_each(|kind| put_track_extends(kind, out));
        });
    });
    duration_at
}

/// Writes `mehd`, once it is known how long a file is.
pub fn put_duration(seconds: f64, out: &mut BytesMut) {
    put_full_box(out, b"mehd", 1, 0, |out| {
        out.put_u64((seconds * f64::from(MOVIE_TIMESCALE)).round() as u64);
    });
}

fn put_file_type(tracks: &Tracks, out: &mut BytesMut) {
    put_box(out, b"ftyp", |out| {
        // `iso6` is the first brand whose fragments tell their decoding time.
        out.put_slice(b"iso6");
        out.put_u32(0);
        out.put_slice(b"iso6iso5mp41");
        match tracks.video.as_deref() {
            Some(VideoConfig::Av1(_)) => out.put_slice(b"av01"),
            Some(VideoConfig::Avc(_)) => out.put_slice(b"avc1"),
            Some(VideoConfig::Hevc(_)) | None => {}
        }
    });
}

fn put_movie_header(out: &mut BytesMut) {
    const NEXT_TRACK_ID: u32 = 3;

    put_full_box(out, b"mvhd", 0, 0, |out| {
        out.put_bytes(0, 8); // creation and modification time
        out.put_u32(MOVIE_TIMESCALE);
        out.put_u32(0); // duration
        out.put_u32(0x0001_0000); // rate
        out.put_u16(0x0100); // volume
        out.put_bytes(0, 10);
        UNITY_MATRIX.into_iter().for_each(|value| out.put_u32(value));
        out.put_bytes(0, 24);
        out.put_u32(NEXT_TRACK_ID);
    });
}

fn put_track(kind: TrackKind, tracks: &Tracks, out: &mut BytesMut) {
    put_box(out, b"trak", |out| {
        put_track_header(kind, tracks, out);
        put_box(out, b"mdia", |out| {
            put_full_box(out, b"mdhd", 0, 0, |out| {
                out.put_bytes(0, 8); // creation and modification time
                out.put_u32(timescale(kind, tracks));
                out.put_u32(0); // duration
                out.put_u16(0x55c4); // "und"
                out.put_u16(0);
            });
            put_handler(kind, out);
            put_media_information(kind, tracks, out);
        });
    });
}

fn put_track_header(kind: TrackKind, tracks: &Tracks, out: &mut BytesMut) {
    const ENABLED_AND_IN_MOVIE: u32 = 3;

    let (volume, (width, height)) = match (kind, &tracks.video) {
        (TrackKind::Video, Some(video)) => (0, video.size().unwrap_or_default()),
        _ => (0x0100, (0, 0)),
    };
    put_full_box(out, b"tkhd", 0, ENABLED_AND_IN_MOVIE, |out| {
        out.put_bytes(0, 8); // creation and modification time
        out.put_u32(track_id(kind));
        out.put_bytes(0, 4);
        out.put_u32(0); // duration
        out.put_bytes(0, 8);
        out.put_u32(0); // layer, alternate group
        out.put_u16(volume);
        out.put_bytes(0, 2);
        UNITY_MATRIX.into_iter().for_each(|value| out.put_u32(value));
        out.put_u32(u32::from(width) << 16);
        out.put_u32(u32::from(height) << 16);
    });
}

fn put_handler(kind: TrackKind, out: &mut BytesMut) {
    put_full_box(out, b"hdlr", 0, 0, |out| {
        out.put_bytes(0, 4);
        out.put_slice(match kind {
            TrackKind::Video => b"vide",
            TrackKind::Audio => b"soun",
        });
        out.put_bytes(0, 12);
        out.put_u8(0); // an empty name
    });
}

fn put_media_information(kind: TrackKind, tracks: &Tracks, out: &mut BytesMut) {
    put_box(out, b"minf", |out| {
        match kind {
            TrackKind::Video => put_full_box(out, b"vmhd", 0, 1, |out| out.put_bytes(0, 8)),
            TrackKind::Audio => put_full_box(out, b"smhd", 0, 0, |out| out.put_bytes(0, 4)),
        }
        put_box(out, b"dinf", |out| {
            put_full_box(out, b"dref", 0, 0, |out| {
                const SELF_CONTAINED: u32 = 1;
                out.put_u32(1);
                put_full_box(out, b"url ", 0, SELF_CONTAINED, |_| {});
            });
        });
        put_box(out, b"stbl", |out| {
            put_full_box(out, b"stsd", 0, 0, |out| {
                out.put_u32(1);
                sample_entry::put(kind, tracks, out);
            });
            // The samples are in fragments.
            for box_type in [b"stts", b"stsc", b"stco"] {
                put_full_box(out, box_type, 0, 0, |out| out.put_u32(0));
            }
            put_full_box(out, b"stsz", 0, 0, |out| out.put_bytes(0, 8));
        });
    });
}

fn put_track_extends(kind: TrackKind, out: &mut BytesMut) {
    put_full_box(out, b"trex", 0, 0, |out| {
        out.put_u32(track_id(kind));
        out.put_u32(1); // sample description index
        out.put_bytes(0, 12); // sample duration, size and flags, which fragments tell
    });
}
