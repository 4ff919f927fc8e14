//! Video tags.

use std::fmt;

use bytes::{Buf, Bytes};

use super::{Error, FourCc, packet_type, read_four_cc, skip_modifiers};

/// A video tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoTag {
    /// What the frame depends on. Tells nothing about a packet that is not of coded frames.
    pub frame_type: FrameType,
    /// The codec of the packet.
    pub codec: VideoCodec,
    /// What the tag carries.
    pub packet: VideoPacket,
}

impl VideoTag {
    /// Takes the payload of a video message apart. The packet shares the payload's memory.
    ///
    /// # Errors
    ///
    /// The header ends early or holds an undefined frame type. Codecs and packet types that this
    /// parser does not know are not errors.
    pub fn parse(payload: &Bytes) -> Result<Self, Error> {
        let mut body = payload.clone();
        let Header { frame_type, codec, packet } = Header::read(&mut body)?;
        Ok(Self { frame_type, codec, packet: packet.with_body(body) })
    }
}

/// What a video tag carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoPacket {
    /// The codec's configuration record, such as ISO/IEC 14496-15's for H.264 and HEVC.
    SequenceHeader(Bytes),
    /// A coded picture.
    CodedFrames {
        /// Milliseconds from decoding to presentation, -2^23 to 2^23 - 1. Zero for codecs whose
        /// tags have none.
        composition_time: i32,
        /// The picture in the codec's own format.
        data: Bytes,
    },
    /// The sequence is over; another sequence header may follow.
    EndOfSequence,
    /// AMF values about the video, such as `colorInfo`.
    Metadata(Bytes),
    /// Packets of several tracks, from the byte that holds the multitrack type on.
    Multitrack(Bytes),
    /// A seek command or a packet of an unknown type.
    Other,
}

/// What a frame depends on (E.4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameType {
    /// 1: a seekable frame.
    Key,
    /// 2: a frame that others are needed for.
    Inter,
    /// 3: an inter frame that no other needs; Sorenson H.263 only.
    DisposableInter,
    /// 4: a keyframe that a server generated.
    GeneratedKey,
    /// 5: no frame but a command to the player.
    Command,
}

impl FrameType {
    /// Whether decoding can start at the frame.
    pub const fn is_key(self) -> bool {
        matches!(self, Self::Key | Self::GeneratedKey)
    }
}

impl TryFrom<u8> for FrameType {
    type Error = Error;

    fn try_from(value: u8) -> Result<Self, Error> {
        match value {
            1 => Ok(Self::Key),
            2 => Ok(Self::Inter),
            3 => Ok(Self::DisposableInter),
            4 => Ok(Self::GeneratedKey),
            5 => Ok(Self::Command),
            value => Err(Error::FrameType(value)),
        }
    }
}

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum VideoCodec {
    /// AV1.
    Av1,
    /// H.264.
    Avc,
    /// HEVC. As a legacy codec (12) it is in no specification but widely deployed.
    Hevc,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// H.266.
    Vvc,
    /// Another codec of legacy tags, by its id: 2 is Sorenson H.263, 4 and 5 are VP6.
    Other(u8),
    /// Another codec of Enhanced tags, by its FourCC.
    Unknown([u8; 4]),
    /// The tag does not name one codec: an Enhanced command or several tracks.
    Unspecified,
}

impl VideoCodec {
    const fn from_legacy(id: u8) -> Self {
        match id {
            7 => Self::Avc,
            12 => Self::Hevc,
            id => Self::Other(id),
        }
    }

    const fn from_four_cc(four_cc: FourCc) -> Self {
        match &four_cc {
            b"av01" => Self::Av1,
            b"avc1" => Self::Avc,
            b"hvc1" => Self::Hevc,
            b"vp08" => Self::Vp8,
            b"vp09" => Self::Vp9,
            b"vvc1" => Self::Vvc,
            _ => Self::Unknown(four_cc),
        }
    }

