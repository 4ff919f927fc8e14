//! File operations executed, and what they leave.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use ngx_rtmp_module::file_op::FileOp;
use tempfile::TempDir;

/// The files of one output.
pub(crate) struct Output {
    directory: TempDir,
    playlist: PathBuf,
    open: HashMap<PathBuf, File>,
}

impl Output {
    /// An output whose playlist has that name, in a directory of its own. Nothing is there yet.
    pub(crate) fn new(playlist: &str) -> Self {
        let directory = TempDir::new().expect("a scratch directory");
        let playlist = directory.path().join(playlist);
        Self { directory, playlist, open: HashMap::new() }
    }

    /// The directory of all files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Executes operations as the storage layer does, and checks that no playlist names what is not
    /// there.
    pub(crate) fn execute(&mut self, ops: impl Iterator<Item = FileOp>) {
        for op in ops {
            match op {
                FileOp::Create { path } => {
                    let file = File::create(&path).expect("create");
                    self.open.insert(path, file);
                }
                FileOp::Write { path, data } => {
                    let file = self.open.get_mut(&path).expect("a file that was created");
                    file.write_all(&data).expect("write");
                }
                FileOp::Rename { from, to } => {
                    self.open.remove(&from).expect("a file that was created");
                    fs::rename(from, to).expect("rename");
                }
                FileOp::Put { path, data, .. } => {
                    fs::write(&path, data).expect("write");
                    self.check_playlist(&path);
                }
                FileOp::Remove { path } => fs::remove_file(path).expect("remove"),
                op => panic!("{op:?} is not of HLS"),
            }
        }
    }

    fn check_playlist(&self, written: &Path) {
        if written == self.playlist {
            assert!(self.segment_paths().iter().all(|segment| segment.exists()));
        }
    }

    pub(crate) fn playlist_path(&self) -> PathBuf {
        self.playlist.clone()
    }

    pub(crate) fn playlist(&self) -> String {
        fs::read_to_string(&self.playlist).expect("a playlist")
    }

    /// The value of a numeric tag.
    pub(crate) fn tag(&self, name: &str) -> Option<f64> {
        let prefix = format!("#EXT-X-{name}:");
        self.playlist().lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok())
    }

    /// What each segment lasts, in seconds.
    pub(crate) fn durations(&self) -> Vec<f64> {
        let playlist = self.playlist();
        let durations = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
        durations.map(|line| line.trim_end_matches(',').parse().expect("a duration")).collect()
    }

    /// Whether there is a discontinuity before each segment.
    pub(crate) fn discontinuities(&self) -> Vec<bool> {
        let playlist = self.playlist();
        let segments = playlist.split_inclusive(".ts\n").filter(|text| text.contains("#EXTINF"));
        segments.map(|text| text.contains("#EXT-X-DISCONTINUITY\n")).collect()
    }

    /// The segments' bytes, in order.
    pub(crate) fn segments(&self) -> Vec<Vec<u8>> {
        self.segment_paths().iter().map(|path| fs::read(path).expect("a segment")).collect()
    }

    /// All segments in one file.
    pub(crate) fn concatenated(&self) -> PathBuf {
        let path = self.playlist.with_extension("all.ts");
        fs::write(&path, self.segments().concat()).expect("write");
        path
    }

    fn segment_paths(&self) -> Vec<PathBuf> {
        let playlist = self.playlist();
        let names = playlist.lines().filter(|line| !line.starts_with('#'));
        names.map(|name| self.playlist.with_file_name(name)).collect()
    }
}
