//! A file that is being opened, to be continued.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::headers::Kind;
use crate::file_op::FileOp;
use crate::rtmp::Message;
use crate::time::Instant;

/// Bytes of messages that wait for the file: near half a minute of a 2.5 Mbit/s stream.
const MAX_HELD: usize = 8 << 20;

/// What waits for the file to be open.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) path: PathBuf,
    /// The stream's time at which the file goes on.
    pub(super) base: i64,
    pub(super) messages: Vec<Held>,
    bytes: usize,
    /// When to look whether it is open, at the latest.
    pub(super) look_again: Instant,
}

/// A message with what is known of it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) kind: Kind,
    pub(super) time: i64,
}

impl Opening {
    pub(super) fn new(path: PathBuf, base: i64, look_again: Instant) -> Self {
        Self { path, base, messages: Vec::new(), bytes: 0, look_again }
    }

    /// Holds a message; whether there is room for more.
    pub(super) fn hold(&mut self, held: Held) -> bool {
        self.bytes += held.message.payload.len();
        self.messages.push(held);
        self.bytes <= MAX_HELD
    }

    /// The file is not waited for any more.
    pub(super) fn close(self, ops: &mut VecDeque<FileOp>) {
        ops.push_back(FileOp::Close { path: self.path });
    }
}
