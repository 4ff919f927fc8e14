//! What a track's samples are (ISO/IEC 14496-12, 8.5.2): codecs and their configurations, as RTMP's
//! sequence headers have them.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::boxes::{find, split_first};
use super::descriptor::{self, DecoderConfig};
use super::{FourCc, ReadError};

/// A sample description.
#[derive(Clone, Debug)]
pub(super) enum SampleEntry {
    Video(VideoEntry),
    Audio(AudioEntry),
}

#[derive(Clone, Debug)]
pub(super) struct VideoEntry {
    pub(super) codec: VideoCodec,
    /// The configuration record.
    pub(super) config: Bytes,
    pub(super) width: u16,
    pub(super) height: u16,
}

#[derive(Clone, Debug)]
pub(super) struct AudioEntry {
    pub(super) codec: AudioCodec,
    /// What the sequence header holds, if the codec has one.
    pub(super) config: Option<Bytes>,
    pub(super) channels: u16,
    /// In Hz.
    pub(super) sample_rate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VideoCodec {
    Avc,
    Hevc,
    Av1,
    Vp9,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudioCodec {
    Aac,
    Mp3,
    Opus,
    Flac,
    Ac3,
    Eac3,
}

/// The children of a visual and of an audio sample entry come after so many bytes.
const VISUAL: usize = 78;
const AUDIO: usize = 28;

/// The first description in the contents of a sample description box.
pub(super) fn parse(stsd: &[u8]) -> Result<SampleEntry, ReadError> {
    let mut rest = stsd;
    let (Ok(version), Ok(_)) = (rest.try_get_u32(), rest.try_get_u32()) else {
        return Err(ReadError::NoSampleEntry);
    };
    let (kind, entry) = split_first(&mut rest).ok_or(ReadError::NoSampleEntry)?;
    let parsed = match &kind {
        b"avc1" | b"avc3" => video(entry, VideoCodec::Avc, *b"avcC"),
        b"hvc1" | b"hev1" => video(entry, VideoCodec::Hevc, *b"hvcC"),
        b"av01" => video(entry, VideoCodec::Av1, *b"av1C"),
        b"vp09" => video(entry, VideoCodec::Vp9, *b"vpcC"),
        b"mp4a" | b".mp3" | b"Opus" | b"fLaC" | b"ac-3" | b"ec-3" => {
            audio(kind, entry, version >> 24 == 0)
        }
        _ => return Err(ReadError::UnsupportedCodec(kind)),
    };
    parsed.ok_or(ReadError::SampleEntry(kind))
}

fn video(entry: &[u8], codec: VideoCodec, config: FourCc) -> Option<SampleEntry> {
    let config = find(entry.get(VISUAL..)?, config)?;
    let mut size = entry.get(24..28)?;
    let (width, height) = (size.get_u16(), size.get_u16());
    let config = Bytes::copy_from_slice(config);
    Some(SampleEntry::Video(VideoEntry { codec, config, width, height }))
}

fn audio(kind: FourCc, entry: &[u8], is_quicktime: bool) -> Option<SampleEntry> {
    let fixed = entry.get(..AUDIO)?;
    let mut sound = fixed.get(8..)?;
    let version = sound.get_u16();
    sound.advance(6);
    let channels = sound.get_u16();
    sound.advance(6);
    let sample_rate = u32::from(sound.get_u16());
    // QuickTime's sound descriptions have versions, which are longer.
    let longer = match version {
        1 if is_quicktime => 16,
        2 if is_quicktime => 36,
        _ => 0,
    };
    let boxes = entry.get(AUDIO + longer..)?;
    let (codec, config) = match &kind {
        b"mp4a" => mpeg4(boxes)?,
        b"Opus" => (AudioCodec::Opus, Some(opus_head(find(boxes, *b"dOps")?)?)),
        b"fLaC" => (AudioCodec::Flac, Some(flac_header(find(boxes, *b"dfLa")?)?)),
        b"ac-3" => (AudioCodec::Ac3, None),
        b"ec-3" => (AudioCodec::Eac3, None),
        _ => (AudioCodec::Mp3, None),
    };
    Some(SampleEntry::Audio(AudioEntry { codec, config, channels, sample_rate }))
}

/// AAC or MP3, as the elementary stream descriptor says, which QuickTime hides in `wave`.
fn mpeg4(boxes: &[u8]) -> Option<(AudioCodec, Option<Bytes>)> {
    let hidden = || find(find(boxes, *b"wave")?, *b"esds");
    let esds = find(boxes, *b"esds").or_else(hidden)?;
    let DecoderConfig { object_type, specific } = descriptor::decoder_config(esds)?;
    match object_type {
        // MPEG-4 AAC and the profiles of MPEG-2 AAC.
        0x40 | 0x66..=0x68 => {
            let config = specific.filter(|config| config.len() >= 2)?;
            Some((AudioCodec::Aac, Some(Bytes::copy_from_slice(config))))
        }
        // MPEG-2 and MPEG-1 audio.
        0x69 | 0x6b => Some((AudioCodec::Mp3, None)),
        _ => None,
    }
}

/// The identification header of RFC 7845, 5.1, of Opus's box, which has other byte order.
fn opus_head(mut specific: &[u8]) -> Option<Bytes> {
    let _version = specific.try_get_u8().ok()?;
    let mut head = BytesMut::from(&b"OpusHead\x01"[..]);
    head.put_u8(specific.try_get_u8().ok()?);
    head.put_u16_le(specific.try_get_u16().ok()?);
    head.put_u32_le(specific.try_get_u32().ok()?);
    head.put_i16_le(specific.try_get_i16().ok()?);
    if specific.is_empty() {
        return None;
    }
    head.put_slice(specific);
    Some(head.freeze())
}

/// The stream's marker and metadata blocks.
fn flac_header(specific: &[u8]) -> Option<Bytes> {
    let blocks = specific.get(4..)?;
    Some([&b"fLaC"[..], blocks].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opus_box_becomes_a_header() {
        let head = opus_head(b"\x00\x02\x01\x38\x00\x00\xbb\x80\x00\x00\x00").unwrap();
        assert_eq!(head, b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"[..]);
        assert_eq!(opus_head(b"\x00\x02\x01\x38\x00\x00\xbb\x80\x00\x00"), None);
    }

    #[test]
    fn an_entry_cut_anywhere_is_refused() {
        let entry = [&[0; VISUAL][..], b"\x00\x00\x00\x0aavcC\x01\x42"].concat();
        let size = (entry.len() + 8) as u32;
        let stsd = [&[0, 0, 0, 0, 0, 0, 0, 1], &size.to_be_bytes()[..], b"avc1", &entry].concat();
        assert!(matches!(parse(&stsd), Ok(SampleEntry::Video(it)) if it.config == b"\x01\x42"[..]));
        for length in 0..stsd.len() {
            assert!(parse(&stsd[..length]).is_err());
        }
    }

    #[test]
    fn codecs_that_are_not_known_are_named() {
        let stsd = b"\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x08mp4v";
        assert_eq!(parse(stsd).unwrap_err(), ReadError::UnsupportedCodec(*b"mp4v"));
        let stsd = b"\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x08mp4a";
        assert_eq!(parse(stsd).unwrap_err(), ReadError::SampleEntry(*b"mp4a"));
    }
}
