//! A frame: one message of a stream on its way to the players.

use std::mem;

use bytes::{Bytes, BytesMut};

use crate::rtmp::Message;
use crate::rtmp::chunk::Framing;
use crate::time::Instant;

/// One message in a [`FrameLog`](super::FrameLog).
#[derive(Debug)]
pub struct Frame {
    /// What the message is.
    pub kind: FrameKind,
    pub(super) content: Content,
    /// The bytes of all frames before this one.
    pub(super) offset: u64,
    pub(super) came: Instant,
}

impl Frame {
    /// The message as chunks with a full header, the same for every player. `None` as long as
    /// nobody plays the stream.
    pub fn chunks(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Chunks(chunks) => Some(chunks),
            Content::Message { .. } => None,
        }
    }
}

/// What a frame is to a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// User Control Stream Begin: a publisher came, and what follows is its stream.
    Begin,
    /// User Control Stream Dry: the publisher left.
    Dry,
    /// Metadata or a sequence header.
    Header,
    /// Any other data message, such as `onTextData`.
    Data,
    /// Audio.
    Audio,
    /// Video from which decoding can start.
    Keyframe,
    /// Video that needs the video before it.
    Inter,
}

/// What is held of a frame.
#[derive(Debug)]
pub enum Content {
    /// It has been serialised for the wire.
    Chunks(Bytes),
    /// It is to be serialised when somebody plays the stream.
    Message {
        /// The chunk stream it goes on.
        csid: u32,
        /// The message, of which every player gets the same.
        message: Message,
    },
}

impl From<Bytes> for Content {
    fn from(chunks: Bytes) -> Self {
        Self::Chunks(chunks)
    }
}

impl Content {
    /// How many bytes it is on the wire.
    pub(super) fn length(&self, framing: Framing) -> usize {
        match self {
            Self::Chunks(chunks) => chunks.len(),
            Self::Message { csid, message } => framing.encoded_length(*csid, message),
        }
    }

    /// Serialises it at the end of `block`, unless that has been done.
    pub(super) fn serialise(&mut self, framing: Framing, block: &mut BytesMut) {
        if let Self::Message { csid, message } = self {
            framing.encode(*csid, message, block);
            let _ = mem::replace(self, Self::Chunks(block.split().freeze()));
        }
    }
}
