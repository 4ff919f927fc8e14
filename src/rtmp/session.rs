//! The server's side of one RTMP connection.

mod config;
mod ending;
mod event;
mod keepalive;
mod recorded;
mod request;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::chunk::csid;
use super::command::{Connect, Request};
use super::control::{Control, UserControl};
use super::handshake::ServerHandshake;
use super::link::Link;
use super::reply::{self, Level};
use super::{Error, Limit, Message, MessageType, media};
use crate::amf0::Value;
use crate::time::Instant;
use keepalive::Keepalive;

pub use config::SessionConfig;
pub use event::{Event, Output, PlayRefusal, PublishRefusal, RecordStatus};

/// The server's side of one RTMP connection, from the first byte of the handshake.
///
/// It has no socket and no clock. The caller
///
/// 1. gives it what was received ([`handle_input`](Self::handle_input)) as long as it
///    [`wants_input`](Self::wants_input), and tells it when its deadline has passed
///    ([`handle_timeout`](Self::handle_timeout));
/// 2. answers the requests among its events ([`accept_publish`](Self::accept_publish), ...);
/// 3. after each of these drains [`poll_output`](Self::poll_output) until it gives
///    [`Output::Timeout`].
///
/// Any method's error ends the session: the peer is told as far as the protocol allows, and
/// [`Output::Close`] follows.
///
/// A connection has one message stream, 1, whatever the peer creates: so a frame's bytes are the same
/// for every player. While a stream is played, the caller may send chunks of its own for it between
/// two [`Output::Send`]s.
pub struct Session {
    config: Arc<SessionConfig>,
    link: Link,
    state: State,
    started: Instant,
    keepalive: Keepalive,
    connect: Option<Arc<Connect>>,
    /// Whether the server shuts down once its peers have left.
    server_leaves: bool,
    events: VecDeque<Event>,
    /// Input that arrived before a request was answered.
    held: BytesMut,
}

/// ```text
/// Handshake -> Connecting -> Asked(Connect) -> Idle -> Asked(Publish) -> Publishing -> Idle
///                                              Idle -> Asked(Play)    -> Playing    -> Idle
/// any -> Closing -> Closed
/// ```
enum State {
    /// The handshake is going on.
    Handshake(Box<ServerHandshake>),
    /// `connect` has to come next.
    Connecting,
    /// A request waits for the application's answer.
    Asked(Question),
    /// Connected, without a stream.
    Idle,
    /// A publish was accepted.
    Publishing,
    /// A play was accepted.
    Playing,
    /// [`Output::Close`] is still to be given.
    Closing,
    /// It was given.
    Closed,
}

/// What answering a request needs to know.
#[derive(Clone, Copy, Debug)]
enum Question {
    Connect { transaction: f64, object_encoding: f64 },
    Publish,
    Play { reset: bool },
}

impl Session {
    /// A session with a peer that has just connected. `seed` makes the handshake's random bytes,
    /// which need not be secret.
    pub fn new(config: Arc<SessionConfig>, now: Instant, seed: u64) -> Self {
        Self {
            link: Link::new(config.reader(), config.play_time_fix, config.ack_window),
            state: State::Handshake(Box::new(ServerHandshake::new(seed))),
            started: now,
            keepalive: Keepalive::new(config.ping, config.ping_timeout, config.busy, now),
            connect: None,
            server_leaves: false,
            events: VecDeque::new(),
            held: BytesMut::new(),
            config,
        }
    }

    /// A session that plays from the beginning, without handshake or request: the caller sends its
    /// stream's chunks, of the size that `config` has, to a peer that knows what it gets (see
    /// [`Feed`](super::Feed)).
    pub fn feeding(config: Arc<SessionConfig>, now: Instant) -> Self {
        let mut session = Self::new(config, now, 0);
        session.link.send_control(Control::SetChunkSize(session.config.chunk_size));
        session.keepalive = Keepalive::new(Duration::ZERO, Duration::ZERO, false, now);
        session.state = State::Playing;
        session
    }

