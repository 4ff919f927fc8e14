//! What a worker does to its clients when an operator wants it.

use super::{Shared, Worker};
use crate::control::{Act, Order, Switch, Switched, Target, Verb};
use crate::inquiry::{Answer, Question};
use crate::live::{Channel, SessionId};
use crate::nginx::peer::{End, Peer};
use crate::nginx::upstream::{Upstream, is_upstream};

impl Worker {
    /// Does what is asked.
    pub(in crate::nginx) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Report => Answer::Report(self.report()),
            Question::Control(order) => match &order.verb {
                Verb::Record(switch, id) => Answer::Recorded(self.record(order, *switch, id)),
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

    /// Starts or stops a recorder of what is published here.
    fn record(&mut self, order: &Order, switch: Switch, id: &str) -> Switched {
        let is_anybody = order.addr.is_none() && order.client.is_none();
        let streams = self.shared.streams.streams();
        let streams = streams.filter(|(_, channel)| {
            let is_meant = |publisher| is_anybody || self.is_target(order, publisher);
            order.is_about(channel.key.application.0, &channel.key.name)
                && channel.publisher.is_some_and(is_meant)
        });
        let streams: Vec<_> = streams.map(|(stream, _)| stream).collect();
        let Shared { outputs, storage, .. } = &mut self.shared;
        let mut switched = Switched { streams: streams.len() as u64, ..Switched::default() };
        for stream in streams {
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
