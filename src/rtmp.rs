//! The RTMP wire protocol, without any I/O: bytes in, values out.

mod aggregate;
pub mod chunk;
pub mod client;
pub mod command;
mod control;
mod error;
pub mod handshake;
mod link;
mod media;
pub mod message;
mod reply;
pub mod session;
#[cfg(test)]
mod tests;

pub use error::{Error, Limit, PeerMisbehaved, Unsupported};
pub use message::{Message, MessageType};
