//! A publisher's stream on its way to disk: messages to access units, to file operations, to the
//! storage layer.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::event;
use super::notify::Notify;
use super::storage::{OutputId, Storage};
use crate::client::Publication;
use crate::media::{self, Container, Demuxer};
use crate::notify::Hook;
use crate::package::{Hls, HlsConfig, NameError, Rendition};
use crate::rtmp::Message;
use crate::stat::HlsReport;

/// How many different errors of one publish are reported.
const MAX_REPORTED: usize = 8;

/// The HLS output of one publish.
pub(super) struct Packager {
    demuxer: Demuxer,
    hls: Hls,
    output: OutputId,
    reported: Vec<media::Error>,
}

/// Who is told of the playlists of a publish.
pub(super) struct PlaylistWatch {
    pub(super) publication: Publication,
    pub(super) notify: Arc<Notify>,
}

/// A playlist that was written.
pub(super) struct Playlist {
    pub(super) watch: Rc<PlaylistWatch>,
    pub(super) path: PathBuf,
}

impl Packager {
    /// The output of the stream `name`.
    ///
    /// # Errors
    ///
    /// The name is no safe file name.
    pub(super) fn new(
        config: &HlsConfig,
        name: &str,
        storage: &mut Storage,
    ) -> Result<Self, NameError> {
        let hls = Hls::new(config, name, event::unix_now())?;
        Ok(Self {
            demuxer: Demuxer::new(Container::MpegTs),
            hls,
            output: storage.open(),
            reported: Vec::new(),
        })
    }

    /// Has callbacks told of each playlist that is written, if they want to know.
    pub(super) fn watch_playlists(
        &self,
        publication: &Publication,
        notify: &Arc<Notify>,
        storage: &mut Storage,
    ) {
        if notify.callbacks.has(Hook::Playlist) {
            let (publication, notify) = (publication.clone(), Arc::clone(notify));
            storage.watch_playlists(self.output, PlaylistWatch { publication, notify });
        }
    }

    /// Takes a message of the publisher.
    ///
    /// # Errors
    ///
    /// The message cannot be packaged, for a reason not told before.
    pub(super) fn push(
        &mut self,
        message: &Message,
        storage: &mut Storage,
    ) -> Result<(), media::Error> {
        if let Some(failure) = storage.take_failure(self.output) {
            self.hls.storage_failed(&failure.lost);
        }
        let pushed = self.demuxer.push(message);
        while let Some(event) = self.demuxer.poll_event() {
            self.hls.push(event, event::unix_now());
        }
        self.write(storage);
        pushed.or_else(|error| self.report(error))
    }

    /// What there is to tell of the output.
    pub(super) fn facts(&self, storage: &Storage) -> HlsReport {
        HlsReport {
            errors: storage.errors_of(self.output).clone(),
            ..self.hls.report(event::unix_now())
        }
    }

    /// See [`Hls::take_master_due`].
    pub(super) fn take_master_due(&mut self) -> bool {
        self.hls.take_master_due()
    }

    /// See [`Hls::renditions`].
    pub(super) fn renditions(&self) -> Vec<String> {
        self.hls.renditions()
    }

    /// See [`Hls::rendition`].
    pub(super) fn rendition(&self) -> Option<Rendition> {
        self.hls.rendition()
    }

    /// See [`Hls::write_master`].
    pub(super) fn write_master(&mut self, renditions: &[Option<Rendition>], storage: &mut Storage) {
        self.hls.write_master(renditions);
        self.write(storage);
    }

    /// The publish has ended.
    pub(super) fn finish(mut self, storage: &mut Storage) {
        self.hls.finish();
        self.write(storage);
        storage.close(self.output);
    }

    /// The publish has moved to another worker, which has an output of its own.
    pub(super) fn hand_over(mut self, storage: &mut Storage) {
        self.hls.hand_over();
        self.write(storage);
        storage.close(self.output);
    }

    fn write(&mut self, storage: &mut Storage) {
        while let Some(op) = self.hls.poll_op() {
            storage.push(self.output, op);
        }
    }

    /// Passes an error on unless it is no news: most concern every message of a track.
    fn report(&mut self, error: media::Error) -> Result<(), media::Error> {
        if self.reported.contains(&error) || self.reported.len() == MAX_REPORTED {
            return Ok(());
        }
        self.reported.push(error);
        Err(error)
    }
}
