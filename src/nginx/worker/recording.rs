//! What a worker does for the recorders of its streams.

use super::Shared;
use crate::live::StreamId;
use crate::nginx::log::{self, Level};
use crate::nginx::recorder::{self, RecordNotice, Recorded};
use crate::nginx::schedule::Due;

impl Shared {
    /// Has recorders write what has waited long enough.
    pub(in crate::nginx) fn flush_recorders(&mut self, stream: StreamId) {
        if let Some(outputs) = self.outputs.get_mut(&stream) {
            outputs.recorders().flush(&mut self.storage);
            if let Some(at) = outputs.recorders().schedule() {
                self.schedule.set(Due::Recorders(stream), at);
            }
        }
    }

    /// What the publisher of a stream is to be told of its recordings.
    pub(in crate::nginx) fn take_record_notices(&mut self, stream: StreamId) -> Vec<RecordNotice> {
        let outputs = self.outputs.get_mut(&stream);
        outputs.map_or_else(Vec::new, |outputs| outputs.recorders().take_notices())
    }

    /// Goes on with recordings after file operations, and tells whoever wants to know of those that have
    /// been completed.
    pub(in crate::nginx) fn settle_recordings(&mut self) {
        recorder::settle_unfinished(&mut self.unfinished, &mut self.storage);
        for Recorded { publication, recorder, path } in self.storage.take_recorded() {
            let (name, id, path) = (&publication.name, &recorder.config.id, path.display());
            let text = format_args!("recorded \"{path}\", of \"{name}\" by \"{id}\"");
            log::cycle(Level::Info, text);
        }
    }
}
