//! When commands are run: while a stream is published or played, while nginx runs, and when something
//! happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::child::{ChildId, Plan};
use super::conf::{Application, CommandPolicy};
use super::schedule::Due;
use super::worker::Shared;
use super::{conf, event};
use crate::client::{ClientInfo, Publication};
use crate::exec::{Command, Facts};
use crate::live::StreamKey;

/// How often it is looked whether the worker that runs a group has left.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the one worker is to be told by that runs the commands of `exec_static`.
const STATIC_LEASE: &str = "exec_static";

/// Names a group; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupId(u64);

/// The groups that are wanted in a worker, or end in it.
#[derive(Default)]
pub(super) struct Groups {
    groups: BTreeMap<GroupId, Group>,
    /// Those of `exec_pull`.
    pulls: HashMap<StreamKey, GroupId>,
    next: u64,
}

/// Commands that run in one worker of all those that want them.
struct Group {
    lease: String,
    plans: Vec<Plan>,
    is_wanted: bool,
    phase: Phase,
}

enum Phase {
    /// Another worker runs it, or nobody yet.
    Waiting,
    /// This worker runs it.
    Running(BTreeSet<ChildId>),
    /// This worker runs it until all of them are gone.
    Ending(BTreeSet<ChildId>),
}

impl Groups {
    fn add(&mut self, lease: String, plans: Vec<Plan>) -> GroupId {
        self.next += 1;
        let id = GroupId(self.next);
        let plans = plans.into_iter().map(|plan| Plan { group: Some(id), ..plan }).collect();
        self.groups.insert(id, Group { lease, plans, is_wanted: true, phase: Phase::Waiting });
        id
    }

    fn remove(&mut self, id: GroupId) {
        self.groups.remove(&id);
        self.pulls.retain(|_, group| *group != id);
    }
}

/// What a command comes to with these facts.
fn plan(command: &Command, policy: CommandPolicy, facts: &Facts<'_>) -> Plan {
    Plan {
        invocation: Arc::new(command.expand(|variable| facts.value(variable))),
        kill_signal: policy.kill_signal,
        respawn: policy.respawn,
        group: None,
        stream: None,
    }
}

fn plans(commands: &[Command], policy: CommandPolicy, facts: &Facts<'_>) -> Vec<Plan> {
    let wanted = commands.iter().filter(|command| command.is_for(facts.name));
    wanted.map(|command| plan(command, policy, facts)).collect()
}

impl Shared {
    /// Runs commands for something that has happened to a stream.
    pub(super) fn run_commands(&mut self, commands: &[Command], facts: &Facts<'_>) {
        for command in commands.iter().filter(|command| command.is_for(facts.name)) {
            self.run_once(command.expand(|variable| facts.value(variable)));
        }
    }

    /// Runs the commands of `exec_push` for a stream that is published.
    pub(super) fn start_push(
        &mut self,
        publication: &Publication,
        application: &Application,
    ) -> Vec<ChildId> {
        let commands = &application.exec;
        let facts = Facts::of_publication(publication);
        let plans = plans(&commands.push, commands.policy, &facts);
        let stream = StreamKey { application: application.id, name: publication.name.clone() };
        let plans = plans.into_iter().map(|plan| Plan { stream: Some(stream.clone()), ..plan });
        plans.map(|plan| self.start_child(plan)).collect()
    }

    /// Has the commands of `exec_pull` run for a stream that is played here.
    pub(super) fn want_pull(&mut self, key: &StreamKey, application: &Application) {
        let commands = &application.exec;
        if !commands.pulls(&key.name) {
            return;
        }
        if let Some(&id) = self.groups.pulls.get(key) {
            return self.want(id, true);
        }
        let client = ClientInfo { app: application.name.clone(), ..ClientInfo::default() };
        let facts = Facts { client: &client, name: &key.name, args: "", path: "", recorder: "" };
        let plans = plans(&commands.pull, commands.policy, &facts);
        let plans =
            plans.into_iter().map(|plan| Plan { stream: Some(key.clone()), ..plan }).collect();
        let id = self.groups.add(format!("exec_pull {} {}", key.application.0, key.name), plans);
        self.groups.pulls.insert(key.clone(), id);
        self.review_group(id);
    }

