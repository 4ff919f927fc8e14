//! A [`Client`] and a [`Session`] joined by a wire that carries a few bytes at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::rtmp::Error;
use crate::rtmp::client::{self, Client, ClientConfig, Role};
use crate::rtmp::session::{Event, Output, Session, SessionConfig};
use crate::time::Instant;

/// Both ends, and all that came out of them.
pub(super) struct Pair {
    pub(super) client: Client,
    pub(super) session: Session,
    pub(super) now: Instant,
    pub(super) client_events: Vec<client::Event>,
    pub(super) session_events: Vec<Event>,
    pub(super) client_closed: bool,
    pub(super) session_closed: bool,
    /// The most bytes in one piece of input.
    piece: usize,
    to_client: Vec<u8>,
    to_session: Vec<u8>,
}

impl Pair {
    pub(super) fn new(role: Role) -> Self {
        Self::with(client_config(role), SessionConfig::default(), usize::MAX)
    }

    pub(super) fn with(client: ClientConfig, session: SessionConfig, piece: usize) -> Self {
        let now = Instant::from_millis(1_000_000);
        Self {
            client: Client::new(client, now, 1),
            session: Session::new(Arc::new(session), now, 2),
            now,
            client_events: Vec::new(),
            session_events: Vec::new(),
            client_closed: false,
            session_closed: false,
            piece,
            to_client: Vec::new(),
            to_session: Vec::new(),
        }
    }

    /// Lets both ends talk until they have nothing more to say, with an application that accepts.
    pub(super) fn run(&mut self) {
        self.try_run(accept).expect("both ends keep to the protocol");
    }

    /// As [`run`](Self::run), with an application that answers by `answer`.
    pub(super) fn try_run(
        &mut self,
        mut answer: impl FnMut(&mut Session, Instant, &Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            self.drain_client();
            self.drain_session(&mut answer)?;
            if self.to_client.is_empty() && self.to_session.is_empty() {
                return Ok(());
            }
            for piece in std::mem::take(&mut self.to_client).chunks(self.piece) {
                self.client.handle_input(piece)?;
            }
            let input = std::mem::take(&mut self.to_session);
            for piece in input.chunks(self.piece) {
                self.session.handle_input(self.now, piece)?;
                self.drain_session(&mut answer)?;
            }
        }
    }

    /// Passes time, and tells both ends.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), Error> {
        self.now = self.now + time;
        self.client.handle_timeout(self.now)?;
        self.session.handle_timeout(self.now)
    }

    fn drain_client(&mut self) {
        loop {
            match self.client.poll_output() {
                Output::Send(bytes) => self.to_session.extend_from_slice(&bytes),
                Output::Event(event) => self.client_events.push(event),
                Output::Close => self.client_closed = true,
                Output::Timeout(_) => return,
            }
        }
    }

    fn drain_session(
        &mut self,
        mut answer: impl FnMut(&mut Session, Instant, &Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            match self.session.poll_output() {
                Output::Send(bytes) => self.to_client.extend_from_slice(&bytes),
                Output::Event(event) => {
                    let answered = answer(&mut self.session, self.now, &event);
                    self.session_events.push(event);
                    answered?;
                }
                Output::Close => self.session_closed = true,
                Output::Timeout(_) => return Ok(()),
            }
        }
    }
}

/// An application that accepts whatever is asked.
pub(super) fn accept(session: &mut Session, now: Instant, event: &Event) -> Result<(), Error> {
    match event {
        Event::Connect(_) => session.accept_connect(now),
        Event::Publish(_) => session.accept_publish(now),
        Event::Play(_) => session.accept_play(now),
        _ => Ok(()),
    }
}

pub(super) fn client_config(role: Role) -> ClientConfig {
    ClientConfig {
        role,
        app: "live".into(),
        tc_url: "rtmp://localhost/live".into(),
        name: "cam?token=1".into(),
        page_url: String::new(),
        swf_url: String::new(),
        flash_ver: "LNX 9,0,124,2".into(),
        timeout: Duration::from_secs(10),
        buflen: Duration::from_secs(3),
        ack_window: 5_000_000,
        chunk_size: 4096,
        max_streams: 32,
        max_message: 1024 * 1024,
    }
}
