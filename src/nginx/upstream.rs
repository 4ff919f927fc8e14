//! A connection to another server, which one stream is pushed to or pulled from.

mod events;
mod pushing;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_random;

use super::conf::{Application, Server};
use super::connection::{Broken, Connection, Received};
use super::event;
use super::log::{Context, Level};
use super::outbox::Outbox;
use super::peer::READ_BUDGET;
use super::relays::RelayId;
use super::worker::{Shared, Worker};
use crate::client::Publication;
use crate::exec::Facts;
use crate::live::{Sent, SessionId, StreamId, StreamKey};
use crate::relay::{Direction, Forwarding, Route, Target};
use crate::rtmp::client::{Client, ClientConfig, Event};
use crate::rtmp::session::{Output, PublishRefusal};
use crate::rtmp::{self, Message};
use crate::stat::ClientReport;
use crate::time::Instant;

/// The numbers of these sessions begin here; those of others are below.
const FIRST: u64 = 1 << 62;

/// What relays call themselves in the C module, by which scrapers know them.
const RELAY: &str = "ngx-local-relay";

/// How long a server may take to take the rest of what it was sent.
const LINGER: Duration = Duration::from_secs(2);

/// A session with another server.
pub(super) struct Upstream {
    id: SessionId,
    relay: RelayId,
    connection: Connection,
    /// What the connection's log lines say; dropped after the connection.
    _context: Box<Context>,
    client: Client,
    /// Of the other server.
    address: String,
    began: Instant,
    outbox: Outbox,
    local: Local,
    /// What the stream is called there.
    remote_name: String,
    role: Role,
    /// Whether to end the stream there once everything is sent.
    ends: bool,
    closing: Closing,
}

/// How far the end of a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// Once everything is sent.
    Sending,
    /// Everything is sent, and the server has a moment to take it: a connection that is closed with
    /// anything unread is reset, which takes back what is still on its way.
    Lingering,
}

/// The stream of this worker that is pushed, or that is made of what is pulled.
pub(super) struct Local {
    pub(super) direction: Direction,
    pub(super) server: Arc<Server>,
    pub(super) application: Arc<Application>,
    pub(super) publication: Publication,
}

impl Local {
    pub(super) fn key(&self) -> StreamKey {
        StreamKey { application: self.application.id, name: self.publication.name.clone() }
    }
}

/// What the session does with the stream.
enum Role {
    Idle,
    /// Pulls.
    Publisher(StreamId),
    /// Pushes.
    Player {
        stream: StreamId,
        forwarding: Box<Forwarding>,
    },
}

/// Why the session ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("bug: relay ended after a panic")]
    Bug,
    #[error("connection failed")]
    Broken,
    #[error("server closed the connection")]
    ServerClosed,
    #[error("done")]
    Done,
    #[error("worker process is exiting")]
    Exit,
    #[error("server sent {0}")]
    Protocol(#[from] rtmp::Error),
    #[error("server refused: {code} {description}")]
    Refused { code: String, description: String },
    #[error("server has ended the stream")]
    Ended,
    #[error("the stream is published by somebody else here: {}", .0.description())]
    NotPublished(PublishRefusal),
    #[error("server took nothing that was sent for too long")]
    SendTimeout,
    /// Not before the server has been told: see [`Upstream::close`].
    #[error("the publisher has left")]
    PublisherLeft,
    #[error("server does not read what it is sent")]
    Unread,
}

impl From<Broken> for End {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

impl Upstream {
    /// A session on a connection that was just made to `target`.
    pub(super) fn new(
        id: SessionId,
        relay: RelayId,
        mut connection: Connection,
        target: &Target,
        local: Local,
    ) -> Self {
        connection.set_handlers(events::on_read, events::on_write);
        connection.set_data(id.0 as usize);
        connection.keep_alive();
        let context = Context::install(connection.raw(), "relay".to_owned(), target.to_string());
        context.set_application(&local.application.name);
        context.set_stream(&local.application.log_mask.name(&local.publication.name));
        connection.set_action(c"relaying");
        let route = target.route(&local.publication);
        let client = Client::new(config(&local, &route), event::now(), ngx_random() as u64);
        Self {
            id,
            relay,
            connection,
            _context: context,
            client,
            address: target.to_string(),
            began: event::now(),
            outbox: Outbox::default(),
            local,
            remote_name: route.name,
            role: Role::Idle,
            ends: false,
            closing: Closing::No,
        }
    }

