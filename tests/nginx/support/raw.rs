//! RTMP peers made by hand, for what no real client would send, and captures played back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Message types (section 5.4, 6.2 and 7.1 of the RTMP specification).
pub const SET_CHUNK_SIZE: u8 = 1;
pub const USER_CONTROL: u8 = 4;
pub const AUDIO: u8 = 8;
pub const VIDEO: u8 = 9;
pub const COMMAND_AMF3: u8 = 17;
pub const DATA: u8 = 18;
pub const COMMAND: u8 = 20;
pub const AGGREGATE: u8 = 22;

/// The user control event that asks for an answer with the next number (section 7.1.7).
pub const PING_REQUEST: u8 = 6;

/// What one side of an RTMP connection said.
#[derive(Clone, Debug)]
pub struct Message {
    pub kind: u8,
    pub stream_id: u32,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

impl Message {
    /// Whether this is a command or status whose text holds `text`.
    pub fn says(&self, text: &str) -> bool {
        self.kind == COMMAND && self.holds(text)
    }

    /// Whether `text` is in the payload.
    pub fn holds(&self, text: &str) -> bool {
        self.payload.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// A connection past the handshake.
pub struct Peer {
    stream: TcpStream,
    reader: ChunkReader,
    chunk_size: usize,
    /// By then the scenario must be over, however much the server has to say.
    deadline: Instant,
}

impl Peer {
    /// Connects and makes the simple handshake.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        Self::over(dial(port))
    }

    /// Makes the simple handshake on `stream`.
    #[track_caller]
    pub fn over(mut stream: TcpStream) -> Self {
        stream.write_all(&hello()).expect("to send C0 and C1");
        let mut answer = vec![0; 1 + 2 * 1536];
        stream.read_exact(&mut answer).expect("S0, S1 and S2");
        assert_eq!(answer[0], 3, "S0 is the version");
        stream.write_all(&answer[1..1537]).expect("to send C2");
        Self::past_handshake(stream)
    }

    /// The server's side of the next connection to `listener`, after the simple handshake.
    #[track_caller]
    pub fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().expect("a client");
        be_patient(&stream);
        let mut request = vec![0; 1 + 1536];
        stream.read_exact(&mut request).expect("C0 and C1");
        stream.write_all(&[&hello()[..], &request[1..]].concat()).expect("to send S0, S1 and S2");
        stream.read_exact(&mut request[1..]).expect("C2");
        Self::past_handshake(stream)
    }

    fn past_handshake(stream: TcpStream) -> Self {
        let deadline = Instant::now() + 2 * PATIENCE;
        Self { stream, reader: ChunkReader::default(), chunk_size: 128, deadline }
    }

    /// Lets a client publish, and has it send the stream on message stream `stream_id`.
    #[track_caller]
    pub fn admit_publisher(&mut self, stream_id: u32) {
        self.wait_for("connect");
        let success = object(&[("code", string("NetConnection.Connect.Success"))]);
        self.command(0, &[string("_result"), number(1.0), null(), success].concat());
        let created = self.wait_for("createStream");
        let transaction = &created.payload[string("createStream").len()..][..9];
        let answer = [&string("_result")[..], transaction, &null(), &number(stream_id.into())];
        self.command(0, &answer.concat());
        let publish = self.wait_for("publish");
        assert_eq!(publish.stream_id, stream_id);
        let status = [("level", string("status")), ("code", string("NetStream.Publish.Start"))];
        let status = [string("onStatus"), number(0.0), null(), object(&status)].concat();
        self.command(stream_id, &status);
    }

    /// Connects, and enters `application`.
    #[track_caller]
    pub fn open(port: u16, application: &str) -> Self {
        let mut peer = Self::connect(port);
        peer.enter(application);
        peer
    }

    /// Connects to `application` and creates a message stream.
    #[track_caller]
    pub fn enter(&mut self, application: &str) {
        self.enter_by(&connect(application));
    }

    /// [`enter`](Self::enter) with a `connect` of one's own.
    #[track_caller]
    pub fn enter_by(&mut self, connect: &[u8]) {
        self.command(0, connect);
        self.wait_for("NetConnection.Connect.Success");
        self.command(0, &[string("createStream"), number(2.0), null()].concat());
        self.wait_for("_result");
    }

    /// Publishes `name` in `application`, up to the server's consent.
    #[track_caller]
    pub fn publish(port: u16, application: &str, name: &str) -> Self {
        let mut peer = Self::open(port, application);
        peer.ask_publish(name);
        peer.wait_for("NetStream.Publish.Start");
        peer
    }

