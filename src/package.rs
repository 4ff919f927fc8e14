//! Packaging: access units in, file operations out.

mod hls;
mod layout;
mod master;
mod name;
mod playlist;
mod probe;
mod segmenter;

use std::path::PathBuf;

use bytes::Bytes;

pub use hls::{Hls, HlsConfig};
pub use master::{NotRendition, Rendition, Variant};
pub use name::NameError;

/// A file operation of one output. The storage layer executes an output's operations in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {
    /// Create the file, or empty it if it is there. Missing directories are created.
    Create {
        /// The file.
        path: PathBuf,
    },
    /// Append to the file that was created last.
    Write {
        /// The file.
        path: PathBuf,
        /// The bytes to append.
        data: Bytes,
    },
    /// Give the file its final name, replacing what has that name.
    Rename {
        /// The file.
        from: PathBuf,
        /// Its final name, in the same directory.
        to: PathBuf,
    },
    /// Remove the file, if it is there.
    Remove {
        /// The file.
        path: PathBuf,
    },
}