    /// Whether pictures may be presented in another order than they are decoded in, by tags that
    /// say when.
    const fn has_composition_time(self) -> bool {
        matches!(self, Self::Avc | Self::Hevc | Self::Vvc)
    }
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Av1 => f.write_str("AV1"),
            Self::Avc => f.write_str("H.264"),
            Self::Hevc => f.write_str("HEVC"),
            Self::Vp8 => f.write_str("VP8"),
            Self::Vp9 => f.write_str("VP9"),
            Self::Vvc => f.write_str("H.266"),
            Self::Other(id) => write!(f, "FLV video codec {id}"),
            Self::Unknown(four_cc) => write!(f, "\"{}\"", four_cc.escape_ascii()),
            Self::Unspecified => f.write_str("unspecified"),
        }
    }
}

/// What a server needs to know of a video message in order to pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VideoKind {
    /// Decoders need it before any frame, late ones too.
    SequenceHeader,
    /// A frame that decoding can start at.
    Keyframe,
    /// A frame that needs earlier ones.
    Inter,
    /// None of these: a command, metadata, several tracks, an empty or a broken tag.
    Other,
}

/// The kind of a video message, from its payload. Allocates nothing.
pub fn video_kind(payload: &[u8]) -> VideoKind {
    let mut body = payload;
    let Ok(header) = Header::read(&mut body) else {
        return VideoKind::Other;
    };
    match header.packet {
        _ if body.is_empty() => VideoKind::Other,
        PacketType::SequenceHeader => VideoKind::SequenceHeader,
        PacketType::CodedFrames { .. } if header.frame_type.is_key() => VideoKind::Keyframe,
        PacketType::CodedFrames { .. } => VideoKind::Inter,
        _ => VideoKind::Other,
    }
}

/// The header of a tag: all before the packet's own bytes.
struct Header {
    frame_type: FrameType,
    codec: VideoCodec,
    packet: PacketType,
}

impl Header {
    const ENHANCED: u8 = 0x80;

    fn read(tag: &mut impl Buf) -> Result<Self, Error> {
        let first = tag.try_get_u8()?;
        let frame_type = FrameType::try_from(first >> 4 & 0x07)?;
        let low = first & 0x0f;
        if first & Self::ENHANCED == 0 {
            Self::read_legacy(frame_type, low, tag)
        } else {
            Self::read_enhanced(frame_type, low, tag)
        }
    }

    fn read_legacy(frame_type: FrameType, codec: u8, tag: &mut impl Buf) -> Result<Self, Error> {
        let codec = VideoCodec::from_legacy(codec);
        let packet = if frame_type == FrameType::Command {
            PacketType::Other
        } else if codec.has_composition_time() {
            PacketType::read_avc(tag)?
        } else {
            PacketType::CodedFrames { composition_time: 0 }
        };
        Ok(Self { frame_type, codec, packet })
    }

    fn read_enhanced(
        frame_type: FrameType,
        packet_type: u8,
        tag: &mut impl Buf,
    ) -> Result<Self, Error> {
        let packet_type = skip_modifiers(tag, packet_type)?;
        let (codec, packet) = match packet_type {
            _ if frame_type == FrameType::Command && packet_type != packet_type::METADATA => {
                (VideoCodec::Unspecified, PacketType::Other)
            }
            packet_type::MULTITRACK_VIDEO => (VideoCodec::Unspecified, PacketType::Multitrack),
            _ => {
                let codec = VideoCodec::from_four_cc(read_four_cc(tag)?);
                (codec, PacketType::read_enhanced(packet_type, codec, tag)?)
            }
        };
        Ok(Self { frame_type, codec, packet })
    }
}

/// The type of a packet, with what the header says about it.
enum PacketType {
    SequenceHeader,
    CodedFrames { composition_time: i32 },
    EndOfSequence,
    Metadata,
    Multitrack,
    Other,
}

impl PacketType {
    /// Reads AVCPacketType and CompositionTime (E.4.3.1).
    fn read_avc(tag: &mut impl Buf) -> Result<Self, Error> {
        let packet_type = tag.try_get_u8()?;
        if packet_type == 2 {
            // Its composition time means nothing and some encoders leave it out.
            return Ok(Self::EndOfSequence);
        }
        let composition_time = read_composition_time(tag)?;
        Ok(match packet_type {
            0 => Self::SequenceHeader,
            1 => Self::CodedFrames { composition_time },
            _ => Self::Other,
        })
    }

