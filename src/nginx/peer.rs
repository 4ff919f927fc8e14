//! One session: a connection, the protocol on it, and what it does with streams.

mod outbox;

use std::iter;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_random;

use self::outbox::Outbox;
use super::conf::{Application, Endpoint};
use super::connection::{Broken, Connection, MAX_SLICES, Received};
use super::event;
use super::log::{Context, Level};
use super::packager::Packager;
use super::proxy_protocol::{self, Header};
use super::worker::Shared;
use crate::live::{ApplicationId, Channel, FrameLog, Player, SessionId, StreamId, StreamKey};
use crate::rtmp::command::{Connect, Play, Publish};
use crate::rtmp::session::{Event, Output, PlayRefusal, PublishRefusal, Session};
use crate::rtmp::{self, Message};

/// Bytes read from one connection before the others have their turn.
const READ_BUDGET: usize = 256 << 10;

/// Bytes of answers that may wait for a peer that does not read them.
const MAX_UNREAD: usize = 256 << 10;

/// A session without a deadline of its own still has a timer, as nginx's graceful exit waits for
/// timers only, not for connections.
const LONGEST_TIMER: Duration = Duration::from_secs(3600);

pub(super) struct Peer {
    id: SessionId,
    connection: Connection,
    /// What the connection's log lines say; dropped after the connection.
    context: Box<Context>,
    endpoint: Endpoint,
    /// Whether the PROXY protocol's header is still to come.
    expects_proxy: bool,
    session: Session,
    outbox: Outbox,
    /// Set by the connect that was accepted.
    application: Option<Arc<Application>>,
    role: Role,
    /// Whether to close once everything is sent.
    closing: bool,
}

/// What the session does with a stream.
enum Role {
    Idle,
    Publisher { stream: StreamId, packager: Option<Box<Packager>> },
    Player { stream: StreamId },
}

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("bug: session closed after a panic")]
    Bug,
    #[error("connection failed")]
    Broken,
    #[error("client closed connection")]
    ClientClosed,
    #[error("session closed")]
    Closed,
    #[error("worker process is exiting")]
    Exit,
    #[error("client sent no PROXY protocol header in time")]
    NoProxyHeader,
    #[error("client sent an invalid PROXY protocol header")]
    BadProxyHeader,
    #[error("client sent {0}")]
    Protocol(#[from] rtmp::Error),
    #[error("client took nothing that was sent for too long")]
    SendTimeout,
    #[error("worker_shutdown_timeout has passed")]
    Shutdown,
    #[error("client does not read the answers to what it asks")]
    Unread,
}

impl From<Broken> for End {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

impl Peer {
    /// A session on a connection that was just accepted.
    pub(super) fn new(id: usize, mut connection: Connection) -> Self {
        let endpoint = connection.endpoint();
        let client = connection.client();
        let context = Context::install(connection.raw(), client, endpoint.text.clone());
        let config = Arc::clone(&endpoint.server.session);
        Self {
            id: SessionId(id as u64),
            connection,
            context,
            expects_proxy: endpoint.proxy_protocol,
            endpoint,
            session: Session::new(config, event::now(), ngx_random() as u64),
            outbox: Outbox::default(),
            application: None,
            role: Role::Idle,
            closing: false,
        }
    }

    /// Begins to read.
    pub(super) fn start(&mut self, shared: &mut Shared) -> Result<(), End> {
        self.connection.set_action(c"receiving RTMP handshake");
        self.connection.blame_peer();
        self.connection.set_nodelay()?;
        self.drain(shared)?;
        if self.connection.is_readable() {
            return self.on_readable(shared);
        }
        Ok(self.connection.wait_readable()?)
    }

    pub(super) fn on_readable(&mut self, shared: &mut Shared) -> Result<(), End> {
        if self.connection.must_close() {
            return Err(End::Shutdown);
        }
        if self.expects_proxy && !self.read_proxy_header()? {
            return Ok(self.connection.wait_readable()?);
        }
        let mut left = READ_BUDGET;
        while self.session.wants_input() {
            match self.connection.recv(&mut shared.scratch) {
                Received::Bytes(n) => {
                    let handled = self.session.handle_input(event::now(), &shared.scratch[..n]);
                    self.settle(handled, shared)?;
                    left = left.saturating_sub(n);
                }
                Received::Again => break,
                Received::Eof => return Err(End::ClientClosed),
                Received::Error => return Err(End::Broken),
            }
            if !self.connection.is_readable() {
                break;
            }
            if left == 0 {
                self.connection.post_read();
                return Ok(());
            }
        }
        Ok(self.connection.wait_readable()?)
    }

    pub(super) fn on_writable(&mut self, shared: &mut Shared) -> Result<(), End> {
        self.flush(shared)
    }

