//! What a worker does to its clients when an operator wants it.

use std::sync::Arc;

use super::{Shared, Worker};
use crate::client::Publication;
use crate::control::{Act, Order, Switch, Switched, Target, Verb};
use crate::inquiry::{Answer, Question};
use crate::live::{Channel, Registry, SessionId, StreamId};
use crate::nginx::conf::Application;
use crate::nginx::peer::{End, Peer};
use crate::nginx::pull::PULL;
use crate::nginx::relays::RelayId;
use crate::nginx::upstream::{Upstream, is_upstream};
use crate::relay::{self, Direction};

impl Worker {
    /// Does what is asked.
    pub(in crate::nginx) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Report => Answer::Report(Box::new(self.report())),
            Question::Control(order) => match &order.verb {
                Verb::Record(switch, id) => Answer::Recorded(self.record(order, *switch, id)),
                Verb::Push(words) => Answer::Pushing(self.push_to(order, words)),
                Verb::StopPush(id) => Answer::Done(self.stop_pushing(order, RelayId(*id))),
                Verb::Do(act) => Answer::Done(self.for_each_target(order, act)),
            },
            Question::Client(id, act) => Answer::Done(self.do_to_client(*id, act)),
        }
    }

    fn act(&mut self, id: usize, act: &Act) {
        match act {
            Act::Drop => self.finalize(id, &End::Dropped),
            Act::Redirect(name) => self.run(id, |peer, shared| peer.redirect(name, shared)),
        }
    }

    /// Does something to the client of that number, if there is one here that it can be done to. A relay
    /// that is dropped connects again.
    fn do_to_client(&mut self, number: u64, act: &Act) -> u64 {
        let is_meant = |peer: &Peer| {
            peer.number() == number && !peer.feeds() && (*act == Act::Drop || peer.is_live())
        };
        if let Some(id) = self.peers.iter().find(|(_, peer)| is_meant(peer)).map(|(id, _)| id) {
            self.act(id, act);
            return 1;
        }
        let relay = self.upstreams.iter().find(|(_, it)| it.number() == number).map(|(id, _)| *id);
        match (relay, act) {
            (Some(id), Act::Drop) => {
                self.run_upstream(id, Upstream::close);
                1
            }
            _ => 0,
        }
    }

    /// Begins to push what is published here to another server. Gives the relays' numbers.
    fn push_to(&mut self, order: &Order, words: &[String]) -> Vec<u64> {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        // Whoever asks has looked at the words.
        let Ok(target) = relay::Target::parse(Direction::Push, &words).map(Arc::new) else {
            return Vec::new();
        };
        let streams = published(&self.shared.streams, order);
        let begin = |(stream, publisher)| {
            let (publication, application) = self.publication(publisher)?;
            // Nor is anything pushed in the clear that was to be encrypted.
            if target.tls && application.relays.tls.is_none() {
                return None;
            }
            self.shared.start_push_to(Arc::clone(&target), stream, &publication, &application)
        };
        streams.into_iter().filter_map(begin).map(|RelayId(id)| id).collect()
    }

    fn publication(&self, publisher: SessionId) -> Option<(Publication, Arc<Application>)> {
        let (publication, application) = match is_upstream(publisher) {
            true => self.upstreams.get(&publisher)?.publication(),
            false => self.peers.get(publisher.0 as usize)?.publication()?,
        };
        Some((publication.clone(), Arc::clone(application)))
    }

    /// Ends the push of what is published here that has this number.
    fn stop_pushing(&mut self, order: &Order, id: RelayId) -> u64 {
        let streams = published(&self.shared.streams, order);
        let ended = streams.into_iter().filter(|&(stream, _)| self.shared.stop_push(stream, id));
        ended.count() as u64
    }

    /// Starts or stops a recorder of what is published here.
    fn record(&mut self, order: &Order, switch: Switch, id: &str) -> Switched {
        let is_anybody = order.addr.is_none() && order.client.is_none();
        let mut streams = published(&self.shared.streams, order);
        streams.retain(|&(_, publisher)| is_anybody || self.is_target(order, publisher));
        let Shared { outputs, storage, .. } = &mut self.shared;
        let mut switched = Switched { streams: streams.len() as u64, ..Switched::default() };
        for (stream, _) in streams {
            let Some(outputs) = outputs.get_mut(&stream) else { continue };
            switched.recorders += u64::from(outputs.recorders().has(id));
            let path = outputs.recorders().control(switch, id, storage);
            switched.files.extend(path.map(|path| path.display().to_string()));
        }
        switched
    }

    /// Does something to the sessions that the order is for, and counts them.
    fn for_each_target(&mut self, order: &Order, act: &Act) -> u64 {
        let channels = self.shared.streams.channels();
        let channels = channels.filter(|it| order.is_about(it.key.application.0, &it.key.name));
        let sessions = channels.flat_map(|channel| self.targets(order, channel));
        let ids: Vec<usize> = sessions.collect();
        for &id in &ids {
            self.act(id, act);
        }
        ids.len() as u64
    }

    /// The sessions of a stream that the order is for.
    fn targets(&self, order: &Order, channel: &Channel) -> impl Iterator<Item = usize> {
        let publisher = channel.publisher.filter(|_| order.target != Target::Subscriber);
        let players = channel.players.keys().filter(|_| order.target != Target::Publisher);
        let sessions = publisher.into_iter().chain(players.copied());
        sessions.filter(|&session| self.is_target(order, session)).map(|it| it.0 as usize)
    }

    fn is_target(&self, order: &Order, session: SessionId) -> bool {
        let is_peer = !is_upstream(session);
        let peer = is_peer.then(|| self.peers.get(session.0 as usize)).flatten();
        peer.is_some_and(|peer| {
            let client = peer.client_report();
            !peer.feeds() && order.means(&client.address, client.id)
        })
    }
}

/// The streams that the order is for and that are published here, each with its publisher.
fn published(streams: &Registry, order: &Order) -> Vec<(StreamId, SessionId)> {
    let streams = streams.streams();
    let streams = streams.filter(|(_, it)| order.is_about(it.key.application.0, &it.key.name));
    let published = streams.filter_map(|(stream, it)| Some((stream, it.publisher?)));
    published.filter(|&(_, publisher)| publisher != PULL).collect()
}
