//! What a session does when its worker shuts down, and what it is told of it.

use super::super::connection::{Notice, Received};
use super::super::log::Level;
use super::super::worker::Shared;
use super::{End, Peer, READ_BUDGET, Role};

impl Peer {
    pub(super) fn heed(&mut self, notice: Notice, shared: &mut Shared) -> Result<(), End> {
        match notice {
            Notice::WorkerLeaves => self.ask_to_move(shared),
            Notice::MustClose => Err(self.shut_down(shared)),
        }
    }

    /// The worker shuts down once its sessions have ended: a client that can goes to another one.
    fn ask_to_move(&mut self, shared: &mut Shared) -> Result<(), End> {
        if self.session.request_reconnect() {
            self.connection.log(Level::Info, format_args!("client is asked to reconnect"));
        }
        self.offer_stream(shared);
        self.drain(shared)
    }

    /// Lets a publisher that is asked to reconnect do so before it leaves here, under its name.
    pub(super) fn offer_stream(&self, shared: &Shared) {
        if let Role::Publisher { stream, .. } = self.role
            && self.session.may_move()
        {
            shared.offer(stream);
        }
    }

    /// `worker_shutdown_timeout` has passed: the peer gets what there is for it, and is told.
    fn shut_down(&mut self, shared: &mut Shared) -> End {
        // How far that comes makes no difference to how the session ends.
        let _ = self.flush(shared);
        self.leave(shared);
        self.session.shut_down();
        let _ = self.drain(shared);
        End::Shutdown
    }

    /// Throws away what the peer has sent. A connection that is closed with anything unread is reset,
    /// which takes back what is still on its way to the peer.
    pub(super) fn discard_input(&mut self, shared: &mut Shared) {
        let mut left = READ_BUDGET;
        while left > 0
            && let Received::Bytes(n) = self.connection.recv(&mut shared.scratch)
        {
            left = left.saturating_sub(n);
        }
    }
}