    pub(super) fn on_timeout(&mut self, shared: &mut Shared) -> Result<(), End> {
        if self.expects_proxy {
            return Err(End::NoProxyHeader);
        }
        let handled = self.session.handle_timeout(event::now());
        self.settle(handled, shared)
    }

    /// Leaves the stream and says why; the connection is closed when the peer is dropped.
    pub(super) fn finalize(&mut self, end: &End, shared: &mut Shared) {
        let received = self.session.bytes_received();
        self.connection.log(Level::Info, format_args!("{end}, {received} bytes received"));
        self.leave(shared);
    }

    /// Whether the PROXY protocol's header has been read.
    fn read_proxy_header(&mut self) -> Result<bool, End> {
        match proxy_protocol::read(&mut self.connection) {
            Header::Again => return Ok(false),
            Header::Invalid => return Err(End::BadProxyHeader),
            Header::Client(address) => {
                self.expects_proxy = false;
                if let Some(address) = address {
                    self.context.set_client(address);
                }
            }
        }
        Ok(true)
    }

    /// Does what has come of the session's work. An error is told to the peer, as far as its
    /// connection takes that now, and ends the session.
    fn settle(&mut self, handled: Result<(), rtmp::Error>, shared: &mut Shared) -> Result<(), End> {
        let drained = self.drain(shared);
        handled?;
        drained
    }

    fn drain(&mut self, shared: &mut Shared) -> Result<(), End> {
        loop {
            match self.session.poll_output() {
                Output::Send(bytes) => self.outbox.push(bytes),
                Output::Event(event) => self.handle(event, shared)?,
                Output::Close => self.closing = true,
                Output::Timeout(at) => {
                    let at = at.unwrap_or_else(|| event::now() + LONGEST_TIMER);
                    self.connection.set_read_timer(at);
                    return self.flush(shared);
                }
            }
        }
    }

    fn handle(&mut self, event: Event, shared: &mut Shared) -> Result<(), End> {
        match event {
            Event::Connect(connect) => self.connect(&connect)?,
            Event::Publish(publish) => self.publish(*publish, shared)?,
            Event::Play(play) => self.play(*play, shared)?,
            Event::Media(message) => self.take_media(&message, shared),
            Event::StreamClosed => self.leave(shared),
            Event::Pause { paused, .. } => self.adjust(shared, |player| player.set_paused(paused)),
            Event::ReceiveAudio(wanted) => {
                self.adjust(shared, |player| player.receive_audio(wanted));
            }
            Event::ReceiveVideo(wanted) => {
                self.adjust(shared, |player| player.receive_video(wanted));
            }
            // A live stream has no other position, and its server no buffer to size.
            Event::Seek(_) | Event::SetBufferLength(_) => {}
        }
        Ok(())
    }

    fn connect(&mut self, connect: &Connect) -> Result<(), rtmp::Error> {
        self.context.set_application(&connect.app);
        let Some(application) = self.endpoint.server.application(&connect.app) else {
            self.connection.log(Level::Info, format_args!("refused: unknown application"));
            self.session.reject_connect("Application not found.");
            return Ok(());
        };
        self.application = Some(Arc::clone(application));
        self.connection.set_action(c"receiving RTMP commands");
        self.session.accept_connect(event::now())
    }

    fn publish(&mut self, publish: Publish, shared: &mut Shared) -> Result<(), rtmp::Error> {
        let Some(application) = &self.application else { return Ok(()) };
        self.context.set_stream(&publish.name);
        let key = stream_key(application, &publish.name);
        let now = event::now();
        let Ok(stream) = shared.streams.publish(now, self.id, key, &application.stream) else {
            self.connection.log(Level::Info, format_args!("refused: already publishing"));
            self.session.reject_publish(PublishRefusal::BadName);
            return Ok(());
        };
        let packager = self.package(&publish.name, shared);
        self.role = Role::Publisher { stream, packager };
        self.connection.set_action(c"receiving a published stream");
        self.connection.log(Level::Info, format_args!("publishing"));
        shared.fanout.mark(stream);
        self.session.accept_publish(now)
    }

    /// Starts packaging what is about to be published, where that is wanted.
    fn package(&self, name: &str, shared: &mut Shared) -> Option<Box<Packager>> {
        let hls = self.application.as_ref()?.hls.as_ref()?;
        Packager::new(hls, name, &mut shared.storage)
            .inspect_err(|error| {
                self.connection.log(Level::Error, format_args!("no HLS: {error}"));
            })
            .ok()
            .map(Box::new)
    }

    fn play(&mut self, play: Play, shared: &mut Shared) -> Result<(), rtmp::Error> {
        let Some(application) = &self.application else { return Ok(()) };
        self.context.set_stream(&play.name);
        if !application.live {
            self.connection.log(Level::Info, format_args!("refused: live is off"));
            self.session.reject_play(PlayRefusal::StreamNotFound);
            return Ok(());
        }
        let key = stream_key(application, &play.name);
        let stream = shared.streams.play(self.id, key, &application.stream);
        self.role = Role::Player { stream };
        self.connection.set_action(c"playing a stream");
        self.connection.log(Level::Info, format_args!("playing"));
        self.session.accept_play(event::now())
    }

