//! What a worker does to its clients when an operator wants it.

use super::{Shared, Worker};
use crate::control::{Order, Switch, Target, Verb};
use crate::inquiry::{Answer, Question};
use crate::live::{Channel, SessionId};
use crate::nginx::peer::End;
use crate::nginx::upstream::is_upstream;

impl Worker {
    /// Does what is asked.
    pub(in crate::nginx) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Report => Answer::Report(self.report()),
            Question::Control(order) => match &order.verb {
                Verb::Record(switch, id) => Answer::Recorded(self.record(order, *switch, id)),
                Verb::Drop => Answer::Done(self.for_each_target(order, |worker, id| {
                    worker.finalize(id, &End::Dropped);
                })),
                Verb::Redirect(name) => Answer::Done(self.for_each_target(order, |worker, id| {
                    worker.run(id, |peer, shared| peer.redirect(name, shared));
                })),
            },
        }
    }

    /// Starts or stops a recorder of what is published here. Gives the files' paths.
    fn record(&mut self, order: &Order, switch: Switch, id: &str) -> Vec<String> {
        let is_anybody = order.addr.is_none() && order.client.is_none();
        let streams = self.shared.streams.streams();
        let streams = streams.filter(|(_, channel)| {
            let is_meant = |publisher| is_anybody || self.is_target(order, publisher);
            order.is_about(channel.key.application.0, &channel.key.name)
                && channel.publisher.is_some_and(is_meant)
        });
        let streams: Vec<_> = streams.map(|(stream, _)| stream).collect();
        let Shared { outputs, storage, .. } = &mut self.shared;
        let paths = streams
            .iter()
            .filter_map(|stream| outputs.get_mut(stream)?.recorders().control(switch, id, storage));
        paths.map(|path| path.display().to_string()).collect()
    }

    /// Does something to the sessions that the order is for, and counts them.
    fn for_each_target(&mut self, order: &Order, act: impl Fn(&mut Self, usize)) -> u64 {
        let channels = self.shared.streams.channels();
        let channels = channels.filter(|it| order.is_about(it.key.application.0, &it.key.name));
        let sessions = channels.flat_map(|channel| self.targets(order, channel));
        let ids: Vec<usize> = sessions.collect();
        for &id in &ids {
            act(self, id);
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
