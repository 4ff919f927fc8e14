//! Who watches live streams over HTTP.
//!
//! All viewers of a stream in this worker share one [`Broadcast`], which is a single player of the
//! stream: a stream of another worker is pulled for it as for any player. It is there as long as it has
//! viewers. They are sent what there is at the end of the event loop's turn, while the worker is not
//! borrowed, as nginx may end any request when it sends something.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use nginx_sys::{ngx_chain_t, ngx_event_t};

use super::conf::{self, Application};
use super::http::{self, Flight, Request};
use super::log::{self, Level};
use super::worker::{self, Worker};
use super::{event, guard};
use crate::live::{Channel, Player, SessionId, StreamId, StreamKey};
use crate::live_mp4::LiveMp4;
use crate::media;

/// Stands for all viewers of a stream among its players.
pub(super) const VIEWERS: SessionId = SessionId((1 << 62) - 1);

/// A viewer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ViewerId(pub(super) u64);

/// A broadcast; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BroadcastId(u64);

/// The broadcasts of a worker, and their viewers.
pub(super) struct Broadcasts {
    viewers: BTreeMap<ViewerId, Viewer>,
    open: BTreeMap<BroadcastId, Broadcast>,
    /// The broadcast of each stream that has one, and has not ended.
    live: HashMap<StreamId, BroadcastId>,
    /// How many viewers and broadcasts there have been.
    made: u64,
    due: BTreeSet<ViewerId>,
    /// On the heap: nginx links it into its queues by address.
    posted: Box<ngx_event_t>,
}

/// A stream, as it is sent to its viewers.
struct Broadcast {
    mp4: LiveMp4,
    stream: StreamId,
    viewers: BTreeSet<ViewerId>,
    has_ended: bool,
}

struct Viewer {
    /// It is there as long as the viewer is.
    request: Request,
    broadcast: BroadcastId,
    cursor: Player,
    /// What its client was told that comes.
    media_type: Option<Arc<str>>,
    flight: Flight,
}

/// What is to be done next for a viewer.
pub(super) enum Step {
    /// The head of the response is to be sent, with this type.
    Begin(Arc<str>),
    Send(*mut ngx_chain_t),
    /// Nothing, until there is more or more can be sent.
    Wait,
    Refuse(Refusal),
    End,
}

/// Why there is nothing to watch.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is no such stream")]
    NoStream,
    #[error("the stream cannot be played here: {0}")]
    Unsupported(media::Error),
    #[error("this worker process is shutting down")]
    Leaving,
    #[error("the stream cannot be played")]
    Failed,
}

impl Broadcasts {
    pub(super) fn new() -> Self {
        Self {
            viewers: BTreeMap::new(),
            open: BTreeMap::new(),
            live: HashMap::new(),
            made: 0,
            due: BTreeSet::new(),
            posted: event::new(on_posted),
        }
    }

    /// What is to be done next for a viewer, if it is there; the request outlives the doing.
    pub(super) fn step(&mut self, id: ViewerId) -> Option<(Request, Step)> {
        let viewer = self.viewers.get_mut(&id)?;
        let broadcast = self.open.get(&viewer.broadcast)?;
        Some((viewer.request, viewer.step(broadcast)))
    }

    fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Has all viewers of the broadcast sent what there is.
    fn post(&mut self, id: BroadcastId) {
        let Some(broadcast) = self.open.get(&id) else { return };
        self.due.extend(&broadcast.viewers);
        // SAFETY: the event lives as long as the worker.
        unsafe { event::post(&raw mut *self.posted) }
    }
}

impl Viewer {
    fn step(&mut self, broadcast: &Broadcast) -> Step {
        match (&self.media_type, broadcast.mp4.media_type()) {
            (None, Some(media_type)) => {
                self.media_type = Some(Arc::clone(media_type));
                return Step::Begin(Arc::clone(media_type));
            }
            (None, None) => return broadcast.refusal().map_or(Step::Wait, Step::Refuse),
            // The client is set up for something else than what comes.
            (Some(told), Some(media_type)) if told != media_type => return Step::End,
            (Some(_), _) => {}
        }
        if !self.flight.land() {
            return Step::Wait;
        }
        match self.flight.load(|| Some(self.cursor.take(broadcast.mp4.log())?.1.clone())) {
            Some(chain) => Step::Send(chain),
            None if broadcast.has_ended => Step::End,
            None => Step::Wait,
        }
    }
}

impl Broadcast {
    /// Why there is not going to be anything, if that is so.
    fn refusal(&self) -> Option<Refusal> {
        let ended = self.has_ended.then_some(Refusal::NoStream);
        self.mp4.obstacle().map(Refusal::Unsupported).or(ended)
    }
}