    pub(super) fn relay(&self) -> RelayId {
        self.relay
    }

    /// The stream of this worker, and where it is.
    pub(super) fn publication(&self) -> (&Publication, &Arc<Application>) {
        (&self.local.publication, &self.local.application)
    }

    /// nginx's number of the connection.
    pub(super) fn number(&self) -> u64 {
        self.connection.number()
    }

    /// What came and went, in bytes.
    pub(super) fn traffic(&self) -> (u64, u64) {
        (self.client.bytes_received(), self.connection.bytes_sent())
    }

    /// What is told of it as a client of its stream here.
    pub(super) fn client_report(&self) -> ClientReport {
        let (bytes_in, bytes_out) = self.traffic();
        ClientReport {
            id: self.connection.number(),
            address: self.address.clone(),
            time: event::now().saturating_since(self.began).as_millis() as u64,
            flash_ver: RELAY.to_owned(),
            publishing: matches!(self.role, Role::Publisher(_)),
            bytes_in,
            bytes_out,
            protocol: self.connection.protocol(),
            outbox: self.outbox.len() as u64,
            tcp: self.connection.tcp_report(),
            ..ClientReport::default()
        }
    }

    /// Begins the handshake.
    pub(super) fn start(&mut self, shared: &mut Shared) -> Result<(), End> {
        if self.local.server.tcp_nodelay {
            self.connection.set_nodelay()?;
        }
        self.drain(shared)?;
        self.on_readable(shared)
    }

    /// Ends the stream there, and closes.
    pub(super) fn close(&mut self, shared: &mut Shared) -> Result<(), End> {
        self.leave(shared);
        self.client.close();
        self.drain(shared)
    }

    /// The stream that is pushed has come to its end: the server gets what there is of it.
    pub(super) fn on_publisher_left(&mut self) {
        self.ends = true;
    }

    fn on_writable(&mut self, shared: &mut Shared) -> Result<(), End> {
        match self.flush(shared) {
            Err(End::PublisherLeft) => self.close(shared),
            flushed => flushed,
        }
    }

    fn on_readable(&mut self, shared: &mut Shared) -> Result<(), End> {
        let mut left = READ_BUDGET;
        loop {
            match self.connection.recv(&mut shared.scratch) {
                Received::Bytes(n) if self.closing == Closing::Lingering => {
                    left = left.saturating_sub(n);
                }
                Received::Bytes(n) => {
                    let handled = self.client.handle_input(&shared.scratch[..n]);
                    self.drain(shared)?;
                    handled?;
                    left = left.saturating_sub(n);
                }
                Received::Again => break,
                _ if self.closing == Closing::Lingering => return Err(End::Done),
                Received::Eof => return Err(End::ServerClosed),
                Received::Error => return Err(End::Broken),
            }
            if left == 0 {
                self.connection.post_read();
                return Ok(());
            }
        }
        Ok(self.connection.wait_readable()?)
    }

    /// Waits for the server to close.
    fn linger(&mut self) {
        self.closing = Closing::Lingering;
        self.connection.end_sending();
        self.connection.set_read_timer(event::now() + LINGER);
    }

    fn on_timeout(&mut self, shared: &mut Shared) -> Result<(), End> {
        if self.closing == Closing::Lingering {
            return Err(End::Done);
        }
        let handled = self.client.handle_timeout(event::now());
        self.drain(shared)?;
        Ok(handled?)
    }

    fn drain(&mut self, shared: &mut Shared) -> Result<(), End> {
        loop {
            match self.client.poll_output() {
                Output::Send(bytes) => self.outbox.push(bytes),
                Output::Event(event) => self.handle(event, shared)?,
                Output::Close => self.closing = Closing::Sending,
                Output::Timeout(at) => {
                    match at {
                        Some(at) => self.connection.set_read_timer(at),
                        None => self.connection.clear_read_timer(),
                    }
                    return self.flush(shared);
                }
            }
        }
    }

    fn handle(&mut self, event: Event, shared: &mut Shared) -> Result<(), End> {
        match event {
            Event::PublishStarted { stream_id } => self.push(stream_id, shared)?,
            Event::PlayStarted => shared.relay_succeeded(self.relay),
            Event::Media(message) => self.take_media(message, shared)?,
            Event::Dry => self.leave(shared),
            Event::Failed { code, description } => {
                let description = self.without_key(&description);
                return Err(End::Refused { code, description });
            }
            Event::Ended => return Err(End::Ended),
        }
        Ok(())
    }

