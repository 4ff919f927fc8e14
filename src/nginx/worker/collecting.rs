//! A worker's report, made in pieces: no more of it in a turn of the event loop than others can wait
//! for.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::OwnedFd;

use nginx_sys::ngx_event_t;

use super::Worker;
use crate::live::{SessionId, StreamId};
use crate::nginx::inquiry::InquiryId;
use crate::nginx::{event, guard, worker};
use crate::stat::Report;

/// How many streams and clients are told of in one turn of the event loop, of some 3 µs each.
const BUDGET: usize = 256;

/// The reports that are being made.
pub(in crate::nginx) struct Collections {
    queue: VecDeque<(Collection, Purpose)>,
    /// On the heap: nginx links it into its queues by address.
    posted: Box<ngx_event_t>,
}

/// What a report is for.
pub(in crate::nginx) enum Purpose {
    /// An inquiry of this worker.
    Inquiry(InquiryId),
    /// The worker at the other end.
    Reply(OwnedFd),
}

impl Collections {
    pub(in crate::nginx) fn new() -> Self {
        Self { queue: VecDeque::new(), posted: event::new(on_turn) }
    }

    /// Begins a report. It is in [`Worker::collected`] when it is complete.
    pub(in crate::nginx) fn begin(&mut self, purpose: Purpose) {
        self.queue.push_back((Collection::default(), purpose));
        self.post();
    }

    fn post(&mut self) {
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post_next(&raw mut *self.posted) }
    }
}

impl Drop for Collections {
    fn drop(&mut self) {
        // SAFETY: the event is this one's.
        unsafe { event::cancel(&raw mut *self.posted) }
    }
}

/// A report that is being made.
#[derive(Default)]
struct Collection {
    report: Report,
    stage: Stage,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The streams from this one on.
    Streams(StreamId),
    /// The players of a stream from this one on.
    Players(StreamId, SessionId),
    /// What is played by sessions of these numbers and higher ones.
    Files(usize),
    Rest,
    Done,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Streams(StreamId(0))
    }
}

impl Collection {
    /// Tells of up to `budget` streams and clients. Whether that was all.
    fn advance(&mut self, worker: &Worker, mut budget: usize) -> bool {
        while budget > 0 && self.stage != Stage::Done {
            self.stage = match self.stage {
                Stage::Streams(from) => self.take_stream(from, &mut budget, worker),
                Stage::Players(id, from) => self.take_players(id, from, &mut budget, worker),
                Stage::Files(from) => self.take_files(from, &mut budget, worker),
                Stage::Rest => {
                    self.take_rest(worker);
                    Stage::Done
                }
                Stage::Done => Stage::Done,
            };
        }
        self.stage == Stage::Done
    }

    fn take_stream(&mut self, from: StreamId, budget: &mut usize, worker: &Worker) -> Stage {
        let mut streams = worker.shared.streams.streams_from(from);
        let Some((id, channel)) = streams.next() else { return Stage::Files(0) };
        self.report.streams.push(worker.report_stream(id, channel));
        *budget -= 1;
        Stage::Players(id, SessionId(0))
    }

    fn take_players(
        &mut self,
        id: StreamId,
        from: SessionId,
        budget: &mut usize,
        worker: &Worker,
    ) -> Stage {
        if let Some(channel) = worker.shared.streams.channel(id)
            && let Some(stream) = self.report.streams.last_mut()
        {
            for (&session, _) in channel.players.range(from..) {
                if *budget == 0 {
                    return Stage::Players(id, session);
                }
                *budget -= 1;
                stream.clients.extend(worker.report_client(session, channel));
            }
        }
        Stage::Streams(StreamId(id.0 + 1))
    }

    fn take_files(&mut self, from: usize, budget: &mut usize, worker: &Worker) -> Stage {
        for number in from..worker.peers.capacity() {
            if *budget == 0 {
                return Stage::Files(number);
            }
            if let Some(file) = worker.peers.get(number).and_then(Worker::report_file) {
                *budget -= 1;
                self.report.files.push(file);
            }
        }
        Stage::Rest
    }

    fn take_rest(&mut self, worker: &Worker) {
        let (traffic, report) = (worker.traffic(), &mut self.report);
        report.accepted = worker.shared.meters.totals.accepted;
        report.traffic = traffic;
        report.workers = vec![worker.report_worker()];
        report.counted = worker.counted();
        report.relays = worker.report_relays();
        report.children = worker.shared.children.report();
        report.audiences = worker.shared.viewers.report();
    }
}

impl Worker {
    /// All that the worker has, at once.
    pub(in crate::nginx) fn report(&self) -> Report {
        let mut collection = Collection::default();
        collection.advance(self, usize::MAX);
        Report::merge([collection.report])
    }

    /// Goes on with a report.
    fn collect(&mut self) {
        if let Some((mut collection, purpose)) = self.collections.queue.pop_front() {
            if collection.advance(self, BUDGET) {
                self.collected(mem::take(&mut collection.report), purpose);
            } else {
                self.collections.queue.push_back((collection, purpose));
            }
        }
        if !self.collections.queue.is_empty() {
            self.collections.post();
        }
    }
}

/// It is time for the next piece.
unsafe extern "C" fn on_turn(_event: *mut ngx_event_t) {
    guard(|| worker::with(Worker::collect), || ());
}
