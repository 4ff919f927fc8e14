//! Directives of commands.

use std::time::Duration;

use super::Block;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, RECORDER, Setter, set_once};
use crate::exec::{Command, Scope, signal_number};

/// Settings of commands. Lists are followed by those of the enclosing block once they are inherited.
#[derive(Debug, Default)]
pub(super) struct ExecSettings {
    push: Vec<Line>,
    pull: Vec<Line>,
    publish: Vec<Line>,
    publish_done: Vec<Line>,
    play: Vec<Line>,
    play_done: Vec<Line>,
    record_started: Vec<Line>,
    record_done: Vec<Line>,
    /// Not inherited: each is run once.
    fixed: Vec<Line>,
    pub(super) respawn: Option<bool>,
    pub(super) respawn_timeout: Option<Duration>,
    kill_signal: Option<u8>,
    pub(super) options: Option<bool>,
}

/// A command as it is with `exec_options` off and on, and which of them it is.
#[derive(Clone, Debug)]
struct Line {
    plain: Command,
    filtered: Command,
    /// What `exec_options` said before the line; if it said nothing, the enclosing block decides.
    options: Option<bool>,
}

/// Commands of an application.
#[derive(Debug)]
pub(in crate::nginx) struct ExecConfig {
    pub(in crate::nginx) push: Vec<Command>,
    pub(in crate::nginx) pull: Vec<Command>,
    pub(in crate::nginx) publish: Vec<Command>,
    pub(in crate::nginx) publish_done: Vec<Command>,
    pub(in crate::nginx) play: Vec<Command>,
    pub(in crate::nginx) play_done: Vec<Command>,
    pub(in crate::nginx) policy: CommandPolicy,
}

impl ExecConfig {
    /// Whether there is a command that gets the stream `name` for its players.
    pub(in crate::nginx) fn pulls(&self, name: &str) -> bool {
        self.pull.iter().any(|command| command.is_for(name))
    }
}

/// Commands of a recorder.
#[derive(Debug)]
pub(in crate::nginx) struct RecordCommands {
    pub(in crate::nginx) started: Vec<Command>,
    pub(in crate::nginx) done: Vec<Command>,
}

/// How managed commands end, and whether they are run again.
#[derive(Clone, Copy, Debug)]
pub(in crate::nginx) struct CommandPolicy {
    /// The signal's number.
    pub(in crate::nginx) kill_signal: i32,
    /// How long one that has ended waits until it is run again; none if it is not.
    pub(in crate::nginx) respawn: Option<Duration>,
}

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"exec", EVERYWHERE, Setter::Arguments(push)),
    Directive::new(c"exec_push", EVERYWHERE, Setter::Arguments(push)),
    Directive::new(
        c"exec_pull",
        EVERYWHERE,
        Setter::Arguments(|conf, block| add(conf, block, Scope::Pull, |exec| &mut exec.pull)),
    ),
    Directive::new(
        c"exec_publish",
        EVERYWHERE,
        Setter::Arguments(|conf, block| add(conf, block, Scope::Event, |exec| &mut exec.publish)),
    ),
    Directive::new(
        c"exec_publish_done",
        EVERYWHERE,
        Setter::Arguments(|conf, block| {
            add(conf, block, Scope::Event, |exec| &mut exec.publish_done)
        }),
    ),
    Directive::new(
        c"exec_play",
        EVERYWHERE,
        Setter::Arguments(|conf, block| add(conf, block, Scope::Event, |exec| &mut exec.play)),
    ),
    Directive::new(
        c"exec_play_done",
        EVERYWHERE,
        Setter::Arguments(|conf, block| add(conf, block, Scope::Event, |exec| &mut exec.play_done)),
    ),
    Directive::new(
        c"exec_record_started",
        EVERYWHERE | RECORDER,
        Setter::Arguments(|conf, block| {
            add(conf, block, Scope::Event, |exec| &mut exec.record_started)
        }),
    ),
    Directive::new(
        c"exec_record_done",
        EVERYWHERE | RECORDER,
        Setter::Arguments(|conf, block| {
            add(conf, block, Scope::Event, |exec| &mut exec.record_done)
        }),
    ),
    Directive::new(
        c"exec_static",
        EVERYWHERE,
        Setter::Arguments(|conf, block| add(conf, block, Scope::Static, |exec| &mut exec.fixed)),
    ),
    Directive::new(c"respawn", EVERYWHERE, Setter::Flag(|s| &mut s.exec.respawn)),
    Directive::new(
        c"respawn_timeout",
        EVERYWHERE,
        Setter::TimeOrOff(|s| &mut s.exec.respawn_timeout),
    ),
    Directive::new(c"exec_kill_signal", EVERYWHERE, Setter::Argument(set_kill_signal)),
    Directive::new(c"exec_options", EVERYWHERE, Setter::Flag(|s| &mut s.exec.options)),
];

