//! One worker process: its sessions, its streams, and what ends them.

mod collecting;
mod fanning_out;
mod obeying;
mod pulling;
mod recording;
mod reporting;
mod review;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use nginx_sys::{ngx_cycle_t, ngx_worker};
use slab::Slab;

pub(super) use self::collecting::{Collections, Purpose};
use self::review::Review;
use super::broadcasts::Broadcasts;
use super::child::Children;
use super::cluster::{Claim, Cluster};
use super::conf::Application;
use super::dial::Dials;
use super::download::Downloads;
use super::exec::Groups;
use super::fanout::Fanout;
use super::http_client::HttpClient;
use super::inquiry::{Inquiries, Reply};
use super::log::{self, Level};
use super::meters::Meters;
use super::outputs::{Outputs, Wants};
use super::peer::{End, Peer};
use super::pull::{PULL, Pull};
use super::recorder::{RecordNotice, Recording};
use super::relays::Relays;
use super::schedule::{Due, Schedule};
use super::server;
use super::storage::Storage;
use super::upstream::{self, Upstream};
use super::viewers::HlsViewers;
use super::{event, guard};
use crate::client::Publication;
use crate::live::{AlreadyPublishing, Published, Registry, SessionId, StreamId, StreamKey};
use crate::media;
use crate::notify::Event;
use crate::package::NameError;
use crate::rtmp::Message;
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
    pub(super) pulls: BTreeMap<StreamId, Pull>,
    /// Sessions with other servers.
    pub(super) upstreams: BTreeMap<SessionId, Upstream>,
    /// How many there have been.
    pub(super) upstreams_made: u64,
    /// Who watches over HTTP.
    pub(super) broadcasts: Broadcasts,
    /// What other workers are being asked.
    pub(super) inquiries: Inquiries,
    /// Reports that are being made.
    pub(super) collections: Collections,
    /// Answers to other workers.
    pub(super) replies: Slab<Reply>,
    pub(super) shared: Shared,
}

/// What the sessions of a worker have in common.
pub(super) struct Shared {
    pub(super) streams: Registry,
    pub(super) fanout: Fanout,
    pub(super) storage: Storage,
    /// What joins this worker to the others, if it could be set up.
    pub(super) cluster: Option<Cluster>,
    /// Whether the worker ends once its sessions have.
    pub(super) leaves: bool,
    pub(super) review: Review,
    pub(super) schedule: Schedule,
    pub(super) dials: Dials,
    pub(super) relays: Relays,
    pub(super) meters: Meters,
    pub(super) viewers: HlsViewers,
    pub(super) http: HttpClient,
    pub(super) downloads: Downloads,
    pub(super) children: Children,
    pub(super) groups: Groups,
    /// What each stream that is published in this worker feeds besides players.
    pub(super) outputs: HashMap<StreamId, Outputs>,
    /// Streams that have just come from other workers, with no outputs started yet.
    moved: HashSet<StreamId>,
    /// Recordings that wait for the storage though their publishes have ended.
    unfinished: Vec<Recording>,
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
            leaves: false,
            review: Review::new(),
            schedule: Schedule::new(),
            dials: Dials::default(),
            relays: Relays::default(),
            meters: Meters::new(),
            viewers: HlsViewers::default(),
            http: HttpClient::new(),
            downloads: Downloads::default(),
            children: Children::new(),
            groups: Groups::default(),
            outputs: HashMap::new(),
            moved: HashSet::new(),
            unfinished: Vec::new(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        };
        Self {
            peers: Slab::new(),
            pulls: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            upstreams_made: 0,
            broadcasts: Broadcasts::new(),
            inquiries: Inquiries::new(),
            collections: Collections::new(),
            replies: Slab::new(),
            shared,
        }
    }

    /// Takes in a session made by `make` from its number.
    pub(super) fn add(&mut self, make: impl FnOnce(usize) -> Peer) -> usize {
        let entry = self.peers.vacant_entry();
        let id = entry.key();
        entry.insert(make(id));
        id
    }

    /// The worker has started.
    pub(super) fn start(&mut self) {
        self.shared.viewers.start();
        self.shared.start_static_pulls();
        self.shared.want_static();
        self.sample();
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

    /// A graceful shutdown has begun: what only one worker of all does is left to another one.
    pub(super) fn leave(&mut self) {
        self.shared.leaves = true;
        self.shared.leave_static_pulls();
        self.shared.leave_static();
        self.dismiss_viewers();
    }

    pub(super) fn shared(&mut self) -> &mut Shared {
        &mut self.shared
    }
}

