//! Another worker's stream, pulled for the players of this one.

use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nginx_sys::ngx_event_t;

use super::cluster::Owner;
use super::connection::{Connection, Received};
use super::peer::READ_BUDGET;
use super::worker::{self, Shared};
use super::{event, guard};
use crate::live::{Registry, SessionId, StreamConfig, StreamId, StreamKey};
use crate::rtmp::{self, Feed, Message};

/// Stands for a pull where the publisher of a stream is named; a stream has at most one.
pub(super) const PULL: SessionId = SessionId(u64::MAX);

/// One stream that comes from another worker. In this worker it is the stream's publisher, from
/// its first message on.
pub(super) struct Pull {
    connection: Connection,
    feed: Feed,
    owner: Owner,
    output: Output,
}

/// The stream of this worker that a pull fills.
struct Output {
    stream: StreamId,
    key: StreamKey,
    config: Arc<StreamConfig>,
    /// Whether a message has come.
    publishes: bool,
}

/// Why a pull ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("bug: pull ended after a panic")]
    Bug,
    #[error("connection to another worker failed")]
    Broken,
    #[error("the other worker's publisher has left")]
    Ended,
    #[error("another worker sent {0}")]
    Protocol(#[from] rtmp::Error),
}

impl Pull {
    /// The stream that `owner` feeds on the connection; `None` if nginx has no room for it.
    pub(super) fn new(
        descriptor: OwnedFd,
        owner: Owner,
        stream: StreamId,
        key: StreamKey,
        config: Arc<StreamConfig>,
    ) -> Option<Self> {
        let mut connection = Connection::adopt(descriptor, on_read)?;
        connection.set_data(stream.0 as usize);
        let output = Output { stream, key, config, publishes: false };
        Some(Self { connection, feed: Feed::default(), owner, output })
    }

    /// Whether anything has come.
    pub(super) fn publishes(&self) -> bool {
        self.output.publishes
    }

    /// Where the stream comes from.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Reads what there is.
    fn on_readable(&mut self, shared: &mut Shared) -> Result<(), End> {
        let mut left = READ_BUDGET;
        loop {
            match self.connection.recv(&mut shared.scratch) {
                Received::Bytes(n) => {
                    left = left.saturating_sub(n);
                    self.take(n, shared)?;
                }
                Received::Again => break,
                Received::Eof => return Err(End::Ended),
                Received::Error => return Err(End::Broken),
            }
            if left == 0 {
                self.connection.post_read();
                return Ok(());
            }
        }
        self.connection.wait_readable().map_err(|_| End::Broken)
    }

    fn take(&mut self, received: usize, shared: &mut Shared) -> Result<(), End> {
        let Self { feed, output, .. } = self;
        let streams = &mut shared.streams;
        feed.handle_input(&shared.scratch[..received], |message| output.push(message, streams))?;
        shared.fanout.mark(output.stream);
        Ok(())
    }
}

impl Output {
    /// Becomes the stream's publisher, unless one of this worker's has come in the meantime.
    fn publish(&self, streams: &mut Registry) {
        let publisher = streams.channel(self.stream).and_then(|channel| channel.publisher);
        if publisher.is_none_or(|publisher| publisher == PULL) {
            let _ = streams.publish(event::now(), PULL, self.key.clone(), &self.config, true);
        }
    }

    fn push(&mut self, message: Message, streams: &mut Registry) {
        if !mem::replace(&mut self.publishes, true) {
            self.publish(streams);
        }
        if let Some(channel) = streams.channel_mut(self.stream)
            && channel.publisher == Some(PULL)
            && let Some(message) = channel.stream.retime(message)
        {
            channel.stream.push(event::now(), message);
        }
    }
}

/// There is something to read from another worker.
unsafe extern "C" fn on_read(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection has it as its data, and the stream's number is in there.
    let stream = unsafe { event::number(event) };
    let stream = StreamId(stream as u64);
    guard(
        || worker::with(|worker| worker.run_pull(stream, Pull::on_readable)),
        || guard(|| worker::with(|worker| worker.end_pull(stream, &End::Bug)), || ()),
    );
}
