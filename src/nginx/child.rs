//! Programs that a worker runs.
//!
//! A managed one runs for as long as something else does, and is run again when it ends sooner:
//!
//! ```text
//!            ┌───────────────── respawn ────────────────┐
//!            v                                          │
//!   start ─> Starting ─> Alive ─> (its group is gone) ─> Waiting
//!                          │
//!                 end: signal to the group, SIGKILL after a grace period
//! ```
//!
//! nginx collects every child of a worker itself, so the end of one is learned from its pidfd.

mod group;
mod output;
mod reporting;
mod spawn;

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_event_t;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::group::{Alive, Stop, kill_group};
use self::output::{Outputs, pipe};
use self::spawn::{Lifetime, Process, SpawnError, Started, spawn};
use super::connection::Connection;
use super::exec::GroupId;
use super::log::{self, Level};
use super::schedule::Due;
use super::worker::{self, Shared};
use super::{event, guard, thread_pool};
use crate::exec::{Backoff, Invocation};
use crate::live::StreamKey;

/// How long a worker that exits at once lets its programs end.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// Longer than any program takes to end.
const HOLD: Duration = Duration::from_secs(10);

/// Names a managed program; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChildId(u64);

/// A program to be managed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) invocation: Arc<Invocation>,
    /// What asks it to end.
    pub(super) kill_signal: i32,
    /// How long to wait until it is run again when it has ended; if it is.
    pub(super) respawn: Option<Duration>,
    /// Who is told when it is gone.
    pub(super) group: Option<GroupId>,
    /// The stream that it runs for, if it runs for one.
    pub(super) stream: Option<StreamKey>,
}

/// The programs of a worker.
pub(super) struct Children {
    children: BTreeMap<ChildId, Child>,
    next: u64,
    outputs: Outputs,
    /// Whether the worker exits, and its threads are not there any more.
    exits: bool,
    /// Armed while programs are ending: a worker that shuts down stays for that. On the heap: nginx
    /// links it into its queues by address.
    hold: Box<ngx_event_t>,
}

struct Child {
    plan: Plan,
    backoff: Option<Backoff>,
    state: State,
    /// Whether it is not to be run any more.
    ends: bool,
    /// How often it was started.
    starts: u64,
    /// For how long it ran the last time.
    ran: Option<Duration>,
}

enum State {
    Starting,
    Alive(Alive),
    /// It is due to be run again.
    Waiting,
}

impl Children {
    pub(super) fn new() -> Self {
        Self {
            children: BTreeMap::new(),
            next: 0,
            outputs: Outputs::default(),
            exits: false,
            hold: event::new(on_hold),
        }
    }

    /// Keeps a worker that shuts down for as long as a program is ending.
    fn hold(&mut self) {
        let is_ending = self.children.values().any(|child| child.ends);
        // SAFETY: the event lives as long as this, which disarms it.
        unsafe {
            if is_ending {
                event::set_timer(&raw mut *self.hold, event::now() + HOLD);
            } else {
                event::clear_timer(&raw mut *self.hold);
            }
        }
    }

    /// The worker exits, and its threads have.
    pub(super) fn begin_exit(&mut self) {
        self.exits = true;
    }

    /// The worker exits: ends all programs, and waits for that a moment.
    pub(super) fn exit(&mut self) {
        let mut alive: Vec<_> = self.children.values_mut().filter_map(Child::alive).collect();
        for (it, signal) in &mut alive {
            it.stop(*signal);
        }
        let mut grace = EXIT_GRACE;
        for (it, _) in &alive {
            if let Some(watch) = &it.watch
                && !ends_within(watch, grace)
            {
                grace = Duration::ZERO;
            }
            kill_group(it.pid, libc::SIGKILL);
        }
        self.children.clear();
        self.outputs = Outputs::default();
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        // SAFETY: the event is this one's.
        unsafe { event::cancel(&raw mut *self.hold) }
    }
}

impl Child {
    fn alive(&mut self) -> Option<(&mut Alive, i32)> {
        match &mut self.state {
            State::Alive(alive) => Some((alive, self.plan.kill_signal)),
            State::Starting | State::Waiting => None,
        }
    }
}

impl Shared {
    /// Runs a program that nobody manages.
    pub(super) fn run_once(&mut self, invocation: Invocation) {
        if self.children.exits {
            // Who reads what it says is gone before it says anything.
            let started = pipe(Lifetime::Own).map_err(SpawnError::Process);
            let started = started.and_then(|pipe| spawn(&invocation, pipe, Lifetime::Own));
            self.report_start(&invocation.program, started);
            return;
        }
        self.launch(Arc::new(invocation), Lifetime::Own, |_, _| ());
    }

    /// Runs a program until [`end_child`](Self::end_child).
    pub(super) fn start_child(&mut self, plan: Plan) -> ChildId {
        self.children.next += 1;
        let id = ChildId(self.children.next);
        let backoff = plan.respawn.map(Backoff::new);
        let child =
            Child { plan, backoff, state: State::Starting, ends: false, starts: 0, ran: None };
        self.children.children.insert(id, child);
        self.launch_child(id);
        id
    }

    /// Ends the program, and does not run it again.
    pub(super) fn end_child(&mut self, id: ChildId) {
        let Some(child) = self.children.children.get_mut(&id) else { return };
        child.ends = true;
        match &mut child.state {
            // It is asked to once it is there.
            State::Starting => self.children.hold(),
            State::Waiting => self.remove_child(id),
            State::Alive(alive) => {
                alive.stop(child.plan.kill_signal);
                self.children.hold();
                self.look_at(id);
            }
        }
    }

