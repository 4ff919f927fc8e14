//! One session: a connection, the protocol on it, and what it does with streams.

mod asking;
mod ending;
mod finding;
mod logging;
mod recorded;
mod redirecting;
mod reporting;
mod sending;
mod streaming;
mod telling;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_random;

use self::asking::Asked;
use self::finding::Search;
use self::logging::Activity;
use self::recorded::{Fed, FilePlayer};
use self::telling::Told;
use super::conf::{Application, Endpoint, Server};
use super::connection::{Broken, Connection, Handshake, Received};
use super::event;
use super::log::{Context, Level};
use super::outbox::Outbox;
use super::proxy_protocol::{Header, Reader};
use super::worker::Shared;
use super::{server, tls};
use crate::client::{ClientInfo, Publication, Viewing};
use crate::live::{Idle, IdleWatch, SessionId, StreamId, StreamKey};
use crate::rtmp;
use crate::rtmp::session::{Output, Session};
use crate::time::Instant;

/// Bytes read from one connection before the others have their turn.
pub(super) const READ_BUDGET: usize = 256 << 10;

/// A session without a deadline of its own still has a timer, as nginx's graceful exit waits for
/// timers only, not for connections.
const LONGEST_TIMER: Duration = Duration::from_secs(3600);

pub(super) struct Peer {
    id: SessionId,
    connection: Connection,
    /// What the connection's log lines say; dropped after the connection.
    context: Box<Context>,
    endpoint: Endpoint,
    /// The client's address, as the PROXY protocol tells it if it is used; none of a unix socket.
    client: Option<IpAddr>,
    stage: Stage,
    session: Session,
    outbox: Outbox,
    began: Instant,
    /// Set by the connect.
    info: Arc<ClientInfo>,
    /// Set by the connect that was accepted.
    application: Option<Arc<Application>>,
    role: Role,
    /// What a callback is asked, if the session waits for that.
    asked: Option<Asked>,
    /// What callbacks are told of.
    told: Option<Told>,
    /// What a client plays.
    viewing: Option<Viewing>,
    /// What the access log is to say of it.
    activity: Activity,
    /// How much the client says it buffers.
    buffer: Option<Duration>,
    /// Whether another worker is fed, and not a client.
    feeds: bool,
    /// Whether to close once everything is sent.
    closing: bool,
}

/// What the session does with a stream.
enum Role {
    Idle,
    Publisher {
        stream: StreamId,
        idle: IdleWatch,
        publication: Publication,
    },
    Player {
        stream: StreamId,
    },
    /// It is to play a file, if there is one.
    Search(Box<Search>),
    /// It plays a file.
    File(Box<FilePlayer>),
}

impl Role {
    /// By when something has to happen.
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Publisher { idle, .. } => idle.deadline(),
            Self::File(player) => player.deadline(),
            Self::Idle | Self::Player { .. } | Self::Search(_) => None,
        }
    }
}

/// What comes next on the connection.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The PROXY protocol's header.
    Proxy(Reader),
    /// The TLS handshake.
    Tls,
    /// The rest of it.
    Handshaking,
    Rtmp,
}

impl Stage {
    fn first(endpoint: &Endpoint) -> Self {
        if endpoint.proxy_protocol {
            Self::Proxy(Reader::default())
        } else {
            Self::after_proxy(endpoint)
        }
    }

    fn after_proxy(endpoint: &Endpoint) -> Self {
        if endpoint.tls.is_some() { Self::Tls } else { Self::Rtmp }
    }
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
    #[error("dropped by rtmp_control")]
    Dropped,
    #[error(transparent)]
    Idle(#[from] Idle),
    #[error("worker process is exiting")]
    Exit,
    #[error("client sent no PROXY protocol header in time")]
    NoProxyHeader,
    #[error("client made no TLS handshake")]
    NoTls,
    #[error("client showed no good certificate")]
    BadCertificate,
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
    #[error("the callback of on_update does not let it go on")]
    Update,
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
        let config = Arc::clone(&endpoint.server.session);
        let session = Session::new(config, event::now(), ngx_random() as u64);
        connection.expect_notice();
        let ip = connection.client_ip();
        Self { client: ip, ..Self::with(id, connection, client, endpoint, session) }
    }

    /// A session that feeds another worker with a stream of the application.
    pub(super) fn feed(
        id: usize,
        connection: Connection,
        server: &Arc<Server>,
        application: &Arc<Application>,
    ) -> Self {
        let endpoint = Endpoint::between_workers(server);
        let session = Session::feeding(Arc::clone(&server.session), event::now());
        let mut peer = Self::with(id, connection, "worker".to_owned(), endpoint, session);
        peer.application = Some(Arc::clone(application));
        peer.feeds = true;
        peer
    }

    fn with(
        id: usize,
        mut connection: Connection,
        client: String,
        endpoint: Endpoint,
        session: Session,
    ) -> Self {
        let context = Context::install(connection.raw(), client, endpoint.text.clone());
        Self {
            id: SessionId(id as u64),
            connection,
            context,
            client: None,
            stage: Stage::first(&endpoint),
            endpoint,
            session,
            outbox: Outbox::default(),
            began: event::now(),
            info: Arc::default(),
            application: None,
            role: Role::Idle,
            asked: None,
            told: None,
            viewing: None,
            buffer: None,
            activity: Activity::new(),
            feeds: false,
            closing: false,
        }
    }

    /// Begins to feed another worker with the stream that `key` names.
    pub(super) fn start_feed(&mut self, key: StreamKey, shared: &mut Shared) -> Result<(), End> {
        self.watch(key, shared);
        if let Role::Player { stream } = self.role
            && let Some(channel) = shared.streams.channel_mut(stream)
        {
            channel.relays.insert(self.id);
        }
        self.drain(shared)
    }

