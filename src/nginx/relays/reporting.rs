//! What is told of relays.

use super::{Relay, RelayId, Relays, State};
use crate::live::SessionId;
use crate::nginx::event;
use crate::nginx::worker::Worker;
use crate::relay::Direction;
use crate::stat::{RelayReport, RelayState};

impl Relays {
    /// How many streams are pushed or pulled, or are to be.
    pub(in crate::nginx) fn len(&self) -> usize {
        self.relays.len()
    }
}

impl Worker {
    /// What there is to tell of the worker's relays.
    pub(in crate::nginx) fn report_relays(&self) -> Vec<RelayReport> {
        let relays = self.shared.relays.relays.iter();
        relays.map(|(&id, relay)| relay.report(id, |session| self.bytes_of(session))).collect()
    }

    /// What came and went in a session with another server.
    fn bytes_of(&self, session: SessionId) -> (u64, u64) {
        self.upstreams.get(&session).map_or((0, 0), |upstream| upstream.traffic())
    }
}

impl Relay {
    fn report(&self, id: RelayId, bytes_of: impl Fn(SessionId) -> (u64, u64)) -> RelayReport {
        let direction = self.direction();
        let (state, bytes) = match self.state {
            State::Waiting => (RelayState::Waiting, (0, 0)),
            State::Dialing(_) => (RelayState::Connecting, (0, 0)),
            State::Connected(session) => (RelayState::Connected, bytes_of(session)),
        };
        RelayReport {
            id: id.0,
            application: self.application.id.0,
            application_name: self.application.name.clone(),
            stream: self.publication.name.clone(),
            direction,
            url: self.target().masked_url(&self.publication),
            state,
            time: event::now().saturating_since(self.since).as_millis() as u64,
            bytes: match direction {
                Direction::Push => bytes.1,
                Direction::Pull => bytes.0,
            },
            errors: self.errors.clone(),
        }
    }
}
