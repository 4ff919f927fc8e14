//! What is told of programs.

use super::{Child, Children, State};
use crate::nginx::event;
use crate::stat::{ChildReport, ChildState};

impl Children {
    /// How many programs are kept running.
    pub(in crate::nginx) fn len(&self) -> usize {
        self.children.len()
    }

    /// What there is to tell of the programs that are kept running.
    pub(in crate::nginx) fn report(&self) -> Vec<ChildReport> {
        self.children.values().map(Child::report).collect()
    }
}

impl Child {
    fn report(&self) -> ChildReport {
        let (state, alive) = match &self.state {
            State::Alive(alive) if self.ends => (ChildState::Ending, Some(alive)),
            State::Alive(alive) => (ChildState::Running, Some(alive)),
            State::Starting => (ChildState::Starting, None),
            State::Waiting => (ChildState::Waiting, None),
        };
        let time = |since| event::now().saturating_since(since).as_millis() as u64;
        let stream = self.plan.stream.as_ref();
        ChildReport {
            application: stream.map_or(0, |stream| stream.application.0),
            stream: stream.map(|stream| stream.name.clone()).unwrap_or_default(),
            program: self.plan.invocation.program.clone(),
            state,
            pid: alive.map(|alive| alive.pid as u32),
            time: alive.map_or(0, |alive| time(alive.since)),
            restarts: self.starts.saturating_sub(1),
            ran: self.ran.map(|ran| ran.as_millis() as u64),
        }
    }
}
