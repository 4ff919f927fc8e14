//! What the server is asked about itself: who publishes and plays what, and how much of it there is.
//!
//! Each worker makes a [`Report`] of what it has; the one that was asked merges them, and renders
//! them as one [`Document`], in [XML](Document::to_xml) or [JSON](Document::to_json), or as
//! [metrics](Document::to_metrics).

mod audience;
mod client;
mod exposition;
mod facts;
mod json;
mod metrics;
mod output;
mod rate;
mod report;
mod stream;
mod totals;
mod worker;
mod xml;

use serde::Serialize;

use crate::live::ApplicationId;

pub use audience::AudienceReport;
pub use client::{ClientReport, Lag, Protocol, TcpReport};
pub use exposition::TextFormat;
pub use facts::{AudioFacts, MediaFacts, VideoFacts};
pub use json::{Child, Global, Relay, Stream};
pub use metrics::Scope;
pub use output::{
    ChildReport, ChildState, Failure, Failures, HlsReport, RecorderReport, RecorderState,
    RelayReport, RelayState, SegmentReport,
};
pub use rate::Rate;
pub use report::{FileReport, Report, Traffic};
pub use stream::{Gop, PublisherReport, StreamReport};
pub use totals::{Counted, Totals};
pub use worker::{StorageReport, WorkerReport};

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The server as a whole.
    pub global: bool,
    /// Live streams.
    pub live: bool,
    /// The clients of streams.
    pub clients: bool,
    /// Files that are played.
    pub play: bool,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The C module's XML.
    #[default]
    Xml,
    /// JSON.
    Json,
}

/// The process that tells.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Process {
    /// nginx's version.
    pub nginx_version: String,
    /// This module's version.
    pub nginx_rtmp_version: String,
    /// What nginx was compiled with.
    pub compiler: String,
    /// When the module was built.
    pub built: String,
    /// Its process id.
    pub pid: u32,
    /// For how many seconds it has run.
    pub uptime: u64,
}

/// An application of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// What workers know it by.
    pub id: ApplicationId,
    /// Its name.
    pub name: String,
    /// Whether it has live streams.
    pub live: bool,
    /// Whether it plays files.
    pub play: bool,
}

/// All that there is to tell.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Who tells it.
    pub process: Process,
    /// The applications of each server.
    pub servers: Vec<Vec<Application>>,
    /// What the workers have told.
    pub report: Report,
    /// What is shown of it.
    pub shown: Shown,
    /// The `href` of a style sheet for the XML.
    pub stylesheet: Option<String>,
}

impl Document {
    /// The configured servers, and as one more what workers of an older configuration have.
    fn all_servers(&self) -> Vec<Vec<Application>> {
        let known: Vec<_> = self.servers.iter().flatten().map(|it| it.id.0).collect();
        let mut gone: Vec<Application> = Vec::new();
        let streams = self.report.streams.iter();
        let streams = streams.map(|it| (it.application, &it.application_name, true));
        let files = self.report.files.iter();
        let files = files.map(|it| (it.application, &it.application_name, false));
        for (id, name, live) in streams.chain(files).filter(|(id, ..)| !known.contains(id)) {
            match gone.iter_mut().find(|application| application.id.0 == id) {
                Some(application) => {
                    application.live |= live;
                    application.play |= !live;
                }
                None => gone.push(Application {
                    id: ApplicationId(id),
                    name: name.clone(),
                    live,
                    play: !live,
                }),
            }
        }
        let gone = (!gone.is_empty()).then_some(gone);
        self.servers.iter().cloned().chain(gone).collect()
    }

    fn streams_of(&self, application: &Application) -> impl Iterator<Item = &StreamReport> {
        let id = application.id.0;
        self.report.streams.iter().filter(move |stream| stream.application == id)
    }

    fn files_of(&self, application: &Application) -> impl Iterator<Item = &FileReport> {
        let id = application.id.0;
        self.report.files.iter().filter(move |file| file.application == id)
    }
}

#[cfg(test)]
mod tests;
