//! What a worker does to its clients when an operator wants it.

use super::Worker;
use crate::control::{Order, Target, Verb};
use crate::inquiry::{Answer, Question};
use crate::live::{Channel, SessionId};
use crate::nginx::peer::End;
use crate::nginx::upstream::is_upstream;

impl Worker {
    /// Does what is asked.
    pub(in crate::nginx) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Report => Answer::Report(self.report()),
            Question::Control(order) => Answer::Done(self.obey(order)),
        }
    }

    fn obey(&mut self, order: &Order) -> u64 {
        let channels = self.shared.streams.channels();
        let channels = channels.filter(|it| order.is_about(it.key.application.0, &it.key.name));
        let sessions = channels.flat_map(|channel| self.targets(order, channel));
        let ids: Vec<usize> = sessions.collect();
        for &id in &ids {
            match &order.verb {
                Verb::Drop => self.finalize(id, &End::Dropped),
                Verb::Redirect(name) => self.run(id, |peer, shared| peer.redirect(name, shared)),
            }
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
