//! The client's side of one RTMP connection: publishes or plays one stream.

use std::collections::VecDeque;
use std::time::Duration;

use super::chunk::{ReaderConfig, csid};
use super::control::{Control, UserControl};
use super::handshake::ClientHandshake;
use super::link::Link;
use super::reply::Reply;
use super::session::{Output, SessionConfig};
use super::{Error, Limit, Message, MessageType, command, media};
use crate::amf0::Value;
use crate::time::Instant;

/// What a client is to do, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Publish or play.
    pub role: Role,
    /// The application, with its query if it has one.
    pub app: String,
    /// The URL of the application, as the server is to see it.
    pub tc_url: String,
    /// The page that the client is embedded in, as the server is to see it; may be empty.
    pub page_url: String,
    /// Where the client's program comes from, as the server is to see it; may be empty.
    pub swf_url: String,
    /// The stream, with its query if it has one.
    pub name: String,
    /// The client's name and version, as the server is to see it.
    pub flash_ver: String,
    /// By when the stream has to be started.
    pub timeout: Duration,
    /// How much a player says that it buffers.
    pub buflen: Duration,
    /// How many bytes may come in before they are acknowledged.
    pub ack_window: u32,
    /// The size of outgoing chunks, in bytes; 1 to 10485760.
    pub chunk_size: u32,
    /// The first chunk stream id that the server may not use.
    pub max_streams: u32,
    /// The largest incoming message, in bytes.
    pub max_message: usize,
}

impl Default for ClientConfig {
    /// Plays a live stream without a name.
    fn default() -> Self {
        let session = SessionConfig::default();
        Self {
            role: Role::Play { start: LIVE },
            app: String::new(),
            tc_url: String::new(),
            page_url: String::new(),
            swf_url: String::new(),
            name: String::new(),
            flash_ver: String::new(),
            timeout: session.timeout,
            buflen: session.buflen,
            ack_window: session.ack_window,
            chunk_size: session.chunk_size,
            max_streams: session.max_streams,
            max_message: session.max_message,
        }
    }
}

/// What a client does with its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends it.
    Publish,
    /// Receives it.
    Play {
        /// Where to start, in milliseconds; or [`LIVE`] or [`LIVE_OR_RECORDED`].
        start: i64,
    },
}

/// The start of a play that is for a live stream only (RTMP 1.0, 7.2.2.1).
pub const LIVE: i64 = -1000;

/// The start of a play that is for a live stream or, if there is none, a recorded one.
pub const LIVE_OR_RECORDED: i64 = -2000;

/// What the server did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server takes the stream: media may be sent.
    PublishStarted {
        /// The message stream that it is to be sent on.
        stream_id: u32,
    },
    /// The server gives the stream.
    PlayStarted,
    /// Audio, video or data of the stream, as in
    /// [`session::Event::Media`](super::session::Event::Media).
    Media(Message),
    /// The stream has nothing to send for now, as nobody publishes it.
    Dry,
    /// The server refused or failed; the client closes.
    Failed {
        /// Such as `NetStream.Publish.BadName`; may be empty.
        code: String,
        /// In the server's words; may be empty.
        description: String,
    },
    /// The server ended the stream; the client closes.
    Ended,
}

/// The client's side of one RTMP connection.
///
/// Used like a [`Session`](super::session::Session): input and timeouts in, then
/// [`poll_output`](Self::poll_output) until [`Output::Timeout`].
pub struct Client {
    config: ClientConfig,
    link: Link,
    state: State,
    started: Instant,
    events: VecDeque<Event>,
}

/// ```text
/// Handshake -> Connecting -> Creating -> Starting -> Started
/// any -> Closing -> Closed
/// ```
enum State {
    Handshake(Box<ClientHandshake>),
    /// `connect` is not answered yet.
    Connecting,
    /// `createStream` is not answered yet.
    Creating,
    /// `publish` or `play` is not answered yet.
    Starting {
        stream_id: u32,
    },
    Started {
        stream_id: u32,
    },
    Closing,
    Closed,
}

