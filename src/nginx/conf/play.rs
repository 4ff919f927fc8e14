//! The directive `play`.

use std::path::PathBuf;
use std::sync::Arc;

use super::Block;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter};

/// Where an application's files are.
#[derive(Debug)]
pub(in crate::nginx) struct PlayConfig {
    /// In the order in which they are tried.
    pub(in crate::nginx) directories: Vec<PathBuf>,
}

/// Where files are that can be played; not inherited like other settings, as a block's come before
/// those of the block around it.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaySettings {
    directories: Vec<PathBuf>,
}

pub(super) const DIRECTIVES: &[Directive] =
    &[Directive::new(c"play", EVERYWHERE, Setter::Arguments(set_play))];

/// `play DIRECTORY...`
fn set_play(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    for index in 1..conf.args().len() {
        let text = conf.text(index)?;
        if text.contains("://") {
            return Err(format!("has the URL \"{text}\", it must be a directory").into());
        }
        let path = conf.path(index)?;
        block.settings.play.directories.push(path);
    }
    Ok(())
}

impl PlaySettings {
    pub(super) fn inherit(&mut self, parent: &Self) {
        self.directories.extend_from_slice(&parent.directories);
    }

    /// None if no files can be played.
    pub(super) fn config(&self) -> Option<Arc<PlayConfig>> {
        let directories = self.directories.clone();
        (!directories.is_empty()).then(|| Arc::new(PlayConfig { directories }))
    }
}
