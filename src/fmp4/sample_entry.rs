//! Sample entries (ISO/IEC 14496-12, 12.1.3 and 12.2.3): how the samples of a track are coded.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full_box};
use crate::codec::opus::{self, ChannelMapping};
use crate::media::{AudioConfig, TrackKind, Tracks, VideoConfig};

/// Writes the sample entry of a track.
pub fn put(kind: TrackKind, tracks: &Tracks, out: &mut BytesMut) {
    match (kind, tracks.video.as_deref(), tracks.audio.as_deref()) {
        (TrackKind::Video, Some(config), _) => put_visual(config, out),
        (TrackKind::Audio, _, Some(config)) => put_audio(config, out),
        _ => {}
    }
}

fn put_visual(config: &VideoConfig, out: &mut BytesMut) {
    // `hvc1` has its parameter sets in the record, as Enhanced RTMP's packets of that name do.
    let (entry, record_box, record) = match config {
        VideoConfig::Avc(config) => (b"avc1", b"avcC", &config.record),
        VideoConfig::Hevc(config) => (b"hvc1", b"hvcC", &config.record),
        VideoConfig::Av1(config) => (b"av01", b"av1C", &config.record),
    };
    let (width, height) = config.size().unwrap_or_default();
    put_box(out, entry, |out| {
        put_sample_entry_fields(out);
        out.put_bytes(0, 16);
        out.put_u16(width);
        out.put_u16(height);
        out.put_u32(0x0048_0000); // 72 dpi
        out.put_u32(0x0048_0000);
        out.put_bytes(0, 4);
        out.put_u16(1); // frames of a sample
        out.put_bytes(0, 32); // compressor name
        out.put_u16(0x0018); // depth
        out.put_i16(-1);
        put_box(out, record_box, |out| out.put_slice(record));
    });
}

fn put_audio(config: &AudioConfig, out: &mut BytesMut) {
    let (entry, channels, sample_rate) = match config {
        AudioConfig::Aac { config, .. } => {
            (b"mp4a", config.output_channels(), config.output_sample_rate())
        }
        AudioConfig::Mp3(config) => (b"mp4a", config.channels, config.sample_rate),
        AudioConfig::Opus(header) => (b"Opus", header.channels, opus::SAMPLE_RATE),
    };
    put_box(out, entry, |out| {
        put_sample_entry_fields(out);
        out.put_bytes(0, 8);
        out.put_u16(u16::from(channels));
        out.put_u16(16); // bits of a sample
        out.put_bytes(0, 4);
        // 16 bits of a fixed-point number: decoders know greater rates from what follows.
        out.put_u16(u16::try_from(sample_rate).unwrap_or(0));
        out.put_u16(0);
        match config {
            AudioConfig::Aac { record, .. } => put_elementary_stream(0x40, Some(record), out),
            AudioConfig::Mp3(config) if config.is_mpeg_1() => {
                put_elementary_stream(0x6b, None, out)
            }
            AudioConfig::Mp3(_) => put_elementary_stream(0x69, None, out),
            AudioConfig::Opus(header) => put_opus_specific(header, out),
        }
    });
}

fn put_sample_entry_fields(out: &mut BytesMut) {
    out.put_bytes(0, 6);
    out.put_u16(1); // data reference index
}

/// Writes `esds` (ISO/IEC 14496-14, 5.6), with the descriptors of ISO/IEC 14496-1, 7.2.6.
fn put_elementary_stream(object_type: u8, config: Option<&Bytes>, out: &mut BytesMut) {
    /// Longer than any configuration (1.6.2.1 of ISO/IEC 14496-3): what follows is padding.
    const MAX_CONFIG: usize = 512;
    const ES: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC_INFO: u8 = 5;
    const SL_CONFIG: u8 = 6;
    const AUDIO_STREAM: u8 = 0x05 << 2 | 1;
    const PREDEFINED_MP4: u8 = 2;

    put_full_box(out, b"esds", 0, 0, |out| {
        put_descriptor(out, ES, |out| {
            out.put_u16(0); // ES_ID: the track's
            out.put_u8(0);
            put_descriptor(out, DECODER_CONFIG, |out| {
                out.put_u8(object_type);
                out.put_u8(AUDIO_STREAM);
                out.put_bytes(0, 11); // buffer size, maximum and average bit rate: unknown
                if let Some(config) = config {
                    put_descriptor(out, DECODER_SPECIFIC_INFO, |out| {
                        out.put_slice(config.get(..MAX_CONFIG).unwrap_or(config));
                    });
                }
            });
            put_descriptor(out, SL_CONFIG, |out| out.put_u8(PREDEFINED_MP4));
        });
    });
}

/// Writes a descriptor of less than 2^21 bytes (ISO/IEC 14496-1, 8.3.3).
fn put_descriptor(out: &mut BytesMut, tag: u8, contents: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let size_at = out.len();
    out.put_bytes(0, 3);
    contents(out);
    let size = out.len() - size_at - 3;
    out[size_at..size_at + 3].copy_from_slice(&[
        0x80 | (size >> 14) as u8,
        0x80 | (size >> 7) as u8,
        (size & 0x7f) as u8,
    ]);
}

/// Writes `dOps` (Opus in ISOBMFF, 4.3.2).
fn put_opus_specific(header: &opus::IdHeader, out: &mut BytesMut) {
    put_box(out, b"dOps", |out| {
        out.put_u8(0); // version
        out.put_u8(header.channels);
        out.put_u16(header.pre_skip);
        out.put_u32(header.input_sample_rate);
        out.put_i16(header.output_gain);
        match &header.mapping {
            ChannelMapping::Rtp => out.put_u8(0),
            ChannelMapping::Table { family, streams, coupled, channels } => {
                out.put_slice(&[*family, *streams, *coupled]);
                out.put_slice(channels);
            }
        }
    });
}
