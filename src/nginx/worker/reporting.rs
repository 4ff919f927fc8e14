//! What a worker tells of itself.

use std::time::Duration;

use super::{Shared, Worker};
use crate::live::{Channel, Sent, SessionId, StreamId};
use crate::nginx::broadcasts::VIEWERS;
use crate::nginx::cluster::Cluster;
use crate::nginx::meters::StreamCounts;
use crate::nginx::peer::Peer;
use crate::nginx::pull::PULL;
use crate::nginx::schedule::Due;
use crate::nginx::upstream::is_upstream;
use crate::nginx::{conf, event};
use crate::stat::{
    ClientReport, Counted, FileReport, PublisherReport, StreamReport, Totals, Traffic, WorkerReport,
};
use crate::time::Instant;

/// How often the counts are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

impl Worker {
    /// Looks at all counts, and does so again in a while.
    pub(in crate::nginx) fn sample(&mut self) {
        let open = self.open_traffic();
        let Self { peers, shared, .. } = &mut *self;
        let counts = shared.streams.streams().map(|(id, channel)| {
            let feeds = |session| is_feed(peers, session);
            (id, StreamCounts::of(channel, sent(channel, feeds).bytes))
        });
        shared.meters.sample(open, counts);
        shared.viewers.sweep();
        self.tell_totals();
        self.shared.schedule.set(Due::Sample, event::now() + INTERVAL);
    }

    /// What came and went on all connections.
    pub(super) fn traffic(&self) -> Traffic {
        self.shared.meters.traffic(self.open_traffic())
    }

    /// What there was since the worker started.
    fn totals(&self) -> Totals {
        let Shared { streams, meters, storage, .. } = &self.shared;
        let (bytes_in, bytes_out) = meters.total(self.open_traffic());
        let mut totals = Totals { bytes_in, bytes_out, ..meters.totals };
        storage.add_totals(&mut totals);
        for channel in streams.channels() {
            let sent = sent(channel, |session| is_feed(&self.peers, session));
            totals.frames_sent += sent.frames;
            totals.frames_skipped += sent.skipped;
        }
        totals
    }

    /// Adds what there was since the last call to what all workers have counted.
    pub(in crate::nginx) fn tell_totals(&self) {
        let totals = self.totals();
        if let Some(cluster) = &self.shared.cluster {
            let told = self.shared.meters.told.replace(totals);
            cluster.count(&totals.since(&told));
        }
    }

    /// What all workers have counted since nginx started; this one alone if it is not joined to the
    /// others.
    pub(super) fn counted(&self) -> Counted {
        self.tell_totals();
        self.shared.cluster.as_ref().map_or_else(
            || {
                let uptime = millis_since(self.shared.meters.since);
                let since = event::unix_now().0.saturating_sub(uptime);
                Counted { since, totals: self.totals() }
            },
            Cluster::counted,
        )
    }

    pub(super) fn report_worker(&self) -> WorkerReport {
        let Shared { streams, meters, storage, relays, children, leaves, .. } = &self.shared;
        let (mut publishers, mut players) = (0, 0);
        for channel in streams.channels() {
            publishers += u64::from(channel.publisher.is_some_and(|it| it != PULL));
            players += (channel.players.len() - channel.relays.len()) as u64;
        }
        WorkerReport {
            pid: std::process::id(),
            uptime: event::now().saturating_since(meters.since).as_secs(),
            leaving: *leaves,
            connections: self.peers.iter().filter(|(_, peer)| !peer.feeds()).count() as u64,
            streams: streams.channels().count() as u64,
            publishers,
            players,
            relays: relays.len() as u64,
            children: children.len() as u64,
            storage: storage.report(),
            totals: self.totals(),
        }
    }

    /// What came and went on connections that are open.
    fn open_traffic(&self) -> (u64, u64) {
        let peers = self.peers.iter().map(|(_, peer)| peer).filter(|peer| !peer.feeds());
        let upstreams = self.upstreams.values().map(|upstream| upstream.traffic());
        peers
            .map(|peer| peer.traffic())
            .chain(upstreams)
            .fold((0, 0), |sum, traffic| (sum.0 + traffic.0, sum.1 + traffic.1))
    }