    /// Processes received bytes.
    ///
    /// What this yields is bounded by the bytes given now and the message they complete. Bytes that
    /// cannot be processed before a request is answered are kept.
    ///
    /// # Errors
    ///
    /// Whatever the peer does wrong.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        if self.is_closed() {
            return Ok(());
        }
        self.keepalive.heard(now);
        self.link.count_received(bytes.len());
        self.process(bytes)?;
        if self.is_connected() {
            self.link.acknowledge();
        }
        Ok(())
    }

    /// Does what has become due: to be called when the instant in [`Output::Timeout`] has passed,
    /// and harmless before.
    ///
    /// # Errors
    ///
    /// [`Limit`] when the peer took too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let result = match self.state {
            State::Handshake(_) | State::Connecting => {
                Err(Limit::ConnectTimeout(self.config.timeout).into())
            }
            _ => self.ping(now),
        };
        self.fail_on_error(result)
    }

    /// What there is to do next; to be called until it gives [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        if let Some(bytes) = self.link.poll_output() {
            return Output::Send(bytes);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if matches!(self.state, State::Closing) {
            self.state = State::Closed;
            return Output::Close;
        }
        Output::Timeout(self.deadline())
    }

    /// Takes the settings of the server that the client has turned out to mean, before the `connect`
    /// that is waiting is answered. What the client has done so far is judged by the old ones.
    pub fn configure(&mut self, config: &Arc<SessionConfig>, now: Instant) {
        if let State::Asked(Question::Connect { .. }) = self.state
            && !Arc::ptr_eq(&self.config, config)
        {
            self.link.configure(config.reader(), config.play_time_fix, config.ack_window);
            self.keepalive = Keepalive::new(config.ping, config.ping_timeout, config.busy, now);
            self.config = Arc::clone(config);
        }
    }

    /// Accepts the `connect` that is waiting for an answer, if one is.
    ///
    /// # Errors
    ///
    /// As [`handle_input`](Self::handle_input), for input that was held.
    pub fn accept_connect(&mut self, now: Instant) -> Result<(), Error> {
        let State::Asked(Question::Connect { transaction, object_encoding }) = self.state else {
            return Ok(());
        };
        self.link.send_control(Control::WindowAckSize(self.config.ack_window));
        self.link.send_control(Control::SetPeerBandwidth(self.config.ack_window));
        self.link.send_control(Control::SetChunkSize(self.config.chunk_size));
        let is_enhanced = self.connect().is_some_and(|connect| connect.capabilities.is_some());
        let result = reply::connect_result(transaction, object_encoding, is_enhanced);
        self.link.send_command(0, result);
        self.state = State::Idle;
        self.tell_reconnect();
        self.resume(now, State::Idle)
    }

    /// Refuses the `connect` that is waiting for an answer, if one is, and closes.
    pub fn reject_connect(&mut self, description: &str) {
        if let State::Asked(Question::Connect { transaction, .. }) = self.state {
            let code = "NetConnection.Connect.Rejected";
            self.link.send_command(0, reply::error(transaction, code, description));
            self.state = State::Closing;
        }
    }

    /// Accepts the `publish` that is waiting for an answer, if one is.
    ///
    /// # Errors
    ///
    /// As [`handle_input`](Self::handle_input), for input that was held.
    pub fn accept_publish(&mut self, now: Instant) -> Result<(), Error> {
        let State::Asked(Question::Publish) = self.state else {
            return Ok(());
        };
        self.send_status(Level::Status, "NetStream.Publish.Start", "Start publishing.");
        self.resume(now, State::Publishing)
    }

    /// Refuses the `publish` that is waiting for an answer, if one is, and closes.
    pub fn reject_publish(&mut self, refusal: PublishRefusal) {
        if let State::Asked(Question::Publish) = self.state {
            self.send_status(Level::Error, refusal.code(), refusal.description());
            self.state = State::Closing;
        }
    }

    /// Tells the publisher of a recording of its stream, by the recorder that is called `recorder`.
    pub fn tell_record(&mut self, status: RecordStatus, recorder: &str) {
        let level = match status {
            RecordStatus::Start | RecordStatus::Stop => Level::Status,
            RecordStatus::Failed => Level::Error,
        };
        self.send_status(level, status.code(), recorder);
    }

    /// Accepts the `play` that is waiting for an answer, if one is. From now on the stream's frames
    /// may be sent.
    ///
    /// # Errors
    ///
    /// As [`handle_input`](Self::handle_input), for input that was held.
    pub fn accept_play(&mut self, now: Instant) -> Result<(), Error> {
        let State::Asked(Question::Play { reset }) = self.state else {
            return Ok(());
        };
        self.link.send_control(Control::User(UserControl::StreamBegin(STREAM_ID)));
        if reset {
            self.send_status(Level::Status, "NetStream.Play.Reset", "Playing and resetting.");
        }
        self.send_status(Level::Status, "NetStream.Play.Start", "Start playing.");
        self.send_sample_access();
        self.resume(now, State::Playing)
    }

    /// Refuses the `play` that is waiting for an answer, if one is, and closes.
    pub fn reject_play(&mut self, refusal: PlayRefusal) {
        if let State::Asked(Question::Play { .. }) = self.state {
            self.send_status(Level::Error, refusal.code(), refusal.description());
            self.state = State::Closing;
        }
    }

    /// Whether input would be processed: no request waits for an answer, and the session is not
    /// closed.
    pub const fn wants_input(&self) -> bool {
        !matches!(self.state, State::Asked(_) | State::Closing | State::Closed)
    }

    /// The arguments of `connect`, once it came.
    pub fn connect(&self) -> Option<&Connect> {
        self.connect.as_deref()
    }

    /// Bytes received since the beginning, the handshake among them.
    pub const fn bytes_received(&self) -> u64 {
        self.link.bytes_received()
    }

    const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closing | State::Closed)
    }

    const fn is_connected(&self) -> bool {
        matches!(self.state, State::Idle | State::Publishing | State::Playing)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Handshake(_) | State::Connecting => Some(self.started + self.config.timeout),
            State::Idle | State::Publishing | State::Playing => self.keepalive.deadline(),
            // While input is held the peer cannot be heard.
            State::Asked(_) | State::Closing | State::Closed => None,
        }
    }

    fn ping(&mut self, now: Instant) -> Result<(), Error> {
        if self.keepalive.handle_timeout(now)? {
            let timestamp = now.as_millis() as u32;
            self.link.send_control(Control::User(UserControl::PingRequest(timestamp)));
        }
        Ok(())
    }

    /// Continues in `state`, with the input that was held.
    fn resume(&mut self, now: Instant, state: State) -> Result<(), Error> {
        self.state = state;
        self.keepalive.heard(now);
        let held = self.held.split();
        self.process(&held)
    }

    /// Processes `input` up to the next request, and holds the rest.
    fn process(&mut self, mut input: &[u8]) -> Result<(), Error> {
        let result = self.read(&mut input);
        if matches!(self.state, State::Asked(_)) {
            self.held.extend_from_slice(input);
        }
        self.fail_on_error(result)
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        while self.wants_input() {
            if let State::Handshake(handshake) = &mut self.state {
                if !handshake.handle_input(input, self.link.output())? {
                    break;
                }
                self.state = State::Connecting;
            }
            let Some(message) = self.link.read(input)? else { break };
            self.handle_message(message)?;
        }
        Ok(())
    }

    fn handle_message(&mut self, message: Message) -> Result<(), Error> {
        match message.kind {
            MessageType::CommandAmf0 | MessageType::CommandAmf3 => {
                self.handle_request(Request::decode(&message)?)
            }
            MessageType::UserControl => self.handle_user_control(&message),
            // Encoders may send before their publish is accepted; that is not kept.
            _ if !matches!(self.state, State::Publishing) => Ok(()),
            _ => media::for_each(message, |media| self.events.push_back(Event::Media(media))),
        }
    }

    fn handle_user_control(&mut self, message: &Message) -> Result<(), Error> {
        match Control::decode(message)? {
            Some(Control::User(UserControl::SetBufferLength { length, .. }))
                if self.is_connected() =>
            {
                let length = Duration::from_millis(length.into());
                self.events.push_back(Event::SetBufferLength(length));
            }
            _ => {}
        }
        Ok(())
    }

    /// On an error, tells a peer that can understand it, and closes.
    fn fail_on_error(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        if let Err(error) = &result {
            if self.is_connected() {
                self.send_status(Level::Error, "NetStream.Failed", &error.to_string());
            }
            self.state = State::Closing;
        }
        result
    }

    fn send_result(&mut self, transaction: f64, value: Value) {
        self.link.send_command(0, reply::result(transaction, value));
    }

    fn send_status(&mut self, level: Level, code: &str, description: &str) {
        let payload = reply::status("onStatus", level, code, description);
        self.link.send_command(STREAM_ID, payload);
    }

    fn send_sample_access(&mut self) {
        let message = Message {
            kind: MessageType::DataAmf0,
            timestamp: 0,
            stream_id: STREAM_ID,
            payload: reply::sample_access(),
        };
        self.link.send(csid::DATA, &message);
    }
}

/// The one message stream of a connection: what `createStream` answers, and where media travels.
pub const STREAM_ID: u32 = 1;
