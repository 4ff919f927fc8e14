//! Executes the file operations of one output. The only file of the module that opens files.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::package::FileOp;

/// Modes of what is created: readable by all, as nginx's own files and unlike its umask, which is 0.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// An output's open file, kept open from its creation on while it is written to.
#[derive(Debug, Default)]
pub(super) struct Writer {
    open: Option<(PathBuf, File)>,
}

/// An operation failed; it and those after it were not executed.
#[derive(Debug, thiserror::Error)]
#[error("{action} \"{}\" failed: {error}", path.display())]
pub(super) struct WriteError {
    /// Which operation.
    pub(super) index: usize,
    action: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl WriteError {
    /// The error of operations that may not have been executed, by a bug of ours.
    pub(super) fn bug() -> Self {
        let error = io::Error::other("bug: panicked");
        Self { index: 0, action: "writing", path: PathBuf::new(), error }
    }
}

impl Writer {
    /// Executes the operations in order, up to the first that fails.
    pub(super) fn execute(&mut self, ops: &[FileOp]) -> Result<(), WriteError> {
        ops.iter().enumerate().try_for_each(|(index, op)| {
            self.execute_one(op).map_err(|error| {
                self.open = None;
                WriteError { index, action: action(op), path: path(op).to_owned(), error }
            })
        })
    }

    fn execute_one(&mut self, op: &FileOp) -> io::Result<()> {
        match op {
            FileOp::Create { path } => {
                self.open = None;
                let file = create(path)?;
                self.open = Some((path.clone(), file));
                Ok(())
            }
            FileOp::Write { path, data } => match &mut self.open {
                Some((open, file)) if open == path => file.write_all(data),
                _ => Err(io::Error::from(ErrorKind::NotFound)),
            },
            FileOp::Rename { from, to } => {
                self.close(from);
                fs::rename(from, to)
            }
            FileOp::Remove { path } => {
                self.close(path);
                match fs::remove_file(path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                    result => result,
                }
            }
        }
    }

    fn close(&mut self, path: &Path) {
        self.open.take_if(|(open, _)| open == path);
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE);
    match (options.open(path), path.parent()) {
        (Err(error), Some(directory)) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
            options.open(path)
        }
        (result, _) => result,
    }
}

/// The file that an operation is about.
pub(super) fn path(op: &FileOp) -> &Path {
    match op {
        FileOp::Create { path } | FileOp::Write { path, .. } | FileOp::Remove { path } => path,
        FileOp::Rename { from, .. } => from,
    }
}

fn action(op: &FileOp) -> &'static str {
    match op {
        FileOp::Create { .. } => "creating",
        FileOp::Write { .. } => "writing",
        FileOp::Rename { .. } => "renaming",
        FileOp::Remove { .. } => "removing",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn write(path: &Path, data: &'static [u8]) -> FileOp {
        FileOp::Write { path: path.to_owned(), data: Bytes::from_static(data) }
    }

    #[test]
    fn files_get_their_names_when_they_are_whole() {
        let directory = tempfile::tempdir().unwrap();
        let temporary = directory.path().join("a/b/segment.tmp");
        let name = directory.path().join("a/b/segment.ts");
        let mut writer = Writer::default();
        writer
            .execute(&[FileOp::Create { path: temporary.clone() }, write(&temporary, b"one ")])
            .unwrap();
        assert!(!name.exists());
        writer
            .execute(&[
                write(&temporary, b"two"),
                FileOp::Rename { from: temporary.clone(), to: name.clone() },
            ])
            .unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"one two");
        assert!(!temporary.exists());
    }

    #[test]
    fn an_error_names_the_operation_and_stops() {
        let directory = tempfile::tempdir().unwrap();
        let (missing, other) = (directory.path().join("missing"), directory.path().join("other"));
        let error = Writer::default()
            .execute(&[
                FileOp::Remove { path: missing.clone() },
                write(&missing, b"lost"),
                FileOp::Create { path: other.clone() },
            ])
            .unwrap_err();
        assert_eq!(error.index, 1);
        assert!(error.to_string().starts_with(&format!("writing \"{}\"", missing.display())));
        assert!(!other.exists());
    }

    #[test]
    fn creating_empties_what_an_earlier_process_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("left.tmp");
        fs::write(&path, b"old").unwrap();
        Writer::default().execute(&[FileOp::Create { path: path.clone() }]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
