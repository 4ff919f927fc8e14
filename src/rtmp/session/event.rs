//! What a session tells its application, and the refusals it is told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::rtmp::Message;
use crate::rtmp::command::{Connect, Play, Publish};
use crate::time::Instant;

/// What [`Session::poll_output`](super::Session::poll_output) gives, or a client's.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<E = Event> {
    /// Bytes for the peer, after all given before.
    Send(Bytes),
    /// Something for the application.
    Event(E),
    /// The connection is to be closed once everything given before is sent. Given once.
    Close,
    /// Nothing until more input, or until then. `None` for no deadline.
    Timeout(Option<Instant>),
}

/// What the peer wants or did.
///
/// `Connect`, `Publish` and `Play` are requests: no input is processed until the application has
/// called the `accept_` or `reject_` method of the same name. Requests are boxed so that the size of
/// an event is that of a media message, of which there are thousands for each request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A request to use an application.
    Connect(Arc<Connect>),
    /// A request to publish a stream.
    Publish(Box<Publish>),
    /// A request to play a stream.
    Play(Box<Play>),
    /// Audio, video or data of an accepted publish.
    ///
    /// Data is of type [`DataAmf0`](crate::rtmp::MessageType::DataAmf0) and starts with the name of
    /// what is set, such as `onMetaData`: the wrapper `@setDataFrame` is taken off. Aggregate
    /// messages come as their parts.
    Media(Message),
    /// The peer ended its accepted publish or play. The connection may live on.
    StreamClosed,
    /// The player pauses or resumes.
    Pause {
        /// Pause or resume.
        paused: bool,
        /// Where in the stream, in milliseconds.
        position: u32,
    },
    /// The player wants to continue at a position, in milliseconds.
    Seek(u32),
    /// Whether the player wants audio.
    ReceiveAudio(bool),
    /// Whether the player wants video.
    ReceiveVideo(bool),
    /// How much the player buffers.
    SetBufferLength(Duration),
}

/// Why a publish is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishRefusal {
    /// Someone else publishes under the name.
    BadName,
    /// The peer may not publish here.
    Denied,
    /// The server could not do its part.
    Failed,
}

impl PublishRefusal {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::BadName => "NetStream.Publish.BadName",
            Self::Denied => "NetStream.Publish.Denied",
            Self::Failed => "NetStream.Publish.Failed",
        }
    }

    /// What the peer is told.
    pub const fn description(self) -> &'static str {
        match self {
            Self::BadName => "Already publishing.",
            Self::Denied => "Publishing denied.",
            Self::Failed => "Publishing failed.",
        }
    }
}

/// Why a play is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayRefusal {
    /// There is no such stream.
    StreamNotFound,
    /// The peer may not play here.
    Denied,
    /// The server could not do its part.
    Failed,
}

impl PlayRefusal {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::StreamNotFound => "NetStream.Play.StreamNotFound",
            Self::Denied | Self::Failed => "NetStream.Play.Failed",
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::StreamNotFound => "Stream not found.",
            Self::Denied => "Playing denied.",
            Self::Failed => "Playing failed.",
        }
    }
}

/// What a publisher is told of a recording of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordStatus {
    /// A file has begun.
    Start,
    /// A file is complete.
    Stop,
    /// A file could not be written.
    Failed,
}

impl RecordStatus {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Start => "NetStream.Record.Start",
            Self::Stop => "NetStream.Record.Stop",
            Self::Failed => "NetStream.Record.Failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_no_larger_than_a_media_message() {
        assert!(size_of::<Event>() <= size_of::<Message>());
        assert!(size_of::<Output<Event>>() <= size_of::<Message>() + size_of::<u64>());
    }
}
