//! One worker process.

use serde::{Deserialize, Serialize};

use super::Failures;

/// What one worker process has, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerReport {
    /// Its process id.
    pub pid: u32,
    /// For how many seconds it has run.
    pub uptime: u64,
    /// Whether it takes no more connections, and ends when those it has are closed.
    pub leaving: bool,
    /// Clients that are connected.
    pub connections: u64,
    /// Live streams that are published or played.
    pub streams: u64,
    /// Those of them that are published here.
    pub publishers: u64,
    /// Clients that play live streams.
    pub players: u64,
    /// Streams that are pushed or pulled.
    pub relays: u64,
    /// Programs that are kept running.
    pub children: u64,
    /// What is written to files.
    pub storage: StorageReport,
    /// What there was since the worker started.
    pub totals: Totals,
}

/// What waits to be written to files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageReport {
    /// HLS outputs and recordings.
    pub outputs: u64,
    /// Bytes that wait to be written, or are being written.
    pub queued: u64,
    /// Outputs that a thread writes, or is to write next.
    pub in_flight: u64,
    /// Outputs that cannot be written at present.
    pub failing: u64,
    /// What could not be written since the worker started.
    pub errors: Failures,
}

impl StorageReport {
    /// Takes in another worker's.
    pub fn add(&mut self, other: &Self) {
        self.outputs += other.outputs;
        self.queued += other.queued;
        self.in_flight += other.in_flight;
        self.failing += other.failing;
        self.errors.merge(other.errors.clone());
    }
}

/// Counts that only grow as long as a worker lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Connections of clients that were accepted.
    pub accepted: u64,
    /// Bytes that came from clients and other servers.
    pub bytes_in: u64,
    /// Bytes that went to them.
    pub bytes_out: u64,
    /// Publishes that began.
    pub publishes: u64,
    /// Plays of live streams that began.
    pub plays: u64,
    /// Messages that came from publishers.
    pub messages: u64,
    /// Frames that players were sent.
    pub frames_sent: u64,
    /// Frames that players were too slow for.
    pub frames_skipped: u64,
    /// HLS segments that were written.
    pub segments: u64,
    /// Recordings that were completed.
    pub recordings: u64,
    /// File operations that failed, and outputs for which the disk was too slow.
    pub storage_errors: u64,
    /// Attempts to connect to other servers that failed, and connections that broke.
    pub relay_errors: u64,
    /// Programs that were started, again or for the first time.
    pub children_started: u64,
}

impl Totals {
    /// Adds those of another worker.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.publishes += other.publishes;
        self.plays += other.plays;
        self.messages += other.messages;
        self.frames_sent += other.frames_sent;
        self.frames_skipped += other.frames_skipped;
        self.segments += other.segments;
        self.recordings += other.recordings;
        self.storage_errors += other.storage_errors;
        self.relay_errors += other.relay_errors;
        self.children_started += other.children_started;
    }
}
