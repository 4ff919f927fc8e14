//! Live streams: the frame log, players as cursors into it, the streams of one worker.
//!
//! A publisher's message is serialised once, whatever the number of players, and not at all if there
//! are none:
//!
//! ```text
//!  publisher ── Message ──> Stream ── Frame ──> FrameLog  [ B H H K i i i K i i i i ]
//!                                                               ^       ^       ^
//!                                       new player starts here ─│───────┘       │
//!                                       Player (slow) ──────────┘   Player ─────┘
//! ```
//!
//! To run it:
//! 1. [`Registry::publish`] and [`Registry::play`] enter sessions into a stream's [`Channel`].
//! 2. [`Stream::push`] takes each message of the publisher's.
//! 3. Once the worker has read what there was to read, and whenever a player's connection becomes
//!    writable: send what [`Player::partial`] and [`Player::gather`] give, and tell
//!    [`Player::advance`] how much went out.
//! 4. [`Registry::unpublish`] and [`Registry::stop`] take the sessions out again.

mod continuity;
mod frame;
mod frame_log;
mod idle;
mod metadata;
mod pictures;
mod player;
mod publication;
mod received;
mod registry;
mod send_window;
mod stream;

#[cfg(test)]
mod tests;

pub use frame::{Content, Frame, FrameKind};
pub use frame_log::{EntryPoint, FrameLog, GopLimits, LagLimits, LogLimits};
pub use idle::{Idle, IdleLimits, IdleWatch};
pub use metadata::Meta;
pub(crate) use metadata::{Metadata, is_metadata};
pub use pictures::Pictures;
pub use player::Player;
pub use received::Received;
pub use registry::{
    ApplicationId, Channel, Published, Registry, Sent, SessionId, StreamId, StreamKey,
};
pub use send_window::{Gathering, Pace, SMALL_AUDIENCE, SendWindow, Turn};
pub use stream::{AlreadyPublishing, Stream, StreamConfig};