fn push(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    add(conf, block, Scope::Push, |exec| &mut exec.push)
}

/// `exec... [name=STREAM]... PROGRAM [WORD]...`
fn add(
    conf: &mut Conf,
    block: &mut Block,
    scope: Scope,
    list: impl FnOnce(&mut ExecSettings) -> &mut Vec<Line>,
) -> Result<(), Failure> {
    let words = (1..conf.args().len()).map(|index| conf.text(index));
    let words: Vec<_> = words.collect::<Result<_, _>>()?;
    let mut unknown = Vec::new();
    let mut parse = |filters| {
        unknown.clear();
        Command::parse(scope, &words, filters, &mut unknown).map_err(|error| error.to_string())
    };
    let (filtered, plain) = (parse(true)?, parse(false)?);
    for name in unknown {
        let text = conf.text(0)?.to_owned();
        conf.warn(format_args!("\"{text}\" has no variable \"${name}\", it is empty"));
    }
    let exec = &mut block.settings.exec;
    let options = exec.options;
    list(exec).push(Line { plain, filtered, options });
    Ok(())
}

fn set_kill_signal(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let text = conf.text(1)?;
    let signal = signal_number(text).ok_or_else(|| {
        format!(
            "has the invalid value \"{text}\", it must be the name of a signal, such as TERM, or a \
             number from 1 to 64"
        )
    })?;
    set_once(&mut block.settings.exec.kill_signal, signal)
}

impl ExecSettings {
    pub(super) fn inherit(&mut self, parent: &Self) {
        let Self { respawn, respawn_timeout, kill_signal, options, .. } = self;
        *respawn = respawn.or(parent.respawn);
        *respawn_timeout = respawn_timeout.or(parent.respawn_timeout);
        *kill_signal = kill_signal.or(parent.kill_signal);
        *options = options.or(parent.options);
        let decided =
            |line: &Line| Line { options: line.options.or(parent.options), ..line.clone() };
        for (own, outer) in [
            (&mut self.push, &parent.push),
            (&mut self.pull, &parent.pull),
            (&mut self.publish, &parent.publish),
            (&mut self.publish_done, &parent.publish_done),
            (&mut self.play, &parent.play),
            (&mut self.play_done, &parent.play_done),
            (&mut self.record_started, &parent.record_started),
            (&mut self.record_done, &parent.record_done),
        ] {
            *own = own.iter().chain(outer).map(decided).collect();
        }
        self.fixed = self.fixed.iter().map(decided).collect();
    }

    pub(super) fn config(&self) -> ExecConfig {
        ExecConfig {
            push: commands(&self.push),
            pull: commands(&self.pull),
            publish: commands(&self.publish),
            publish_done: commands(&self.publish_done),
            play: commands(&self.play),
            play_done: commands(&self.play_done),
            policy: self.policy(),
        }
    }

    pub(super) fn record_commands(&self) -> RecordCommands {
        let (started, done) = (commands(&self.record_started), commands(&self.record_done));
        RecordCommands { started, done }
    }

    fn policy(&self) -> CommandPolicy {
        let timeout = self.respawn_timeout.unwrap_or(Duration::from_secs(5));
        CommandPolicy {
            kill_signal: self.kill_signal.map_or(libc::SIGKILL, i32::from),
            respawn: self.respawn.unwrap_or(true).then_some(timeout),
        }
    }
}

/// The commands of all blocks.
#[derive(Default)]
pub(super) struct Execs {
    /// Whether there are any.
    pub(super) any: bool,
    /// Those of `exec_static`.
    pub(super) fixed: Vec<(Command, CommandPolicy)>,
}

impl Execs {
    pub(super) fn add(&mut self, settings: &ExecSettings) {
        let ExecConfig { push, pull, publish, publish_done, play, play_done, policy } =
            settings.config();
        let fixed = commands(&settings.fixed);
        let lists = [&push, &pull, &publish, &publish_done, &play, &play_done, &fixed];
        self.any |= lists.into_iter().any(|list| !list.is_empty());
        self.fixed.extend(fixed.into_iter().map(|command| (command, policy)));
    }
}

fn commands(lines: &[Line]) -> Vec<Command> {
    let chosen = lines.iter().map(|line| match line.options {
        Some(true) => &line.filtered,
        _ => &line.plain,
    });
    chosen.cloned().collect()
}
