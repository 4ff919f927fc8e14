//! The RTMP wire protocol, without any I/O: bytes in, values out.

pub mod chunk;
pub mod client;
pub mod command;
mod error;
pub mod handshake;
pub mod message;
pub mod session;

pub use error::{Error, Limit, PeerMisbehaved, Unsupported};
pub use message::{Message, MessageType};
