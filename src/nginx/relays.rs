//! The relays of a worker: what is pushed and pulled, and when to try again.

mod reporting;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::conf::{self, Application, Server};
use super::connection::{self, Connection};
use super::dial::{Destination, DialError, DialId};
use super::event;
use super::log::{self, Level};
use super::schedule::Due;
use super::upstream::{Local, Upstream};
use super::worker::{Shared, Worker};
use crate::client::{ClientInfo, Publication};
use crate::live::{SessionId, StreamId, StreamKey};
use crate::relay::{Backoff, Direction, Target};
use crate::rtmp::command::PublishKind;
use crate::stat::Failures;
use crate::time::Instant;

/// How long it may take to look up a server's name and to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a worker looks whether a static pull has come to be its own.
const LEASE_INTERVAL: Duration = Duration::from_secs(1);

/// Names a relay, of whichever worker: no connection has the number either. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RelayId(pub(super) u64);

/// The relays of one worker.
#[derive(Default)]
pub(super) struct Relays {
    relays: BTreeMap<RelayId, Relay>,
}

/// Something that is pushed or pulled until that is not wanted any more.
struct Relay {
    job: Job,
    server: Arc<Server>,
    application: Arc<Application>,
    publication: Publication,
    /// Tried one after the other.
    targets: Vec<Arc<Target>>,
    attempts: usize,
    backoff: Backoff,
    state: State,
    /// Since when it has been in that state.
    since: Instant,
    errors: Failures,
}

/// What a relay is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Job {
    /// As long as the stream is published here.
    Push(StreamId),
    /// As long as the stream has players, in whichever worker.
    Pull(StreamId),
    /// Always, in one worker of all.
    StaticPull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For the next attempt.
    Waiting,
    Dialing(DialId),
    Connected(SessionId),
}

impl Relay {
    fn direction(&self) -> Direction {
        match self.job {
            Job::Push(_) => Direction::Push,
            Job::Pull(_) | Job::StaticPull => Direction::Pull,
        }
    }

    /// The target of the present attempt, or of the last one.
    fn target(&self) -> &Target {
        &self.targets[self.attempts.saturating_sub(1) % self.targets.len()]
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = event::now();
    }

    /// What only one worker may do, if the relay is that.
    fn lease(&self) -> Option<String> {
        let (application, name) = (self.application.id.0, &self.publication.name);
        (self.direction() == Direction::Pull).then(|| format!("pull {application} {name}"))
    }

    /// Notes why there is no connection any more. Servers may repeat the stream's name, which may be
    /// a secret.
    fn fail(&mut self, reason: &dyn fmt::Display) {
        let secret = self.target().route(&self.publication).name;
        let text = reason.to_string();
        let text = if secret.is_empty() { text } else { text.replace(&secret, "***") };
        self.errors.add(text, event::unix_now());
    }

    /// How long to wait before the next attempt. The other targets are tried without waiting.
    fn next_wait(&mut self) -> Duration {
        if !self.attempts.is_multiple_of(self.targets.len()) {
            return Duration::ZERO;
        }
        let relays = &self.application.relays;
        self.backoff.fail(match self.direction() {
            Direction::Push => relays.push_reconnect,
            Direction::Pull => relays.pull_reconnect,
        })
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, preposition) = match self.direction() {
            Direction::Push => ("push", "to"),
            Direction::Pull => ("pull", "from"),
        };
        let target = self.target();
        let name = self.application.log_mask.name(&self.publication.name);
        let application = &self.application.name;
        write!(
            f,
            "{verb} of stream \"{name}\", application: \"{application}\", {preposition} {target}"
        )
    }
}

impl Shared {
    /// Begins to push a stream that is published here to where its application wants it.
    pub(super) fn start_pushes(
        &mut self,
        stream: StreamId,
        publication: &Publication,
        application: &Arc<Application>,
    ) {
        let Some((server, _)) = conf::main().and_then(|main| main.application(application.id))
        else {
            return;
        };
        for target in application.relays.pushes.iter().filter(|it| it.takes(&publication.name)) {
            let (job, targets) = (Job::Push(stream), vec![Arc::clone(target)]);
            self.start_relay(job, server, application, publication.clone(), targets);
        }
    }

