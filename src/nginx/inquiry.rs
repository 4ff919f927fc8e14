//! What a worker asks all others, so that its answer to an HTTP request is one for all of them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::{iter, mem};

use bytes::Bytes;
use nginx_sys::ngx_event_t;

use super::connection::{Connection, Received};
use super::http::{Render, Request, Respond, RespondHere, Response};
use super::log::{self, Level};
use super::outbox::Outbox;
use super::sending::{self, Progress};
use super::worker::{self, Purpose, Worker};
use super::{event, guard, thread_pool};
use crate::inquiry::{Answer, Question};
use crate::stat::Report;

/// How long another worker may say nothing before it is left out.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the asking worker may take nothing of an answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that a worker answers, in bytes: that of some 100,000 clients.
const MAX_ANSWER: usize = 64 << 20;

/// What a client comes to in an answer, at least, in bytes.
const CLIENT_BYTES: usize = 400;

/// The workers that one inquiry can ask; the rest of the connection's number is the inquiry's.
const MAX_ASKED: u64 = 1 << 16;

/// An inquiry; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InquiryId(pub(super) u64);

/// How many streams and clients a thread is worth: with fewer, no disk that keeps all threads waiting
/// keeps the answer waiting, too.
const MANY: usize = 256;

/// The inquiries that wait for answers.
pub(super) struct Inquiries {
    open: BTreeMap<InquiryId, Inquiry>,
    last: u64,
    /// Those that have responses to be sent.
    ready: Vec<(InquiryId, Response)>,
    /// On the heap: nginx links it into its queues by address.
    posted: Box<ngx_event_t>,
}

struct Inquiry {
    /// Who waits: it is there as long as the inquiry is.
    request: Request,
    /// What makes the response, until it is made.
    respond: Option<Respond>,
    /// What this worker answers, once it is known.
    own: Option<Answer>,
    /// What others have answered, not looked at yet.
    answers: Vec<Vec<u8>>,
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
    Answered(RespondHere, Answer),
    /// The others have been asked.
    Asked(InquiryId),
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
    pub(super) fn new() -> Self {
        let posted = event::new(on_ready);
        Self { open: BTreeMap::new(), last: 0, ready: Vec::new(), posted }
    }

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
    /// Gives the inquiry if that was the last one it waits for.
    fn on_answer(&mut self, number: u64, is_late: bool, scratch: &mut [u8]) -> Option<InquiryId> {
        let (id, number) = (InquiryId(number / MAX_ASKED), number % MAX_ASKED);
        let inquiry = self.open.get_mut(&id)?;
        if !is_late && !inquiry.asked.get_mut(&number)?.read(scratch) {
            return None;
        }
        let asked = inquiry.asked.remove(&number)?;
        if is_late || asked.bytes.is_empty() {
            log::cycle(Level::Warn, format_args!("a worker process did not answer"));
        } else {
            inquiry.answers.push(asked.bytes);
        }
        inquiry.is_complete().then_some(id)
    }

    /// Has the response sent in an event of its own, as the worker must not be borrowed then.
    fn respond(&mut self, id: InquiryId, response: Response) {
        self.ready.push((id, response));
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post(&raw mut *self.posted) }
    }

    /// The next response that can be sent, and to whom.
    fn take_ready(&mut self) -> Option<(Request, Response)> {
        while let Some((id, response)) = self.ready.pop() {
            if let Some(inquiry) = self.open.remove(&id) {
                return Some((inquiry.request, response));
            }
        }
        None
    }
}

impl Inquiry {
    fn new(request: Request, respond: Respond, own: Option<Answer>) -> Self {
        let (answers, asked) = (Vec::new(), BTreeMap::new());
        Self { request, respond: Some(respond), own, answers, asked }
    }

    fn is_complete(&self) -> bool {
        self.own.is_some() && self.asked.is_empty()
    }
}

impl Drop for Inquiries {
    fn drop(&mut self) {
        // SAFETY: the event is this one's.
        unsafe { event::cancel(&raw mut *self.posted) }
    }
}

/// What all of the workers have told; what cannot be read is left out.
fn merge_reports(own: Report, answers: &[Vec<u8>]) -> Report {
    let others = answers.iter().filter_map(|bytes| match serde_json::from_slice(bytes) {
        Ok(Answer::Report(report)) => Some(*report),
        _ => None,
    });
    Report::merge(iter::once(own).chain(others))
}

