//! A client goes on with another stream, as an operator has it. It is not told.

use super::super::log::Level;
use super::super::worker::Shared;
use super::telling::Told;
use super::{End, Peer, Role};
use crate::live::StreamKey;
use crate::notify::Updated;
use crate::rtmp::command::{Publish, PublishKind};

impl Peer {
    /// Leaves the stream for the one that is called `name`, in the same role.
    ///
    /// # Errors
    ///
    /// The name has a publisher already.
    pub(in crate::nginx) fn redirect(
        &mut self,
        name: &str,
        shared: &mut Shared,
    ) -> Result<(), End> {
        let shown = self.log_mask().name(name);
        self.connection.log(Level::Info, format_args!("redirected to \"{shown}\""));
        match self.role {
            Role::Publisher { .. } => {
                self.leave(shared);
                self.retell(Updated::Publish, name);
                let publish =
                    Publish { name: name.to_owned(), args: String::new(), kind: PublishKind::Live };
                if self.take_name(publish, None, shared).is_err() {
                    return Err(End::Dropped);
                }
            }
            Role::Player { .. } => {
                let Some(application) = self.application.clone() else { return Ok(()) };
                self.leave(shared);
                self.retell(Updated::Play, name);
                let key = StreamKey { application: application.id, name: name.to_owned() };
                shared.want_pull(&key, &application);
                self.start_viewing(name.to_owned(), String::new(), shared);
                self.watch(key, shared);
                self.start_updates(shared);
            }
            Role::Idle | Role::Search(_) | Role::File(_) => {}
        }
        self.drain(shared)
    }

    fn retell(&mut self, what: Updated, name: &str) {
        self.context.set_stream(&self.log_mask().name(name));
        self.told = Some(Told::new(what, name.to_owned(), String::new()));
    }
}