    /// What there is to tell of a stream, but for its players.
    pub(super) fn report_stream(&self, id: StreamId, channel: &Channel) -> StreamReport {
        let (key, stream) = (&channel.key, &channel.stream);
        let application = conf::main().and_then(|main| main.application(key.application));
        let sent = sent(channel, |session| is_feed(&self.peers, session));
        let traffic = self.shared.meters.stream_traffic(id, StreamCounts::of(channel, sent.bytes));
        let pictures = stream.pictures();
        let outputs = self.shared.outputs.get(&id);
        let publisher = channel.publisher.and_then(|it| self.report_client(it, channel));
        StreamReport {
            application: key.application.0,
            application_name: application.map_or_else(String::new, |(_, it)| it.name.clone()),
            name: key.name.clone(),
            publishing: channel.publisher.is_some_and(|publisher| publisher != PULL),
            time: stream.published_since().map_or(0, millis_since),
            traffic: traffic.all,
            bw_audio: traffic.bw_audio,
            bw_video: traffic.bw_video,
            media: stream.facts(),
            frame_rate: traffic.frame_rate,
            frames: pictures.map_or(0, |pictures| pictures.count),
            gop: pictures.and_then(|pictures| pictures.gop),
            since_keyframe: pictures.and_then(|it| it.last_keyframe).map(millis_since),
            since_audio: stream.last_audio().map(millis_since),
            skipped: channel.left.skipped + sent.skipped,
            publisher: publisher.as_ref().map(PublisherReport::new),
            hls: outputs.and_then(|outputs| outputs.report_hls(&self.shared.storage)),
            recorders: outputs
                .map_or_else(Vec::new, |it| it.report_recorders(&self.shared.storage)),
            clients: publisher.into_iter().collect(),
            ..StreamReport::default()
        }
    }

    /// What there is to tell of a client of a stream; nothing of another worker.
    pub(super) fn report_client(
        &self,
        session: SessionId,
        channel: &Channel,
    ) -> Option<ClientReport> {
        let client = match is_upstream(session) {
            true => self.upstreams.get(&session)?.client_report(),
            false => {
                let peer = self.peers.get(session.0 as usize)?;
                (!peer.feeds()).then(|| peer.client_report())?
            }
        };
        let (stream, player) = (&channel.stream, channel.players.get(&session));
        Some(ClientReport {
            dropped: player.map_or(0, |player| player.skipped_frames()),
            av_sync: stream.received().av_sync(),
            timestamp: stream.timestamp(),
            active: stream.is_publishing(),
            lag: player.map(|player| player.lag(stream.log(), event::now())),
            ..client
        })
    }

    /// The file that a client plays, if it plays one.
    pub(super) fn report_file(peer: &Peer) -> Option<FileReport> {
        let (application, name) = peer.played_file()?;
        Some(FileReport {
            application: application.id.0,
            application_name: application.name.clone(),
            name: name.to_owned(),
            clients: vec![ClientReport { active: true, ..peer.client_report() }],
        })
    }
}

/// Whether the session feeds another worker, which counts what it passes on, or what goes out over
/// HTTP.
fn is_feed(peers: &slab::Slab<Peer>, session: SessionId) -> bool {
    let peer = || peers.get(session.0 as usize);
    session == VIEWERS || !is_upstream(session) && peer().is_some_and(|peer| peer.feeds())
}

/// What the players of a channel were sent that are no feeds.
fn sent(channel: &Channel, is_feed: impl Fn(SessionId) -> bool) -> Sent {
    let players = channel.players.iter();
    // Feeds are among the relays, which are few.
    let is_feed = |session| channel.relays.contains(&session) && is_feed(session);
    let mut sent = Sent::default();
    for (_, player) in players.filter(|(session, _)| !is_feed(**session)) {
        sent += Sent::of(player);
    }
    sent
}

fn millis_since(instant: Instant) -> u64 {
    event::now().saturating_since(instant).as_millis() as u64
}
