//! The file that a download is written to. All of this is done in threads.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

use super::super::vod::OpenFile;

/// A file that is removed when it is dropped, unless it was moved to its place.
pub(super) struct TempFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl TempFile {
    /// Makes a file that only this process has: `serial` is of this one.
    pub(super) fn create(directory: &Path, serial: u64) -> io::Result<Self> {
        let path = directory.join(format!("nginx-rtmp-{}-{serial}", process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = match options.open(&path) {
            // Of a process that was killed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(&path)?;
                options.open(&path)?
            }
            file => file?,
        };
        Ok(Self { file, path, length: 0 })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// The file is whole: it is moved to `target`, if it is to be kept. If that fails, it can be
    /// played nevertheless.
    pub(super) fn finish(self, target: Option<PathBuf>) -> io::Result<(OpenFile, io::Result<()>)> {
        let file = self.file.try_clone()?;
        let length = self.length;
        let path = target.clone().unwrap_or_else(|| self.path.clone());
        let kept = target.map_or(Ok(()), |target| self.move_to(&target));
        Ok((OpenFile::new(file, path, length), kept))
    }

    fn move_to(mut self, target: &Path) -> io::Result<()> {
        if let Some(parent) = target.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        self.file.set_permissions(Permissions::from_mode(0o644))?;
        match fs::rename(&self.path, target) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                let part = target.with_added_extension("part");
                fs::copy(&self.path, &part)?;
                fs::rename(part, target)
            }
            Ok(()) => {
                self.path = PathBuf::new();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            // If it is gone already, that is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}
