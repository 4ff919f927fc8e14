//! Errors of the protocol, by whose fault they are.

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
}

/// How the peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The first byte of the handshake is not a version of RTMP.
    #[error("not RTMP: handshake version {0}")]
    Version(u8),
}

/// What the peer asked for and this server does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// RTMPE and other encrypted variants.
    #[error("encrypted RTMP (handshake version {0})")]
    Encryption(u8),
}
