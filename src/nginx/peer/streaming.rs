//! What a session does with streams: publishes, plays and leaves them, as its peer asks.

use std::mem;
use std::sync::Arc;

use super::super::conf::{Application, Misdirected};
use super::super::event;
use super::super::log::Level;
use super::super::recorder::RecordNotice;
use super::super::worker::Shared;
use super::asking::Wish;
use super::telling::Told;
use super::{Peer, Role};
use crate::access::Action;
use crate::access::token::Request;
use crate::client::{ClientInfo, Publication, Viewing};
use crate::exec::Facts;
use crate::live::{IdleWatch, Player, Sent, StreamKey};
use crate::notify::Updated;
use crate::relay::Target;
use crate::rtmp::command::{Connect, Play, Publish};
use crate::rtmp::session::{Event, PlayRefusal, PublishRefusal};
use crate::rtmp::{self, Message};
use crate::vod::Playback;

impl Peer {
    pub(super) fn handle(&mut self, event: Event, shared: &mut Shared) -> Result<(), rtmp::Error> {
        match event {
            Event::Connect(connect) => self.connect(connect, shared)?,
            Event::Publish(publish) => self.publish(publish, shared)?,
            Event::Play(play) => self.play(play, shared)?,
            Event::Media(message) => self.take_media(message, shared),
            Event::StreamClosed => self.leave(shared),
            Event::Pause { paused, .. } => {
                let now = event::now();
                self.adjust(shared, |it| it.set_paused(paused), |it| it.pause(now, paused));
            }
            Event::ReceiveAudio(wanted) => self.adjust(
                shared,
                |player| player.receive_audio(wanted),
                |playback| playback.receive_audio(wanted),
            ),
            Event::ReceiveVideo(wanted) => self.adjust(
                shared,
                |player| player.receive_video(wanted),
                |playback| playback.receive_video(wanted),
            ),
            Event::Seek(position) => self.seek(position),
            Event::SetBufferLength(buffer) => self.set_buffer(buffer),
        }
        Ok(())
    }

    /// A client wants to connect, which a callback may object to.
    fn connect(&mut self, connect: Arc<Connect>, shared: &mut Shared) -> Result<(), rtmp::Error> {
        self.context.set_application(&connect.app);
        if let Err(Misdirected) = self.endpoint.choose(&connect.tc_url) {
            self.connection.log(Level::Info, format_args!("refused: {Misdirected}"));
            self.session.reject_connect("Misdirected TLS handshake.");
            return Ok(());
        }
        self.session.configure(&self.endpoint.server.session, event::now());
        self.info =
            Arc::new(ClientInfo::new(&connect, self.context.client(), self.connection.number()));
        self.ask(Wish::Connect(connect), shared)
    }

    /// A client wants to publish: the application's rules and secrets come first, then a callback,
    /// which may give the stream another name, then all else.
    fn publish(&mut self, publish: Box<Publish>, shared: &mut Shared) -> Result<(), rtmp::Error> {
        if !self.admit(Action::Publish, &publish.name, &publish.args, shared) {
            self.session.reject_publish(PublishRefusal::Denied);
            return Ok(());
        }
        self.ask(Wish::Publish(publish), shared)
    }

    /// A client wants to play; see [`publish`](Self::publish).
    fn play(&mut self, play: Box<Play>, shared: &mut Shared) -> Result<(), rtmp::Error> {
        if !self.admit(Action::Play, &play.name, &play.args, shared) {
            self.session.reject_play(PlayRefusal::Denied);
            return Ok(());
        }
        self.ask(Wish::Play(play), shared)
    }

    /// Whether the application lets the client do `action` with a stream, which is then what the client
    /// is about.
    fn admit(&mut self, action: Action, name: &str, args: &str, shared: &mut Shared) -> bool {
        self.context.set_stream(&self.log_mask().name(name));
        self.activity.note(action, name, args);
        let application = self.application.as_ref();
        if !application.is_some_and(|application| self.may(action, application, name, args)) {
            return false;
        }
        self.schedule_line(shared);
        let updated = match action {
            Action::Publish => Updated::Publish,
            Action::Play => Updated::Play,
        };
        self.told = Some(Told::new(updated, name.to_owned(), args.to_owned()));
        true
    }

