//! The configurations that the project began with, adapted in addresses, paths and encoders only;
//! that of a program which makes renditions is in `exec`.

use std::fs;
use std::path::PathBuf;

use crate::support::media::{Clip, Frames};
use crate::support::nginx::Nginx;
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::{wait_for, wait_until};

#[test]
fn a_live_application_records_everything() {
    let nginx = Nginx::start(
        "chunk_size 4096;
         application live { live on; meta copy; record all; record_path @prefix@/recordings;
             record_unique on; }",
    );
    let clip = Clip::plain();
    let player = Player::start(&nginx.live("cam"));
    Publisher::once(clip, &nginx.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
    let recording = wait_for("the recording", || {
        let files = fs::read_dir(nginx.prefix().join("recordings")).ok()?;
        let paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        let path = paths.first()?.clone();
        (Frames::of(&path).video.len() == clip.frames.video.len()).then_some(path)
    });
    let name = recording.file_name().unwrap().to_str().unwrap();
    let stamp = name.strip_prefix("cam-").and_then(|it| it.strip_suffix(".flv")).unwrap();
    assert!(stamp.parse::<u64>().is_ok(), "{name}");
    assert_eq!(Frames::decoded(&recording).video.len(), clip.frames.video.len());
}

#[test]
fn a_repeater_pulls_and_a_pusher_pushes() {
    let origin = Nginx::start("application movies { live on; } application app { live on; }");
    let repeater = Nginx::start(&format!(
        "application live {{ live on; pull {} live=1 name=blah; }}",
        origin.rtmp("movies/some-endpoint")
    ));
    let pusher =
        Nginx::start(&format!("application live {{ live on; push {}; }}", origin.rtmp("app/KEY")));
    let clip = Clip::plain();
    let repeated = Player::start(&repeater.live("blah"));
    let pushed = Player::start(&origin.rtmp("app/KEY"));
    wait_until("the pull", || origin.log().contains("playing"));
    let publisher = Publisher::once(clip, &origin.rtmp("movies/some-endpoint"));
    Publisher::once(clip, &pusher.live("cam")).finish();
    publisher.finish();
    assert_eq!(repeated.wait_all(&clip.frames), clip.frames);
    assert_eq!(pushed.wait_all(&clip.frames), clip.frames);
}
