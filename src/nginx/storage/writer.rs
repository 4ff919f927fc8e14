//! Executes the file operations of one output. The only file of the module that opens files.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::mem;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::file_op::FileOp;
use crate::flv::Survey;

/// Modes of what is created: readable by all, as nginx's own files and unlike its umask, which is 0.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// How often, and how many times, a locked file is tried: a worker that the stream has left is soon
/// through with it, and a thread must not wait for ever.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
const LOCK_TRIES: u32 = 100;

/// An output's open file, kept open from its creation on while it is written to.
#[derive(Debug, Default)]
pub(super) struct Writer {
    open: Option<OpenFile>,
    /// Whether anything was written to each file that was closed since the last look.
    closed: Vec<bool>,
    /// What there was in each file that was opened to append to it since the last look.
    opened: Vec<Option<Survey>>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: File,
    /// How long it is.
    len: u64,
    /// Whether anything was written since it was opened.
    is_written: bool,
    /// Whether it has had its final name from the beginning.
    in_place: bool,
    /// Whether an operation has failed, so that all that rely on it have to.
    broken: bool,
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
                if let Some(open) = &mut self.open {
                    open.broken = true;
                }
                WriteError { index, action: action(op), path: op.path().to_owned(), error }
            })
        })
    }

    /// For each file that was closed since the last call, whether anything was written to it.
    pub(super) fn take_closed(&mut self) -> Vec<bool> {
        mem::take(&mut self.closed)
    }

    /// For each file that was opened to append to it since the last call, what there is in it.
    pub(super) fn take_opened(&mut self) -> Vec<Option<Survey>> {
        mem::take(&mut self.opened)
    }

    /// Whether what is written is at once where it belongs.
    pub(super) fn is_in_place(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.in_place)
    }

    fn execute_one(&mut self, op: &FileOp) -> io::Result<()> {
        match op {
            FileOp::Create { path } => self.open(path, false, create),
            FileOp::Replace { path, lock } => self.open(path, true, |path| replace(path, *lock)),
            FileOp::Append { path } => self.append(path),
            FileOp::Put { temporary, path, data } => {
                create(temporary)?.write_all(data)?;
                fs::rename(temporary, path)
            }
            FileOp::Write { path, data } => self.file(path)?.append(data),
            FileOp::Patch { path, offset, data } => {
                self.file(path)?.file.write_all_at(data, *offset)
            }
            FileOp::Close { path } => {
                let open = self.close(path);
                self.closed.push(open.as_ref().is_some_and(|open| open.is_written));
                open.into_iter().for_each(OpenFile::remove_empty);
                Ok(())
            }
            FileOp::Rename { from, to } => {
                self.close(from);
                fs::rename(from, to)
            }
            FileOp::Remove { path } => {
                self.close(path);
                remove(path)
            }
        }
    }

    fn open(
        &mut self,
        path: &Path,
        in_place: bool,
        open: impl FnOnce(&Path) -> io::Result<File>,
    ) -> io::Result<()> {
        self.open = None;
        let file = open(path)?;
        self.open = Some(OpenFile {
            path: path.to_owned(),
            file,
            len: 0,
            is_written: false,
            in_place,
            broken: false,
        });
        Ok(())
    }

    fn append(&mut self, path: &Path) -> io::Result<()> {
        self.open = None;
        let mut file = open_below(path, OpenOptions::new().read(true).write(true).create(true))?;
        wait_lock(&file)?;
        let survey = Survey::of(&mut file)?;
        let len = survey.as_ref().map_or(0, |survey| survey.end);
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        let path = path.to_owned();
        self.open =
            Some(OpenFile { path, file, len, is_written: false, in_place: true, broken: false });
        self.opened.push(survey);
        Ok(())
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut OpenFile> {
        let open = self.open.as_mut().filter(|open| open.path == path && !open.broken);
        open.ok_or_else(|| io::Error::from(ErrorKind::NotFound))
    }

    fn close(&mut self, path: &Path) -> Option<OpenFile> {
        self.open.take_if(|open| open.path == path)
    }
}

