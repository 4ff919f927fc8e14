//! A live stream.

use serde::{Deserialize, Serialize};

use super::{
    ChildReport, ClientReport, HlsReport, MediaFacts, Protocol, RecorderReport, RelayReport,
    Traffic,
};

/// A live stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Pictures a second that came.
    pub frame_rate: f64,
    /// Pictures that have come of the present publisher.
    pub frames: u64,
    /// The last complete group of pictures: from one keyframe to the next.
    pub gop: Option<Gop>,
    /// How long ago a keyframe came, in milliseconds; none if none has come.
    pub since_keyframe: Option<u64>,
    /// How long ago audio came, in milliseconds; none if none has come.
    pub since_audio: Option<u64>,
    /// Frames that its players were too slow for, with those that have left.
    pub skipped: u64,
    /// Who publishes it.
    pub publisher: Option<PublisherReport>,
    /// Its HLS output.
    pub hls: Option<HlsReport>,
    /// How many watch it by HLS: exactly up to 4096, and within some 2 % beyond.
    pub hls_viewers: u64,
    /// Its recorders.
    pub recorders: Vec<RecorderReport>,
    /// Where it goes to or comes from.
    pub relays: Vec<RelayReport>,
    /// Programs that run for it.
    pub children: Vec<ChildReport>,
    /// Its publisher and its players.
    pub clients: Vec<ClientReport>,
}

/// A group of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gop {
    /// How long it lasts, in milliseconds.
    pub time: u64,
    /// How many pictures it has.
    pub frames: u64,
}

/// Who publishes a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublisherReport {
    /// nginx's number of the connection.
    pub id: u64,
    /// The address.
    pub address: String,
    /// What it speaks.
    pub protocol: Protocol,
}

impl PublisherReport {
    /// What of a client is told of a publisher.
    pub fn new(client: &ClientReport) -> Self {
        Self { id: client.id, address: client.address.clone(), protocol: client.protocol }
    }
}

impl StreamReport {
    /// What comes is told by the worker that has the publisher: others get it from there.
    pub(super) fn merge(&mut self, mut other: Self) {
        if other.publishing || !self.publishing && other.media.is_some() {
            std::mem::swap(self, &mut other);
        }
        self.traffic.bytes_out += other.traffic.bytes_out;
        self.traffic.bw_out += other.traffic.bw_out;
        self.skipped += other.skipped;
        self.publisher = self.publisher.take().or(other.publisher);
        self.hls = self.hls.take().or(other.hls);
        self.recorders.append(&mut other.recorders);
        self.relays.append(&mut other.relays);
        self.children.append(&mut other.children);
        self.clients.append(&mut other.clients);
    }
}
