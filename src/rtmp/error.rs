//! Errors of the protocol, by whose fault they are.

use std::time::Duration;

use super::MessageType;
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
    /// The length of a command or of a name, query or URL in it.
    #[error("{what} of {length} bytes is longer than {max}")]
    Text {
        /// What is too long.
        what: &'static str,
        /// Its length, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// `timeout`.
    #[error("no connect command within timeout {0:?}")]
    ConnectTimeout(Duration),
    /// How long a server may take to start a stream.
    #[error("stream was not started within {0:?}")]
    StartTimeout(Duration),
    /// `ping_timeout`.
    #[error("no sign of life within ping_timeout {0:?} of a ping")]
    PingTimeout(Duration),
    /// `busy`.
    #[error("busy is on, but nothing was received within ping {0:?}")]
    Busy(Duration),
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
    /// A command is not AMF0.
    #[error(transparent)]
    Amf0(#[from] amf0::Error),
    /// A part of an aggregate message does not fit in it.
    #[error("aggregate message is cut short")]
    AggregateTruncated,
    /// A control message is shorter than its type needs.
    #[error("control message of type {0:?} is cut short")]
    ControlTruncated(MessageType),
    /// Another command came before `connect`.
    #[error("command before connect")]
    CommandBeforeConnect,
    /// `connect` came again.
    #[error("second connect")]
    SecondConnect,
    /// A command lacks an argument, or it is of the wrong type or empty.
    #[error("{command}: no {what}")]
    MissingArgument {
        /// The command.
        command: &'static str,
        /// The argument.
        what: &'static str,
    },
    /// A control character where text is expected.
    #[error("{command}: control character in {what}")]
    ControlCharacter {
        /// The command.
        command: &'static str,
        /// The argument.
        what: &'static str,
    },
}

/// What the peer asked for and this server does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// RTMPE and other encrypted variants.
    #[error("encrypted RTMP (handshake version {0})")]
    Encryption(u8),
}