    /// A player has left the stream; with the last one the commands of `exec_pull` end.
    pub(super) fn leave_pull(&mut self, application: &Application, name: &str) {
        if self.groups.pulls.is_empty() {
            return;
        }
        let key = StreamKey { application: application.id, name: name.to_owned() };
        let Some(&id) = self.groups.pulls.get(&key) else { return };
        let stream = self.streams.find(&key);
        let channel = stream.and_then(|stream| self.streams.channel(stream));
        if channel.is_none_or(|channel| channel.players.len() == channel.relays.len()) {
            self.want(id, false);
        }
    }

    /// The worker begins: has the commands of `exec_static` run.
    pub(super) fn want_static(&mut self) {
        let commands = conf::main().map_or(&[][..], |main| &main.exec_static);
        if commands.is_empty() {
            return;
        }
        let client = ClientInfo::default();
        let facts = Facts { client: &client, name: "", args: "", path: "", recorder: "" };
        let plans = commands.iter().map(|(command, policy)| plan(command, *policy, &facts));
        let id = self.groups.add(STATIC_LEASE.to_owned(), plans.collect());
        self.schedule.set(Due::Group(id), event::now());
    }

    /// The worker leaves: another one runs the commands of `exec_static`.
    pub(super) fn leave_static(&mut self) {
        let of_static = self.groups.groups.iter().filter(|(_, it)| it.lease == STATIC_LEASE);
        for id in of_static.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.want(id, false);
        }
    }

    fn want(&mut self, id: GroupId, is_wanted: bool) {
        if let Some(group) = self.groups.groups.get_mut(&id) {
            group.is_wanted = is_wanted;
            self.review_group(id);
        }
    }

    /// Does what is to be done about a group.
    pub(super) fn review_group(&mut self, id: GroupId) {
        let Some(group) = self.groups.groups.get_mut(&id) else { return };
        match &mut group.phase {
            Phase::Waiting if group.is_wanted => self.run_group(id),
            Phase::Waiting => {
                self.schedule.cancel(Due::Group(id));
                self.groups.remove(id);
            }
            Phase::Running(_) if group.is_wanted => {}
            Phase::Running(children) => {
                let children = std::mem::take(children);
                group.phase = Phase::Ending(children.clone());
                for child in children {
                    self.end_child(child);
                }
                self.finish_group(id);
            }
            Phase::Ending(_) => self.finish_group(id),
        }
    }

    /// Runs a group here if no other worker does.
    fn run_group(&mut self, id: GroupId) {
        let Some(group) = self.groups.groups.get(&id) else { return };
        if !self.lease(&group.lease) {
            return self.schedule.set(Due::Group(id), event::now() + INTERVAL);
        }
        let plans = group.plans.clone();
        let children = plans.into_iter().map(|plan| self.start_child(plan)).collect();
        if let Some(group) = self.groups.groups.get_mut(&id) {
            group.phase = Phase::Running(children);
        }
    }

    /// Lets another worker run an ending group once nothing of it is there any more.
    fn finish_group(&mut self, id: GroupId) {
        if let Some(group) = self.groups.groups.get_mut(&id)
            && let Phase::Ending(children) = &group.phase
            && children.is_empty()
        {
            group.phase = Phase::Waiting;
            let lease = group.lease.clone();
            self.give_up(&lease);
            self.review_group(id);
        }
    }

    /// A command of a group is gone, and is not run again.
    pub(super) fn on_group_child_gone(&mut self, id: GroupId, child: ChildId) {
        if let Some(group) = self.groups.groups.get_mut(&id) {
            match &mut group.phase {
                Phase::Waiting => {}
                Phase::Running(children) | Phase::Ending(children) => {
                    children.remove(&child);
                }
            }
            self.finish_group(id);
        }
    }
}
