//! A peer that sends whatever a test wants to a [`Session`].

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::pair;
use crate::amf0::Value;
use crate::rtmp::chunk::{ChunkReader, DEFAULT_CHUNK_SIZE, Framing, ReaderConfig};
use crate::rtmp::control::Control;
use crate::rtmp::handshake::ClientHandshake;
use crate::rtmp::reply::Reply;
use crate::rtmp::session::{Event, Output, Session, SessionConfig};
use crate::rtmp::{Error, Message, MessageType, command};
use crate::time::Instant;

/// The peer, its session, and all that the session gave.
pub(super) struct Peer {
    pub(super) session: Session,
    pub(super) now: Instant,
    /// Whether requests are accepted at once; otherwise the test answers.
    pub(super) accept: bool,
    pub(super) framing: Framing,
    pub(super) events: Vec<Event>,
    pub(super) received: Vec<Message>,
    pub(super) closed: bool,
    reader: ChunkReader,
}

impl Peer {
    /// A peer that has done its handshake.
    pub(super) fn new(config: SessionConfig) -> Self {
        let now = Instant::from_millis(1_000_000);
        let mut session = Session::new(Arc::new(config), now, 2);
        shake_hands(&mut session, now);
        let reader = ReaderConfig {
            max_message: 1024 * 1024,
            max_streams: 32,
            fix_extended_timestamp: true,
        };
        let framing = Framing { chunk_size: DEFAULT_CHUNK_SIZE, repeat_extended_timestamp: true };
        Self {
            session,
            now,
            accept: true,
            framing,
            events: Vec::new(),
            received: Vec::new(),
            closed: false,
            reader: ChunkReader::new(reader),
        }
    }

    /// A peer that has connected.
    pub(super) fn connected() -> Self {
        let mut peer = Self::new(SessionConfig::default());
        peer.connect("live").expect("connect is accepted");
        peer.forget();
        peer
    }

    /// A peer whose publish was accepted.
    pub(super) fn publishing() -> Self {
        let mut peer = Self::connected();
        peer.publish("cam").expect("publish is accepted");
        peer.forget();
        peer
    }

    /// A peer whose play was accepted.
    pub(super) fn playing() -> Self {
        let mut peer = Self::connected();
        peer.call("play", 0.0, &[Value::Null, "cam".into()]).expect("play is accepted");
        peer.forget();
        peer
    }

    /// Forgets what came so far.
    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.received.clear();
    }

    pub(super) fn connect(&mut self, app: &str) -> Result<(), Error> {
        self.call("connect", 1.0, &[Value::Object(vec![("app".into(), app.into())])])
    }

    pub(super) fn publish(&mut self, name: &str) -> Result<(), Error> {
        self.call("publish", 0.0, &[Value::Null, name.into(), "live".into()])
    }

    pub(super) fn call(
        &mut self,
        name: &str,
        transaction: f64,
        arguments: &[Value],
    ) -> Result<(), Error> {
        let payload = command::encode(name, transaction, arguments);
        self.send(MessageType::CommandAmf0, 0, payload)
    }

    pub(super) fn control(&mut self, control: Control) -> Result<(), Error> {
        let message = control.to_message();
        self.send(message.kind, 0, message.payload)
    }

    pub(super) fn send(
        &mut self,
        kind: MessageType,
        timestamp: u32,
        payload: impl Into<Bytes>,
    ) -> Result<(), Error> {
        let message = Message { kind, timestamp, stream_id: 1, payload: payload.into() };
        let mut bytes = BytesMut::new();
        self.framing.encode(3, &message, &mut bytes);
        self.input(&bytes)
    }

    pub(super) fn input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self.session.handle_input(self.now, bytes);
        self.drain().and(result)
    }

    /// Takes what the session gives.
    pub(super) fn drain(&mut self) -> Result<(), Error> {
        let mut result = Ok(());
        loop {
            match self.session.poll_output() {
                Output::Send(bytes) => self.receive(&bytes),
                Output::Event(event) => {
                    if self.accept {
                        let accepted = pair::accept(&mut self.session, self.now, &event);
                        result = result.and(accepted);
                    }
                    self.events.push(event);
                }
                Output::Close => self.closed = true,
                Output::Timeout(_) => return result,
            }
        }
    }

    /// The control messages among what was received.
    pub(super) fn controls(&self) -> Vec<Control> {
        let decode = |message| Control::decode(message).expect("a session sends no broken control");
        self.received.iter().filter_map(decode).collect()
    }

    /// The commands among what was received, as name, transaction and code.
    pub(super) fn replies(&self) -> Vec<(String, f64, String)> {
        let command = |message: &&Message| message.kind == MessageType::CommandAmf0;
        let commands = self.received.iter().filter(command);
        let decode = |message| {
            let reply = Reply::decode(message).expect("a session sends no broken reply");
            let code = reply.text("code").to_owned();
            (reply.name, reply.transaction, code)
        };
        commands.map(decode).collect()
    }

    /// The code of the last reply.
    pub(super) fn last_code(&self) -> String {
        self.replies().pop().map(|(_, _, code)| code).unwrap_or_default()
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        while let Some(message) = self.reader.read(&mut bytes).expect("a session sends chunks") {
            if let Ok(Some(Control::SetChunkSize(size))) = Control::decode(&message) {
                self.reader.set_chunk_size(size).expect("a session sets a valid chunk size");
            }
            self.received.push(message);
        }
    }
}

fn shake_hands(session: &mut Session, now: Instant) {
    let mut handshake = ClientHandshake::new(1);
    let mut bytes = BytesMut::new();
    handshake.start(&mut bytes);
    session.handle_input(now, &bytes.split()).expect("C0 and C1 are right");
    let Output::Send(answer) = session.poll_output() else { panic!("no S0, S1, S2") };
    let complete = handshake.handle_input(&mut answer.as_ref(), &mut bytes);
    assert_eq!(complete, Ok(true));
    session.handle_input(now, &bytes).expect("C2 is right");
}