    fn read_enhanced(
        packet_type: u8,
        codec: VideoCodec,
        tag: &mut impl Buf,
    ) -> Result<Self, Error> {
        Ok(match packet_type {
            packet_type::SEQUENCE_START => Self::SequenceHeader,
            packet_type::CODED_FRAMES if codec.has_composition_time() => {
                Self::CodedFrames { composition_time: read_composition_time(tag)? }
            }
            packet_type::CODED_FRAMES | packet_type::CODED_FRAMES_X => {
                Self::CodedFrames { composition_time: 0 }
            }
            packet_type::SEQUENCE_END => Self::EndOfSequence,
            packet_type::METADATA => Self::Metadata,
            _ => Self::Other,
        })
    }

    fn with_body(self, body: Bytes) -> VideoPacket {
        match self {
            Self::SequenceHeader => VideoPacket::SequenceHeader(body),
            Self::CodedFrames { composition_time } => {
                VideoPacket::CodedFrames { composition_time, data: body }
            }
            Self::EndOfSequence => VideoPacket::EndOfSequence,
            Self::Metadata => VideoPacket::Metadata(body),
            Self::Multitrack => VideoPacket::Multitrack(body),
            Self::Other => VideoPacket::Other,
        }
    }
}

/// A signed 24-bit number of milliseconds.
fn read_composition_time(tag: &mut impl Buf) -> Result<i32, Error> {
    Ok(tag.try_get_int(3)? as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From ffmpeg 5.1, libx264: a sequence header, an IDR picture, a B picture (cut short).
    const SEQUENCE_HEADER: &[u8] =
        b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00\x02\x67\x42\x01\x00\x02\x68\xcb";
    const KEYFRAME: &[u8] = b"\x17\x01\x00\x00\x43\x00\x00\x00\x02\x65\x88";
    const INTER: &[u8] = b"\x27\x01\x00\x00\x42\x00\x00\x00\x02\x41\x9a";

    fn parse(tag: &[u8]) -> Result<VideoTag, Error> {
        VideoTag::parse(&Bytes::copy_from_slice(tag))
    }

    fn coded(composition_time: i32, data: &'static [u8]) -> VideoPacket {
        VideoPacket::CodedFrames { composition_time, data: Bytes::from_static(data) }
    }

    #[test]
    fn legacy_avc() {
        let tag = parse(SEQUENCE_HEADER).unwrap();
        assert_eq!((tag.frame_type, tag.codec), (FrameType::Key, VideoCodec::Avc));
        let record = Bytes::copy_from_slice(&SEQUENCE_HEADER[5..]);
        assert_eq!(tag.packet, VideoPacket::SequenceHeader(record));
        assert_eq!(parse(KEYFRAME).unwrap().packet, coded(67, b"\x00\x00\x00\x02\x65\x88"));
        assert_eq!(parse(INTER).unwrap().frame_type, FrameType::Inter);
        assert_eq!(parse(b"\x27\x01\xff\xff\xfe\x00").unwrap().packet, coded(-2, b"\x00"));
        assert_eq!(parse(b"\x17\x02").unwrap().packet, VideoPacket::EndOfSequence);
        assert_eq!(parse(b"\x57\x00").unwrap().packet, VideoPacket::Other);
    }

    #[test]
    fn enhanced() {
        let tag = parse(b"\x90hvc1\x01").unwrap();
        assert_eq!(tag.codec, VideoCodec::Hevc);
        assert_eq!(tag.packet, VideoPacket::SequenceHeader(Bytes::from_static(b"\x01")));
        assert_eq!(parse(b"\xa1hvc1\xff\xff\xffNAL").unwrap().packet, coded(-1, b"NAL"));
        assert_eq!(parse(b"\xa3hvc1NAL").unwrap().packet, coded(0, b"NAL"));
        assert_eq!(parse(b"\xa1av01OBU").unwrap().packet, coded(0, b"OBU"));
        assert_eq!(parse(b"\x92avc1").unwrap().packet, VideoPacket::EndOfSequence);
        let metadata = VideoPacket::Metadata(Bytes::from_static(b"\x02"));
        assert_eq!(parse(b"\xd4hvc1\x02").unwrap().packet, metadata);
        assert_eq!(parse(b"\x91abcd!").unwrap().codec, VideoCodec::Unknown(*b"abcd"));
        assert_eq!(parse(b"\x9favc1!").unwrap().packet, VideoPacket::Other);
    }

    #[test]
    fn enhanced_command_and_multitrack_name_no_codec() {
        let tag = parse(b"\xd1\x00").unwrap();
        assert_eq!((tag.codec, tag.packet), (VideoCodec::Unspecified, VideoPacket::Other));
        let tag = parse(b"\x96\x01avc1\x00").unwrap();
        let tracks = Bytes::from_static(b"\x01avc1\x00");
        assert_eq!(
            (tag.codec, tag.packet),
            (VideoCodec::Unspecified, VideoPacket::Multitrack(tracks))
        );
    }

    #[test]
    fn modifiers_are_skipped() {
        // A nanosecond offset of three bytes, then one of an unknown type and 257 bytes.
        let mut tag = b"\x97\x02\x01\x02\x03\x07\xff\x01\x00".to_vec();
        tag.extend([0; 257]);
        tag.extend(b"\x11avc1\x00\x00\x05NAL");
        let tag = parse(&tag).unwrap();
        assert_eq!((tag.codec, tag.packet), (VideoCodec::Avc, coded(5, b"NAL")));
        assert_eq!(parse(b"\x97\xff\xff\xff\x00"), Err(Error::Truncated));
    }

    #[test]
    fn kinds() {
        for (tag, kind) in [
            (SEQUENCE_HEADER, VideoKind::SequenceHeader),
            (b"\x27\x00\x00\x00\x00\x01", VideoKind::SequenceHeader),
            (KEYFRAME, VideoKind::Keyframe),
            (INTER, VideoKind::Inter),
            (b"\x47\x01\x00\x00\x00\x00", VideoKind::Keyframe),
            (b"\x1c\x00\x00\x00\x00\x01", VideoKind::SequenceHeader),
            (b"\x12\x00\x00\x84", VideoKind::Keyframe),
            (b"\x22\x00\x00\x84", VideoKind::Inter),
            (b"\x32\x00\x00\x84", VideoKind::Inter),
            (b"\x14\x00", VideoKind::Keyframe),
            (b"\x90vp09\x01", VideoKind::SequenceHeader),
            (b"\x91vp09\x01", VideoKind::Keyframe),
            (b"\xa1hvc1\x00\x00\x00\x00", VideoKind::Inter),
            (b"\xa3avc1\x00", VideoKind::Inter),
            (b"\x17\x02\x00\x00\x00", VideoKind::Other),
            (b"\x52\x00", VideoKind::Other),
            (b"\x94avc1\x00", VideoKind::Other),
            (b"\x96\x01avc1\x00", VideoKind::Other),
            (b"\x17\x01\x00\x00\x00", VideoKind::Other),
            (b"\x12", VideoKind::Other),
            (b"\x07\x01\x00\x00\x00\x00", VideoKind::Other),
            (b"", VideoKind::Other),
        ] {
            assert_eq!(video_kind(tag), kind, "{tag:x?}");
        }
    }

    #[test]
    fn every_start_and_every_cut_is_an_answer() {
        for first in 0..=u8::MAX {
            for second in [0, 1, 2, 0xff] {
                let tag = [&[first, second], &[0xff; 12][..]].concat();
                for end in 0..tag.len() {
                    let parsed = parse(&tag[..end]);
                    if parsed.is_err() {
                        assert_eq!(video_kind(&tag[..end]), VideoKind::Other);
                    }
                }
            }
        }
        for end in 0..5 {
            assert_eq!(parse(&KEYFRAME[..end]), Err(Error::Truncated));
        }
    }
}
