//! File operations as values: what packagers and recorders want done, and the storage layer does.

use std::path::{Path, PathBuf};

use bytes::Bytes;

/// A file operation of one output. The storage layer executes an output's operations in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {
    /// Create the file, or empty it if it is there. Missing directories are created.
    Create {
        /// The file.
        path: PathBuf,
    },
    /// Create the file in place of one of its name, which whoever has it open keeps. Missing
    /// directories are created.
    Replace {
        /// The file.
        path: PathBuf,
        /// Whether to lock it for as long as it is open.
        lock: bool,
    },
    /// Open the FLV file to append to it, or create it. Missing directories are created, and a tag that
    /// is cut off at the end is taken away. What is in the file is told to whom it may concern. It is
    /// locked for as long as it is open, as another worker may still have to write its end.
    Append {
        /// The file.
        path: PathBuf,
    },
    /// Write a whole file under a temporary name, then give it its own, replacing what has that.
    /// Missing directories are created. The file that was opened last stays open.
    Put {
        /// The file until it is whole, in the same directory.
        temporary: PathBuf,
        /// The file.
        path: PathBuf,
        /// All that is in it.
        data: Bytes,
    },
    /// Append to the file that was opened last.
    Write {
        /// The file.
        path: PathBuf,
        /// The bytes to append.
        data: Bytes,
    },
    /// Write over bytes of the file that was opened last.
    Patch {
        /// The file.
        path: PathBuf,
        /// Where the first of them is.
        offset: u64,
        /// The new bytes.
        data: Bytes,
    },
    /// Close the file, which is complete; one that is empty is removed. Executed also when
    /// operations before it have failed.
    Close {
        /// The file.
        path: PathBuf,
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

impl FileOp {
    /// The file that the operation is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Create { path }
            | Self::Replace { path, .. }
            | Self::Append { path }
            | Self::Put { path, .. }
            | Self::Write { path, .. }
            | Self::Patch { path, .. }
            | Self::Close { path }
            | Self::Remove { path } => path,
            Self::Rename { from, .. } => from,
        }
    }
}