    /// Plays `name` in `application`, up to the server's consent.
    #[track_caller]
    pub fn play(port: u16, application: &str, name: &str) -> Self {
        let mut peer = Self::open(port, application);
        peer.ask_play(name);
        peer.wait_for("NetStream.Play.Start");
        peer
    }

    /// Sends the command `play`, not waiting for an answer.
    pub fn ask_play(&mut self, name: &str) {
        self.command(
            1,
            &[string("play"), number(0.0), null(), string(name), number(-2000.0)].concat(),
        );
    }

    /// Sends the command `publish`, not waiting for an answer.
    pub fn ask_publish(&mut self, name: &str) {
        self.command(
            1,
            &[string("publish"), number(0.0), null(), string(name), string("live")].concat(),
        );
    }

    /// Sends an AMF0 command on message stream `stream_id`.
    pub fn command(&mut self, stream_id: u32, payload: &[u8]) {
        self.send(3, COMMAND, stream_id, 0, payload);
    }

    /// Announces and uses another chunk size.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.send(2, SET_CHUNK_SIZE, 0, 0, &size.to_be_bytes());
        self.chunk_size = size as usize;
    }

    /// Sends a message with a full header.
    pub fn send(&mut self, csid: u8, kind: u8, stream_id: u32, timestamp: u32, payload: &[u8]) {
        assert!(self.try_send(csid, kind, stream_id, timestamp, payload), "closed");
    }

    /// [`Peer::send`] that tells whether the server still takes it.
    pub fn try_send(
        &mut self,
        csid: u8,
        kind: u8,
        stream_id: u32,
        timestamp: u32,
        payload: &[u8],
    ) -> bool {
        self.send_bytes(&chunks(csid, kind, stream_id, timestamp, payload, self.chunk_size))
    }

    /// Whether the server has closed the connection; what it sent until then stays to be read.
    pub fn is_closed(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 65536];
        let closed = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(count) => self.reader.buffer.extend_from_slice(&buffer[..count]),
                Err(error) => break error.kind() != ErrorKind::WouldBlock,
            }
        };
        self.stream.set_nonblocking(false).unwrap();
        closed
    }

    /// The connection itself.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends bytes as they are; tells whether the server still takes them.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next message from the server; `None` when it has closed the connection.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Message> {
        loop {
            assert!(Instant::now() < self.deadline, "the server does not do what is expected");
            if let Some(message) = self.reader.next() {
                if message.kind == SET_CHUNK_SIZE {
                    let size = message.payload.as_slice().try_into().expect("4 bytes");
                    self.reader.chunk_size = u32::from_be_bytes(size) as usize;
                }
                return Some(message);
            }
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.reader.buffer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the server says nothing: {error}"),
            }
        }
    }

    /// Reads on until a command or status holds `text`, and gives it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> Message {
        loop {
            let message = self.receive().unwrap_or_else(|| panic!("closed before {text}"));
            if message.says(text) {
                return message;
            }
        }
    }

    /// Reads on until the other end sends audio, video or data.
    #[track_caller]
    pub fn wait_media(&mut self) -> Message {
        loop {
            let message = self.receive().expect("media before the end");
            if matches!(message.kind, AUDIO | VIDEO | DATA) {
                return message;
            }
        }
    }

    /// Reads on until the server closes the connection; gives what it said.
    #[track_caller]
    pub fn wait_closed(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.receive()).collect()
    }
}

impl Drop for Peer {
    /// Closes at once, even while a process that another test starts still has a copy of the
    /// socket.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// A TCP connection whose reads and writes give up in time.
#[track_caller]
pub fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("to connect");
    be_patient(&stream);
    stream
}

fn be_patient(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
}

/// Whether the server closes `stream` within `limit`; what it sends until then is thrown away.
pub fn closes_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut buffer = [0; 65536];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// C0 and C1 of the simple handshake.
pub fn hello() -> Vec<u8> {
    let mut bytes = vec![0x5a; 1 + 1536];
    bytes[0] = 3;
    bytes[1..9].fill(0);
    bytes
}

