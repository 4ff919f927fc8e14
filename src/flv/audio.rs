//! Audio tags.

use std::fmt;

use bytes::{Buf, Bytes};

use super::{Error, FourCc, packet_type, read_four_cc, skip_modifiers};

/// An audio tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTag {
    /// The codec of the packet.
    pub codec: AudioCodec,
    /// What the tag carries.
    pub packet: AudioPacket,
}

impl AudioTag {
    /// Takes the payload of an audio message apart. The packet shares the payload's memory.
    ///
    /// # Errors
    ///
    /// The header ends early. An empty message, which stands for silence, is such a one; codecs
    /// and packet types that this parser does not know are not errors.
    pub fn parse(payload: &Bytes) -> Result<Self, Error> {
        let mut body = payload.clone();
        let Header { codec, packet } = Header::read(&mut body)?;
        Ok(Self { codec, packet: packet.with_body(body) })
    }
}

/// What an audio tag carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioPacket {
    /// The codec's configuration, such as AAC's AudioSpecificConfig.
    SequenceHeader(Bytes),
    /// Coded audio in the codec's own format.
    CodedFrames(Bytes),
    /// The sequence is over: silence until another sequence header.
    EndOfSequence,
    /// Packets of several tracks, from the byte that holds the multitrack type on.
    Multitrack(Bytes),
    /// A channel layout or a packet of an unknown type.
    Other,
}

/// An audio codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AudioCodec {
    /// AAC.
    Aac,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
    /// FLAC.
    Flac,
    /// MP3, also at 8 kHz.
    Mp3,
    /// Opus.
    Opus,
    /// Another codec of legacy tags, by its SoundFormat: 5 and 6 are Nellymoser, 11 is Speex.
    Other(u8),
    /// Another codec of Enhanced tags, by its FourCC.
    Unknown([u8; 4]),
    /// The tag does not name one codec: several tracks.
    Unspecified,
}

impl AudioCodec {
    const fn from_legacy(sound_format: u8) -> Self {
        match sound_format {
            2 | 14 => Self::Mp3,
            10 => Self::Aac,
            sound_format => Self::Other(sound_format),
        }
    }

    const fn from_four_cc(four_cc: FourCc) -> Self {
        match &four_cc {
            b".mp3" => Self::Mp3,
            b"Opus" => Self::Opus,
            b"ac-3" => Self::Ac3,
            b"ec-3" => Self::Eac3,
            b"fLaC" => Self::Flac,
            b"mp4a" => Self::Aac,
            _ => Self::Unknown(four_cc),
        }
    }
}

impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aac => f.write_str("AAC"),
            Self::Ac3 => f.write_str("AC-3"),
            Self::Eac3 => f.write_str("E-AC-3"),
            Self::Flac => f.write_str("FLAC"),
            Self::Mp3 => f.write_str("MP3"),
            Self::Opus => f.write_str("Opus"),
            Self::Other(sound_format) => write!(f, "FLV sound format {sound_format}"),
            Self::Unknown(four_cc) => write!(f, "\"{}\"", four_cc.escape_ascii()),
            Self::Unspecified => f.write_str("unspecified"),
        }
    }
}

/// What a server needs to know of an audio message in order to pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AudioKind {
    /// Decoders need it before any frame, late ones too.
    SequenceHeader,
    /// Coded audio.
    Frame,
    /// None of these: silence, several tracks, an empty or a broken tag.
    Other,
}

/// The kind of an audio message, from its payload. Allocates nothing.
pub fn audio_kind(payload: &[u8]) -> AudioKind {
    let mut body = payload;
    let Ok(header) = Header::read(&mut body) else {
        return AudioKind::Other;
    };
    match header.packet {
        _ if body.is_empty() => AudioKind::Other,
        PacketType::SequenceHeader => AudioKind::SequenceHeader,
        PacketType::CodedFrames => AudioKind::Frame,
        _ => AudioKind::Other,
    }
}

/// The header of a tag: all before the packet's own bytes.
struct Header {
    codec: AudioCodec,
    packet: PacketType,
}

impl Header {
    /// The SoundFormat of Enhanced tags.
    const ENHANCED: u8 = 9;

    fn read(tag: &mut impl Buf) -> Result<Self, Error> {
        let first = tag.try_get_u8()?;
        match first >> 4 {
            Self::ENHANCED => Self::read_enhanced(first & 0x0f, tag),
            sound_format => Self::read_legacy(sound_format, tag),
        }
    }

    fn read_legacy(sound_format: u8, tag: &mut impl Buf) -> Result<Self, Error> {
        let codec = AudioCodec::from_legacy(sound_format);
        let packet = if codec == AudioCodec::Aac {
            PacketType::read_aac(tag)?
        } else {
            PacketType::CodedFrames
        };
        Ok(Self { codec, packet })
    }

    fn read_enhanced(packet_type: u8, tag: &mut impl Buf) -> Result<Self, Error> {
        let packet_type = skip_modifiers(tag, packet_type)?;
        if packet_type == packet_type::MULTITRACK_AUDIO {
            return Ok(Self { codec: AudioCodec::Unspecified, packet: PacketType::Multitrack });
        }
        let codec = AudioCodec::from_four_cc(read_four_cc(tag)?);
        Ok(Self { codec, packet: PacketType::from_enhanced(packet_type) })
    }
}