impl Shared {
    /// Makes `session` the publisher of a stream, and tells all who may wait for it.
    ///
    /// # Errors
    ///
    /// The stream has a publisher, in whichever worker, and the application does not let the newer
    /// one take over; or there is no room for it.
    pub(super) fn publish(
        &mut self,
        session: SessionId,
        key: StreamKey,
        application: &Application,
    ) -> Result<StreamId, PublishRefusal> {
        let owner = self.cluster.as_ref().and_then(|cluster| cluster.owner(&key));
        self.claim(&key, application.publish_takeover)?;
        // A pull's owner has given the name up, or it would have kept it.
        let is_pulled = self.streams.publisher(&key) == Some(PULL);
        let take_over = application.publish_takeover || is_pulled;
        let stream = &application.stream;
        let Published { stream, displaced } = self
            .streams
            .publish(event::now(), session, key.clone(), stream, take_over)
            .map_err(|AlreadyPublishing| PublishRefusal::BadName)?;
        if let Some(displaced) = displaced.filter(|&displaced| displaced != PULL) {
            self.review.displace(displaced);
        }
        self.meters.totals.publishes += 1;
        self.fanout.mark(stream);
        // A pull has had its day.
        self.review.post(stream);
        if let Some(cluster) = &self.cluster {
            cluster.announce(&key);
        }
        if owner.is_some() {
            self.moved.insert(stream);
        }
        Ok(stream)
    }

    /// Takes the stream's name for a publisher of this worker.
    fn claim(&self, key: &StreamKey, take_over: bool) -> Result<(), PublishRefusal> {
        match self.cluster.as_ref().map(|cluster| cluster.claim(key, take_over)) {
            None | Some(Claim::Granted) => Ok(()),
            Some(Claim::Refused) => Err(PublishRefusal::BadName),
            Some(Claim::Full) => {
                log::cycle(Level::Error, format_args!("there are too many streams"));
                Err(PublishRefusal::Failed)
            }
        }
    }

    /// Whether the stream has a publisher, in whichever worker.
    pub(super) fn is_published(&self, key: &StreamKey) -> bool {
        self.streams.publisher(key).is_some()
            || self.cluster.as_ref().is_some_and(|cluster| cluster.owner(key).is_some())
    }

    /// Starts the outputs of a stream that was published, unless they go on from the publisher
    /// before.
    ///
    /// # Errors
    ///
    /// The stream's name is no safe file name; what needs none is started.
    pub(super) fn start_outputs(
        &mut self,
        stream: StreamId,
        publication: &Publication,
        application: &Arc<Application>,
    ) -> Result<(), NameError> {
        let goes_on = self.moved.remove(&stream);
        if self.outputs.contains_key(&stream) {
            return Ok(());
        }
        let (mut outputs, started) =
            Outputs::start(publication, application, goes_on, &mut self.storage);
        outputs.children = self.start_push(publication, application);
        self.outputs.insert(stream, outputs);
        self.start_pushes(stream, publication, application);
        started
    }

    /// Takes a message of the stream's publisher.
    ///
    /// # Errors
    ///
    /// It cannot be packaged, for a reason not told before.
    pub(super) fn push(
        &mut self,
        session: SessionId,
        stream: StreamId,
        message: Message,
    ) -> Result<(), media::Error> {
        let channel = self.streams.channel_mut(stream);
        let Some(channel) = channel.filter(|channel| channel.publisher == Some(session)) else {
            return Ok(());
        };
        let Some(message) = channel.stream.retime(message) else { return Ok(()) };
        let outputs = self.outputs.get_mut(&stream).map(|outputs| {
            let pushed = outputs.push(&message, &mut self.storage);
            (pushed, outputs.take_wants())
        });
        channel.stream.push(event::now(), message);
        self.meters.totals.messages += 1;
        if !channel.is_unwatched() {
            self.fanout.mark(stream);
        }
        let Some((pushed, wants)) = outputs else { return Ok(()) };
        self.grant(stream, wants);
        pushed
    }

