//! What a worker asks all others, so that its answer to an HTTP request is one for all of them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use nginx_sys::ngx_event_t;

use super::connection::{Connection, Received};
use super::http::{Request, Respond};
use super::log::{self, Level};
use super::outbox::Outbox;
use super::sending::{self, Progress};
use super::worker::{self, Worker};
use super::{event, guard};
use crate::inquiry::{Answer, Question};

/// How long another worker may say nothing before it is left out.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the asking worker may take nothing of an answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that a worker answers, in bytes: that of some 100,000 clients.
const MAX_ANSWER: usize = 64 << 20;

/// The workers that one inquiry can ask; the rest of the connection's number is the inquiry's.
const MAX_ASKED: u64 = 1 << 16;

/// An inquiry; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InquiryId(pub(super) u64);

/// The inquiries that wait for answers.
#[derive(Default)]
pub(super) struct Inquiries {
    open: BTreeMap<InquiryId, Inquiry>,
    last: u64,
}

struct Inquiry {
    /// Who waits: it is there as long as the inquiry is.
    request: Request,
    respond: Respond,
    /// What is known so far.
    answer: Answer,
    /// The workers that have not answered yet.
    asked: BTreeMap<u64, Asked>,
}

/// A worker that was asked.
struct Asked {
    connection: Connection,
    /// What has come of its answer.
    bytes: Vec<u8>,
}

/// What has come of a question.
pub(super) enum Begun {
    /// There is nobody else to ask.
    Answered(Respond, Answer),
    /// The others have been asked.
    Asked(InquiryId),
}

/// An inquiry that everybody has answered.
pub(super) struct Finished(Inquiry);

impl Finished {
    /// Answers the request, which must not be done while the worker is borrowed.
    fn respond(self) {
        let Inquiry { request, respond, answer, .. } = self.0;
        request.finish(respond(answer));
    }
}

impl Asked {
    /// Reads what there is. Whether that is all.
    fn read(&mut self, scratch: &mut [u8]) -> bool {
        loop {
            match self.connection.recv(scratch) {
                Received::Bytes(n) if self.bytes.len() + n <= MAX_ANSWER => {
                    self.bytes.extend_from_slice(&scratch[..n]);
                    self.connection.set_read_timer(event::now() + PATIENCE);
                }
                Received::Again => return self.connection.wait_readable().is_err(),
                Received::Bytes(_) | Received::Eof | Received::Error => return true,
            }
        }
    }
}

impl Inquiries {
    /// Whoever waited for the answer is gone.
    pub(super) fn forget(&mut self, id: InquiryId) {
        self.open.remove(&id);
    }

    fn begin(&mut self, connections: Vec<Connection>, inquiry: Inquiry) -> InquiryId {
        self.last += 1;
        let id = InquiryId(self.last);
        let mut inquiry = inquiry;
        for (number, mut connection) in (0..MAX_ASKED).zip(connections) {
            connection.set_data((id.0 * MAX_ASKED + number) as usize);
            connection.set_read_timer(event::now() + PATIENCE);
            inquiry.asked.insert(number, Asked { connection, bytes: Vec::new() });
        }
        self.open.insert(id, inquiry);
        id
    }

    /// A worker has said something, or nothing for too long.
    fn on_answer(&mut self, number: u64, is_late: bool, scratch: &mut [u8]) -> Option<Finished> {
        let (id, number) = (InquiryId(number / MAX_ASKED), number % MAX_ASKED);
        let inquiry = self.open.get_mut(&id)?;
        if !is_late && !inquiry.asked.get_mut(&number)?.read(scratch) {
            return None;
        }
        let asked = inquiry.asked.remove(&number)?;
        match serde_json::from_slice(&asked.bytes) {
            Ok(answer) => inquiry.answer.merge(answer),
            Err(_) => log::cycle(Level::Warn, format_args!("a worker process did not answer")),
        }
        match inquiry.asked.is_empty() {
            true => self.open.remove(&id).map(Finished),
            false => None,
        }
    }
}

impl Worker {
    /// Asks all workers, this one first.
    pub(super) fn inquire(
        &mut self,
        request: Request,
        question: &Question,
        respond: Respond,
    ) -> Begun {
        let answer = self.answer(question);
        // No map has anything but strings for keys, so nothing can fail.
        let bytes = serde_json::to_vec(question).unwrap_or_default();
        let asked = self.shared.cluster.as_ref().map(|cluster| cluster.inquire(&bytes));
        let asked = asked.into_iter().flatten();
        let connections: Vec<_> =
            asked.filter_map(|descriptor| Connection::adopt(descriptor, on_read)).collect();
        if connections.is_empty() {
            return Begun::Answered(respond, answer);
        }
        let inquiry = Inquiry { request, respond, answer, asked: BTreeMap::new() };
        Begun::Asked(self.inquiries.begin(connections, inquiry))
    }

    /// Answers another worker, whose question is on the connection.
    pub(super) fn reply(&mut self, descriptor: OwnedFd) {
        let read = rustix::io::read(&descriptor, &mut *self.shared.scratch).unwrap_or(0);
        let Ok(question) = serde_json::from_slice::<Question>(&self.shared.scratch[..read]) else {
            return;
        };
        let answer = serde_json::to_vec(&self.answer(&question)).unwrap_or_default();
        let Some(mut connection) = Connection::adopt(descriptor, on_asker) else { return };
        connection.set_handlers(on_asker, on_asker);
        connection.blame_peer();
        let mut outbox = Outbox::default();
        outbox.push_media(Bytes::from(answer));
        let entry = self.replies.vacant_entry();
        let id = entry.key();
        connection.set_data(id);
        entry.insert(Reply { connection, outbox });
        self.send_reply(id, false);
    }

    /// Sends what the asking worker takes. When it has all of it, or is gone, that is the end.
    fn send_reply(&mut self, id: usize, is_late: bool) {
        let Some(reply) = self.replies.get_mut(id) else { return };
        if is_late || !reply.send() {
            self.replies.remove(id);
        }
    }
}

/// An answer to another worker.
pub(super) struct Reply {
    connection: Connection,
    outbox: Outbox,
}

impl Reply {
    /// Sends what can be sent. Whether there is more.
    fn send(&mut self) -> bool {
        let sent = sending::send(&mut self.connection, &mut self.outbox, None, SEND_TIMEOUT);
        matches!(sent, Ok(Progress::Waiting))
    }
}

/// Another worker has said something, or nothing for too long.
unsafe extern "C" fn on_read(event: *mut ngx_event_t) {
    // SAFETY: nginx gives an event of an open connection.
    let (number, is_late) = unsafe { number_of(event) };
    let finished = guard(
        || {
            worker::with(|worker| {
                let scratch = &mut worker.shared.scratch;
                worker.inquiries.on_answer(number as u64, is_late, scratch)
            })
        },
        || None,
    );
    guard(|| finished.map(Finished::respond), || None);
}

/// The worker that asks takes more, or is gone.
unsafe extern "C" fn on_asker(event: *mut ngx_event_t) {
    // SAFETY: nginx gives an event of an open connection.
    let (id, is_late) = unsafe { number_of(event) };
    guard(|| worker::with(|worker| worker.send_reply(id, is_late)), || ());
}

/// The number in an event's connection, and whether the event is its timer's, which is reset.
///
/// # Safety
///
/// `event` is of an open connection.
unsafe fn number_of(event: *mut ngx_event_t) -> (usize, bool) {
    // SAFETY: the caller's promise.
    unsafe { (event::number(event), event::take_timeout(event)) }
}