    fn take_media(&mut self, message: &Message, shared: &mut Shared) {
        let Role::Publisher { stream, packager } = &mut self.role else { return };
        if let Some(channel) = shared.streams.channel_mut(*stream) {
            channel.stream.push(message);
            shared.fanout.mark(*stream);
        }
        if let Some(packager) = packager
            && let Err(error) = packager.push(message, &mut shared.storage)
        {
            self.connection.log(Level::Warn, format_args!("not in HLS: {error}"));
        }
    }

    fn adjust(&self, shared: &mut Shared, change: impl FnOnce(&mut Player)) {
        if let Role::Player { stream } = &self.role
            && let Some(channel) = shared.streams.channel_mut(*stream)
            && let Some(player) = channel.players.get_mut(&self.id)
        {
            change(player);
        }
    }

    /// Ends what the session does with a stream; the connection lives on.
    fn leave(&mut self, shared: &mut Shared) {
        match mem::replace(&mut self.role, Role::Idle) {
            Role::Idle => return,
            Role::Publisher { stream, packager } => {
                shared.streams.unpublish(stream);
                shared.fanout.mark(stream);
                if let Some(packager) = packager {
                    packager.finish(&mut shared.storage);
                }
            }
            Role::Player { stream } => {
                if let Some(channel) = shared.streams.channel_mut(stream)
                    && let Some(player) = channel.players.get(&self.id)
                {
                    // What comes next on the connection has to come after a whole message.
                    self.outbox.push_front(player.partial());
                }
                shared.streams.stop(stream, self.id);
            }
        }
        self.connection.set_action(c"receiving RTMP commands");
    }

    /// Sends what there is for the peer.
    fn flush(&mut self, shared: &mut Shared) -> Result<(), End> {
        let channel = match self.role {
            Role::Player { stream } => shared.streams.channel_mut(stream),
            _ => None,
        };
        match channel {
            Some(Channel { players, stream, .. }) => {
                let id = self.id;
                self.send(players.get_mut(&id).map(|player| (player, stream.log())))
            }
            None => self.send(None),
        }
    }

    /// Sends answers and, to a player, frames: everything there is, in as few calls as there can
    /// be, until the connection takes no more.
    pub(super) fn send(&mut self, mut player: Option<(&mut Player, &FrameLog)>) -> Result<(), End> {
        let mut progress = false;
        while self.connection.is_writable() {
            let player = player.as_mut().map(|(player, log)| (&mut **player, *log));
            match self.send_batch(player)? {
                Batch::Empty => return self.all_sent(),
                Batch::Sent { any } => progress |= any,
            }
        }
        if self.outbox.len() > MAX_UNREAD {
            return Err(End::Unread);
        }
        if progress || !self.connection.has_write_timer() {
            let at = event::now() + self.endpoint.server.send_timeout;
            self.connection.set_write_timer(Some(at));
        }
        Ok(self.connection.wait_writable()?)
    }

    /// One gathered send.
    fn send_batch(&mut self, player: Option<(&mut Player, &FrameLog)>) -> Result<Batch, End> {
        let partial = player.as_ref().map_or(&[][..], |(player, _)| player.partial());
        let frames = player.as_ref().map(|(player, log)| player.gather(log));
        let mut slices: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
        let mut filled = 0;
        let due = iter::once(partial)
            .filter(|partial| !partial.is_empty())
            .chain(self.outbox.slices())
            .chain(frames.into_iter().flatten());
        for (slot, slice) in slices.iter_mut().zip(due) {
            *slot = slice;
            filled += 1;
        }
        let finished = partial.len();
        let sent = if filled == 0 { 0 } else { self.connection.send(&slices[..filled])? };
        let answers = sent.saturating_sub(finished).min(self.outbox.len());
        self.outbox.advance(answers);
        if let Some((player, log)) = player {
            player.advance(log, sent - answers);
        }
        Ok(if filled == 0 { Batch::Empty } else { Batch::Sent { any: sent > 0 } })
    }

    fn all_sent(&mut self) -> Result<(), End> {
        self.connection.set_write_timer(None);
        if self.closing { Err(End::Closed) } else { Ok(()) }
    }
}

/// What one gathered send did.
enum Batch {
    /// There was nothing to send.
    Empty,
    Sent {
        any: bool,
    },
}

fn stream_key(application: &Arc<Application>, name: &str) -> StreamKey {
    // The address is unique among the applications that have sessions, of whatever cycle.
    let application = ApplicationId(Arc::as_ptr(application).addr() as u64);
    StreamKey { application, name: name.to_owned() }
}