    /// Nobody objects to the client: it is let into the application.
    pub(super) fn enter(&mut self, connect: &Connect) -> Result<(), rtmp::Error> {
        self.context.set_application(&connect.app);
        let Some(application) = self.endpoint.server.application(&connect.app) else {
            self.connection.log(Level::Info, format_args!("refused: unknown application"));
            self.session.reject_connect("Application not found.");
            return Ok(());
        };
        self.application = Some(Arc::clone(application));
        if self.info.app != connect.app {
            Arc::make_mut(&mut self.info).app.clone_from(&connect.app);
        }
        self.connection.set_action(c"receiving RTMP commands");
        self.session.accept_connect(event::now())
    }

    /// Nobody objects to the publisher: it gets the name, if that is free, and all that goes with it.
    pub(super) fn begin_publish(
        &mut self,
        publish: Publish,
        relay: Option<Arc<Target>>,
        shared: &mut Shared,
    ) -> Result<(), rtmp::Error> {
        self.context.set_stream(&self.log_mask().name(&publish.name));
        match self.take_name(publish, relay, shared) {
            Ok(()) => self.session.accept_publish(event::now()),
            Err(refusal) => {
                self.session.reject_publish(refusal);
                Ok(())
            }
        }
    }

    /// Becomes the publisher of a stream, with all that goes with it.
    pub(super) fn take_name(
        &mut self,
        publish: Publish,
        relay: Option<Arc<Target>>,
        shared: &mut Shared,
    ) -> Result<(), PublishRefusal> {
        let application = self.application.as_ref().ok_or(PublishRefusal::Failed)?;
        let key = StreamKey { application: application.id, name: publish.name.clone() };
        let stream = shared.publish(self.id, key, application).inspect_err(|refusal| {
            let text = format_args!("refused: {}", refusal.description());
            self.connection.log(Level::Info, text);
        })?;
        let Publish { name, args, kind } = publish;
        let publication = Publication { client: Arc::clone(&self.info), name, args, kind };
        if let Err(error) = shared.start_outputs(stream, &publication, application) {
            self.connection.log(Level::Error, format_args!("no HLS: {error}"));
        }
        if let Some(target) = relay {
            shared.start_push_to(target, stream, &publication, application);
        }
        shared.run_commands(&application.exec.publish, &Facts::of_publication(&publication));
        let idle = IdleWatch::new(application.idle, event::now());
        self.role = Role::Publisher { stream, idle, publication };
        self.connection.set_action(c"receiving a published stream");
        self.connection.log(Level::Info, format_args!("publishing"));
        self.offer_stream(shared);
        self.start_updates(shared);
        Ok(())
    }

    /// Nobody objects to the player: it gets the stream.
    pub(super) fn begin_play(
        &mut self,
        play: Play,
        relay: Option<Arc<Target>>,
        shared: &mut Shared,
    ) -> Result<(), rtmp::Error> {
        let Some(application) = &self.application else { return Ok(()) };
        self.context.set_stream(&self.log_mask().name(&play.name));
        let key = StreamKey { application: application.id, name: play.name.clone() };
        if relay.is_some() || application.live && shared.is_published(&key) {
            return self.play_live(play, relay, shared);
        }
        match self.look_for_file(play) {
            Ok(()) => self.search_on(shared),
            Err(play) => self.play_live(play, None, shared),
        }
    }

    /// Plays a live stream, or waits for it, if the application lets it.
    pub(super) fn play_live(
        &mut self,
        play: Play,
        relay: Option<Arc<Target>>,
        shared: &mut Shared,
    ) -> Result<(), rtmp::Error> {
        let Some(application) = &self.application else { return Ok(()) };
        if !application.live {
            self.connection.log(Level::Info, format_args!("refused: live is off"));
            self.session.reject_play(PlayRefusal::StreamNotFound);
            return Ok(());
        }
        let can_wait = application.idle_streams
            || shared.can_pull(application, &play.name)
            || relay.is_some()
            || application.exec.pulls(&play.name);
        let key = StreamKey { application: application.id, name: play.name.clone() };
        let is_published = shared.is_published(&key);
        if !can_wait && !is_published {
            self.connection.log(Level::Info, format_args!("refused: stream not found"));
            self.session.reject_play(PlayRefusal::StreamNotFound);
            return Ok(());
        }
        shared.want_pull(&key, application);
        self.start_viewing(play.name, play.args, shared);
        self.watch(key, shared);
        if let (Some(target), Role::Player { stream }, false) = (relay, &self.role, is_published) {
            shared.start_pull_from(target, *stream);
        }
        self.start_updates(shared);
        self.session.accept_play(event::now())
    }

