//! A publisher's stream on its way to recordings: messages to file operations, to the storage layer.

use std::mem;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ::time::UtcOffset;
use nginx_sys::ngx_timeofday;

use super::conf::{self, Application};
use super::event;
use super::log::{self, Level};
use super::storage::{OutputId, OutputKey, Storage};
use crate::client::Publication;
use crate::control::Switch;
use crate::file_op::FileOp;
use crate::live::StreamKey;
use crate::package::NameError;
use crate::record::{Loss, Now, Recorder};
use crate::rtmp::Message;
use crate::rtmp::session::RecordStatus;
use crate::stat::{RecorderReport, RecorderState};
use crate::time::Instant;

/// A recording that has begun, or is complete.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    /// Whose it is: what was published, and by whom.
    pub(super) publication: Rc<Publication>,
    /// The recorder.
    pub(super) recorder: Arc<conf::Recorder>,
    /// The file.
    pub(super) path: PathBuf,
}

/// What a publisher with `record_notify` is told: what has become of a recorder's file.
#[derive(Clone, Debug)]
pub(super) struct RecordNotice {
    pub(super) status: RecordStatus,
    pub(super) recorder: Arc<conf::Recorder>,
}

/// The recorders of one publish.
pub(super) struct Recorders {
    all: Vec<Recording>,
    /// Whether [`flush`](Self::flush) is going to be called.
    is_scheduled: bool,
    notices: Vec<RecordNotice>,
    /// Those that have begun, as far as anybody wants to know.
    begun: Vec<Recorded>,
}

/// A recorder at work.
pub(super) struct Recording {
    recorder: Recorder,
    settings: Arc<conf::Recorder>,
    publication: Rc<Publication>,
    output: OutputId,
}

impl Recorders {
    /// The recorders that the application has for what is published. What `goes_on` was recorded by
    /// another worker up to now.
    pub(super) fn start(
        publication: &Publication,
        application: &Application,
        goes_on: bool,
        storage: &mut Storage,
    ) -> Self {
        let publication = Rc::new(publication.clone());
        let recorders = application.recorders.iter().filter_map(|settings| {
            let started = Recording::start(&publication, application, settings, storage);
            started.inspect_err(|error| report(error, &publication, settings)).ok()
        });
        let mut all: Vec<_> = recorders.collect();
        if goes_on {
            all.iter_mut().for_each(|recording| recording.recorder.go_on());
        }
        Self { all, is_scheduled: false, notices: Vec::new(), begun: Vec::new() }
    }

    /// Takes a message of the publisher.
    pub(super) fn push(&mut self, message: &Message, storage: &mut Storage) {
        if self.all.is_empty() {
            return;
        }
        let now = now();
        for recording in &mut self.all {
            recording.heed(storage);
            recording.recorder.push(message, now);
            recording.settle(storage, &mut self.notices, &mut self.begun);
        }
    }

    /// When [`flush`](Self::flush) is to be called, unless that has been told.
    pub(super) fn schedule(&mut self) -> Option<Instant> {
        if self.is_scheduled {
            return None;
        }
        let at = self.all.iter().filter_map(|recording| recording.recorder.timeout()).min();
        self.is_scheduled = at.is_some();
        at
    }

    /// Whether there is a recorder of that id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.all.iter().any(|it| it.settings.config.id == id)
    }

    /// What there is to tell of them.
    pub(super) fn report(&self, storage: &Storage) -> Vec<RecorderReport> {
        self.all.iter().map(|recording| recording.report(storage)).collect()
    }

    /// Starts or stops the recorder of that id. Gives the path of the file that is begun or completed,
    /// if one is.
    pub(super) fn control(
        &mut self,
        switch: Switch,
        id: &str,
        storage: &mut Storage,
    ) -> Option<PathBuf> {
        let recording = self.all.iter_mut().find(|it| it.settings.config.id == id)?;
        recording.heed(storage);
        let path = match switch {
            Switch::Start => recording.recorder.start(now()),
            Switch::Stop => recording.recorder.stop(),
        };
        recording.settle(storage, &mut self.notices, &mut self.begun);
        path
    }

    /// Writes what has waited long enough.
    pub(super) fn flush(&mut self, storage: &mut Storage) {
        self.is_scheduled = false;
        for recording in &mut self.all {
            recording.heed(storage);
            recording.recorder.handle_timeout(event::now());
            recording.settle(storage, &mut self.notices, &mut self.begun);
        }
    }

    /// The recordings that have begun since the last call, as far as anybody wants to know.
    pub(super) fn take_begun(&mut self) -> Vec<Recorded> {
        mem::take(&mut self.begun)
    }

    /// What the publisher is to be told.
    pub(super) fn take_notices(&mut self) -> Vec<RecordNotice> {
        mem::take(&mut self.notices)
    }

    /// The publish has ended, or goes on elsewhere. Gives what the publisher is to be told. Those that are
    /// not through yet are `unfinished`.
    pub(super) fn finish(
        mut self,
        storage: &mut Storage,
        unfinished: &mut Vec<Recording>,
    ) -> Vec<RecordNotice> {
        for mut recording in self.all {
            recording.heed(storage);
            recording.recorder.finish();
            recording.settle(storage, &mut self.notices, &mut self.begun);
            match recording.recorder.has_ended() {
                true => storage.close(recording.output),
                false => unfinished.push(recording),
            }
        }
        self.notices
    }
}