    /// Does what the outputs of a stream want.
    fn grant(&mut self, stream: StreamId, wants: Wants) {
        if let Some(at) = wants.timer {
            self.schedule.set(Due::Recorders(stream), at);
        }
        if wants.master {
            self.write_master(stream);
        }
        for recorded in wants.begun {
            self.tell_recording(&recorded, |recorder, path| Event::RecordStarted {
                recorder,
                path,
            });
        }
    }

    /// Lets a publisher of another worker take the stream over, whatever `publish_takeover` says.
    pub(super) fn offer(&self, stream: StreamId) {
        if let Some(channel) = self.streams.channel(stream) {
            self.offer_key(&channel.key);
        }
    }

    pub(super) fn offer_key(&self, key: &StreamKey) {
        if let Some(cluster) = &self.cluster {
            cluster.offer(key);
        }
    }

    /// `session` does not publish the stream any more. Gives what it is to be told of recordings.
    pub(super) fn unpublish(&mut self, session: SessionId, stream: StreamId) -> Vec<RecordNotice> {
        if let (Some(cluster), Some(channel)) = (&self.cluster, self.streams.channel(stream))
            && channel.publisher == Some(session)
        {
            cluster.release(&channel.key);
        }
        if !self.streams.unpublish(stream, session) {
            return Vec::new();
        }
        self.fanout.mark(stream);
        self.review.post(stream);
        self.stop_pushes(stream);
        let Some(mut outputs) = self.outputs.remove(&stream) else { return Vec::new() };
        self.end_children(mem::take(&mut outputs.children));
        let notices = outputs.finish(&mut self.storage, &mut self.unfinished);
        self.http.expect(self.storage.owes_recordings());
        notices
    }

    /// A publisher of another worker has taken the place of `session`.
    pub(super) fn displace(&mut self, stream: StreamId, session: SessionId) {
        self.review.displace(session);
        self.hand_over_pushes(stream);
        if let Some(mut outputs) = self.outputs.remove(&stream) {
            self.end_children(mem::take(&mut outputs.children));
            outputs.hand_over(&mut self.storage, &mut self.unfinished);
        }
    }

    /// Whether this worker is the one that does what `name` says, of all workers. It may come to be so
    /// later, when the one that does it has left.
    pub(super) fn lease(&self, name: &str) -> bool {
        !self.leaves && self.cluster.as_ref().map_or_else(is_first, |it| it.lease(name))
    }

    /// This worker does not do what `name` says any more.
    pub(super) fn give_up(&self, name: &str) {
        if let Some(cluster) = &self.cluster {
            cluster.give_up(name);
        }
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
}

/// Whether this is the first of nginx's workers.
fn is_first() -> bool {
    // SAFETY: set when a worker starts.
    unsafe { ngx_worker == 0 }
}

/// nginx's `exit_process`: a worker ends, with whatever sessions are left. nginx has ended its
/// threads: the thread pools' module comes before this one.
pub(super) unsafe extern "C" fn exit(_cycle: *mut ngx_cycle_t) {
    guard(
        || {
            with(|worker| {
                worker.shared.children.begin_exit();
                // SAFETY: see above.
                unsafe { worker.shared.storage.end_threads() };
                worker.shared.http.close();
                let ids: Vec<_> = worker.peers.iter().map(|(id, _)| id).collect();
                for id in ids {
                    worker.finalize(id, &End::Exit);
                }
                for id in worker.upstreams.keys().copied().collect::<Vec<_>>() {
                    worker.finalize_upstream(id, &upstream::End::Exit);
                }
                worker.shared.storage.drain();
                worker.shared.settle_recordings();
                // What these had yet to write.
                worker.shared.storage.drain();
                worker.shared.settle_recordings();
                worker.shared.children.exit();
                worker.pulls.clear();
                worker.replies.clear();
                worker.inquiries = Inquiries::new();
                worker.collections = Collections::new();
                worker.broadcasts = Broadcasts::new();
                worker.shared.dials = Dials::default();
                worker.shared.downloads = Downloads::default();
                worker.tell_totals();
                worker.shared.cluster = None;
            });
        },
        || (),
    );
}
