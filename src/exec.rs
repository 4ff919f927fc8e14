//! Commands that streams start: what is run, with which words, and when again.
//!
//! A [`Command`] is a directive's words, read once with the configuration. [`Command::expand`] makes
//! an [`Invocation`] of it, which is run without any shell: what a client says is never more than a
//! part of one word. [`Backoff`] tells how long to wait before a command that has ended is run again.

mod backoff;
mod command;
mod lines;
mod redirection;
mod signal;
mod template;
mod variable;

pub use self::backoff::Backoff;
pub use self::command::{Command, CommandError, Invocation};
pub use self::lines::Lines;
pub use self::redirection::{Redirection, RedirectionError, Target};
pub use self::signal::signal_number;
pub use self::template::Template;
pub use self::variable::{Facts, Scope, Variable};