impl OpenFile {
    /// Appends all of it, or none if the disk takes it back: what is written is in whole pieces.
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(data);
        match written {
            Ok(()) => {
                self.len += data.len() as u64;
                self.is_written = true;
            }
            // The first error is the one to tell.
            Err(_) => drop(self.file.set_len(self.len)),
        }
        written
    }

    /// Removes the file if it is empty.
    fn remove_empty(self) {
        if self.len == 0 {
            // Nobody misses it, and nobody is harmed if it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    open_below(path, OpenOptions::new().write(true).create(true).truncate(true))
}

fn replace(path: &Path, lock: bool) -> io::Result<File> {
    let file = loop {
        remove(path)?;
        match open_below(path, OpenOptions::new().write(true).create_new(true)) {
            // Somebody else was faster: it is theirs that is replaced.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => break opened?,
        }
    };
    if lock {
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
    }
    Ok(file)
}

/// Locks a file, once whoever has locked it is through.
fn wait_lock(file: &File) -> io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN | Errno::ACCESS) => thread::sleep(LOCK_INTERVAL),
            result => return Ok(result?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Opens a file, whose directory is created if it is missing.
fn open_below(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(FILE_MODE);
    match (options.open(path), path.parent()) {
        (Err(error), Some(directory)) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
            options.open(path)
        }
        (result, _) => result,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn action(op: &FileOp) -> &'static str {
    match op {
        FileOp::Create { .. } | FileOp::Replace { .. } => "creating",
        FileOp::Append { .. } => "opening",
        FileOp::Put { .. } | FileOp::Write { .. } | FileOp::Patch { .. } => "writing",
        FileOp::Close { .. } => "closing",
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
    fn whole_files_are_written_beside_an_open_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let segment = path("segment.tmp");
        let put = |data| FileOp::Put {
            temporary: path("new/playlist.tmp"),
            path: path("new/playlist"),
            data: Bytes::from_static(data),
        };
        Writer::default()
            .execute(&[
                FileOp::Create { path: segment.clone() },
                write(&segment, b"one "),
                put(b"a longer one"),
                write(&segment, b"two"),
                put(b"short"),
            ])
            .unwrap();
        assert_eq!(fs::read(segment).unwrap(), b"one two");
        assert_eq!(fs::read(path("new/playlist")).unwrap(), b"short");
        assert!(!path("new/playlist.tmp").exists());
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

    fn replace(path: &Path) -> FileOp {
        FileOp::Replace { path: path.to_owned(), lock: true }
    }

    #[test]
    fn a_file_that_is_replaced_is_left_to_who_has_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cam.flv");
        let (mut old, mut new) = (Writer::default(), Writer::default());
        old.execute(&[replace(&path), write(&path, b"old")]).unwrap();
        new.execute(&[replace(&path), write(&path, b"new")]).unwrap();
        old.execute(&[write(&path, b" and on"), FileOp::Close { path: path.clone() }]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!((old.take_closed(), new.take_closed()), (vec![true], vec![]));
    }

    #[test]
    fn patches_change_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cam.flv");
        let patch =
            FileOp::Patch { path: path.clone(), offset: 1, data: Bytes::from_static(b"ATC") };
        let mut writer = Writer::default();
        writer
            .execute(&[replace(&path), write(&path, b"patch"), patch, write(&path, b"ed")])
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"pATChed");
    }

    #[test]
    fn nothing_is_written_after_a_failure_and_what_is_empty_goes() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a.flv"), directory.path().join("b.flv"));
        let mut writer = Writer::default();
        writer.execute(&[replace(&path), write(&other, b"elsewhere")]).unwrap_err();
        writer.execute(&[write(&path, b"late")]).unwrap_err();
        writer
            .execute(&[FileOp::Close { path: path.clone() }, FileOp::Close { path: other }])
            .unwrap();
        assert_eq!(writer.take_closed(), [false, false]);
        assert!(!path.exists());
    }

    fn append(path: &Path) -> FileOp {
        FileOp::Append { path: path.to_owned() }
    }

    #[test]
    fn a_file_is_continued_where_its_last_whole_tag_ends() {
        const FLV: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/cam.flv");
        let mut writer = Writer::default();
        writer.execute(&[append(&path), write(&path, FLV)]).unwrap();
        writer.execute(&[write(&path, b"\x09\0\0"), FileOp::Close { path: path.clone() }]).unwrap();
        writer.execute(&[append(&path), write(&path, b"more")]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [FLV, b"more"].concat());
        assert_eq!(writer.take_closed(), [true]);
        writer.execute(&[append(&path), FileOp::Close { path: path.clone() }]).unwrap();
        assert_eq!(writer.take_closed(), [false]);
        assert!(path.exists());
        let ends = writer.take_opened().into_iter().map(|it| it.map(|survey| survey.end));
        assert_eq!(ends.collect::<Vec<_>>(), [None, Some(13), Some(13)]);
    }

    #[test]
    fn other_files_are_not_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        fs::write(&path, "some text of somebody").unwrap();
        let error = Writer::default().execute(&[append(&path)]).unwrap_err();
        assert!(error.to_string().contains("no FLV file"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"some text of somebody");
    }
}
