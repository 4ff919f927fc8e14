//! Clients other than ffmpeg, and what they sent when they were recorded.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::media::{Clip, Frames, assert_unbroken};
use crate::support::nginx::Nginx;
use crate::support::player::{Player, Tracks};
use crate::support::process::{Process, command};
use crate::support::publisher::Publisher;
use crate::support::raw::{capture, dial};

const LIVE: &str = "application live { live on; }";

#[test]
fn gstreamer_publishes() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let pipeline = format!(
        "filesrc location={} ! flvdemux name=d \
         d.video ! queue ! h264parse ! m. d.audio ! queue ! aacparse ! m. \
         flvmux name=m streamable=true ! rtmp2sink sync=true location={}",
        clip.path.display(),
        nginx.live("cam")
    );
    let stderr = nginx.prefix().join("gst");
    let mut gstreamer = command("gst-launch-1.0");
    gstreamer.args(["-q", "-e"]).args(pipeline.split_whitespace());
    let mut gstreamer = Process::spawn("gst-launch-1.0", &mut gstreamer, &stderr);
    assert!(gstreamer.wait().success(), "{}", std::fs::read_to_string(&stderr).unwrap());
    // GStreamer's muxer gives its own times to the frames, but keeps the frames.
    let frames = player.wait_video(clip.frames.video.len() - 1);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    assert_unbroken(&frames.audio, &clip.frames.audio);
}

#[test]
fn gstreamer_plays() {
    check_player("gst-launch-1.0", |url, file| {
        let pipeline = format!(
            "rtmp2src location={url} ! filesink buffer-mode=unbuffered location={}",
            file.display()
        );
        [&["-q".to_owned(), "-e".into()][..], &words(&pipeline)].concat()
    });
}

#[test]
fn rtmpdump_plays() {
    check_player("rtmpdump", |url, file| {
        words(&format!("-q --live -r {url} -o {}", file.display()))
    });
}

#[test]
fn rtmpdump_plays_after_a_handshake_with_digests() {
    // With a hash of a SWF file, whichever, librtmp proves that it has one, by digests.
    check_player("rtmpdump", |url, file| {
        let hash = "00".repeat(32);
        words(&format!("-q --live -w {hash} -x 1000 -r {url} -o {}", file.display()))
    });
}

/// Lets `program` write the FLV it plays to a file until there is enough of it.
#[track_caller]
fn check_player(program: &str, arguments: impl Fn(&str, &Path) -> Vec<String>) {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    Player::start(&nginx.live("cam")).wait_video(10);
    let file = nginx.prefix().join("played.flv");
    let mut player = command(program);
    player.args(arguments(&nginx.live("cam"), &file));
    let mut player = Process::spawn(program, &mut player, &nginx.prefix().join("player"));
    crate::support::wait_until("100 kB of FLV", || {
        std::fs::metadata(&file).is_ok_and(|file| file.len() > 100_000)
    });
    assert!(player.stop(Signal::INT));
    let frames = Frames::of(&file);
    assert!(clip.is_keyframe(assert_unbroken(&frames.video, &clip.frames.video)));
    assert_unbroken(&frames.audio, &clip.frames.audio);
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Sends what a publisher sent once more, a few frames at a time.
#[track_caller]
fn check_capture(name: &str, video: usize) {
    let nginx = Nginx::start(LIVE);
    let player = Player::start_tracks(&nginx.live("cam"), Tracks::Video);
    let mut stream = dial(nginx.rtmp_port());
    for part in capture(name).chunks(512) {
        stream.write_all(part).expect("the server to take all");
        thread::sleep(Duration::from_millis(5));
    }
    let frames = player.wait_video(video);
    assert!(frames.video.is_sorted_by_key(|frame| frame.dts));
}

#[test]
fn recorded_publishers_are_understood() {
    check_capture("ffmpeg-publish.bin", 20);
    check_capture("gst-publish.bin", 19);
    check_capture("obs-publish.bin", 15);
}
