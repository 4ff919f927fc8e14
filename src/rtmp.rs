//! The RTMP wire protocol, without any I/O: bytes in, values out.
//!
//! Bottom up: the [`handshake`], then the [`chunk`] stream that carries [`Message`]s, then the
//! [`command`]s in them, then either end of a connection: a server's [`Session`] and a
//! [`client::Client`].

mod aggregate;
pub mod capabilities;
pub mod chunk;
pub mod client;
pub mod command;
pub mod control;
mod error;
mod feed;
pub mod handshake;
mod link;
mod media;
pub mod message;
mod reply;
pub mod session;
#[cfg(test)]
mod tests;

pub use error::{Error, Limit, PeerMisbehaved, Unsupported};
pub use feed::Feed;
pub use message::{Message, MessageType};
pub use reply::play_status;
pub use session::Session;
