//! What the server is asked about itself: who publishes and plays what, and how much of it there is.
//!
//! Each worker makes a [`Report`] of what it has; the one that was asked merges them, and renders
//! them as one [`Document`], in [XML](Document::to_xml) or [JSON](Document::to_json).

mod facts;
mod json;
mod rate;
mod xml;

use serde::{Deserialize, Serialize};

use crate::live::ApplicationId;

pub use facts::{AudioFacts, MediaFacts, VideoFacts};
pub use json::{Global, Stream};
pub use rate::Rate;

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
pub struct Report {
    /// How many workers have told of themselves.
    pub workers: u32,
    /// Connections that were accepted since the workers started.
    pub accepted: u64,
    /// What went over these connections.
    pub traffic: Traffic,
    /// The live streams.
    pub streams: Vec<StreamReport>,
    /// The files that are played.
    pub files: Vec<FileReport>,
}

/// A live stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Its application, as all workers know it.
    pub application: u64,
    /// The application's name.
    pub application_name: String,
    /// The stream's name.
    pub name: String,
    /// Whether the worker has the stream's publisher.
    pub publishing: bool,
    /// For how long it has been published, in milliseconds.
    pub time: u64,
    /// Of its audio, video and data.
    pub traffic: Traffic,
    /// Bits a second of audio that came.
    pub bw_audio: u64,
    /// Bits a second of video that came.
    pub bw_video: u64,
    /// How it is coded, as far as that is known.
    pub media: Option<MediaFacts>,
    /// Its publisher and its players.
    pub clients: Vec<ClientReport>,
}

/// A file that is played.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// A client of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientReport {
    /// nginx's number of the connection.
    pub id: u64,
    /// The client's address.
    pub address: String,
    /// For how long it has been connected, in milliseconds.
    pub time: u64,
    /// `flashVer`.
    pub flash_ver: String,
    /// `pageUrl`.
    pub page_url: String,
    /// `swfUrl`.
    pub swf_url: String,
    /// Frames it did not get because it was too slow.
    pub dropped: u64,
    /// How far audio is ahead of video, in milliseconds.
    pub av_sync: i64,
    /// Where in the stream it is, in milliseconds.
    pub timestamp: u32,
    /// Whether it publishes.
    pub publishing: bool,
    /// Whether the stream goes on.
    pub active: bool,
    /// What it has sent to the server and got from it, in bytes.
    pub bytes_in: u64,
    /// See above.
    pub bytes_out: u64,
}

impl Report {
    /// Takes in what another worker has told.
    pub fn merge(&mut self, other: Self) {
        self.workers += other.workers;
        self.accepted += other.accepted;
        self.traffic.add(other.traffic);
        for stream in other.streams {
            let known = self.streams.iter_mut().find(|known| known.is_same(&stream));
            match known {
                Some(known) => known.merge(stream),
                None => self.streams.push(stream),
            }
        }
        for file in other.files {
            let is_same = |known: &&mut FileReport| {
                (known.application, &known.name) == (file.application, &file.name)
            };
            match self.files.iter_mut().find(is_same) {
                Some(known) => known.clients.extend(file.clients),
                None => self.files.push(file),
            }
        }
    }
}

impl StreamReport {
    fn is_same(&self, other: &Self) -> bool {
        (self.application, &self.name) == (other.application, &other.name)
    }

    /// What comes is told by the worker that has the publisher: others get it from there.
    fn merge(&mut self, other: Self) {
        let out = [self.traffic, other.traffic];
        self.clients.extend(other.clients);
        if other.publishing || !self.publishing && other.media.is_some() {
            self.publishing = other.publishing;
            self.time = other.time;
            self.traffic = other.traffic;
            self.bw_audio = other.bw_audio;
            self.bw_video = other.bw_video;
            self.media = other.media;
        }
        self.traffic.bytes_out = out.iter().map(|traffic| traffic.bytes_out).sum();
        self.traffic.bw_out = out.iter().map(|traffic| traffic.bw_out).sum();
    }
}

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
