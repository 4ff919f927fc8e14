//! The files of one stream, and their addresses in its playlist.

use std::path::{Path, PathBuf};

use super::name::{self, NameError};

/// Marks a file that is not complete. Whoever serves or removes files by their suffix passes it
/// over.
const TEMPORARY: &str = ".tmp";

/// Where a stream's playlist and segments are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The directory of both.
    directory: PathBuf,
    /// What the playlist's name has before `.m3u8`.
    playlist: String,
    /// What a segment's name has before its number.
    prefix: String,
}

impl Layout {
    /// The files of the stream `name` below `path`: `NAME.m3u8` and `NAME-N.ts`, or, nested,
    /// `NAME/index.m3u8` and `NAME/N.ts`. Slashes in the name are directories.
    ///
    /// # Errors
    ///
    /// The name is no safe file name.
    pub fn new(path: &Path, name: &str, nested: bool) -> Result<Self, NameError> {
        name::check(name)?;
        if nested {
            let directory = path.join(name);
            return Ok(Self { directory, playlist: "index".into(), prefix: String::new() });
        }
        let (directory, file) = match name.rsplit_once('/') {
            Some((directory, file)) => (path.join(directory), file),
            None => (path.to_path_buf(), name),
        };
        Ok(Self { directory, playlist: file.into(), prefix: format!("{file}-") })
    }

    /// The playlist.
    pub fn playlist(&self) -> PathBuf {
        self.directory.join(format!("{}.m3u8", self.playlist))
    }

    /// The playlist while it is written.
    pub fn temporary_playlist(&self) -> PathBuf {
        self.directory.join(format!("{}.m3u8{TEMPORARY}", self.playlist))
    }

    /// A complete segment.
    pub fn segment(&self, sequence: u64) -> PathBuf {
        self.directory.join(format!("{}{sequence}.ts", self.prefix))
    }

    /// A segment while it is written.
    pub fn temporary_segment(&self, sequence: u64) -> PathBuf {
        self.directory.join(format!("{}{sequence}.ts{TEMPORARY}", self.prefix))
    }

    /// A complete segment's address relative to the playlist.
    pub fn segment_uri(&self, sequence: u64) -> String {
        format!("{}{sequence}.ts", name::percent_encode(&self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat() {
        let layout = Layout::new(Path::new("/var/hls"), "a b", false).unwrap();
        assert_eq!(layout.playlist(), Path::new("/var/hls/a b.m3u8"));
        assert_eq!(layout.temporary_playlist(), Path::new("/var/hls/a b.m3u8.tmp"));
        assert_eq!(layout.segment(7), Path::new("/var/hls/a b-7.ts"));
        assert_eq!(layout.temporary_segment(7), Path::new("/var/hls/a b-7.ts.tmp"));
        assert_eq!(layout.segment_uri(7), "a%20b-7.ts");
    }

    #[test]
    fn nested() {
        let layout = Layout::new(Path::new("/var/hls"), "a b", true).unwrap();
        assert_eq!(layout.playlist(), Path::new("/var/hls/a b/index.m3u8"));
        assert_eq!(layout.segment(7), Path::new("/var/hls/a b/7.ts"));
        assert_eq!(layout.segment_uri(7), "7.ts");
    }

    #[test]
    fn slashes_are_directories_and_not_in_addresses() {
        let flat = Layout::new(Path::new("/var/hls"), "2026/news", false).unwrap();
        assert_eq!(flat.segment(7), Path::new("/var/hls/2026/news-7.ts"));
        assert_eq!(flat.segment_uri(7), "news-7.ts");
        let nested = Layout::new(Path::new("/var/hls"), "2026/news", true).unwrap();
        assert_eq!(nested.playlist(), Path::new("/var/hls/2026/news/index.m3u8"));
    }

    #[test]
    fn unsafe_names_are_refused() {
        assert_eq!(Layout::new(Path::new("/"), "../etc", true), Err(NameError::Relative));
    }
}
