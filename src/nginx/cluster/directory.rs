//! Where the workers of one nginx meet: a private directory beside its pid file.
//!
//! A file and sockets, rather than a zone of nginx's shared memory: after a binary upgrade the new
//! program's workers have to find the old one's, and nginx hands no zone over.
// Not media: nothing here waits for a disk, and all of it is done when a process starts.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown,
};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

/// Only nginx's own user gets in.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The directory; its files are named after the version of what is in them, so that programs that
/// do not understand each other do not meet.
#[derive(Clone, Debug)]
pub(super) struct Directory(PathBuf);

/// The user and group of worker processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Directory {
    /// The directory of the nginx whose pid file is at `pid`.
    pub(super) fn of_pid_file(pid: &Path) -> Self {
        Self(pid.with_extension("rtmp"))
    }

    /// Makes the directory and an empty table, unless a running nginx uses the one that is there.
    /// The table is used for as long as the file that this returns is open.
    ///
    /// # Errors
    ///
    /// The system's; somebody else's directory is there.
    pub(super) fn prepare(&self, owner: Option<Owner>, table_size: u64) -> io::Result<File> {
        self.create(owner)?;
        let mut table = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .custom_flags(libc::O_NOFOLLOW)
            .open(self.table())?;
        if let Some(Owner { user, group }) = owner {
            fchown(&table, Some(user), Some(group))?;
        }
        if flock(&table, FlockOperation::NonBlockingLockExclusive).is_ok() {
            table.set_len(0)?;
            // Zeros and not a hole: where the disk is full, writing to a mapped hole kills.
            io::copy(&mut io::repeat(0).take(table_size), &mut table)?;
        }
        flock(&table, FlockOperation::LockShared)?;
        Ok(table)
    }

    /// Makes the directory. The pid file may be where everybody may write, so what is there already
    /// is only used if nobody else can have made it, or can get in.
    fn create(&self, owner: Option<Owner>) -> io::Result<()> {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(&self.0)?;
        let ours = [Some(geteuid().as_raw()), owner.map(|owner| owner.user)];
        let is_private = found.is_dir() && found.mode() & 0o777 == DIRECTORY_MODE;
        if !is_private || !ours.contains(&Some(found.uid())) {
            let path = self.0.display();
            return Err(io::Error::other(format!(
                "\"{path}\" is not a private directory of nginx's"
            )));
        }
        match owner {
            Some(Owner { user, group }) => lchown(&self.0, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Removes the directory, unless another nginx uses the table too, as during an upgrade.
    pub(super) fn dissolve(&self, table: &File) {
        if flock(table, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(self.table());
            let _ = fs::remove_dir(&self.0);
        }
    }

    /// Opens the table anew, so that its locks are the caller's own.
    ///
    /// # Errors
    ///
    /// The system's, such as that nobody prepared it.
    pub(super) fn open_table(&self) -> io::Result<File> {
        let table = OpenOptions::new().read(true).write(true).open(self.table())?;
        flock(&table, FlockOperation::LockShared)?;
        Ok(table)
    }

    /// The socket of the worker at `slot`.
    pub(super) fn socket(&self, slot: u32) -> PathBuf {
        self.0.join(format!("worker-1.{slot}"))
    }

    /// Removes what a dead worker left at `slot`.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn remove_socket(&self, slot: u32) -> io::Result<()> {
        match fs::remove_file(self.socket(slot)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps others out of the socket at `slot`, even where the directory's mode was changed.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn protect_socket(&self, slot: u32) -> io::Result<()> {
        fs::set_permissions(self.socket(slot), Permissions::from_mode(FILE_MODE))
    }

    fn table(&self) -> PathBuf {
        self.0.join("streams-2")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_private_directory_is_used() {
        let place = tempfile::tempdir().unwrap();
        let pid = |name: &str| place.path().join(name).join("nginx.pid");
        let prepare = |name: &str| Directory::of_pid_file(&pid(name)).prepare(None, 10);
        for name in ["new", "open", "link"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        let table = prepare("new").unwrap();
        assert_eq!(table.metadata().unwrap().len(), 10);
        drop(table);
        prepare("new").expect("its own directory");

        DirBuilder::new().mode(0o755).create(place.path().join("open/nginx.rtmp")).unwrap();
        assert!(prepare("open").is_err());
        symlink(place.path().join("new/nginx.rtmp"), place.path().join("link/nginx.rtmp")).unwrap();
        assert!(prepare("link").is_err());
        assert!(prepare("missing").is_err());
    }
}