impl Worker {
    /// Asks all workers, this one first.
    pub(super) fn inquire(
        &mut self,
        request: Request,
        question: &Question,
        respond: RespondHere,
    ) -> Begun {
        let answer = self.answer(question);
        let connections = self.ask_others(question);
        if connections.is_empty() {
            return Begun::Answered(respond, answer);
        }
        let inquiry = Inquiry::new(request, Respond::Here(respond), Some(answer));
        Begun::Asked(self.inquiries.begin(connections, inquiry))
    }

    /// Asks all workers what they have.
    pub(super) fn inquire_reports(&mut self, request: Request, render: Render) -> InquiryId {
        let connections = self.ask_others(&Question::Report);
        let inquiry = Inquiry::new(request, Respond::Elsewhere(render), None);
        let id = self.inquiries.begin(connections, inquiry);
        self.collections.begin(Purpose::Inquiry(id));
        id
    }

    fn ask_others(&self, question: &Question) -> Vec<Connection> {
        // No map has anything but strings for keys, so nothing can fail.
        let bytes = serde_json::to_vec(question).unwrap_or_default();
        let asked = self.shared.cluster.as_ref().map(|cluster| cluster.inquire(&bytes));
        let asked = asked.into_iter().flatten();
        asked.filter_map(|descriptor| Connection::adopt(descriptor, on_read)).collect()
    }

    /// A report of this worker is complete.
    pub(super) fn collected(&mut self, report: Report, purpose: Purpose) {
        match purpose {
            Purpose::Inquiry(id) => {
                let Some(inquiry) = self.inquiries.open.get_mut(&id) else { return };
                inquiry.own = Some(Answer::Report(Box::new(report)));
                if inquiry.is_complete() {
                    self.finish_inquiry(id);
                }
            }
            Purpose::Reply(descriptor) => {
                let is_small = report.weight() < MANY;
                let serialise = move || serde_json::to_vec(&Answer::Report(Box::new(report))).ok();
                if is_small {
                    return self.send_answer(descriptor, serialise());
                }
                thread_pool::run_then(serialise, move |worker, bytes| {
                    worker.send_answer(descriptor, bytes.flatten());
                });
            }
        }
    }

    /// Everybody has answered.
    fn finish_inquiry(&mut self, id: InquiryId) {
        let Some(inquiry) = self.inquiries.open.get_mut(&id) else { return };
        let (respond, answers) = (inquiry.respond.take(), mem::take(&mut inquiry.answers));
        match (respond, inquiry.own.take()) {
            (Some(Respond::Here(respond)), Some(mut answer)) => {
                for bytes in answers {
                    if let Ok(other) = serde_json::from_slice(&bytes) {
                        answer.merge(other);
                    }
                }
                self.inquiries.respond(id, respond(answer));
            }
            (Some(Respond::Elsewhere(render)), Some(Answer::Report(own))) => {
                self.render(id, *own, answers, render);
            }
            _ => {}
        }
    }

    fn render(&mut self, id: InquiryId, own: Report, answers: Vec<Vec<u8>>, render: Render) {
        let others: usize = answers.iter().map(Vec::len).sum();
        let is_small = own.weight() + others / CLIENT_BYTES < MANY;
        let work = move || render(merge_reports(own, &answers));
        if is_small {
            return self.inquiries.respond(id, work());
        }
        thread_pool::run_then(work, move |worker, response| {
            let response = response.unwrap_or_else(Response::failed);
            worker.inquiries.respond(id, response);
        });
    }

    /// Answers another worker, whose question is on the connection.
    pub(super) fn reply(&mut self, descriptor: OwnedFd) {
        let read = rustix::io::read(&descriptor, &mut *self.shared.scratch).unwrap_or(0);
        let Ok(question) = serde_json::from_slice::<Question>(&self.shared.scratch[..read]) else {
            return;
        };
        if question == Question::Report {
            return self.collections.begin(Purpose::Reply(descriptor));
        }
        let answer = serde_json::to_vec(&self.answer(&question)).ok();
        self.send_answer(descriptor, answer);
    }

    fn send_answer(&mut self, descriptor: OwnedFd, answer: Option<Vec<u8>>) {
        let Some(answer) = answer else { return };
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
    guard(
        || {
            worker::with(|worker| {
                let scratch = &mut worker.shared.scratch;
                if let Some(id) = worker.inquiries.on_answer(number as u64, is_late, scratch) {
                    worker.finish_inquiry(id);
                }
            });
        },
        || (),
    );
}

/// There are responses to be sent.
unsafe extern "C" fn on_ready(_event: *mut ngx_event_t) {
    guard(
        || {
            while let Some((request, response)) =
                worker::with(|worker| worker.inquiries.take_ready())
            {
                request.finish(response);
            }
        },
        || (),
    );
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
