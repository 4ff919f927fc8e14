//! Errors of the protocol, by whose fault they are.

use crate::amf0;

/// Why a session has to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer passed a limit of ours.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// The peer broke the protocol.
    #[error(transparent)]
    PeerMisbehaved(#[from] PeerMisbehaved),
    /// The peer asked for what this server does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// A limit of ours that the peer passed; most are directives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// `max_message`.
    #[error("message of {length} bytes is larger than max_message {max}")]
    Message {
        /// The message's declared length, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// `max_streams`.
    #[error("chunk stream id {csid} is not below max_streams {max}")]
    ChunkStream {
        /// The chunk stream id.
        csid: u32,
        /// The limit.
        max: u32,
    },
    /// The chunk size that the peer set.
    #[error("chunk size of {size} bytes is larger than {max}")]
    ChunkSize {
        /// The size, in bytes.
        size: u32,
        /// The limit, in bytes.
        max: u32,
    },
}

/// How the peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The first byte of the handshake is not a version of RTMP.
    #[error("not RTMP: handshake version {0}")]
    Version(u8),
    /// A Set Chunk Size of zero or with its top bit set.
    #[error("chunk size {0:#x} is not valid")]
    ChunkSize(u32),
    /// The first header on a chunk stream leaves out what only an earlier one could tell.
    #[error("chunk of format {format} without one before it on chunk stream {csid}")]
    ChunkFormat {
        /// 2 or 3.
        format: u8,
        /// The chunk stream id.
        csid: u32,
    },
    /// A message began on a chunk stream before the one before it was complete.
    #[error("unfinished message interrupted by another on chunk stream {csid}")]
    MessageInterrupted {
        /// The chunk stream id.
        csid: u32,
    },
    /// A payload that is not AMF0.
    #[error(transparent)]
    Amf0(#[from] amf0::Error),
}

/// What the peer asked for and this server does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// RTMPE and other encrypted variants.
    #[error("encrypted RTMP (handshake version {0})")]
    Encryption(u8),
}
