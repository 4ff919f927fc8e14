//! How much a worker receives and sends.

use std::cell::Cell;
use std::collections::HashMap;

use super::event;
use crate::live::{Channel, Sent, StreamId};
use crate::stat::{Rate, Totals, Traffic};
use crate::time::Instant;

/// Counts of a worker, and how they grow.
pub(super) struct Meters {
    /// When the worker started.
    pub(super) since: Instant,
    /// What is counted as it happens.
    pub(super) totals: Totals,
    /// What of all counts other workers know of.
    pub(super) told: Cell<Totals>,
    /// What came and went on connections that have ended.
    ended: (u64, u64),
    rate: Both,
    streams: HashMap<StreamId, StreamRates>,
}

/// How two counts grow.
#[derive(Default)]
struct Both {
    bytes_in: Rate,
    bytes_out: Rate,
}

#[derive(Default)]
struct StreamRates {
    all: Both,
    audio: Rate,
    video: Rate,
    frames: Rate,
}

/// What has come and gone of a stream.
#[derive(Clone, Copy)]
pub(super) struct StreamCounts {
    pub(super) bytes: (u64, u64),
    pub(super) audio: u64,
    pub(super) video: u64,
    /// Pictures.
    pub(super) frames: u64,
}

/// A stream's traffic.
#[derive(Default)]
pub(super) struct StreamTraffic {
    pub(super) all: Traffic,
    pub(super) bw_audio: u64,
    pub(super) bw_video: u64,
    /// Pictures a second.
    pub(super) frame_rate: f64,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            since: event::now(),
            totals: Totals::default(),
            told: Cell::default(),
            ended: (0, 0),
            rate: Both::default(),
            streams: HashMap::new(),
        }
    }

    /// A connection has ended on which so many bytes came and went.
    pub(super) fn end(&mut self, (bytes_in, bytes_out): (u64, u64)) {
        self.ended.0 += bytes_in;
        self.ended.1 += bytes_out;
    }

    /// A player has left that is no feed of another worker.
    pub(super) fn leave(&mut self, sent: Sent) {
        self.totals.frames_sent += sent.frames;
        self.totals.frames_skipped += sent.skipped;
    }

    /// What came and went on all connections, if on those that are open it was `open`.
    pub(super) fn total(&self, open: (u64, u64)) -> (u64, u64) {
        (self.ended.0 + open.0, self.ended.1 + open.1)
    }

    /// Notes the counts; to be called about once a second, with all streams.
    pub(super) fn sample(
        &mut self,
        open: (u64, u64),
        streams: impl Iterator<Item = (StreamId, StreamCounts)>,
    ) {
        let now = event::now();
        let total = self.total(open);
        self.rate.sample(now, total);
        let mut before = std::mem::take(&mut self.streams);
        for (id, counts) in streams {
            let mut rates = before.remove(&id).unwrap_or_default();
            rates.all.sample(now, counts.bytes);
            rates.audio.sample(now, counts.audio);
            rates.video.sample(now, counts.video);
            rates.frames.sample(now, counts.frames);
            self.streams.insert(id, rates);
        }
    }

    /// The worker's traffic.
    pub(super) fn traffic(&self, open: (u64, u64)) -> Traffic {
        self.rate.traffic(event::now(), self.total(open))
    }

    /// The traffic of a stream.
    pub(super) fn stream_traffic(&self, id: StreamId, counts: StreamCounts) -> StreamTraffic {
        let now = event::now();
        let StreamCounts { bytes, audio, video, frames } = counts;
        match self.streams.get(&id) {
            Some(rates) => StreamTraffic {
                all: rates.all.traffic(now, bytes),
                bw_audio: rates.audio.bits_per_second(now, audio),
                bw_video: rates.video.bits_per_second(now, video),
                frame_rate: rates.frames.per_second(now, frames),
            },
            None => {
                StreamTraffic { all: Both::default().traffic(now, bytes), ..Default::default() }
            }
        }
    }
}

impl Both {
    fn sample(&mut self, now: Instant, (bytes_in, bytes_out): (u64, u64)) {
        self.bytes_in.sample(now, bytes_in);
        self.bytes_out.sample(now, bytes_out);
    }

    fn traffic(&self, now: Instant, (bytes_in, bytes_out): (u64, u64)) -> Traffic {
        Traffic {
            bytes_in,
            bytes_out,
            bw_in: self.bytes_in.bits_per_second(now, bytes_in),
            bw_out: self.bytes_out.bits_per_second(now, bytes_out),
        }
    }
}

impl StreamCounts {
    /// Those of a channel whose present players were sent `sent` bytes.
    pub(super) fn of(channel: &Channel, sent: u64) -> Self {
        let received = channel.stream.received();
        Self {
            bytes: (received.bytes(), channel.left.bytes + sent),
            audio: received.audio,
            video: received.video,
            frames: channel.stream.pictures().map_or(0, |pictures| pictures.count),
        }
    }
}
