//! ffmpeg as a player.

use std::cell::RefCell;
use std::fs;

use tempfile::TempDir;

use super::media::Frames;
use super::process::{Process, command};
use super::{PATIENCE, wait_until};

/// Which tracks a player takes, each of which must be there.
#[derive(Clone, Copy, PartialEq)]
pub enum Tracks {
    Both,
    Video,
    Audio,
}

/// ffmpeg watching a stream and writing down each frame that comes.
pub struct Player {
    process: RefCell<Process>,
    directory: TempDir,
}

impl Player {
    /// Watches `url` from now on; returns when ffmpeg has asked the server for it.
    #[track_caller]
    pub fn start(url: &str) -> Self {
        Self::start_tracks(url, Tracks::Both)
    }

    /// [`Player::start`] for a stream that does not have both tracks.
    #[track_caller]
    pub fn start_tracks(url: &str, tracks: Tracks) -> Self {
        let player = Self::launch(url, tracks);
        wait_until("the player's request", || player.log().contains("Sending play command"));
        player
    }

    /// Watches `url`, not waiting for anything.
    pub fn launch(url: &str, tracks: Tracks) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut ffmpeg = command("ffmpeg");
        // It looks for a second track that long when there is only one.
        ffmpeg.args(["-v", "debug", "-nostats", "-copyts", "-analyzeduration", "1000000"]);
        ffmpeg.args(["-i", url]);
        // An output each, since in a common one the last frames of one track would wait for
        // those of the other.
        for (track, map) in [(Tracks::Video, "0:v"), (Tracks::Audio, "0:a")] {
            if tracks == Tracks::Both || tracks == track {
                ffmpeg.args(["-map", map, "-c", "copy", "-f", "framemd5", "-flush_packets", "1"]);
                ffmpeg.arg(directory.path().join(&map[2..]));
            }
        }
        let process = Process::spawn("player", &mut ffmpeg, &directory.path().join("stderr"));
        Self { process: RefCell::new(process), directory }
    }

    /// What has come so far.
    pub fn frames(&self) -> Frames {
        let read = |name: &str| {
            let text = fs::read_to_string(self.directory.path().join(name));
            Frames::parse(&text.unwrap_or_default())
        };
        Frames { video: read("v").video, audio: read("a").audio }
    }

    /// Waits until `enough` says so and gives what has come by then.
    #[track_caller]
    pub fn wait(&self, what: &str, enough: impl Fn(&Frames) -> bool) -> Frames {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let frames = self.frames();
            if enough(&frames) {
                return frames;
            }
            let count = (frames.video.len(), frames.audio.len());
            assert!(self.is_running(), "no {what}: the player has ended with {count:?} frames");
            assert!(
                std::time::Instant::now() < deadline,
                "gave up waiting for {what}: the player has {count:?} frames\n{}",
                self.log()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until as many frames have come as `source` has.
    #[track_caller]
    pub fn wait_all(&self, source: &Frames) -> Frames {
        self.wait("all frames", |frames| {
            frames.video.len() >= source.video.len() && frames.audio.len() >= source.audio.len()
        })
    }

    /// Waits until at least `count` pictures have come.
    #[track_caller]
    pub fn wait_video(&self, count: usize) -> Frames {
        self.wait(&format!("{count} pictures"), |frames| frames.video.len() >= count)
    }

    /// Waits for `count` pictures more than there are now.
    #[track_caller]
    pub fn wait_more(&self, count: usize) -> Frames {
        self.wait_video(self.frames().video.len() + count)
    }

    /// Whether ffmpeg still watches.
    pub fn is_running(&self) -> bool {
        self.process.borrow_mut().is_running()
    }

    /// What ffmpeg has to say.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }
}
