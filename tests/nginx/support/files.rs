//! Files and disks under the server.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::nginx::Nginx;

/// The file `path` of the prefix, through the eyes of nginx, who may have mounts of its own.
pub fn seen_by(nginx: &Nginx, path: &str) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", nginx.master()));
    root.join(nginx.prefix().strip_prefix("/").unwrap()).join(path)
}

/// Writes to `path` until there is no room.
pub fn fill(path: &Path) {
    let mut file = File::create(path).expect("to create a file");
    let error = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
}

/// All files and links below `directory`, relative to it, in order.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                _ => files.push(entry.path().strip_prefix(directory).unwrap().to_owned()),
            }
        }
    }
    files.sort();
    files
}