    /// A text of the server's without the name that the stream has there, which may be all that one
    /// needs to publish.
    fn without_key(&self, text: &str) -> String {
        let name = &self.local.publication.name;
        match self.remote_name.split('?').next() {
            Some(remote) if remote != name && !remote.is_empty() => text.replace(remote, "***"),
            _ => self.local.application.log_mask.text(text, name).into_owned(),
        }
    }

    fn take_media(&mut self, message: Message, shared: &mut Shared) -> Result<(), End> {
        let stream = match self.role {
            Role::Publisher(stream) => stream,
            Role::Idle if self.local.direction == Direction::Pull => self.publish(shared)?,
            _ => return Ok(()),
        };
        if let Err(error) = shared.push(self.id, stream, message) {
            self.connection.log(Level::Warn, format_args!("not in HLS: {error}"));
        }
        Ok(())
    }

    /// Becomes the publisher of what has begun to come.
    fn publish(&mut self, shared: &mut Shared) -> Result<StreamId, End> {
        let Local { application, publication, .. } = &self.local;
        let key = self.local.key();
        let stream = shared.publish(self.id, key, application).map_err(End::NotPublished)?;
        if let Err(error) = shared.start_outputs(stream, publication, application) {
            self.connection.log(Level::Error, format_args!("no HLS: {error}"));
        }
        shared.run_commands(&application.exec.publish, &Facts::of_publication(publication));
        self.role = Role::Publisher(stream);
        self.connection.log(Level::Info, format_args!("pulling"));
        Ok(stream)
    }

    /// Says why the session ends, and leaves the stream.
    pub(super) fn finalize(&mut self, end: &End, shared: &mut Shared) {
        self.connection.log(Level::Info, format_args!("{end}"));
        self.leave(shared);
        shared.meters.end(self.traffic());
    }

    fn leave(&mut self, shared: &mut Shared) {
        match mem::replace(&mut self.role, Role::Idle) {
            Role::Idle => {}
            Role::Publisher(stream) => {
                // What is told of recordings is told to publishers that ask for it.
                drop(shared.unpublish(self.id, stream));
                let Local { application, publication, .. } = &self.local;
                let facts = Facts::of_publication(publication);
                shared.run_commands(&application.exec.publish_done, &facts);
            }
            Role::Player { stream, .. } => {
                if let Some(channel) = shared.streams.channel_mut(stream)
                    && let Some(player) = channel.players.get(&self.id)
                {
                    let sent = Sent::of(player);
                    channel.left += sent;
                    shared.meters.leave(sent);
                }
                shared.streams.stop(stream, self.id);
            }
        }
    }
}

fn config(local: &Local, route: &Route) -> ClientConfig {
    let session = &local.server.session;
    route.client_config(ClientConfig {
        timeout: session.timeout,
        buflen: local.application.relays.buffer,
        ack_window: session.ack_window,
        // What is pushed is what players get.
        chunk_size: session.chunk_size,
        max_streams: session.max_streams,
        max_message: session.max_message,
        ..ClientConfig::default()
    })
}

/// Whether a session's number is of one with another server.
pub(super) fn is_upstream(session: SessionId) -> bool {
    (FIRST..u64::MAX).contains(&session.0)
}

impl Worker {
    /// Takes in a session made by `make` from its number.
    pub(super) fn add_upstream(&mut self, make: impl FnOnce(SessionId) -> Upstream) -> SessionId {
        let id = SessionId(FIRST + self.upstreams_made);
        self.upstreams_made += 1;
        self.upstreams.insert(id, make(id));
        id
    }

    /// Runs an event of a session, and ends the session if that is what comes of it.
    pub(super) fn run_upstream(
        &mut self,
        id: SessionId,
        event: impl FnOnce(&mut Upstream, &mut Shared) -> Result<(), End>,
    ) {
        if let Some(upstream) = self.upstreams.get_mut(&id)
            && let Err(end) = event(upstream, &mut self.shared)
        {
            self.finalize_upstream(id, &end);
        }
    }

    /// The one way out of such a session.
    pub(super) fn finalize_upstream(&mut self, id: SessionId, end: &End) {
        if let Some(mut upstream) = self.upstreams.remove(&id) {
            upstream.finalize(end, &mut self.shared);
            self.shared.retry_relay(upstream.relay(), end);
        }
    }
}