/// The type of a packet.
enum PacketType {
    SequenceHeader,
    CodedFrames,
    EndOfSequence,
    Multitrack,
    Other,
}

impl PacketType {
    /// Reads AACPacketType (E.4.2.1).
    fn read_aac(tag: &mut impl Buf) -> Result<Self, Error> {
        Ok(match tag.try_get_u8()? {
            0 => Self::SequenceHeader,
            1 => Self::CodedFrames,
            _ => Self::Other,
        })
    }

    const fn from_enhanced(packet_type: u8) -> Self {
        match packet_type {
            packet_type::SEQUENCE_START => Self::SequenceHeader,
            packet_type::CODED_FRAMES => Self::CodedFrames,
            packet_type::SEQUENCE_END => Self::EndOfSequence,
            _ => Self::Other,
        }
    }

    fn with_body(self, body: Bytes) -> AudioPacket {
        match self {
            Self::SequenceHeader => AudioPacket::SequenceHeader(body),
            Self::CodedFrames => AudioPacket::CodedFrames(body),
            Self::EndOfSequence => AudioPacket::EndOfSequence,
            Self::Multitrack => AudioPacket::Multitrack(body),
            Self::Other => AudioPacket::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(tag: &[u8]) -> Result<(AudioCodec, AudioPacket), Error> {
        AudioTag::parse(&Bytes::copy_from_slice(tag)).map(|tag| (tag.codec, tag.packet))
    }

    fn coded(data: &'static [u8]) -> AudioPacket {
        AudioPacket::CodedFrames(Bytes::from_static(data))
    }

    fn header(data: &'static [u8]) -> AudioPacket {
        AudioPacket::SequenceHeader(Bytes::from_static(data))
    }

    #[test]
    fn legacy() {
        assert_eq!(parse(b"\xaf\x00\x12\x10"), Ok((AudioCodec::Aac, header(b"\x12\x10"))));
        assert_eq!(parse(b"\xaf\x01\x21\x4c"), Ok((AudioCodec::Aac, coded(b"\x21\x4c"))));
        assert_eq!(parse(b"\xaf\x02"), Ok((AudioCodec::Aac, AudioPacket::Other)));
        assert_eq!(parse(b"\x2f\xff\xfb"), Ok((AudioCodec::Mp3, coded(b"\xff\xfb"))));
        assert_eq!(parse(b"\xe2\xff\xfb"), Ok((AudioCodec::Mp3, coded(b"\xff\xfb"))));
        assert_eq!(parse(b"\xb2\x00"), Ok((AudioCodec::Other(11), coded(b"\x00"))));
    }

    #[test]
    fn enhanced() {
        assert_eq!(parse(b"\x90mp4a\x12"), Ok((AudioCodec::Aac, header(b"\x12"))));
        assert_eq!(parse(b"\x91Opus\xfc"), Ok((AudioCodec::Opus, coded(b"\xfc"))));
        assert_eq!(parse(b"\x92fLaC"), Ok((AudioCodec::Flac, AudioPacket::EndOfSequence)));
        assert_eq!(parse(b"\x94ac-3\x01"), Ok((AudioCodec::Ac3, AudioPacket::Other)));
        assert_eq!(parse(b"\x97\x00\x00\x01ec-3!"), Ok((AudioCodec::Eac3, coded(b"!"))));
        assert_eq!(parse(b"\x91abcd!"), Ok((AudioCodec::Unknown(*b"abcd"), coded(b"!"))));
        let tracks = AudioPacket::Multitrack(Bytes::from_static(b"\x01Opus"));
        assert_eq!(parse(b"\x95\x01Opus"), Ok((AudioCodec::Unspecified, tracks)));
    }

    #[test]
    fn kinds() {
        for (tag, kind) in [
            (&b"\xaf\x00\x12\x10"[..], AudioKind::SequenceHeader),
            (b"\xaf\x01\x21", AudioKind::Frame),
            (b"\x2f\xff", AudioKind::Frame),
            (b"\x90Opus\x01", AudioKind::SequenceHeader),
            (b"\x91.mp3\xff", AudioKind::Frame),
            (b"\xaf\x01", AudioKind::Other),
            (b"\xaf\x02\x00", AudioKind::Other),
            (b"\x92Opus", AudioKind::Other),
            (b"\x95\x01Opus", AudioKind::Other),
            (b"", AudioKind::Other),
        ] {
            assert_eq!(audio_kind(tag), kind, "{tag:x?}");
        }
    }

    #[test]
    fn every_start_and_every_cut_is_an_answer() {
        for first in 0..=u8::MAX {
            let tag = [&[first], &[0xff; 12][..]].concat();
            for end in 0..tag.len() {
                if parse(&tag[..end]).is_err() {
                    assert_eq!(audio_kind(&tag[..end]), AudioKind::Other);
                }
            }
        }
        assert_eq!(parse(b""), Err(Error::Truncated));
        assert_eq!(parse(b"\xaf"), Err(Error::Truncated));
        assert_eq!(parse(b"\x91Opu"), Err(Error::Truncated));
    }
}
