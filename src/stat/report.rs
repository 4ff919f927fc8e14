//! What one worker has to tell, or all of them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    AudienceReport, ChildReport, ClientReport, Counted, RelayReport, StorageReport, StreamReport,
    Totals, WorkerReport,
};

/// How much has come and gone, in bytes, and how much of that in a second of late, in bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that went.
    pub bytes_out: u64,
    /// Bits a second that came.
    pub bw_in: u64,
    /// Bits a second that went.
    pub bw_out: u64,
}

impl Traffic {
    fn add(&mut self, other: Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.bw_in += other.bw_in;
        self.bw_out += other.bw_out;
    }
}

/// What one worker has, or several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Connections that were accepted since the workers started.
    pub accepted: u64,
    /// What went over these connections.
    pub traffic: Traffic,
    /// The workers that have told of themselves.
    pub workers: Vec<WorkerReport>,
    /// What was counted from when nginx started on.
    pub counted: Counted,
    /// The live streams.
    pub streams: Vec<StreamReport>,
    /// The files that are played.
    pub files: Vec<FileReport>,
    /// What is pushed and pulled, as far as it is not a stream's.
    pub relays: Vec<RelayReport>,
    /// Programs that are kept running, as far as they are not a stream's.
    pub children: Vec<ChildReport>,
    /// Who watches by HLS; the streams may be other workers'.
    pub audiences: Vec<AudienceReport>,
}

/// A file that is played.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileReport {
    /// The application, as all workers know it.
    pub application: u64,
    /// The application's name.
    pub application_name: String,
    /// The name by which the file is played.
    pub name: String,
    /// Who plays it.
    pub clients: Vec<ClientReport>,
}

impl Report {
    /// What all of the workers have told, the first one's streams first.
    pub fn merge(reports: impl IntoIterator<Item = Self>) -> Self {
        let mut merged = Self::default();
        let (mut streams, mut files) = (HashMap::new(), HashMap::new());
        for report in reports {
            merged.accepted += report.accepted;
            merged.traffic.add(report.traffic);
            merged.workers.extend(report.workers);
            merged.counted.merge(&report.counted);
            merged.relays.extend(report.relays);
            merged.children.extend(report.children);
            merged.merge_audiences(report.audiences);
            for stream in report.streams {
                let next = merged.streams.len();
                let place =
                    *streams.entry((stream.application, stream.name.clone())).or_insert(next);
                match merged.streams.get_mut(place) {
                    Some(known) => known.merge(stream),
                    None => merged.streams.push(stream),
                }
            }
            for file in report.files {
                let next = merged.files.len();
                let place = *files.entry((file.application, file.name.clone())).or_insert(next);
                match merged.files.get_mut(place) {
                    Some(known) => known.clients.extend(file.clients),
                    None => merged.files.push(file),
                }
            }
        }
        merged.assign();
        merged.count_viewers();
        merged
    }

    /// How many streams and clients it tells of.
    pub fn weight(&self) -> usize {
        let clients = self.streams.iter().map(|stream| stream.clients.len()).sum::<usize>();
        clients + self.streams.len() + self.files.len()
    }

    /// Gives streams the relays and the programs that are theirs.
    fn assign(&mut self) {
        let streams = self.streams.iter().enumerate();
        let places: HashMap<_, _> =
            streams.map(|(place, it)| ((it.application, it.name.clone()), place)).collect();
        let mut key = (0, String::new());
        let mut place_of = |application: u64, name: &str| {
            key.0 = application;
            name.clone_into(&mut key.1);
            places.get(&key).copied()
        };
        for relay in std::mem::take(&mut self.relays) {
            match place_of(relay.application, &relay.stream) {
                Some(place) => self.streams[place].relays.push(relay),
                None => self.relays.push(relay),
            }
        }
        for child in std::mem::take(&mut self.children) {
            match place_of(child.application, &child.stream) {
                Some(place) => self.streams[place].children.push(child),
                None => self.children.push(child),
            }
        }
    }

    /// What there was since the workers started.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.workers.iter().for_each(|worker| totals.add(&worker.totals));
        totals
    }

    /// What the workers write to files.
    pub fn storage(&self) -> StorageReport {
        let mut storage = StorageReport::default();
        self.workers.iter().for_each(|worker| storage.add(&worker.storage));
        storage
    }
}