/// Goes on with what was left when publishes ended.
pub(super) fn settle_unfinished(unfinished: &mut Vec<Recording>, storage: &mut Storage) {
    unfinished.retain_mut(|recording| {
        recording.heed(storage);
        recording.settle(storage, &mut Vec::new(), &mut Vec::new());
        let has_ended = recording.recorder.has_ended();
        if has_ended {
            storage.close(recording.output);
        }
        !has_ended
    });
}

impl Recording {
    fn start(
        publication: &Rc<Publication>,
        application: &Application,
        settings: &Arc<conf::Recorder>,
        storage: &mut Storage,
    ) -> Result<Self, NameError> {
        let recorder = Recorder::new(Arc::clone(&settings.config), &publication.name)?;
        let stream = StreamKey { application: application.id, name: publication.name.clone() };
        let key = OutputKey { stream, recorder: settings.config.id.clone() };
        Ok(Self {
            recorder,
            settings: Arc::clone(settings),
            publication: Rc::clone(publication),
            output: storage.open_after(key),
        })
    }

    fn report(&self, storage: &Storage) -> RecorderReport {
        let mut report = self.recorder.facts();
        report.errors = storage.errors_of(self.output).clone();
        if report.state == RecorderState::Waiting && storage.fails(self.output) {
            report.state = RecorderState::Failed;
        }
        report
    }

    /// Takes in what has come of file operations.
    fn heed(&mut self, storage: &mut Storage) {
        if storage.take_failure(self.output).is_some() {
            self.recorder.storage_failed(event::now());
        }
        if let Some(survey) = storage.take_opened(self.output) {
            self.recorder.opened(survey, now());
        }
    }

    fn settle(
        &mut self,
        storage: &mut Storage,
        notices: &mut Vec<RecordNotice>,
        begun: &mut Vec<Recorded>,
    ) {
        while let Some(op) = self.recorder.poll_op() {
            match op {
                FileOp::Close { path } => {
                    let recorded = self.recorded(path);
                    storage.push_close(self.output, recorded);
                }
                op => {
                    if let FileOp::Replace { path, .. } | FileOp::Append { path, .. } = &op
                        && self.settings.tells_beginnings()
                    {
                        begun.push(self.recorded(path.clone()));
                    }
                    storage.push(self.output, op);
                }
            }
        }
        while let Some(loss) = self.recorder.poll_loss() {
            let name = self.settings.log_mask.name(&self.publication.name);
            let by = &self.settings.config;
            let level = match loss {
                Loss::Media(_) => Level::Warn,
                Loss::NotOpened(_) => Level::Error,
            };
            log::cycle(level, format_args!("not in the recordings of \"{name}\" by {by}: {loss}"));
        }
        while let Some(status) = self.recorder.poll_status() {
            if self.settings.notify {
                notices.push(RecordNotice { status, recorder: Arc::clone(&self.settings) });
            }
        }
    }

    fn recorded(&self, path: PathBuf) -> Recorded {
        let (publication, recorder) = (Rc::clone(&self.publication), Arc::clone(&self.settings));
        Recorded { publication, recorder, path }
    }
}

fn report(error: &NameError, publication: &Publication, settings: &conf::Recorder) {
    let (name, by) = (settings.log_mask.name(&publication.name), &settings.config);
    log::cycle(Level::Error, format_args!("\"{name}\" is not recorded by {by}: {error}"));
}

fn now() -> Now {
    let minutes = ngx_timeofday().gmtoff as i32;
    Now {
        instant: event::now(),
        unix: event::unix_now(),
        utc_offset: UtcOffset::from_whole_seconds(minutes * 60).unwrap_or(UtcOffset::UTC),
    }
}
