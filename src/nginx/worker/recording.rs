//! What a worker does for the recorders of its streams.

use super::Shared;
use crate::client::Publication;
use crate::exec::Facts;
use crate::live::StreamId;
use crate::nginx::log::{self, Level};
use crate::nginx::packager::Playlist;
use crate::nginx::recorder::{self, RecordNotice, Recorded};
use crate::nginx::schedule::Due;
use crate::notify::{Call, Event, Subject};

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
        for recorded in self.storage.take_recorded() {
            let Recorded { publication, recorder, path } = &recorded;
            let (mask, name, by) = (recorder.log_mask, &publication.name, &recorder.config);
            let path = path.to_string_lossy();
            let (path, name) = (mask.text(&path, name), mask.name(name));
            log::cycle(Level::Info, format_args!("recorded \"{path}\", of \"{name}\" by {by}"));
            self.tell_recording(&recorded, |recorder, path| Event::RecordDone { recorder, path });
        }
        self.http.expect(self.storage.owes_recordings());
    }

    /// Tells callbacks and runs commands for a recording: what `event` makes of its recorder and path.
    pub(in crate::nginx) fn tell_recording(
        &mut self,
        recorded: &Recorded,
        event: impl for<'a> FnOnce(&'a str, &'a str) -> Event<'a>,
    ) {
        let Recorded { publication, recorder, path } = recorded;
        let (path, id) = (path.to_string_lossy(), &recorder.config.id);
        let event = event(id, &path);
        let commands = match event {
            Event::RecordStarted { .. } => &recorder.commands.started,
            _ => &recorder.commands.done,
        };
        let facts = Facts { path: &path, recorder: id, ..Facts::of_publication(publication) };
        self.run_commands(commands, &facts);
        recorder.callbacks.tell(self, call_about(publication, event));
    }

    /// Tells callbacks of the playlists that were written.
    pub(in crate::nginx) fn tell_playlists(&mut self) {
        for Playlist { watch, path } in self.storage.take_playlists() {
            let path = &path.to_string_lossy();
            let event = Event::Playlist { module: "hls", path };
            watch.notify.tell(self, call_about(&watch.publication, event));
        }
    }
}

fn call_about<'a>(publication: &'a Publication, event: Event<'a>) -> Call<'a> {
    let stream = Subject { name: &publication.name, args: &publication.args };
    Call { client: &publication.client, stream: Some(stream), event }
}
