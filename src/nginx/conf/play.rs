//! Directives of playing files.

use std::path::PathBuf;
use std::sync::Arc;

use super::client_tls::ClientContexts;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter};
use super::notify::NotifySettings;
use super::{Block, settings};
use crate::http::{Scheme, Url};
use crate::nginx::tls::ClientContext;

/// Where an application's files are.
#[derive(Debug)]
pub(in crate::nginx) struct PlayConfig {
    /// In the order in which they are tried.
    pub(in crate::nginx) entries: Vec<PlayEntry>,
    /// Where downloads are written to.
    pub(in crate::nginx) temp_path: PathBuf,
    /// Where they are kept, if they are.
    pub(in crate::nginx) local_path: Option<PathBuf>,
    /// How servers are met that speak TLS, if there are any.
    pub(in crate::nginx) tls: Option<ClientContext>,
}

/// A place where files are.
#[derive(Clone, Debug)]
pub(in crate::nginx) enum PlayEntry {
    Directory(PathBuf),
    Server(Url),
}

settings! {
    /// What becomes of downloads.
    DownloadSettings {
        temp_path: PathBuf,
        local_path: PathBuf,
    }
}

/// Where files are that can be played. The places of a block come before those of the block around it.
#[derive(Debug, Default)]
pub(super) struct PlaySettings {
    entries: Vec<PlayEntry>,
    download: DownloadSettings,
}

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"play", EVERYWHERE, Setter::Arguments(set_play)),
    Directive::new(c"play_temp_path", EVERYWHERE, Setter::Path(|s| &mut s.play.download.temp_path)),
    Directive::new(
        c"play_local_path",
        EVERYWHERE,
        Setter::Path(|s| &mut s.play.download.local_path),
    ),
];

/// `play DIRECTORY|URL...`
fn set_play(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    for index in 1..conf.args().len() {
        let text = conf.text(index)?.to_owned();
        let entry = if text.contains("://") {
            let url = Url::parse(&text);
            PlayEntry::Server(url.map_err(|error| format!("has the URL \"{text}\": {error}"))?)
        } else {
            PlayEntry::Directory(conf.path(index)?)
        };
        block.settings.play.entries.push(entry);
    }
    Ok(())
}

impl PlaySettings {
    pub(super) fn inherit(&mut self, parent: &Self) {
        self.entries.extend_from_slice(&parent.entries);
        self.download.inherit(&parent.download);
    }

    /// None if no files can be played.
    pub(super) fn config(
        &self,
        conf: &mut Conf,
        notify: &NotifySettings,
        contexts: &mut ClientContexts,
    ) -> Result<Option<Arc<PlayConfig>>, Failure> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        conf.use_threads()?;
        let is_tls =
            |it: &PlayEntry| matches!(it, PlayEntry::Server(url) if url.scheme == Scheme::Https);
        let tls = match self.entries.iter().any(is_tls) {
            true => Some(notify.context(conf, contexts)?),
            false => None,
        };
        let DownloadSettings { temp_path, local_path } = &self.download;
        Ok(Some(Arc::new(PlayConfig {
            entries: self.entries.clone(),
            temp_path: temp_path.clone().unwrap_or_else(|| "/tmp".into()),
            local_path: local_path.clone(),
            tls,
        })))
    }
}
