//! The files of one stream, and their addresses in its playlist.

use std::path::PathBuf;

use super::HlsConfig;
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
    /// What a segment's address has before its name.
    base_url: String,
}

impl Layout {
    /// The files of the stream `name`: `NAME.m3u8` and `NAME-N.ts`, or, nested, `NAME/index.m3u8` and
    /// `NAME/N.ts`. Slashes in the name are directories.
    ///
    /// # Errors
    ///
    /// The name is no safe file name.
    pub fn new(config: &HlsConfig, name: &str) -> Result<Self, NameError> {
        if !config.nested {
            return Self::flat(config, name);
        }
        name::check(name)?;
        let base_url = match config.base_url.as_str() {
            "" => String::new(),
            base_url => format!("{base_url}{}/", name::percent_encode(name)),
        };
        let (directory, playlist) = (config.path.join(name), config.index.clone());
        Ok(Self { directory, playlist, prefix: String::new(), base_url })
    }

    /// The files of a stream that has no directory of its own, as [`new`](Self::new) gives them.
    ///
    /// # Errors
    ///
    /// The name is no safe file name.
    pub fn flat(config: &HlsConfig, name: &str) -> Result<Self, NameError> {
        name::check(name)?;
        let (directory, file) = match name.rsplit_once('/') {
            Some((directory, file)) => (config.path.join(directory), file),
            None => (config.path.clone(), name),
        };
        let base_url = match (config.base_url.as_str(), name.rsplit_once('/')) {
            ("", _) | (_, None) => config.base_url.clone(),
            (base_url, Some((directory, _))) => {
                format!("{base_url}{}/", name::percent_encode(directory))
            }
        };
        Ok(Self { directory, playlist: file.into(), prefix: format!("{file}-"), base_url })
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

    /// A complete segment's address, relative to the playlist unless there is a base URL.
    pub fn segment_uri(&self, sequence: u64) -> String {
        format!("{}{}{sequence}.ts", self.base_url, name::percent_encode(&self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn layout(name: &str, nested: bool, base_url: &str) -> Result<Layout, NameError> {
        let config = HlsConfig { nested, base_url: base_url.into(), ..HlsConfig::new("/var/hls") };
        Layout::new(&config, name)
    }

    #[test]
    fn flat() {
        let layout = layout("a b", false, "").unwrap();
        assert_eq!(layout.playlist(), Path::new("/var/hls/a b.m3u8"));
        assert_eq!(layout.temporary_playlist(), Path::new("/var/hls/a b.m3u8.tmp"));
        assert_eq!(layout.segment(7), Path::new("/var/hls/a b-7.ts"));
        assert_eq!(layout.temporary_segment(7), Path::new("/var/hls/a b-7.ts.tmp"));
        assert_eq!(layout.segment_uri(7), "a%20b-7.ts");
    }

    #[test]
    fn nested() {
        let layout = layout("a b", true, "").unwrap();
        assert_eq!(layout.playlist(), Path::new("/var/hls/a b/index.m3u8"));
        assert_eq!(layout.segment(7), Path::new("/var/hls/a b/7.ts"));
        assert_eq!(layout.segment_uri(7), "7.ts");
    }

    #[test]
    fn slashes_are_directories_and_not_in_addresses() {
        let flat = layout("2026/news", false, "").unwrap();
        assert_eq!(flat.segment(7), Path::new("/var/hls/2026/news-7.ts"));
        assert_eq!(flat.segment_uri(7), "news-7.ts");
        let nested = layout("2026/news", true, "").unwrap();
        assert_eq!(nested.playlist(), Path::new("/var/hls/2026/news/index.m3u8"));
    }

    #[test]
    fn unsafe_names_are_refused() {
        assert_eq!(layout("../etc", true, ""), Err(NameError::Relative));
    }

    #[test]
    fn a_base_url_leads_to_the_stream() {
        let base = "https://cdn.example/hls/";
        for (name, nested, uri) in [
            ("cam", false, "https://cdn.example/hls/cam-7.ts"),
            ("news/a cam", false, "https://cdn.example/hls/news/a%20cam-7.ts"),
            ("a cam", true, "https://cdn.example/hls/a%20cam/7.ts"),
        ] {
            assert_eq!(layout(name, nested, base).unwrap().segment_uri(7), uri);
        }
    }
}
