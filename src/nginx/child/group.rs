//! The processes of a program, and how they are ended.

use std::time::Duration;

use crate::nginx::connection::Connection;
use crate::nginx::event;
use crate::time::Instant;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether a group without its first process has ended.
const INTERVAL: Duration = Duration::from_millis(200);

/// A process and those that it has started, which are a group as long as one of them is there.
pub(super) struct Alive {
    pub(super) pid: libc::pid_t,
    /// Tells when the first process has ended; none once it has.
    pub(super) watch: Option<Connection>,
    pub(super) since: Instant,
    pub(super) stop: Stop,
}

/// What was done to end a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Nothing,
    /// It was asked to, and has time until then.
    Asked(Instant),
    Killed,
}

impl Alive {
    /// Asks the group to end.
    pub(super) fn stop(&mut self, signal: i32) {
        if self.stop == Stop::Nothing {
            kill_group(self.pid, signal);
            self.stop = match signal {
                libc::SIGKILL => Stop::Killed,
                _ => Stop::Asked(event::now() + GRACE),
            };
        }
    }

    /// Kills the group if its time is over.
    pub(super) fn insist(&mut self) {
        if let Stop::Asked(until) = self.stop
            && event::now() >= until
        {
            kill_group(self.pid, libc::SIGKILL);
            self.stop = Stop::Killed;
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.watch.is_none() && (self.stop == Stop::Killed || !group_exists(self.pid))
    }

    /// When to look at it again.
    pub(super) fn due(&self) -> Option<Instant> {
        let look = self.watch.is_none().then(|| event::now() + INTERVAL);
        match self.stop {
            Stop::Asked(until) => Some(look.map_or(until, |look| look.min(until))),
            Stop::Nothing | Stop::Killed => look,
        }
    }
}

/// Sends a signal to what is left of a group.
pub(super) fn kill_group(pid: libc::pid_t, signal: i32) {
    // SAFETY: a call of the system; a group that is not there any more is no matter.
    unsafe { libc::kill(-pid, signal) };
}

fn group_exists(pid: libc::pid_t) -> bool {
    // SAFETY: a call of the system, which only looks.
    unsafe { libc::kill(-pid, 0) == 0 }
}
