//! Sending on a connection: answers and, to whom a stream goes, its frames.

use std::iter;
use std::time::Duration;

use super::connection::{Broken, Connection, MAX_SLICES};
use super::event;
use super::outbox::Outbox;
use crate::live::{FrameLog, Player};

/// Bytes of answers that may wait for a peer that does not read them.
const MAX_UNREAD: usize = 256 << 10;

/// How far a send has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is nothing left.
    AllSent,
    /// The connection takes no more for now.
    Waiting,
    /// So many answers wait that the peer cannot be reading them.
    Unread,
}

/// Sends answers and, to a player, frames: everything there is, in as few calls as there can be,
/// until the connection takes no more. Then it has `timeout` to take something.
pub(super) fn send(
    connection: &mut Connection,
    outbox: &mut Outbox,
    mut player: Option<(&mut Player, &FrameLog)>,
    timeout: Duration,
) -> Result<Progress, Broken> {
    let mut progress = false;
    while connection.is_writable() {
        let player = player.as_mut().map(|(player, log)| (&mut **player, *log));
        match send_batch(connection, outbox, player)? {
            Batch::Empty if connection.flush()? => {
                connection.set_write_timer(None);
                return Ok(Progress::AllSent);
            }
            Batch::Empty => {}
            Batch::Sent { any } => progress |= any,
        }
    }
    if outbox.answers() > MAX_UNREAD {
        return Ok(Progress::Unread);
    }
    if progress || !connection.has_write_timer() {
        connection.set_write_timer(Some(event::now() + timeout));
    }
    connection.wait_writable()?;
    Ok(Progress::Waiting)
}

/// What one gathered send did.
enum Batch {
    /// There was nothing to send.
    Empty,
    Sent {
        any: bool,
    },
}

/// One gathered send.
fn send_batch(
    connection: &mut Connection,
    outbox: &mut Outbox,
    player: Option<(&mut Player, &FrameLog)>,
) -> Result<Batch, Broken> {
    // As after each message of a publisher.
    if player.is_none() && outbox.len() == 0 {
        return Ok(Batch::Empty);
    }
    let partial = player.as_ref().map_or(&[][..], |(player, _)| player.partial());
    let frames = player.as_ref().map(|(player, log)| player.gather(log));
    let mut slices: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
    let mut filled = 0;
    let due = iter::once(partial)
        .filter(|partial| !partial.is_empty())
        .chain(outbox.slices())
        .chain(frames.into_iter().flatten());
    for (slot, slice) in slices.iter_mut().zip(due) {
        *slot = slice;
        filled += 1;
    }
    let finished = partial.len();
    let sent = if filled == 0 { 0 } else { connection.send(&slices[..filled])? };
    let answers = sent.saturating_sub(finished).min(outbox.len());
    outbox.advance(answers);
    if let Some((player, log)) = player {
        player.advance(log, sent - answers);
    }
    Ok(if filled == 0 { Batch::Empty } else { Batch::Sent { any: sent > 0 } })
}