    /// Begins to push a stream that is published here to where a callback or an operator sends it.
    pub(super) fn start_push_to(
        &mut self,
        target: Arc<Target>,
        stream: StreamId,
        publication: &Publication,
        application: &Arc<Application>,
    ) -> Option<RelayId> {
        let (server, _) = conf::main()?.application(application.id)?;
        let (job, targets) = (Job::Push(stream), vec![target]);
        Some(self.start_relay(job, server, application, publication.clone(), targets))
    }

    /// Ends a push of the stream. Whether there was one of that name.
    pub(super) fn stop_push(&mut self, stream: StreamId, id: RelayId) -> bool {
        let relay = self.relays.relays.get(&id);
        if relay.is_none_or(|relay| relay.job != Job::Push(stream)) {
            return false;
        }
        for session in self.stop_relays(|other, _| other == id) {
            self.review.displace(session);
        }
        true
    }

    /// The stream is not published here any more. What is being pushed ends by itself, once the
    /// server has all of it.
    pub(super) fn stop_pushes(&mut self, stream: StreamId) {
        self.stop_relays(|_, job| *job == Job::Push(stream));
    }

    /// The stream is published by another worker now, which pushes it.
    pub(super) fn hand_over_pushes(&mut self, stream: StreamId) {
        for session in self.stop_relays(|_, job| *job == Job::Push(stream)) {
            self.review.displace(session);
        }
    }

    /// Whether a stream that nobody publishes can be pulled.
    pub(super) fn can_pull(&self, application: &Application, name: &str) -> bool {
        application.relays.pulls.iter().any(|target| target.takes(name))
    }

    /// Begins to pull a stream that has players and no publisher, if its application says from where,
    /// and no other worker does.
    pub(super) fn start_pull(&mut self, stream: StreamId) {
        self.start_pull_by(stream, |application, name| {
            let pulls = application.relays.pulls.iter();
            pulls.filter(|it| it.takes(name) && !it.is_static).cloned().collect()
        });
    }

    /// Begins to pull a stream from where a callback sends its player, unless it is pulled already.
    pub(super) fn start_pull_from(&mut self, target: Arc<Target>, stream: StreamId) {
        self.start_pull_by(stream, |_, _| vec![target]);
    }

    fn start_pull_by(
        &mut self,
        stream: StreamId,
        targets: impl FnOnce(&Application, &str) -> Vec<Arc<Target>>,
    ) {
        let job = Job::Pull(stream);
        if self.relays.relays.values().any(|relay| relay.job == job) {
            return;
        }
        let Some(StreamKey { application, name }) =
            self.streams.channel(stream).map(|channel| channel.key.clone())
        else {
            return;
        };
        let Some((server, application)) = conf::main().and_then(|it| it.application(application))
        else {
            return;
        };
        let targets = targets(application, &name);
        if !targets.is_empty() {
            let publication = local_publication(application, name);
            self.start_relay(job, server, application, publication, targets);
        }
    }

    /// Nobody plays the stream any more. Ends what it is pulled by.
    pub(super) fn stop_pull(&mut self, stream: StreamId) {
        for session in self.stop_relays(|_, job| *job == Job::Pull(stream)) {
            self.review.displace(session);
        }
    }

    /// Begins what is pulled whether somebody plays it or not.
    pub(super) fn start_static_pulls(&mut self) {
        let Some(main) = conf::main() else { return };
        for (server, application) in main.applications() {
            let mut streams: BTreeMap<&str, Vec<Arc<Target>>> = BTreeMap::new();
            for target in application.relays.pulls.iter().filter(|it| it.is_static) {
                let name = target.name.as_deref().unwrap_or_default();
                streams.entry(name).or_default().push(Arc::clone(target));
            }
            for (name, targets) in streams {
                let publication = local_publication(application, name.to_owned());
                self.start_relay(Job::StaticPull, server, application, publication, targets);
            }
        }
    }

    /// Lets another worker pull them; it takes the streams over where they are.
    pub(super) fn leave_static_pulls(&mut self) {
        for session in self.stop_relays(|_, job| *job == Job::StaticPull) {
            self.schedule.set(Due::Leave(session), event::now() + LEASE_INTERVAL * 5);
            let published = self.streams.channels().filter(|it| it.publisher == Some(session));
            let keys: Vec<_> = published.map(|channel| channel.key.clone()).collect();
            for key in keys {
                self.offer_key(&key);
            }
        }
    }

