//! One worker process: its sessions, its streams, and what ends them.

mod pulling;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use nginx_sys::ngx_cycle_t;
use slab::Slab;

use super::cluster::{Claim, Cluster};
use super::fanout::Fanout;
use super::log::{self, Level};
use super::peer::{End, Peer};
use super::pull::{PULL, Pull};
use super::server;
use super::storage::Storage;
use super::{event, guard};
use crate::live::{AlreadyPublishing, Registry, SessionId, StreamConfig, StreamId, StreamKey};
use crate::rtmp::session::PublishRefusal;

/// Bytes read from a connection in one call.
const SCRATCH: usize = 64 << 10;

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::new(Worker::new());
}

/// Everything of one worker process, which has one thread for events.
///
/// nginx's handlers borrow it on entry, and none calls another: what concerns another session is
/// marked and posted.
pub(super) struct Worker {
    peers: Slab<Peer>,
    pulls: BTreeMap<StreamId, Pull>,
    shared: Shared,
}

/// What the sessions of a worker have in common.
pub(super) struct Shared {
    pub(super) streams: Registry,
    pub(super) fanout: Fanout,
    pub(super) storage: Storage,
    /// What joins this worker to the others, if it could be set up.
    pub(super) cluster: Option<Cluster>,
    /// Where every connection's bytes are read to.
    pub(super) scratch: Box<[u8]>,
}

/// Borrows the worker.
pub(super) fn with<T>(use_worker: impl FnOnce(&mut Worker) -> T) -> T {
    WORKER.with_borrow_mut(use_worker)
}

impl Worker {
    fn new() -> Self {
        let shared = Shared {
            streams: Registry::new(),
            fanout: Fanout::new(),
            storage: Storage::default(),
            cluster: None,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        };
        Self { peers: Slab::new(), pulls: BTreeMap::new(), shared }
    }

    /// Takes in a session made by `make` from its number.
    pub(super) fn add(&mut self, make: impl FnOnce(usize) -> Peer) -> usize {
        let entry = self.peers.vacant_entry();
        let id = entry.key();
        entry.insert(make(id));
        id
    }

    /// Runs an event of a session, and ends the session if that is what comes of it.
    pub(super) fn run(
        &mut self,
        id: usize,
        event: impl FnOnce(&mut Peer, &mut Shared) -> Result<(), End>,
    ) {
        if let Some(peer) = self.peers.get_mut(id)
            && let Err(end) = event(peer, &mut self.shared)
        {
            self.finalize(id, &end);
        }
    }

    /// The one way out of a session.
    pub(super) fn finalize(&mut self, id: usize, end: &End) {
        if let Some(mut peer) = self.peers.try_remove(id) {
            peer.finalize(end, &mut self.shared);
        }
    }

    /// Sends players what their streams got since the last time.
    pub(super) fn fan_out(&mut self) {
        let Self { peers, shared, .. } = self;
        let mut ended = Vec::new();
        for id in shared.fanout.take() {
            let Some(channel) = shared.streams.channel_mut(id) else { continue };
            let is_publishing = channel.stream.is_publishing();
            for (session, player) in &mut channel.players {
                let id = session.0 as usize;
                let Some(peer) = peers.get_mut(id) else { continue };
                if !is_publishing {
                    peer.on_publisher_left();
                }
                if let Err(end) = peer.send(Some((player, channel.stream.log()))) {
                    ended.push((id, end));
                }
            }
        }
        for (id, end) in ended {
            self.finalize(id, &end);
        }
    }

    pub(super) fn shared(&mut self) -> &mut Shared {
        &mut self.shared
    }

    pub(super) fn storage(&mut self) -> &mut Storage {
        &mut self.shared.storage
    }
}

impl Shared {
    /// Takes the stream's name for a publisher of this worker.
    ///
    /// # Errors
    ///
    /// Another worker has it, or there is no room for it.
    pub(super) fn claim(&self, key: &StreamKey) -> Result<(), PublishRefusal> {
        match self.cluster.as_ref().map(|cluster| cluster.claim(key)) {
            None | Some(Claim::Granted) => Ok(()),
            Some(Claim::Refused) => Err(PublishRefusal::BadName),
            Some(Claim::Full) => {
                log::cycle(Level::Error, format_args!("there are too many streams"));
                Err(PublishRefusal::Failed)
            }
        }
    }

    /// Makes `session` the publisher of a stream whose name was claimed, and tells all who may wait
    /// for it.
    ///
    /// # Errors
    ///
    /// Another session of this worker publishes it.
    pub(super) fn publish(
        &mut self,
        session: SessionId,
        key: StreamKey,
        config: &Arc<StreamConfig>,
    ) -> Result<StreamId, PublishRefusal> {
        // Its owner has left, or it would have kept the name.
        if let Some(stream) = self.streams.find(&key)
            && self.streams.channel(stream).is_some_and(|it| it.publisher == Some(PULL))
        {
            self.streams.unpublish(stream);
        }
        let published = self.streams.publish(event::now(), session, key.clone(), config);
        let stream = published.map_err(|AlreadyPublishing| PublishRefusal::BadName)?;
        self.fanout.mark(stream);
        if let Some(cluster) = &mut self.cluster {
            cluster.announce(&key);
            // A pull has had its day.
            cluster.review(stream);
        }
        Ok(stream)
    }

    /// Ends what a session of this worker publishes.
    pub(super) fn unpublish(&mut self, stream: StreamId) {
        if let (Some(cluster), Some(channel)) = (&self.cluster, self.streams.channel(stream)) {
            cluster.release(&channel.key);
        }
        self.streams.unpublish(stream);
        self.fanout.mark(stream);
        self.review(stream);
    }

    /// How many clients are connected to all workers.
    pub(super) fn connections(&self) -> u64 {
        self.cluster.as_ref().map_or(0, Cluster::connections)
    }

    /// Counts a client that comes, 1, or goes, -1.
    pub(super) fn count_connection(&self, change: i32) {
        if let Some(cluster) = &self.cluster {
            cluster.count_connection(change);
        }
    }

    /// Has the stream looked after: its publisher or its players have changed.
    pub(super) fn review(&mut self, stream: StreamId) {
        if let Some(cluster) = &mut self.cluster {
            cluster.review(stream);
        }
    }

    fn review_later(&mut self, stream: StreamId) {
        if let Some(cluster) = &mut self.cluster {
            cluster.review_later(stream);
        }
    }
}

/// nginx's `exit_process`: a worker ends, with whatever sessions are left. nginx has ended its
/// threads: the thread pools' module comes before this one.
pub(super) unsafe extern "C" fn exit(_cycle: *mut ngx_cycle_t) {
    guard(
        || {
            with(|worker| {
                // SAFETY: see above.
                unsafe { worker.shared.storage.end_threads() };
                let ids: Vec<_> = worker.peers.iter().map(|(id, _)| id).collect();
                for id in ids {
                    worker.finalize(id, &End::Exit);
                }
                worker.shared.storage.drain();
                worker.pulls.clear();
                worker.shared.cluster = None;
            });
        },
        || (),
    );
}
