//! The report as JSON, whose shape `version` tells: `docs/directives.md` says what it is.

use serde::Serialize;

use super::{
    ChildReport, ClientReport, Document, Failures, FileReport, Gop, HlsReport, MediaFacts, Process,
    PublisherReport, RecorderReport, RelayReport, StorageReport, StreamReport, Totals, Traffic,
    WorkerReport,
};
use crate::relay::Direction;

/// Counts up when something is told in another way; not when more is told.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Root<'a> {
    version: u32,
    #[serde(flatten)]
    global: Option<Global<'a>>,
    servers: Vec<Server<'a>>,
}

/// The server as a whole, as wherever JSON tells of it.
#[derive(Debug, Serialize)]
pub struct Global<'a> {
    #[serde(flatten)]
    process: &'a Process,
    workers: usize,
    accepted: u64,
    #[serde(flatten)]
    traffic: &'a Traffic,
    totals: Totals,
    storage: StorageReport,
    processes: &'a [WorkerReport],
    relays: Vec<Relay<'a>>,
    children: Vec<Child<'a>>,
}

#[derive(Serialize)]
struct Server<'a> {
    applications: Vec<Application<'a>>,
}

#[derive(Serialize)]
struct Application<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Vec<Stream<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    play: Option<Vec<File<'a>>>,
}

/// A live stream, as wherever JSON tells of one.
#[derive(Debug, Serialize)]
pub struct Stream<'a> {
    name: &'a str,
    publishing: bool,
    time: u64,
    #[serde(flatten)]
    traffic: &'a Traffic,
    bw_audio: u64,
    bw_video: u64,
    nclients: usize,
    hls_viewers: u64,
    media: Option<&'a MediaFacts>,
    frame_rate: f64,
    frames: u64,
    gop: Option<Gop>,
    since_keyframe: Option<u64>,
    since_audio: Option<u64>,
    skipped: u64,
    publisher: Option<&'a PublisherReport>,
    hls: Option<&'a HlsReport>,
    recorders: &'a [RecorderReport],
    relays: Vec<Relay<'a>>,
    children: Vec<Child<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<&'a [ClientReport]>,
}

/// A relay, as wherever JSON tells of one.
#[derive(Debug, Serialize)]
pub struct Relay<'a> {
    id: u64,
    application: &'a str,
    stream: &'a str,
    direction: Direction,
    url: &'a str,
    state: super::RelayState,
    time: u64,
    bytes: u64,
    errors: &'a Failures,
}

/// A program, as wherever JSON tells of one.
#[derive(Debug, Serialize)]
pub struct Child<'a> {
    program: &'a str,
    state: super::ChildState,
    pid: Option<u32>,
    time: u64,
    restarts: u64,
    ran: Option<u64>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    nclients: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<&'a [ClientReport]>,
}

impl Document {
    /// What there is to tell of the server as a whole.
    pub fn global(&self) -> Global<'_> {
        Global {
            process: &self.process,
            workers: self.report.workers.len(),
            accepted: self.report.accepted,
            traffic: &self.report.traffic,
            totals: self.report.totals(),
            storage: self.report.storage(),
            processes: &self.report.workers,
            relays: self.report.relays.iter().map(Relay::new).collect(),
            children: self.report.children.iter().map(Child::new).collect(),
        }
    }

    /// The document as JSON.
    pub fn to_json(&self) -> String {
        let servers = self.all_servers();
        let servers = servers.iter().map(|server| Server {
            applications: server.iter().map(|it| self.json_application(it)).collect(),
        });
        let root = Root {
            version: VERSION,
            global: self.shown.global.then(|| self.global()),
            servers: servers.collect(),
        };
        // Maps have strings for keys, so nothing can fail.
        serde_json::to_string(&root).unwrap_or_default()
    }

    fn json_application(&self, application: &super::Application) -> Application<'_> {
        let streams =
            || self.streams_of(application).map(|it| Stream::new(it, self.shown.clients)).collect();
        let files = || self.files_of(application).map(|it| self.json_file(it)).collect();
        Application {
            name: application.name.clone(),
            live: (self.shown.live && application.live).then(streams),
            play: (self.shown.play && application.play).then(files),
        }
    }

    fn json_file<'a>(&self, file: &'a FileReport) -> File<'a> {
        File {
            name: &file.name,
            nclients: file.clients.len(),
            clients: self.shown.clients.then_some(&file.clients),
        }
    }
}

impl<'a> Stream<'a> {
    /// What there is to tell of the stream, with its clients or without.
    pub fn new(stream: &'a StreamReport, clients: bool) -> Self {
        Self {
            name: &stream.name,
            publishing: stream.publishing,
            time: stream.time,
            traffic: &stream.traffic,
            bw_audio: stream.bw_audio,
            bw_video: stream.bw_video,
            nclients: stream.clients.len(),
            hls_viewers: stream.hls_viewers,
            media: stream.media.as_ref(),
            frame_rate: stream.frame_rate,
            frames: stream.frames,
            gop: stream.gop,
            since_keyframe: stream.since_keyframe,
            since_audio: stream.since_audio,
            skipped: stream.skipped,
            publisher: stream.publisher.as_ref(),
            hls: stream.hls.as_ref(),
            recorders: &stream.recorders,
            relays: stream.relays.iter().map(Relay::new).collect(),
            children: stream.children.iter().map(Child::new).collect(),
            clients: clients.then_some(&stream.clients),
        }
    }
}

impl<'a> Relay<'a> {
    /// What there is to tell of the relay.
    pub fn new(relay: &'a RelayReport) -> Self {
        Self {
            id: relay.id,
            application: &relay.application_name,
            stream: &relay.stream,
            direction: relay.direction,
            url: &relay.url,
            state: relay.state,
            time: relay.time,
            bytes: relay.bytes,
            errors: &relay.errors,
        }
    }
}

impl<'a> Child<'a> {
    /// What there is to tell of the program.
    pub fn new(child: &'a ChildReport) -> Self {
        Self {
            program: &child.program,
            state: child.state,
            pid: child.pid,
            time: child.time,
            restarts: child.restarts,
            ran: child.ran,
        }
    }
}
