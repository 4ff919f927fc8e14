//! Recorded files: opened and read on nginx's thread pool.
#![allow(clippy::disallowed_methods)]

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::file_view::ReadRequest;

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    path: PathBuf,
    /// When it was opened; it may grow.
    length: u64,
}

/// Something that may be the file is there and cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("opening \"{}\" failed: {error}", path.display())]
pub(super) struct OpenError {
    path: PathBuf,
    error: io::Error,
}

/// Opens the first file that there is: of each directory in turn, by each of the names. `None` if
/// there is none.
///
/// Symbolic links are followed: whoever may make one in the directory may put the file there, too.
pub(super) fn open(
    directories: &[PathBuf],
    names: &[String],
) -> Result<Option<OpenFile>, OpenError> {
    let mut failure = None;
    let paths = directories.iter().flat_map(|it| names.iter().map(|name| it.join(name)));
    for path in paths {
        match open_one(&path) {
            Ok(Some((file, length))) => return Ok(Some(OpenFile { file, path, length })),
            Ok(None) => {}
            Err(error) => failure = Some(OpenError { path, error }),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// The file and its length; `None` if there is none.
fn open_one(path: &Path) -> io::Result<Option<(File, u64)>> {
    // Opening a named pipe would wait for someone to write to it.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                _ => Err(error),
            };
        }
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

impl OpenFile {
    /// A file that is open, and was at `path`.
    pub(super) fn new(file: File, path: PathBuf, length: u64) -> Self {
        Self { file, path, length }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Reads what is asked for, as far as the file has it.
    pub(super) fn read(&self, request: ReadRequest) -> io::Result<Bytes> {
        let mut buffer = vec![0; request.length];
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            match self.file.read_at(rest, request.offset + filled as u64) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }
}
