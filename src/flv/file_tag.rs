//! The tags of an FLV file (Adobe FLV 10.1, E.2 to E.4): where they are, and what is in them.

use bytes::{Buf, Bytes};

use super::reader::{ReadError, Result};
use super::{AudioKind, VideoKind, audio_kind, video_kind};
use crate::file_view::{Absent, FileView, Purpose, Stop};
use crate::rtmp::MessageType;

/// The header of a file without extensions, and of each tag.
const FILE_HEADER: usize = 9;
const TAG_HEADER: usize = 11;
/// The length that follows each tag.
const TRAILER: u64 = 4;

/// The bytes of a tag's body that tell what it is.
const GLANCE: usize = 16;

/// The header of a tag (E.4.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct TagHeader {
    pub(super) position: u64,
    /// None of a tag that is encrypted.
    pub(super) kind: Option<MessageType>,
    pub(super) size: usize,
    /// In milliseconds.
    pub(super) timestamp: u32,
}

impl TagHeader {
    pub(super) const fn body(&self) -> u64 {
        self.position + TAG_HEADER as u64
    }

    /// Where the next tag is.
    pub(super) const fn end(&self) -> u64 {
        self.body() + self.size as u64 + TRAILER
    }
}

/// What a tag is to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    Metadata,
    SequenceHeader,
    Keyframe,
    Inter,
    Sound,
    Other,
}

impl TagKind {
    pub(super) fn of(kind: Option<MessageType>, start: &[u8]) -> Self {
        match kind {
            Some(MessageType::DataAmf0) if start.starts_with(ON_META_DATA) => Self::Metadata,
            Some(MessageType::Video) => match video_kind(start) {
                VideoKind::SequenceHeader => Self::SequenceHeader,
                VideoKind::Keyframe => Self::Keyframe,
                VideoKind::Inter => Self::Inter,
                VideoKind::Other => Self::Other,
            },
            Some(MessageType::Audio) => match audio_kind(start) {
                AudioKind::SequenceHeader => Self::SequenceHeader,
                AudioKind::Frame => Self::Sound,
                AudioKind::Other => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The AMF0 string `onMetaData`.
pub(super) const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";

/// Where the first tag is (E.2).
pub(super) fn read_file_header(view: &mut FileView) -> Result<u64> {
    let absent = |absent| Stop::from_absent(absent, ReadError::NoHeader);
    let mut header = view.get(Purpose::Media, 0, FILE_HEADER).map_err(absent)?;
    if !header.starts_with(b"FLV") {
        return Err(ReadError::NoHeader.into());
    }
    header.advance(5);
    let length = header.get_u32().max(FILE_HEADER as u32);
    Ok(u64::from(length) + TRAILER)
}

pub(super) fn read_tag(view: &mut FileView, position: u64) -> Result<Option<TagHeader>> {
    read_tag_for(view, Purpose::Media, position)
}

/// The header of the tag at `position`; `None` if no whole one is left.
pub(super) fn read_tag_for(
    view: &mut FileView,
    purpose: Purpose,
    position: u64,
) -> Result<Option<TagHeader>> {
    let mut header = match view.get(purpose, position, TAG_HEADER) {
        Ok(header) => header,
        Err(Absent::Unread(request)) => return Err(Stop::Unread(request)),
        Err(Absent::PastEnd) => return Ok(None),
    };
    let kind = header.get_u8();
    let size = header.get_uint(3) as usize;
    let timestamp = header.get_uint(3) as u32 | u32::from(header.get_u8()) << 24;
    let encrypted = kind & 0x20 != 0;
    let message = match kind & 0x1f {
        8 => MessageType::Audio,
        9 => MessageType::Video,
        18 => MessageType::DataAmf0,
        _ => return Err(ReadError::NoTag(position, kind).into()),
    };
    let tag = TagHeader { position, kind: Some(message).filter(|_| !encrypted), size, timestamp };
    let is_whole = tag.body() + size as u64 <= view.length();
    Ok(is_whole.then_some(tag))
}

pub(super) fn read_body(view: &mut FileView, tag: &TagHeader) -> Result<Bytes> {
    get_body(view, Purpose::Media, tag, tag.size)
}

/// The beginning of a tag's body.
pub(super) fn glance(view: &mut FileView, purpose: Purpose, tag: &TagHeader) -> Result<Bytes> {
    get_body(view, purpose, tag, tag.size.min(GLANCE))
}

fn get_body(
    view: &mut FileView,
    purpose: Purpose,
    tag: &TagHeader,
    length: usize,
) -> Result<Bytes> {
    let cut = ReadError::NoTag(tag.position, 0);
    view.get(purpose, tag.body(), length).map_err(|absent| Stop::from_absent(absent, cut))
}
