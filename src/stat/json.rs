//! The report as JSON, whose shape `version` tells: `docs/directives.md` says what it is.

use serde::Serialize;

use super::{ClientReport, Document, FileReport, MediaFacts, Process, StreamReport, Traffic};

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
    workers: u32,
    accepted: u64,
    #[serde(flatten)]
    traffic: &'a Traffic,
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
    media: Option<&'a MediaFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<&'a [ClientReport]>,
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
            workers: self.report.workers,
            accepted: self.report.accepted,
            traffic: &self.report.traffic,
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
            media: stream.media.as_ref(),
            clients: clients.then_some(&stream.clients),
        }
    }
}