    /// Tells a publisher that another one has taken its place, and closes.
    pub(super) fn displace(&mut self, shared: &mut Shared) -> Result<(), End> {
        self.connection.log(Level::Info, format_args!("another publisher took over"));
        self.session.end_publish();
        self.drain(shared)
    }

    /// What a stream whose publisher has left means for its player, once it has what there is:
    /// a client waits for the next one, where it may; another worker looks where that is.
    pub(super) fn on_publisher_left(&mut self) {
        let may_wait = self.application.as_ref().is_none_or(|it| it.idle_streams);
        self.closing |= self.feeds || !may_wait;
    }

    /// Begins to read.
    pub(super) fn start(&mut self, shared: &mut Shared) -> Result<(), End> {
        self.connection.set_action(c"receiving RTMP handshake");
        self.connection.blame_peer();
        if self.endpoint.server.tcp_nodelay {
            self.connection.set_nodelay()?;
        }
        self.drain(shared)?;
        // A TLS handshake has a time limit from now on.
        if self.connection.is_readable() || self.stage == Stage::Tls {
            return self.on_readable(shared);
        }
        Ok(self.connection.wait_readable()?)
    }

    pub(super) fn on_readable(&mut self, shared: &mut Shared) -> Result<(), End> {
        if let Some(notice) = self.connection.take_notice() {
            self.heed(notice, shared)?;
        }
        if !self.session.wants_input() && self.connection.peer_has_closed() {
            return Err(End::ClientClosed);
        }
        if !self.reach_rtmp()? {
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
        if self.stage == Stage::Handshaking {
            return self.on_readable(shared);
        }
        match self.role {
            Role::File(_) => self.drain(shared),
            _ => self.flush(shared),
        }
    }

    pub(super) fn on_timeout(&mut self, shared: &mut Shared) -> Result<(), End> {
        match self.stage {
            Stage::Proxy(_) => return Err(End::NoProxyHeader),
            Stage::Tls | Stage::Handshaking => return Err(End::NoTls),
            Stage::Rtmp => {}
        }
        if let Role::Publisher { idle, .. } = &self.role {
            idle.check(event::now())?;
        }
        let handled = self.session.handle_timeout(event::now());
        self.settle(handled, shared)
    }

    /// Leaves the stream and says why; the connection is closed when the peer is dropped.
    pub(super) fn finalize(&mut self, end: &End, shared: &mut Shared) {
        let received = self.session.bytes_received();
        self.connection.log(Level::Info, format_args!("{end}, {received} bytes received"));
        self.leave(shared);
        self.tell_disconnect(shared);
        if matches!(end, End::Closed | End::Shutdown) {
            self.discard_input(shared);
        }
        if !self.feeds {
            shared.count_connection(-1);
            shared.meters.end(self.traffic());
            end.count(&mut shared.meters.totals);
            self.log_session(shared);
        }
    }

    /// Whether what comes before RTMP is done.
    fn reach_rtmp(&mut self) -> Result<bool, End> {
        if let Stage::Proxy(reader) = &mut self.stage {
            match reader.read(&mut self.connection) {
                Header::Again => return Ok(false),
                Header::Invalid => return Err(End::BadProxyHeader),
                Header::Client(address) => self.leave_proxy(address),
            }
        }
        if let (Stage::Tls, Some(tls)) = (&self.stage, self.endpoint.tls) {
            self.connection.set_action(c"SSL handshaking");
            let at = event::now() + self.endpoint.server.tls_handshake_timeout;
            self.connection.set_read_timer(at);
            self.stage = Stage::Handshaking;
            let handshake = tls.begin(self.connection.raw());
            self.settle_tls(handshake)?;
        } else if self.stage == Stage::Handshaking {
            let handshake = tls::go_on(self.connection.raw());
            self.settle_tls(handshake)?;
        }
        Ok(self.stage == Stage::Rtmp)
    }

    fn settle_tls(&mut self, handshake: Handshake) -> Result<(), End> {
        match handshake {
            Handshake::Done => {}
            Handshake::Pending => {
                // Which nginx has replaced, and with its own nothing would heed a notice.
                self.connection.set_handlers(server::on_read, server::on_write);
                return Ok(());
            }
            Handshake::Failed | Handshake::Unverified => return Err(End::NoTls),
        }
        self.endpoint.choose_by_tls(tls::named_host(self.connection.raw()));
        if self.endpoint.tls.is_some_and(|tls| !tls.accepts(self.connection.raw())) {
            return Err(End::BadCertificate);
        }
        self.stage = Stage::Rtmp;
        self.connection.set_action(c"receiving RTMP handshake");
        Ok(())
    }

    /// The PROXY protocol's header has been read, and tells the client's address or none.
    fn leave_proxy(&mut self, address: Option<String>) {
        self.stage = Stage::after_proxy(&self.endpoint);
        if let Some(address) = address {
            self.client = address.parse().ok();
            self.context.set_client(address);
        }
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
                    let fed = self.feed_file()?;
                    if fed == Fed::Answer {
                        continue;
                    }
                    let deadlines = at.into_iter().chain(self.role.deadline());
                    let at = deadlines.min().unwrap_or_else(|| event::now() + LONGEST_TIMER);
                    self.connection.set_read_timer(at);
                    self.flush(shared)?;
                    // Then there may be room for more of a file.
                    if fed == Fed::Nothing || self.outbox.len() > 0 {
                        return Ok(());
                    }
                }
            }
        }
    }
}