    /// Whether the application's rules and secrets let the client do `action`. If not, the log has
    /// a line.
    fn may(&self, action: Action, application: &Application, name: &str, args: &str) -> bool {
        let doing = match action {
            Action::Publish => "publishing",
            Action::Play => "playing",
        };
        if !application.access.allow(action, self.client) {
            self.connection.log(Level::Error, format_args!("{doing} forbidden by rule"));
            return false;
        }
        let request = Request { action, application: &application.name, name, client: self.client };
        let verdict = application.secrets.check(request, args, event::unix_now());
        if let Err(refusal) = verdict {
            self.connection.log(Level::Error, format_args!("{doing} forbidden: {refusal}"));
        }
        verdict.is_ok()
    }

    /// Becomes a player of the stream that `key` names.
    pub(super) fn watch(&mut self, key: StreamKey, shared: &mut Shared) {
        let Some(application) = &self.application else { return };
        let stream = shared.streams.play(self.id, key, &application.stream);
        if !self.feeds {
            shared.meters.totals.plays += 1;
        }
        self.role = Role::Player { stream };
        self.connection.set_action(c"playing a stream");
        self.connection.log(Level::Info, format_args!("playing"));
        shared.review.post(stream);
    }

    fn take_media(&mut self, message: Message, shared: &mut Shared) {
        let Role::Publisher { stream, idle, .. } = &mut self.role else { return };
        idle.hear(message.kind, event::now());
        if let Err(error) = shared.push(self.id, *stream, message) {
            self.connection.log(Level::Warn, format_args!("not in HLS: {error}"));
        }
        if self.application.as_ref().is_some_and(|it| it.tells_records()) {
            let notices = shared.take_record_notices(*stream);
            self.tell_records(notices);
        }
    }

    fn tell_records(&mut self, notices: Vec<RecordNotice>) {
        for RecordNotice { status, recorder } in notices {
            self.session.tell_record(status, &recorder.config.id);
        }
    }

    /// Changes what is played, be it live or a file.
    fn adjust(
        &mut self,
        shared: &mut Shared,
        live: impl FnOnce(&mut Player),
        recorded: impl FnOnce(&mut Playback),
    ) {
        match &mut self.role {
            Role::Player { stream } => {
                if let Some(channel) = shared.streams.channel_mut(*stream)
                    && let Some(player) = channel.players.get_mut(&self.id)
                {
                    live(player);
                }
            }
            Role::File(player) => recorded(player.playback()),
            Role::Idle | Role::Publisher { .. } | Role::Search(_) => {}
        }
    }

    /// The client is a player, of a live stream or a file: runs the commands for that.
    pub(super) fn start_viewing(&mut self, name: String, args: String, shared: &mut Shared) {
        let Some(application) = &self.application else { return };
        let viewing = Viewing { client: Arc::clone(&self.info), name, args };
        shared.run_commands(&application.exec.play, &Facts::of_viewing(&viewing));
        self.viewing = Some(viewing);
    }

    fn stop_viewing(&mut self, shared: &mut Shared) {
        if let (Some(viewing), Some(application)) = (self.viewing.take(), &self.application) {
            shared.run_commands(&application.exec.play_done, &Facts::of_viewing(&viewing));
            shared.leave_pull(application, &viewing.name);
        }
    }

    /// Ends what the session does with a stream; the connection lives on.
    pub(super) fn leave(&mut self, shared: &mut Shared) {
        self.stop_asking(shared);
        self.tell_done(shared);
        match mem::replace(&mut self.role, Role::Idle) {
            Role::Idle => return,
            Role::Search(_) | Role::File(_) => {}
            Role::Publisher { stream, publication, .. } => {
                let notices = shared.unpublish(self.id, stream);
                self.tell_records(notices);
                if let Some(application) = &self.application {
                    let facts = Facts::of_publication(&publication);
                    shared.run_commands(&application.exec.publish_done, &facts);
                }
            }
            Role::Player { stream } => {
                if let Some(channel) = shared.streams.channel_mut(stream)
                    && let Some(player) = channel.players.get(&self.id)
                {
                    // What comes next on the connection has to come after a whole message.
                    self.outbox.push_front(player.partial());
                    if !self.feeds {
                        let sent = Sent::of(player);
                        channel.left += sent;
                        shared.meters.leave(sent);
                    }
                }
                shared.streams.stop(stream, self.id);
                shared.review.post(stream);
            }
        }
        self.stop_viewing(shared);
        self.connection.set_action(c"receiving RTMP commands");
    }
}