/// Everything that a real client sent in one connection: see tests/fixtures/README.md.
pub fn capture(name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(fixtures.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A message as chunks: a full header, then as many headers of type 3 as needed.
pub fn chunks(
    csid: u8,
    kind: u8,
    stream_id: u32,
    timestamp: u32,
    payload: &[u8],
    chunk_size: usize,
) -> Vec<u8> {
    let is_extended = timestamp >= 0xff_ffff;
    let extended = if is_extended { timestamp.to_be_bytes().to_vec() } else { Vec::new() };
    let mut bytes = vec![csid];
    bytes.extend_from_slice(&timestamp.min(0xff_ffff).to_be_bytes()[1..]);
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.push(kind);
    bytes.extend_from_slice(&stream_id.to_le_bytes());
    bytes.extend_from_slice(&extended);
    for (index, part) in payload.chunks(chunk_size).enumerate() {
        if index > 0 {
            bytes.push(0xc0 | csid);
            bytes.extend_from_slice(&extended);
        }
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The command `connect` to `application`.
pub fn connect(application: &str) -> Vec<u8> {
    connect_to(&format!("rtmp://127.0.0.1/{application}"), application)
}

/// The command `connect` to `application` at `url`.
pub fn connect_to(url: &str, application: &str) -> Vec<u8> {
    let properties = object(&[("app", string(application)), ("tcUrl", string(url))]);
    [string("connect"), number(1.0), properties].concat()
}

/// The command `connect` of a client that announces `capsEx` (Enhanced RTMP 2).
pub fn connect_enhanced(application: &str, caps_ex: f64) -> Vec<u8> {
    let plain = connect(application);
    let (properties, end) = plain.split_at(plain.len() - 3);
    [properties, &string("capsEx")[1..], &number(caps_ex), end].concat()
}

/// An AMF0 string.
pub fn string(text: &str) -> Vec<u8> {
    [&[2][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// An AMF0 number.
pub fn number(value: f64) -> Vec<u8> {
    [&[0][..], &value.to_be_bytes()].concat()
}

/// An AMF0 object.
pub fn object(properties: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let properties = properties.iter().map(|(name, value)| [&string(name)[1..], value].concat());
    [vec![3], properties.collect::<Vec<_>>().concat(), vec![0, 0, 9]].concat()
}

/// The AMF0 null.
pub fn null() -> Vec<u8> {
    vec![5]
}

/// Puts the chunks of the server together; chunk stream ids below 64 only, as servers use.
struct ChunkReader {
    buffer: Vec<u8>,
    chunk_size: usize,
    streams: [ChunkStream; 64],
}

#[derive(Clone, Default)]
struct ChunkStream {
    kind: u8,
    stream_id: u32,
    length: usize,
    timestamp: u32,
    delta: u32,
    is_extended: bool,
    payload: Vec<u8>,
}

impl Default for ChunkReader {
    fn default() -> Self {
        let streams = std::array::from_fn(|_| ChunkStream::default());
        Self { buffer: Vec::new(), chunk_size: 128, streams }
    }
}

impl ChunkReader {
    /// The next whole message, if the buffer holds its end.
    fn next(&mut self) -> Option<Message> {
        loop {
            let (used, csid) = self.next_chunk()?;
            self.buffer.drain(..used);
            let stream = &mut self.streams[csid];
            if stream.payload.len() == stream.length {
                let payload = std::mem::take(&mut stream.payload);
                let ChunkStream { kind, stream_id, timestamp, .. } = *stream;
                return Some(Message { kind, stream_id, timestamp, payload });
            }
        }
    }

    /// Takes in one chunk; gives how long it was and whose.
    fn next_chunk(&mut self) -> Option<(usize, usize)> {
        let first = *self.buffer.first()?;
        let (format, csid) = (first >> 6, usize::from(first & 63));
        assert!(csid >= 2, "a chunk stream id of more than one byte");
        let mut stream = self.streams[csid].clone();
        let header = [11, 7, 3, 0][usize::from(format)];
        let fields = self.buffer.get(1..1 + header)?;
        let mut at = 1 + header;
        if format < 3 {
            stream.delta = be24(&fields[..3]);
            stream.is_extended = stream.delta == 0xff_ffff;
        }
        if format < 2 {
            stream.length = be24(&fields[3..6]) as usize;
            stream.kind = fields[6];
        }
        if format == 0 {
            stream.stream_id = u32::from_le_bytes(fields[7..11].try_into().expect("4 bytes"));
        }
        if stream.is_extended {
            let extended = self.buffer.get(at..at + 4)?.try_into().expect("4 bytes");
            at += 4;
            stream.delta = if format < 3 { u32::from_be_bytes(extended) } else { stream.delta };
        }
        if stream.payload.is_empty() {
            let base = if format == 0 { 0 } else { stream.timestamp };
            stream.timestamp = base.wrapping_add(stream.delta);
        }
        let wanted = self.chunk_size.min(stream.length - stream.payload.len());
        stream.payload.extend_from_slice(self.buffer.get(at..at + wanted)?);
        self.streams[csid] = stream;
        Some((at + wanted, csid))
    }
}

fn be24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte))
}