impl Worker {
    /// Makes a request a viewer of the stream that `key` names, of whichever worker.
    ///
    /// # Errors
    ///
    /// There is no such stream, or not for this request.
    pub(super) fn begin_viewing(
        &mut self,
        request: Request,
        flight: Flight,
        key: StreamKey,
        application: &Application,
    ) -> Result<ViewerId, Refusal> {
        if self.shared.leaves {
            return Err(Refusal::Leaving);
        }
        if !self.shared.is_published(&key) {
            return Err(Refusal::NoStream);
        }
        let live = self.shared.streams.find(&key).and_then(|it| self.broadcasts.live.get(&it));
        let id = match live {
            Some(id) => *id,
            None => self.begin_broadcast(key, application)?,
        };
        let viewer = ViewerId(self.broadcasts.next_number());
        let broadcast = self.broadcasts.open.get_mut(&id).ok_or(Refusal::Failed)?;
        broadcast.viewers.insert(viewer);
        let cursor = Player::new(broadcast.mp4.log());
        let entry = Viewer { request, broadcast: id, cursor, media_type: None, flight };
        self.broadcasts.viewers.insert(viewer, entry);
        self.broadcasts.post(id);
        Ok(viewer)
    }

    fn begin_broadcast(
        &mut self,
        key: StreamKey,
        application: &Application,
    ) -> Result<BroadcastId, Refusal> {
        let stream = self.shared.streams.play(VIEWERS, key, &application.stream);
        let channel = self.shared.streams.channel_mut(stream).ok_or(Refusal::Failed)?;
        // What is made of it is to be on time.
        channel.relays.insert(VIEWERS);
        let Ok(mp4) = LiveMp4::new(&channel.stream) else {
            self.shared.streams.stop(stream, VIEWERS);
            return Err(Refusal::Failed);
        };
        log_broadcast(channel, "begins");
        let id = BroadcastId(self.broadcasts.next_number());
        let broadcast = Broadcast { mp4, stream, viewers: BTreeSet::new(), has_ended: false };
        self.broadcasts.open.insert(id, broadcast);
        self.broadcasts.live.insert(stream, id);
        self.shared.review.post(stream);
        if self.shared.streams.channel(stream).is_some_and(|it| it.stream.is_publishing()) {
            self.feed_viewers(stream);
        }
        Ok(id)
    }

    /// Has a stream's viewers sent what it got.
    pub(super) fn feed_viewers(&mut self, stream: StreamId) {
        let Some(&id) = self.broadcasts.live.get(&stream) else { return };
        let Some(channel) = self.shared.streams.channel_mut(stream) else { return };
        let Some(broadcast) = self.broadcasts.open.get_mut(&id) else { return };
        let Some(player) = channel.players.get_mut(&VIEWERS) else { return };
        let taken = broadcast.mp4.take(event::now(), player, &channel.stream);
        if let Err(error) = &taken {
            log::cycle(Level::Alert, format_args!("bug: a stream has {error}"));
        }
        self.broadcasts.post(id);
        if taken.is_err() || !channel.stream.is_publishing() && !self.pulls.contains_key(&stream) {
            self.end_broadcast(stream);
        }
    }

    /// A stream is no more: its viewers get the rest.
    pub(super) fn end_broadcast(&mut self, stream: StreamId) {
        let Some(id) = self.broadcasts.live.remove(&stream) else { return };
        if let Some(broadcast) = self.broadcasts.open.get_mut(&id) {
            broadcast.mp4.finish();
            broadcast.has_ended = true;
        }
        self.broadcasts.post(id);
        if let Some(channel) = self.shared.streams.channel(stream) {
            log_broadcast(channel, "ends");
        }
        self.shared.streams.stop(stream, VIEWERS);
        self.shared.review.post(stream);
    }

    /// The worker is about to end: so are all responses.
    pub(super) fn dismiss_viewers(&mut self) {
        for stream in self.broadcasts.live.keys().copied().collect::<Vec<_>>() {
            self.end_broadcast(stream);
        }
        // nginx waits for timers, not for what is posted.
        // SAFETY: the event lives as long as the worker.
        unsafe { event::set_timer(&raw mut *self.broadcasts.posted, event::now()) }
    }

    /// A viewer is gone; with the last one goes the broadcast.
    pub(super) fn end_viewing(&mut self, id: ViewerId) {
        let Some(viewer) = self.broadcasts.viewers.remove(&id) else { return };
        self.broadcasts.due.remove(&id);
        let Some(broadcast) = self.broadcasts.open.get_mut(&viewer.broadcast) else { return };
        broadcast.viewers.remove(&id);
        if broadcast.viewers.is_empty() {
            let (stream, has_ended) = (broadcast.stream, broadcast.has_ended);
            if !has_ended {
                self.end_broadcast(stream);
            }
            self.broadcasts.open.remove(&viewer.broadcast);
        }
    }
}

fn log_broadcast(channel: &Channel, does: &str) {
    let mask = conf::log_mask(channel.key.application);
    let name = mask.name(&channel.key.name);
    log::cycle(Level::Info, format_args!("preview of stream \"{name}\" {does}"));
}

impl Drop for Broadcasts {
    fn drop(&mut self) {
        // SAFETY: the event is this one's.
        unsafe { event::cancel(&raw mut *self.posted) }
    }
}

/// There is something to send.
unsafe extern "C" fn on_posted(event: *mut ngx_event_t) {
    // SAFETY: nginx gives the event.
    unsafe { (*event).set_timedout(0) };
    let due = guard(|| worker::with(|it| mem::take(&mut it.broadcasts.due)), BTreeSet::new);
    for id in due {
        guard(|| http::pump(id, false), || ());
    }
}
