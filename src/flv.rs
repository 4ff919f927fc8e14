//! FLV: the tag as RTMP messages carry it, and files.
//!
//! Headers of audio and video tags are known in the legacy form (Adobe FLV 10.1, E.4.2 and E.4.3)
//! and the Enhanced RTMP one (versions 1 and 2).
//!
//! The payload of an RTMP audio or video message is the body of an FLV tag. [`VideoTag`] and
//! [`AudioTag`] are that body taken apart; [`video_kind`] and [`audio_kind`] tell only what a
//! server needs to know in order to pass it on.
//!
//! [`FlvReader`] reads files of such tags, and [`FlvWriter`] writes them.

mod audio;
mod file_tag;
mod keyframe_index;
mod keyframes;
mod reader;
mod survey;
mod video;
mod writer;

use bytes::{Buf, TryGetError};

pub use audio::{AudioCodec, AudioKind, AudioPacket, AudioTag, audio_kind};
pub use reader::{FlvReader, ReadError};
pub use survey::Survey;
pub use video::{FrameType, VideoCodec, VideoKind, VideoPacket, VideoTag, video_kind};
pub use writer::{Contents, FlvWriter, Patch, TagType};

/// Why a tag cannot be taken apart. Always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The frame type is none that the specification defines.
    #[error("FLV video tag with frame type {0}")]
    FrameType(u8),
    /// The tag ends within its header.
    #[error("FLV tag ends within its header")]
    Truncated,
}

impl From<TryGetError> for Error {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

/// A codec's name in Enhanced tags.
type FourCc = [u8; 4];

fn read_four_cc(tag: &mut impl Buf) -> Result<FourCc, Error> {
    Ok(tag.try_get_u32()?.to_be_bytes())
}

/// Reads past the modifiers that may precede the packet type of an Enhanced tag and returns the
/// packet type (Enhanced RTMP v2, ModEx). All they can hold today is an offset below a millisecond.
fn skip_modifiers(tag: &mut impl Buf, mut packet_type: u8) -> Result<u8, Error> {
    while packet_type == packet_type::MOD_EX {
        let size = match tag.try_get_u8()? {
            u8::MAX => usize::from(tag.try_get_u16()?),
            size => usize::from(size),
        } + 1;
        if tag.remaining() < size {
            return Err(Error::Truncated);
        }
        tag.advance(size);
        packet_type = tag.try_get_u8()? & 0x0f;
    }
    Ok(packet_type)
}

/// Packet types of Enhanced tags; audio and video number them alike.
mod packet_type {
    pub(super) const SEQUENCE_START: u8 = 0;
    pub(super) const CODED_FRAMES: u8 = 1;
    pub(super) const SEQUENCE_END: u8 = 2;
    /// Video only: coded frames whose composition time is zero.
    pub(super) const CODED_FRAMES_X: u8 = 3;
    /// Video only.
    pub(super) const METADATA: u8 = 4;
    pub(super) const MULTITRACK_AUDIO: u8 = 5;
    pub(super) const MULTITRACK_VIDEO: u8 = 6;
    pub(super) const MOD_EX: u8 = 7;
}
