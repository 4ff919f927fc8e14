//! One request and the reply to it.

use super::super::connection::{Broken, Connection, Received};
use super::super::dial::{Destination, DialId};
use super::{CallError, Then};
use crate::http::{Head, Part, Response};
use crate::time::Instant;

/// Bytes of a reply's body that are read for the sake of the connection. Nobody wants them.
const MAX_BODY: usize = 64 << 10;

pub(super) struct Exchange {
    pub(super) server: Destination,
    pub(super) request: Vec<u8>,
    pub(super) deadline: Instant,
    pub(super) stage: Stage,
    /// None once the head has come.
    pub(super) then: Option<Then>,
}

pub(super) enum Stage {
    /// Others are under way.
    Waiting,
    /// Too many wait.
    Refused,
    Dialing(DialId),
    Talking(Talk),
}

/// A connection on which the request goes, and the reply comes.
pub(super) struct Talk {
    pub(super) connection: Connection,
    sent: usize,
    is_sent: bool,
    response: Response,
    body: usize,
    /// Whether the connection has had requests before.
    is_reused: bool,
}

/// How an exchange ends.
pub(super) enum End {
    /// The reply is whole.
    Whole {
        reusable: bool,
    },
    /// The server had closed a connection that was kept, and has not seen the request.
    Stale,
    Failed(CallError),
}

impl Exchange {
    pub(super) fn new(
        server: Destination,
        request: Vec<u8>,
        deadline: Instant,
        stage: Stage,
        then: Then,
    ) -> Self {
        Self { server, request, deadline, stage, then: Some(then) }
    }

    /// Sends and receives what can be. Gives the head when it has come, and the end.
    pub(super) fn step(&mut self, scratch: &mut [u8]) -> (Option<Head>, Option<End>) {
        let Stage::Talking(talk) = &mut self.stage else { return (None, None) };
        let mut head = None;
        let result = talk.send(&self.request).map_err(Into::into);
        let end = match result.and_then(|()| talk.receive(scratch, &mut head)) {
            Ok(end) => end,
            Err(_) if talk.is_reused && !talk.response.has_begun() => Some(End::Stale),
            Err(error) => Some(End::Failed(error)),
        };
        (head, end)
    }
}

impl From<Broken> for CallError {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

impl Talk {
    pub(super) fn new(connection: Connection, is_reused: bool) -> Self {
        Self {
            connection,
            sent: 0,
            is_sent: false,
            response: Response::default(),
            body: 0,
            is_reused,
        }
    }

    /// Sends what is left of the request.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<(), Broken> {
        while self.sent < request.len() && self.connection.is_writable() {
            self.sent += self.connection.send(&[&request[self.sent..]])?;
        }
        self.is_sent = self.sent == request.len() && self.connection.flush()?;
        if !self.is_sent {
            self.connection.wait_writable()?;
        }
        Ok(())
    }

    fn receive(
        &mut self,
        scratch: &mut [u8],
        head: &mut Option<Head>,
    ) -> Result<Option<End>, CallError> {
        loop {
            match self.connection.recv(scratch) {
                Received::Bytes(n) => {
                    if let Some(end) = self.take(&scratch[..n], head)? {
                        return Ok(Some(end));
                    }
                }
                Received::Again => break,
                Received::Eof => {
                    self.response.handle_eof()?;
                    return Ok(Some(End::Whole { reusable: false }));
                }
                Received::Error => return Err(CallError::Broken),
            }
        }
        self.connection.wait_readable()?;
        Ok(None)
    }

    fn take(
        &mut self,
        mut input: &[u8],
        head: &mut Option<Head>,
    ) -> Result<Option<End>, CallError> {
        while let Some(part) = self.response.handle_input(&mut input)? {
            match part {
                Part::Head(it) => *head = Some(it),
                Part::Body(bytes) => self.body += bytes.len(),
                // What is left would be a reply to nothing.
                Part::End { reusable } => {
                    let reusable = reusable && input.is_empty() && self.is_sent;
                    return Ok(Some(End::Whole { reusable }));
                }
            }
            if self.body > MAX_BODY {
                return Ok(Some(End::Whole { reusable: false }));
            }
        }
        Ok(None)
    }
}
