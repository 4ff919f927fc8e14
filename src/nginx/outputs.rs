//! What a publish feeds besides players.

use super::child::ChildId;
use super::conf::Application;
use super::packager::Packager;
use super::recorder::{RecordNotice, Recorded, Recorders, Recording};
use super::storage::Storage;
use crate::client::Publication;
use crate::media;
use crate::package::{NameError, Rendition};
use crate::rtmp::Message;
use crate::stat::{HlsReport, RecorderReport};
use crate::time::Instant;

/// Everything that was started for one publish of this worker, and ends with it. A publisher that
/// takes over from another one gets its outputs too.
pub(super) struct Outputs {
    packager: Option<Packager>,
    recorders: Recorders,
    /// The programs of `exec_push`.
    pub(super) children: Vec<ChildId>,
}

/// What outputs want done after a message.
pub(super) struct Wants {
    /// When the recorders are due, if that is not scheduled yet.
    pub(super) timer: Option<Instant>,
    /// Whether the master playlist is to be written.
    pub(super) master: bool,
    /// The files that have just been begun.
    pub(super) begun: Vec<Recorded>,
}

impl Outputs {
    /// Starts what the application wants of the publication. What cannot be started is told, and
    /// does not keep the rest from starting. What `goes_on` was another worker's up to now.
    pub(super) fn start(
        publication: &Publication,
        application: &Application,
        goes_on: bool,
        storage: &mut Storage,
    ) -> (Self, Result<(), NameError>) {
        let packager =
            application.hls.as_ref().map(|hls| Packager::new(hls, &publication.name, storage));
        let (packager, started) = match packager.transpose() {
            Ok(packager) => (packager, Ok(())),
            Err(error) => (None, Err(error)),
        };
        if let Some(packager) = &packager {
            packager.watch_playlists(publication, &application.notify, storage);
        }
        let recorders = Recorders::start(publication, application, goes_on, storage);
        (Self { packager, recorders, children: Vec::new() }, started)
    }

    /// Takes a message of the publisher.
    ///
    /// # Errors
    ///
    /// It cannot be packaged, for a reason not told before.
    pub(super) fn push(
        &mut self,
        message: &Message,
        storage: &mut Storage,
    ) -> Result<(), media::Error> {
        self.recorders.push(message, storage);
        match &mut self.packager {
            Some(packager) => packager.push(message, storage),
            None => Ok(()),
        }
    }

    /// What is to be done now; told once.
    pub(super) fn take_wants(&mut self) -> Wants {
        Wants {
            timer: self.recorders.schedule(),
            master: self.packager.as_mut().is_some_and(Packager::take_master_due),
            begun: self.recorders.take_begun(),
        }
    }

    /// What writes the stream as HLS, if that is done.
    pub(super) fn packager(&mut self) -> Option<&mut Packager> {
        self.packager.as_mut()
    }

    /// The renditions of the master playlist that the stream is in, if it is in one.
    pub(super) fn renditions(&self) -> Vec<String> {
        self.packager.as_ref().map(Packager::renditions).unwrap_or_default()
    }

    /// What a master playlist says of the stream.
    pub(super) fn rendition(&self) -> Option<Rendition> {
        self.packager.as_ref().and_then(Packager::rendition)
    }

    /// What there is to tell of the HLS output, if there is one.
    pub(super) fn report_hls(&self, storage: &Storage) -> Option<HlsReport> {
        self.packager.as_ref().map(|packager| packager.facts(storage))
    }

    /// What there is to tell of the recorders.
    pub(super) fn report_recorders(&self, storage: &Storage) -> Vec<RecorderReport> {
        self.recorders.report(storage)
    }

    /// What records the stream.
    pub(super) fn recorders(&mut self) -> &mut Recorders {
        &mut self.recorders
    }

    /// The publish has ended. Gives what the publisher is to be told.
    pub(super) fn finish(
        self,
        storage: &mut Storage,
        unfinished: &mut Vec<Recording>,
    ) -> Vec<RecordNotice> {
        if let Some(packager) = self.packager {
            packager.finish(storage);
        }
        self.recorders.finish(storage, unfinished)
    }

    /// The publish has moved to another worker, which has outputs of its own.
    pub(super) fn hand_over(self, storage: &mut Storage, unfinished: &mut Vec<Recording>) {
        if let Some(packager) = self.packager {
            packager.hand_over(storage);
        }
        self.recorders.finish(storage, unfinished);
    }
}
