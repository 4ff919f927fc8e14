//! Why a part of a stream is not recorded.

use std::path::PathBuf;

use crate::media;

/// Why a part of a stream is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The file does not hold it.
    #[error(transparent)]
    Media(#[from] media::Error),
    /// More has come than may wait for the file to be open.
    #[error("the disk is too slow: \"{}\" is not open yet", .0.display())]
    NotOpened(PathBuf),
}
