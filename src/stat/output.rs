//! What is made of a stream besides sending it to players.

use serde::{Deserialize, Serialize};

use crate::relay::Direction;
use crate::time::UnixMillis;

/// Something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// What.
    pub text: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// What has gone wrong up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// How often.
    pub count: u64,
    /// What last.
    pub last: Option<Failure>,
}

impl Failures {
    /// Counts one more.
    pub fn add(&mut self, text: String, now: UnixMillis) {
        self.count += 1;
        self.last = Some(Failure { text, at: now.0 });
    }

    /// Takes in those that were counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        let at = |it: &Option<Failure>| it.as_ref().map(|failure| failure.at);
        if at(&other.last) > at(&self.last) {
            self.last = other.last;
        }
    }
}

/// A stream's HLS output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HlsReport {
    /// The playlist's path.
    pub playlist: String,
    /// Segments that were completed since the output began.
    pub segments: u64,
    /// The newest of them.
    pub last_segment: Option<SegmentReport>,
    /// What could not be written.
    pub errors: Failures,
}

/// A segment of a playlist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentReport {
    /// Its media sequence number.
    pub number: u64,
    /// How long it lasts, in milliseconds.
    pub duration: u64,
    /// How long ago its last picture or sound came, in milliseconds.
    pub age: u64,
}

/// One recorder of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecorderReport {
    /// The recorder's name; empty for the application's own.
    pub id: String,
    /// What it does.
    pub state: RecorderState,
    /// The path of the file that is being written.
    pub file: Option<String>,
    /// Bytes of that file.
    pub bytes: u64,
    /// What of the stream is in it, in milliseconds.
    pub time: u64,
    /// Pictures in it.
    pub frames: u64,
    /// What could not be written.
    pub errors: Failures,
}

/// What a recorder does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecorderState {
    /// Nothing, until it is told to.
    #[default]
    Stopped,
    /// It waits for a picture to begin with, or for the next interval.
    Waiting,
    /// The file that it is to go on with is being opened.
    Opening,
    /// It writes a file.
    Recording,
    /// It tries again after a failure.
    Failed,
}

impl RecorderState {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Opening => "opening",
            Self::Recording => "recording",
            Self::Failed => "failed",
        }
    }
}

/// A stream that is pushed to another server, or pulled from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RelayReport {
    /// What it is known by; no other relay or connection of the server has the number.
    pub id: u64,
    /// The application here, as all workers know it.
    pub application: u64,
    /// The application's name.
    pub application_name: String,
    /// The stream's name here.
    pub stream: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Where the stream is there, with stars in the place of its name: that may be a secret.
    pub url: String,
    /// How far it has come.
    pub state: RelayState,
    /// For how long it has been in that state, in milliseconds.
    pub time: u64,
    /// What went over the present connection, in bytes of the direction.
    pub bytes: u64,
    /// What ended connections, or kept them from being made.
    pub errors: Failures,
}

/// How far a relay has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayState {
    /// It waits to be tried.
    #[default]
    Waiting,
    /// The connection is being made.
    Connecting,
    /// There is a connection.
    Connected,
}

impl RelayState {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
        }
    }
}

/// A program that is kept running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChildReport {
    /// The application of the stream that it runs for, as all workers know it; 0 if it runs for none.
    pub application: u64,
    /// The stream's name.
    pub stream: String,
    /// The program's path or name.
    pub program: String,
    /// What it does.
    pub state: ChildState,
    /// The process, if there is one.
    pub pid: Option<u32>,
    /// For how long it has run, in milliseconds.
    pub time: u64,
    /// How often it was run again.
    pub restarts: u64,
    /// For how long it ran the last time, in milliseconds, if it was run again.
    pub ran: Option<u64>,
}

/// What a program does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChildState {
    /// It is being started.
    #[default]
    Starting,
    /// It runs.
    Running,
    /// It waits to be run again.
    Waiting,
    /// It has been told to end.
    Ending,
}

impl ChildState {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Ending => "ending",
        }
    }
}
