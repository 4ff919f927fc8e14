//! What programs write to their error output, on its way to nginx's error log.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use nginx_sys::ngx_event_t;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::spawn::{Lifetime, Pipe};
use crate::exec::Lines;
use crate::nginx::connection::{Connection, Received};
use crate::nginx::log::{self, Level};
use crate::nginx::peer::READ_BUDGET;
use crate::nginx::worker::{self, Shared};
use crate::nginx::{event, guard};

/// Names the output of a program; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OutputId(u64);

/// The error outputs of a worker's programs.
#[derive(Default)]
pub(in crate::nginx) struct Outputs {
    outputs: BTreeMap<OutputId, Output>,
    next: u64,
}

struct Output {
    connection: Connection,
    lines: Lines,
    label: String,
}

/// Makes the pipe for a program's error output.
pub(super) fn pipe(lifetime: Lifetime) -> io::Result<Pipe> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&read, OFlags::NONBLOCK)?;
    if lifetime == Lifetime::Own {
        // Nobody may read when the worker has gone, and the program is not to wait for that.
        fcntl_setfl(&write, OFlags::NONBLOCK)?;
    }
    Ok(Pipe { read, write })
}

impl Outputs {
    /// Has what comes through a pipe logged; `label` says whose it is.
    pub(super) fn watch(&mut self, pipe: OwnedFd, label: String) {
        let Some(mut connection) = Connection::adopt(pipe, on_read) else {
            let text = "there are not enough worker_connections, what it says is lost";
            return log::cycle(Level::Error, format_args!("exec: {label}: {text}"));
        };
        self.next += 1;
        connection.set_data(self.next as usize);
        let output = Output { connection, lines: Lines::default(), label };
        self.outputs.insert(OutputId(self.next), output);
    }

    fn read(&mut self, id: OutputId, scratch: &mut [u8]) {
        if let Some(output) = self.outputs.get_mut(&id)
            && output.read(scratch)
            && let Some(Output { lines, label, .. }) = self.outputs.remove(&id)
        {
            lines.finish(event::now(), |line| write(&label, line));
        }
    }
}

impl Output {
    /// Logs what there is. Whether there will be no more.
    fn read(&mut self, scratch: &mut [u8]) -> bool {
        let Self { connection, lines, label } = self;
        let mut left = READ_BUDGET;
        while left > 0 {
            match connection.read(scratch) {
                Received::Bytes(n) => {
                    left = left.saturating_sub(n);
                    lines.push(event::now(), &scratch[..n], |line| write(label, line));
                }
                Received::Again => return connection.wait_for_more().is_err(),
                Received::Eof | Received::Error => return true,
            }
        }
        connection.post_read();
        false
    }
}

fn write(label: &str, line: &str) {
    log::cycle(Level::Notice, format_args!("exec: {label}: {line}"));
}

/// There is something to read from a program.
unsafe extern "C" fn on_read(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection has it as its data, and the output's number is in there.
    let id = unsafe { event::number(event) };
    let read = |shared: &mut Shared| {
        shared.children.outputs.read(OutputId(id as u64), &mut shared.scratch);
    };
    guard(|| worker::with(|worker| read(worker.shared())), || ());
}
