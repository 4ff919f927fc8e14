//! What callbacks are told of a session once it does something, and what they have to say to that.

use std::sync::Arc;

use super::super::event;
use super::super::http_client::CallId;
use super::super::log::Level;
use super::super::notify::{NoReply, Notify};
use super::super::schedule::Due;
use super::super::worker::Shared;
use super::{End, Peer, Role};
use crate::http::Head;
use crate::notify::{Call, Event, Hook, Subject, Updated};
use crate::time::Instant;

/// The stream that callbacks are told of, from the request on until the client leaves it. It keeps
/// the name that the client gave it.
pub(super) struct Told {
    what: Updated,
    name: String,
    args: String,
    since: Instant,
    /// The update that is waited for.
    update: Option<CallId>,
}

impl Told {
    pub(super) fn new(what: Updated, name: String, args: String) -> Self {
        Self { what, name, args, since: event::now(), update: None }
    }

    /// The name that the client gave the stream.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { name: &self.name, args: &self.args }
    }
}

impl Peer {
    /// The callbacks of the application, or of the server before there is one.
    pub(super) fn notify(&self) -> &Arc<Notify> {
        self.application.as_ref().map_or(&self.endpoint.server.notify, |it| &it.notify)
    }

    /// Tells that the client is gone.
    pub(super) fn tell_disconnect(&self, shared: &mut Shared) {
        if self.application.is_some() && !self.feeds {
            let call = Call { client: &self.info, stream: None, event: Event::Disconnect };
            self.endpoint.server.notify.tell(shared, call);
        }
    }

    /// Tells that the client has left its stream.
    pub(super) fn tell_done(&mut self, shared: &mut Shared) {
        let Some(told) = self.told.take() else { return };
        shared.schedule.cancel(Due::Update(self.id));
        let event = match told.what {
            Updated::Publish => Event::PublishDone,
            Updated::Play => Event::PlayDone,
        };
        for event in [event, Event::Done] {
            let call = Call { client: &self.info, stream: Some(told.subject()), event };
            self.notify().tell(shared, call);
        }
    }

    /// Has callbacks told regularly that the client goes on.
    pub(super) fn start_updates(&self, shared: &mut Shared) {
        let notify = self.notify();
        if notify.callbacks.has(Hook::Update) && !notify.update_interval.is_zero() {
            shared.schedule.set(Due::Update(self.id), event::now() + notify.update_interval);
        }
    }

    /// It is time for the next update.
    pub(in crate::nginx) fn on_update_due(&mut self, shared: &mut Shared) -> Result<(), End> {
        let timestamp = match self.role {
            Role::Publisher { stream, .. } | Role::Player { stream } => {
                shared.streams.channel(stream).map_or(0, |channel| channel.stream.timestamp())
            }
            Role::File(ref player) => player.timestamp(),
            Role::Idle | Role::Search(_) => 0,
        };
        let Some(told) = &self.told else { return Ok(()) };
        let time = event::now().saturating_since(told.since).as_secs();
        let event = Event::Update { what: told.what, time, timestamp };
        let call = Call { client: &self.info, stream: Some(told.subject()), event };
        let session = self.id.0 as usize;
        let update = self.notify().call(shared, call, move |worker, id, reply| {
            worker.run(session, |peer, shared| peer.on_update_reply(id, &reply, shared));
        });
        if let Some(told) = &mut self.told {
            told.update = update;
        }
        Ok(())
    }

    /// The answer to an update, unless the client has left that stream.
    fn on_update_reply(
        &mut self,
        call: CallId,
        reply: &Result<Head, NoReply>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        if self.told.as_ref().and_then(|told| told.update) != Some(call) {
            return Ok(());
        }
        let status = match reply {
            Ok(head) => Some(head.status),
            Err(error) => {
                self.connection.log(Level::Error, format_args!("{error}"));
                None
            }
        };
        if !self.notify().update_policy.keeps(status) {
            return Err(End::Update);
        }
        self.start_updates(shared);
        Ok(())
    }
}
