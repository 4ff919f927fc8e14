//! The load: publishers and players in one thread. Players drop what they get without looking at
//! it, in the kernel (`MSG_TRUNC`), but for a few that measure.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ngx_rtmp_module::flv::{VideoKind, video_kind};
use ngx_rtmp_module::rtmp::client::{Client, ClientConfig, Event, LIVE, Role};
use ngx_rtmp_module::rtmp::session::Output;
use ngx_rtmp_module::time;
use rustix::event::{Timespec, epoll};
use rustix::net::{RecvFlags, recv};

use super::media::{MARK, Source};

/// Bytes taken from a connection at once.
const TAKEN: usize = 256 << 10;

/// What a player does with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Player {
    /// Drops it.
    Drains,
    /// Looks at when what it gets was sent.
    Measures,
    /// Reads nothing once it plays.
    Stalls,
}

enum Kind {
    /// With the time of its first picture, in microseconds, once it may send.
    Publisher(Source, Option<u64>),
    /// Gets a stream without asking.
    Drain,
    Player(Player),
}

struct Connection {
    stream: TcpStream,
    client: Client,
    kind: Kind,
    started: bool,
    connected_at: Instant,
    has_picture: bool,
    /// What the connection did not take yet.
    pending: BytesMut,
    /// What a measuring player got last, for marks that are cut.
    tail: Vec<u8>,
}

/// All connections, and what they saw.
pub struct Load {
    epoll: std::os::fd::OwnedFd,
    connections: BTreeMap<u64, Connection>,
    next_id: u64,
    port: u16,
    begin: Instant,
    pub received: u64,
    /// From send to receipt, in microseconds.
    pub latencies: Vec<u64>,
    /// From connecting to the first picture, in microseconds.
    pub first_pictures: Vec<u64>,
    buffer: Vec<u8>,
}

impl Load {
    pub fn new(port: u16) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll instance");
        Self {
            epoll,
            connections: BTreeMap::new(),
            next_id: 0,
            port,
            begin: Instant::now(),
            received: 0,
            latencies: Vec::new(),
            first_pictures: Vec::new(),
            buffer: vec![0; TAKEN],
        }
    }

    pub fn publish(&mut self, name: &str, source: Source) {
        self.connect(Role::Publish, name, Kind::Publisher(source, None));
    }

    pub fn play(&mut self, name: &str, player: Player) {
        self.connect(Role::Play { start: LIVE }, name, Kind::Player(player));
    }

    /// A player of a server that sends without having been asked.
    pub fn drain(&mut self) {
        self.connect(Role::Play { start: LIVE }, "", Kind::Drain);
    }

    fn connect(&mut self, role: Role, name: &str, kind: Kind) {
        let stream = dial(self.port);
        stream.set_nodelay(true).expect("an option");
        stream.set_nonblocking(true).expect("an option");
        let id = self.next_id;
        self.next_id += 1;
        let flags = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(id), flags).expect("to watch");
        let client = Client::new(config(role, name), time::Instant::default(), id);
        let mut connection = Connection {
            stream,
            client,
            started: matches!(kind, Kind::Drain),
            connected_at: Instant::now(),
            has_picture: false,
            pending: BytesMut::new(),
            tail: Vec::new(),
            kind,
        };
        if !connection.started {
            connection.drain();
        }
        self.connections.insert(id, connection);
    }

    /// Runs until every publish and play has been accepted; who was before goes on.
    pub fn start_all(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.connections.values().any(|connection| !connection.started) {
            assert!(Instant::now() < deadline, "the server does not accept all");
            let wait = self.publish_due();
            self.step(wait);
        }
    }

    /// Publishes and plays for a while.
    pub fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let wait = self.publish_due();
            self.step(wait.min(end.saturating_duration_since(Instant::now())));
        }
    }

    pub fn forget(&mut self) {
        self.received = 0;
        self.latencies.clear();
        self.first_pictures.clear();
    }

    /// Sends what is due; gives the time until there is more.
    fn publish_due(&mut self) -> Duration {
        let begin = self.begin;
        let now = begin.elapsed().as_micros() as u64;
        let mut next = now + 5_000;
        let count = self.connections.len().max(1) as u64;
        for (id, connection) in &mut self.connections {
            if !connection.started {
                continue;
            }
            let Kind::Publisher(source, first) = &mut connection.kind else { continue };
            // Not all at once.
            let first = *first.get_or_insert(now + id * 33_333 / count);
            while source.due() + first <= now {
                for message in source.next(begin.elapsed().as_micros() as u64) {
                    connection.client.send(&message);
                }
            }
            next = next.min(source.due() + first);
            connection.drain();
        }
        Duration::from_micros(next.saturating_sub(begin.elapsed().as_micros() as u64))
    }

    fn step(&mut self, wait: Duration) {
        let mut events = Vec::with_capacity(256);
        let timeout = Timespec { tv_sec: 0, tv_nsec: wait.as_nanos().min(999_999_999) as i64 };
        let spare = rustix::buffer::spare_capacity(&mut events);
        if epoll::wait(&self.epoll, spare, Some(&timeout)).is_err() {
            return;
        }
        for event in &events {
            self.receive(event.data.u64());
        }
    }

    fn receive(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let now = self.begin.elapsed().as_micros() as u64;
        match &connection.kind {
            Kind::Player(Player::Drains) | Kind::Drain if connection.started => {
                if let Ok((_, taken)) =
                    recv(&connection.stream, &mut self.buffer[..], RecvFlags::TRUNC)
                {
                    assert!(taken > 0, "the server has closed a player's connection");
                    self.received += taken as u64;
                }
            }
            Kind::Player(Player::Stalls) if connection.started => {
                let _ = epoll::delete(&self.epoll, &connection.stream);
            }
            _ => match connection.stream.read(&mut self.buffer) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(taken) => {
                    self.received += taken as u64;
                    let bytes = &self.buffer[..taken];
                    if connection.started {
                        connection.measure(bytes, now, &mut self.latencies);
                    }
                    if let Some(time) = connection.handle(bytes) {
                        self.first_pictures.push(time.as_micros() as u64);
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            },
        }
    }
}

