//! One worker process: its sessions, its streams, and what ends them.

use std::cell::RefCell;

use nginx_sys::ngx_cycle_t;
use slab::Slab;

use super::fanout::Fanout;
use super::guard;
use super::peer::{End, Peer};
use super::storage::Storage;
use crate::live::Registry;

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
    shared: Shared,
}

/// What the sessions of a worker have in common.
pub(super) struct Shared {
    pub(super) streams: Registry,
    pub(super) fanout: Fanout,
    pub(super) storage: Storage,
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
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        };
        Self { peers: Slab::new(), shared }
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
        let Self { peers, shared } = self;
        let mut ended = Vec::new();
        for id in shared.fanout.take() {
            let Some(channel) = shared.streams.channel_mut(id) else { continue };
            for (session, player) in &mut channel.players {
                let id = session.0 as usize;
                if let Some(peer) = peers.get_mut(id)
                    && let Err(end) = peer.send(Some((player, channel.stream.log())))
                {
                    ended.push((id, end));
                }
            }
        }
        for (id, end) in ended {
            self.finalize(id, &end);
        }
    }

    pub(super) fn storage(&mut self) -> &mut Storage {
        &mut self.shared.storage
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
            });
        },
        || (),
    );
}