    pub(super) fn end_children(&mut self, children: Vec<ChildId>) {
        for child in children {
            self.end_child(child);
        }
    }

    fn launch_child(&mut self, id: ChildId) {
        let Some(child) = self.children.children.get_mut(&id) else { return };
        child.state = State::Starting;
        let lifetime = Lifetime::Worker { signal: child.plan.kill_signal };
        let invocation = Arc::clone(&child.plan.invocation);
        self.launch(invocation, lifetime, move |shared, started| match started {
            Some(process) => shared.on_started(id, process),
            None => shared.on_gone(id, Duration::ZERO),
        });
    }

    /// Starts a program in a thread, and has `then` called with what has come of it: the process, or
    /// nothing when it has been told why.
    fn launch(
        &mut self,
        invocation: Arc<Invocation>,
        lifetime: Lifetime,
        then: impl FnOnce(&mut Self, Option<Process>) + 'static,
    ) {
        let program = invocation.program.clone();
        let work = move || {
            let pipe = pipe(lifetime).map_err(SpawnError::Process)?;
            spawn(&invocation, pipe, lifetime)
        };
        thread_pool::run_then(work, move |worker, started| {
            let shared = worker.shared();
            let process = shared.report_start(&program, started.unwrap_or(Err(SpawnError::Bug)));
            then(shared, process);
        });
    }

    fn report_start(
        &mut self,
        program: &str,
        started: Result<Started, SpawnError>,
    ) -> Option<Process> {
        match started {
            Ok(Started { process, output }) => {
                let pid = process.pid;
                log::cycle(Level::Info, format_args!("exec: {program} started, process {pid}"));
                self.children.outputs.watch(output, format!("{program} {pid}"));
                Some(process)
            }
            Err(error) => {
                log::cycle(Level::Error, format_args!("exec: {program} not started: {error}"));
                None
            }
        }
    }

    fn on_started(&mut self, id: ChildId, process: Process) {
        let Process { pid, pidfd } = process;
        let watch = Connection::adopt(pidfd, on_exited);
        let Some(child) = self.children.children.get_mut(&id) else { return };
        let Some(mut watch) = watch else {
            log::cycle(Level::Error, format_args!("there are not enough worker_connections"));
            kill_group(pid, libc::SIGKILL);
            return self.on_gone(id, Duration::ZERO);
        };
        watch.set_data(id.0 as usize);
        let since = event::now();
        child.starts += 1;
        self.meters.totals.children_started += 1;
        child.state = State::Alive(Alive { pid, watch: Some(watch), since, stop: Stop::Nothing });
        if child.ends {
            self.end_child(id);
        }
    }

    /// The first process of a program has ended.
    fn on_exited(&mut self, id: ChildId) {
        let Some(child) = self.children.children.get_mut(&id) else { return };
        let (program, respawns) = (&child.plan.invocation.program, child.backoff.is_some());
        if let State::Alive(alive) = &mut child.state {
            let pid = alive.pid;
            log::cycle(Level::Info, format_args!("exec: {program} ended, process {pid}"));
            alive.watch = None;
            if respawns {
                // What it has left behind must not be there twice.
                alive.stop(child.plan.kill_signal);
            }
            self.look_at(id);
        }
    }

    /// Something is due with a program.
    pub(super) fn on_child_due(&mut self, id: ChildId) {
        let child = self.children.children.get_mut(&id);
        match child.map(|child| &mut child.state) {
            Some(State::Waiting) => self.launch_child(id),
            Some(State::Alive(alive)) => {
                alive.insist();
                self.look_at(id);
            }
            Some(State::Starting) | None => {}
        }
    }

    fn look_at(&mut self, id: ChildId) {
        let Some(child) = self.children.children.get_mut(&id) else { return };
        let Some((alive, _)) = child.alive() else { return };
        if alive.is_gone() {
            let ran = event::now().saturating_since(alive.since);
            child.ran = Some(ran);
            self.on_gone(id, ran);
        } else if let Some(at) = alive.due() {
            self.schedule.set(Due::Child(id), at);
        }
    }

    /// Nothing of a program is there any more.
    fn on_gone(&mut self, id: ChildId, ran: Duration) {
        let Some(child) = self.children.children.get_mut(&id) else { return };
        match &mut child.backoff {
            Some(backoff) if !child.ends => {
                child.state = State::Waiting;
                self.schedule.set(Due::Child(id), event::now() + backoff.ended(ran));
            }
            _ => self.remove_child(id),
        }
    }

    fn remove_child(&mut self, id: ChildId) {
        self.schedule.cancel(Due::Child(id));
        let removed = self.children.children.remove(&id);
        self.children.hold();
        if let Some(group) = removed.and_then(|child| child.plan.group) {
            self.on_group_child_gone(group, id);
        }
    }
}

/// Whether a process ends in time.
fn ends_within(watch: &Connection, time: Duration) -> bool {
    let timeout = Timespec::try_from(time).ok();
    loop {
        let fd = PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN);
        match poll(&mut [fd], timeout.as_ref()) {
            // Another one has ended.
            Err(Errno::INTR) => {}
            ended => return ended == Ok(1),
        }
    }
}

/// A process has ended.
unsafe extern "C" fn on_exited(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection has it as its data, and the child's number is in there.
    let id = unsafe { event::number(event) };
    guard(|| worker::with(|worker| worker.shared().on_exited(ChildId(id as u64))), || ());
}

/// There is nothing to be done: the timer is there for nginx to wait for.
unsafe extern "C" fn on_hold(event: *mut ngx_event_t) {
    // SAFETY: nginx gives the event of the timer.
    unsafe { (*event).set_timedout(0) };
}
