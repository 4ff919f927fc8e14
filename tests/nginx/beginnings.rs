//! The configurations that the project began with, adapted in addresses, paths and encoders only.

use std::fs;
use std::path::PathBuf;

use crate::support::hls::{get, playlist};
use crate::support::media::{Clip, Frames};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::Peer;
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
fn a_program_makes_renditions_that_are_watched_over_hls_only() {
    let source = "-re -f lavfi -i testsrc=size=320x240:rate=25 -f lavfi -i sine=frequency=440";
    let video = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";
    let nginx = Nginx::start_conf(&Conf {
        workers: 2,
        ..Conf::server(&format!(
            "chunk_size 4000;
             application hls {{ live on; hls on; hls_path @prefix@/hls; hls_fragment 3;
                 hls_playlist_length 60; hls_nested on;
                 hls_variant _low BANDWIDTH=640000; hls_variant _hi BANDWIDTH=2140000;
                 deny play all;
                 exec_static ffmpeg -v error {source}
                     {video} -s 160x120 -b:v 200k -c:a aac -f flv rtmp://127.0.0.1:@port@/hls/cam_low
                     {video} -b:v 600k -c:a aac -f flv rtmp://127.0.0.1:@port@/hls/cam_hi;
             }}"
        ))
    });
    // Of the program that is killed with nginx.
    nginx.allow("unknown process");
    let master = wait_for("both renditions", || {
        let text = String::from_utf8(get(&nginx.http("hls/cam.m3u8"))?).unwrap();
        (text.lines().filter(|line| line.ends_with("/index.m3u8")).count() == 2).then_some(text)
    });
    let lines: Vec<_> = master.lines().collect();
    for (line, bandwidth, size) in [(2, "640000", "160x120"), (4, "2140000", "320x240")] {
        let start = format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"avc1.");
        assert!(lines[line].starts_with(&start), "{master}");
        assert!(lines[line].ends_with(&format!("RESOLUTION={size}")), "{master}");
    }
    assert_eq!([lines[3], lines[5]], ["cam_low/index.m3u8", "cam_hi/index.m3u8"]);
    let list = playlist(&nginx.http("hls/cam_hi/index.m3u8")).expect("a playlist");
    let segment = nginx.http(&format!("hls/cam_hi/{}", list.segments[0].uri));
    assert_eq!(Frames::decoded(segment).video.len(), 75);
    let mut viewer = Peer::open(nginx.rtmp_port(), "hls");
    viewer.ask_play("cam_low");
    assert!(!viewer.wait_for("NetStream.Play.").says("NetStream.Play.Start"));
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
