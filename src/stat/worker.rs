//! One worker process.

use serde::{Deserialize, Serialize};

use super::{Failures, Totals};

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
