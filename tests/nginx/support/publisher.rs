//! ffmpeg as a publisher.

use std::fs;

use rustix::process::Signal;
use tempfile::TempDir;

use super::media::Clip;
use super::process::{Process, command};

/// ffmpeg sending a clip to the server at the pace of its timestamps.
pub struct Publisher {
    process: Process,
    directory: TempDir,
}

impl Publisher {
    /// Sends `clip` once.
    pub fn once(clip: &Clip, url: &str) -> Self {
        Self::with(clip, url, &["-copyts"], &[])
    }

    /// Sends `clip` over and over until dropped.
    pub fn endless(clip: &Clip, url: &str) -> Self {
        Self::with(clip, url, &["-stream_loop", "-1"], &[])
    }

    /// Sends `clip` with further options for ffmpeg's input and output.
    pub fn with(clip: &Clip, url: &str, input: &[&str], output: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut ffmpeg = command("ffmpeg");
        ffmpeg.args(["-v", "info", "-re"]).args(input).arg("-i").arg(&clip.path);
        ffmpeg.args(["-c", "copy"]).args(output);
        ffmpeg.args(["-flvflags", "no_duration_filesize", "-f", "flv", url]);
        let process = Process::spawn("publisher", &mut ffmpeg, &directory.path().join("stderr"));
        Self { process, directory }
    }

    /// Waits until the clip is sent, and panics if ffmpeg was not content.
    #[track_caller]
    pub fn finish(mut self) {
        let status = self.process.wait();
        assert!(status.success(), "publisher: {status}\n{}", self.complaints());
    }

    /// Ends the publication properly, in the middle of the clip.
    pub fn stop(mut self) {
        assert!(self.process.stop(Signal::INT), "the publisher does not stop");
    }

    fn complaints(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }
}