impl Connection {
    /// Gives the time to the first picture when that has come.
    fn handle(&mut self, bytes: &[u8]) -> Option<Duration> {
        self.client.handle_input(bytes).expect("the server keeps to the protocol");
        self.drain()
    }

    fn drain(&mut self) -> Option<Duration> {
        let mut first = None;
        loop {
            match self.client.poll_output() {
                Output::Send(bytes) => self.pending.extend_from_slice(&bytes),
                Output::Event(Event::PublishStarted { .. } | Event::PlayStarted) => {
                    self.started = true
                }
                Output::Event(Event::Media(message)) => {
                    if video_kind(&message.payload) == VideoKind::Keyframe && !self.has_picture {
                        self.has_picture = true;
                        first = Some(self.connected_at.elapsed());
                    }
                }
                Output::Event(event) => panic!("the server refused: {event:?}"),
                Output::Close => panic!("the server closed"),
                Output::Timeout(_) => break,
            }
        }
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending) {
                Ok(taken) => self.pending.advance(taken),
                Err(_) => break,
            }
        }
        first
    }

    /// Looks for marks; the bytes of chunk headers between are nothing to it.
    fn measure(&mut self, bytes: &[u8], now: u64, latencies: &mut Vec<u64>) {
        let length = MARK.len() + 8;
        let seen = [&self.tail, bytes].concat();
        for place in seen.windows(length).filter(|place| place.starts_with(MARK)) {
            let sent = u64::from_be_bytes(place[MARK.len()..].try_into().expect("8 bytes"));
            latencies.push(now.saturating_sub(sent));
        }
        self.tail = seen[seen.len().saturating_sub(length - 1)..].to_vec();
    }
}

/// Connects; a full queue of the server's is waited for.
fn dial(port: u16) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "cannot connect: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn config(role: Role, name: &str) -> ClientConfig {
    ClientConfig {
        role,
        app: "live".into(),
        tc_url: "rtmp://127.0.0.1/live".into(),
        name: name.into(),
        page_url: String::new(),
        swf_url: String::new(),
        flash_ver: "LNX 9,0,124,2".into(),
        timeout: Duration::from_secs(60),
        buflen: Duration::from_secs(1),
        ack_window: 5_000_000,
        chunk_size: 4096,
        max_streams: 32,
        max_message: 1 << 20,
    }
}