impl Client {
    /// A client that has just connected. `seed` makes the handshake's random bytes, which need not
    /// be secret.
    pub fn new(config: ClientConfig, now: Instant, seed: u64) -> Self {
        let reader = ReaderConfig {
            max_message: config.max_message,
            max_streams: config.max_streams,
            fix_extended_timestamp: true,
        };
        let mut link = Link::new(reader, true, config.ack_window);
        let mut handshake = ClientHandshake::new(seed);
        handshake.start(link.output());
        let state = State::Handshake(Box::new(handshake));
        Self { config, link, state, started: now, events: VecDeque::new() }
    }

    /// Bytes received since the beginning, the handshake among them.
    pub const fn bytes_received(&self) -> u64 {
        self.link.bytes_received()
    }

    /// Processes received bytes.
    ///
    /// # Errors
    ///
    /// Whatever the server does wrong; the client closes.
    pub fn handle_input(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.link.count_received(bytes.len());
        let result = self.read(&mut bytes);
        if matches!(self.state, State::Started { .. }) {
            self.link.acknowledge();
        }
        self.close_on_error(result)
    }

    /// To be called when the instant in [`Output::Timeout`] has passed, and harmless before.
    ///
    /// # Errors
    ///
    /// [`Limit::StartTimeout`] if the stream is not started by then; the client closes.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match self.deadline() {
            Some(deadline) if now >= deadline => {
                self.close_on_error(Err(Limit::StartTimeout(self.config.timeout).into()))
            }
            _ => Ok(()),
        }
    }

    /// What there is to do next; to be called until it gives [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output<Event> {
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

    /// Sends audio, video or data of the stream; nothing unless a publish is started.
    pub fn send(&mut self, message: &Message) {
        let (State::Started { stream_id }, Role::Publish) = (&self.state, self.config.role) else {
            return;
        };
        let mut message = Message { stream_id: *stream_id, ..message.clone() };
        let csid = match message.kind {
            MessageType::Audio => csid::AUDIO,
            MessageType::Video => csid::VIDEO,
            _ => {
                message.payload = media::wrap_metadata(&message.payload);
                csid::DATA
            }
        };
        self.link.send(csid, &message);
    }

    /// Ends the stream and closes.
    pub fn close(&mut self) {
        if let State::Started { stream_id } = self.state {
            if let Role::Publish = self.config.role {
                self.call("FCUnpublish", transaction::NONE, &[Value::Null, self.name()]);
            }
            let arguments = [Value::Null, f64::from(stream_id).into()];
            self.call("deleteStream", transaction::NONE, &arguments);
        }
        self.finish();
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Started { .. } | State::Closing | State::Closed => None,
            _ => Some(self.started + self.config.timeout),
        }
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        if let State::Handshake(handshake) = &mut self.state {
            if !handshake.handle_input(input, self.link.output())? {
                return Ok(());
            }
            self.send_connect();
        }
        while !matches!(self.state, State::Closing | State::Closed)
            && let Some(message) = self.link.read(input)?
        {
            self.handle_message(message)?;
        }
        Ok(())
    }

    fn handle_message(&mut self, message: Message) -> Result<(), Error> {
        match message.kind {
            MessageType::CommandAmf0 | MessageType::CommandAmf3 => {
                self.handle_reply(&Reply::decode(&message)?);
                Ok(())
            }
            MessageType::UserControl => self.handle_user_control(&message),
            _ if matches!(self.state, State::Started { .. }) => {
                media::for_each(message, |media| self.events.push_back(Event::Media(media)))
            }
            _ => Ok(()),
        }
    }

    fn handle_user_control(&mut self, message: &Message) -> Result<(), Error> {
        use UserControl::{StreamDry, StreamEof};
        if let Some(Control::User(StreamDry(_) | StreamEof(_))) = Control::decode(message)?
            && matches!(self.state, State::Started { .. })
        {
            self.events.push_back(Event::Dry);
        }
        Ok(())
    }

    fn handle_reply(&mut self, reply: &Reply) {
        match (&self.state, reply.name.as_str(), reply.transaction) {
            (State::Connecting, "_result", transaction::CONNECT) => self.send_create_stream(),
            (State::Creating, "_result", transaction::CREATE_STREAM) => self.send_start(reply),
            (_, "_error", transaction::CONNECT | transaction::CREATE_STREAM) => self.fail(reply),
            (_, "onStatus", _) if reply.text("level") == "error" => self.fail(reply),
            (_, "onStatus", _) => self.handle_status(reply.text("code")),
            _ => {}
        }
    }

    fn handle_status(&mut self, code: &str) {
        match (&self.state, code) {
            (State::Starting { stream_id }, "NetStream.Publish.Start" | "NetStream.Play.Start") => {
                let stream_id = *stream_id;
                self.state = State::Started { stream_id };
                self.events.push_back(match self.config.role {
                    Role::Publish => Event::PublishStarted { stream_id },
                    Role::Play { .. } => Event::PlayStarted,
                });
            }
            (State::Started { .. }, "NetStream.Play.Stop" | "NetStream.Unpublish.Success") => {
                self.events.push_back(Event::Ended);
                self.finish();
            }
            _ => {}
        }
    }

    fn send_connect(&mut self) {
        let text = |name: &str, text: &str| (name.to_owned(), Value::from(text));
        let mut object = vec![
            text("app", &self.config.app),
            text("flashVer", &self.config.flash_ver),
            text("tcUrl", &self.config.tc_url),
        ];
        for (name, value) in [("pageUrl", &self.config.page_url), ("swfUrl", &self.config.swf_url)]
        {
            if !value.is_empty() {
                object.push(text(name, value));
            }
        }
        match self.config.role {
            Role::Publish => object.push(text("type", "nonprivate")),
            Role::Play { .. } => object.extend([
                ("fpad".into(), false.into()),
                ("audioCodecs".into(), AUDIO_CODECS.into()),
                ("videoCodecs".into(), VIDEO_CODECS.into()),
            ]),
        }
        object.push(("fourCcList".into(), Value::StrictArray(vec!["*".into()])));
        self.call("connect", transaction::CONNECT, &[Value::Object(object)]);
        self.link.send_control(Control::SetChunkSize(self.config.chunk_size));
        self.state = State::Connecting;
    }

    fn send_create_stream(&mut self) {
        match self.config.role {
            Role::Publish => {
                let arguments = [Value::Null, self.name()];
                self.call("releaseStream", transaction::RELEASE_STREAM, &arguments);
                self.call("FCPublish", transaction::FC_PUBLISH, &arguments);
            }
            Role::Play { .. } => {
                self.link.send_control(Control::WindowAckSize(self.config.ack_window));
            }
        }
        self.call("createStream", transaction::CREATE_STREAM, &[Value::Null]);
        self.state = State::Creating;
    }

    fn send_start(&mut self, created: &Reply) {
        let stream_id = created.value.as_number().unwrap_or_default() as u32;
        let (name, argument) = match self.config.role {
            Role::Publish => ("publish", "live".into()),
            Role::Play { start } => ("play", (start as f64).into()),
        };
        let arguments = [Value::Null, self.name(), argument];
        let payload = command::encode(name, transaction::NONE, &arguments);
        self.link.send_command(stream_id, payload);
        if let Role::Play { .. } = self.config.role {
            let length = u32::try_from(self.config.buflen.as_millis()).unwrap_or(u32::MAX);
            let event = UserControl::SetBufferLength { stream_id, length };
            self.link.send_control(Control::User(event));
        }
        self.state = State::Starting { stream_id };
    }

    fn call(&mut self, name: &str, transaction: f64, arguments: &[Value]) {
        self.link.send_command(0, command::encode(name, transaction, arguments));
    }

    fn name(&self) -> Value {
        self.config.name.as_str().into()
    }

    fn fail(&mut self, reply: &Reply) {
        let [code, description] = ["code", "description"].map(|name| reply.text(name).to_owned());
        self.events.push_back(Event::Failed { code, description });
        self.finish();
    }

    fn close_on_error(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        if result.is_err() {
            self.finish();
        }
        result
    }

    fn finish(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closing;
        }
    }
}

/// Which answer belongs to which call.
mod transaction {
    pub(super) const NONE: f64 = 0.0;
    pub(super) const CONNECT: f64 = 1.0;
    pub(super) const RELEASE_STREAM: f64 = 2.0;
    pub(super) const FC_PUBLISH: f64 = 3.0;
    pub(super) const CREATE_STREAM: f64 = 4.0;
}

/// All audio codecs that Flash knew (RTMP 1.0, 7.2.1.1), as the C module says.
const AUDIO_CODECS: f64 = 3575.0;

/// All of its video codecs.
const VIDEO_CODECS: f64 = 252.0;