    fn start_relay(
        &mut self,
        job: Job,
        server: &Arc<Server>,
        application: &Arc<Application>,
        publication: Publication,
        targets: Vec<Arc<Target>>,
    ) -> RelayId {
        let id = RelayId(connection::next_number());
        let relay = Relay {
            job,
            server: Arc::clone(server),
            application: Arc::clone(application),
            publication,
            targets,
            attempts: 0,
            backoff: Backoff::default(),
            state: State::Waiting,
            since: event::now(),
            errors: Failures::default(),
        };
        self.relays.relays.insert(id, relay);
        self.schedule.set(Due::Relay(id), event::now());
        id
    }

    /// Gives up all relays in question. Gives the sessions of those that are connected.
    fn stop_relays(&mut self, is_meant: impl Fn(RelayId, &Job) -> bool) -> Vec<SessionId> {
        let mut sessions = Vec::new();
        let stopped: Vec<_> =
            self.relays.relays.extract_if(.., |id, relay| is_meant(*id, &relay.job)).collect();
        for (id, relay) in stopped {
            self.schedule.cancel(Due::Relay(id));
            match relay.state {
                State::Waiting => {}
                State::Dialing(dial) => {
                    self.dials.cancel(dial);
                    self.schedule.cancel(Due::Dial(dial));
                }
                State::Connected(session) => sessions.push(session),
            }
            if let Some(lease) = relay.lease() {
                self.give_up(&lease);
            }
        }
        sessions
    }

    /// The relay's stream goes where it is to.
    pub(super) fn relay_succeeded(&mut self, id: RelayId) {
        if let Some(relay) = self.relays.relays.get_mut(&id) {
            relay.backoff.succeed();
        }
    }

    /// The relay has no connection, or none any more. If it has not ended, there will be another one.
    pub(super) fn retry_relay(&mut self, id: RelayId, reason: &dyn fmt::Display) {
        let Some(relay) = self.relays.relays.get_mut(&id) else { return };
        let wait = relay.next_wait();
        relay.enter(State::Waiting);
        relay.fail(reason);
        self.meters.totals.relay_errors += 1;
        log::cycle(
            Level::Warn,
            format_args!("{relay}: {reason}; next attempt in {} ms", wait.as_millis()),
        );
        self.schedule.set(Due::Relay(id), event::now() + wait);
    }
}

/// A stream that is pulled, as if a client of the application published it.
fn local_publication(application: &Application, name: String) -> Publication {
    let client = ClientInfo { app: application.name.clone(), ..ClientInfo::default() };
    Publication { client: client.into(), name, args: String::new(), kind: PublishKind::Live }
}

impl Worker {
    /// It is time for the relay's next attempt.
    pub(super) fn attempt_relay(&mut self, id: RelayId) {
        let shared = self.shared();
        let Some(relay) = shared.relays.relays.get(&id) else { return };
        if let Some(lease) = relay.lease()
            && !shared.lease(&lease)
        {
            shared.schedule.set(Due::Relay(id), event::now() + LEASE_INTERVAL);
            return;
        }
        let Some(relay) = shared.relays.relays.get_mut(&id) else { return };
        let target = Arc::clone(&relay.targets[relay.attempts % relay.targets.len()]);
        relay.attempts += 1;
        let destination = Destination {
            host: target.host.clone(),
            port: target.port,
            tls: relay.application.relays.tls.filter(|_| target.tls),
        };
        let dial = shared.dial(destination, CONNECT_TIMEOUT, move |worker, result| {
            worker.on_relay_dialed(id, &target, result);
        });
        if let Some(relay) = shared.relays.relays.get_mut(&id) {
            relay.enter(State::Dialing(dial));
        }
    }

    fn on_relay_dialed(
        &mut self,
        id: RelayId,
        target: &Target,
        result: Result<Connection, DialError>,
    ) {
        let Some(relay) = self.shared().relays.relays.get(&id) else { return };
        let local = Local {
            direction: relay.direction(),
            server: Arc::clone(&relay.server),
            application: Arc::clone(&relay.application),
            publication: relay.publication.clone(),
        };
        match result {
            Ok(connection) => {
                let session = self
                    .add_upstream(|session| Upstream::new(session, id, connection, target, local));
                if let Some(relay) = self.shared().relays.relays.get_mut(&id) {
                    relay.enter(State::Connected(session));
                }
                self.run_upstream(session, Upstream::start);
            }
            Err(error) => self.shared().retry_relay(id, &error),
        }
    }
}
