//! Playing recorded files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::media::{Clip, Frames, assert_unbroken, flv_tags};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::process::{command, run};
use crate::support::publisher::Publisher;
use crate::support::raw::{AUDIO, DATA, Message, Peer, USER_CONTROL, VIDEO, null, number, string};
use crate::support::wait_until;

const VOD: &str = "application vod { play @prefix@/films; }";

/// User Control events.
const STREAM_EOF: u8 = 1;
const STREAM_IS_RECORDED: u8 = 4;

/// A server with the films that [`films`] makes.
fn start() -> Nginx {
    start_with(VOD)
}

fn start_with(server: &str) -> Nginx {
    let nginx = Nginx::start(server);
    films(&nginx.prefix().join("films"));
    nginx
}

/// The plain clip in every kind of file.
fn films(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let clip = Clip::plain();
    fs::copy(&clip.path, directory.join("plain.flv")).unwrap();
    for (name, options) in [
        ("indexed.flv", "-flvflags add_keyframe_index"),
        ("end.mp4", ""),
        ("front.mp4", "-movflags faststart"),
        ("fragmented.mp4", "-movflags frag_keyframe+empty_moov+default_base_moof"),
        ("dash.mp4", "-movflags dash+frag_keyframe+empty_moov+global_sidx -frag_duration 500000"),
    ] {
        let mut ffmpeg = command("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(&clip.path).args(["-c", "copy"]);
        run(ffmpeg.args(options.split_whitespace()).arg(directory.join(name)));
    }
}

/// What `rtmpdump`, which buffers everything, gets of `url`.
fn dump(nginx: &Nginx, url: &str, options: &[&str]) -> PathBuf {
    let file = nginx.prefix().join("dump.flv");
    let mut rtmpdump = command("rtmpdump");
    rtmpdump.args(["-q", "-r", url, "-o"]).arg(&file).args(options);
    // It takes what is shorter than its metadata say, be it by a frame, for incomplete.
    let status = rtmpdump.status().expect("rtmpdump to run").code();
    assert!(matches!(status, Some(0 | 2)), "{status:?}");
    file
}

/// The payloads of pictures and sound.
fn payloads(frames: &Frames) -> [Vec<&str>; 2] {
    [&frames.video, &frames.audio].map(|it| it.iter().map(|frame| frame.md5.as_str()).collect())
}

/// The times from each picture to the next.
fn steps(frames: &Frames) -> Vec<i64> {
    frames.video.windows(2).map(|pair| pair[1].dts - pair[0].dts).collect()
}

#[test]
fn every_kind_of_file_plays_completely() {
    let (nginx, clip) = (start(), Clip::plain());
    for (name, file) in [
        ("plain", "plain.flv"),
        ("flv:plain", "plain.flv"),
        ("plain.flv", "plain.flv"),
        ("indexed", "indexed.flv"),
        ("mp4:end", "end.mp4"),
        ("front.mp4", "front.mp4"),
        ("mp4:front.mp4", "front.mp4"),
        ("fragmented.mp4", "fragmented.mp4"),
        ("dash.mp4", "dash.mp4"),
    ] {
        let played = Frames::of(dump(&nginx, &nginx.rtmp(&format!("vod/{name}")), &[]));
        assert_eq!(payloads(&played), payloads(&clip.frames), "{name}");
        assert_eq!(steps(&played), steps(&clip.frames), "{name}");
        // Pictures and sound belong together as they do in the file.
        let offset = |frames: &Frames| frames.video[0].pts - frames.audio[0].pts;
        let skew = offset(&played) - offset(&Frames::of(nginx.prefix().join("films").join(file)));
        assert!(skew.abs() <= 2, "{name}: {skew}");
    }
}

#[test]
fn ffmpeg_and_gstreamer_play_to_the_end() {
    let (nginx, clip) = (start(), Clip::plain());
    let played = Frames::of(nginx.rtmp("vod/plain"));
    assert_eq!(payloads(&played), payloads(&clip.frames));
    let file = nginx.prefix().join("gst.flv");
    let mut gst = command("gst-launch-1.0");
    gst.args(["-q", "rtmp2src", &format!("location={}", nginx.rtmp("vod/mp4:front"))]);
    run(gst.args(["!", "filesink", &format!("location={}", file.display())]));
    assert_eq!(payloads(&Frames::of(&file)), payloads(&clip.frames));
}

#[test]
fn metadata_tell_the_duration() {
    let nginx = start();
    for name in ["plain", "front.mp4", "fragmented.mp4"] {
        let mut ffprobe = command("ffprobe");
        ffprobe.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]);
        let told = run(ffprobe.arg(nginx.rtmp(&format!("vod/{name}"))));
        let duration: f64 = told.trim().parse().unwrap_or_else(|_| panic!("{name}: {told}"));
        assert!((4.9..5.2).contains(&duration), "{name}: {duration}");
    }
}

/// Asks for `name` of an application with films, after saying what it buffers.
fn ask(nginx: &Nginx, name: &str, buffer: u32) -> Peer {
    let mut peer = Peer::open(nginx.rtmp_port(), "vod");
    set_buffer(&mut peer, buffer);
    peer.ask_play(name);
    peer
}

fn set_buffer(peer: &mut Peer, millis: u32) {
    let payload = [&[0, 3, 0, 0, 0, 1], &millis.to_be_bytes()[..]].concat();
    peer.send(2, USER_CONTROL, 0, 0, &payload);
}

fn call(peer: &mut Peer, name: &str, arguments: &[Vec<u8>]) {
    let arguments = arguments.concat();
    peer.command(1, &[string(name), number(0.0), null(), arguments].concat());
}

fn boolean(value: bool) -> Vec<u8> {
    vec![1, value.into()]
}

/// What comes up to and with the message that `last` is true of.
fn receive_to(peer: &mut Peer, last: impl Fn(&Message) -> bool) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let message = peer.receive().expect("the connection to live on");
        let is_last = last(&message);
        messages.push(message);
        if is_last {
            return messages;
        }
    }
}

fn is_media(message: &Message) -> bool {
    matches!(message.kind, AUDIO | VIDEO)
}

fn is_frame(message: &Message) -> bool {
    message.kind == VIDEO && message.payload[1] == 1
}

fn is_keyframe(message: &Message) -> bool {
    is_frame(message) && message.payload[0] == 0x17
}

fn is_event(message: &Message, event: u8) -> bool {
    message.kind == USER_CONTROL && message.payload[1] == event
}

#[test]
fn a_player_gets_what_it_buffers_and_then_real_time() {
    let nginx = start();
    let mut peer = ask(&nginx, "front.mp4", 1000);
    let begun = receive_to(&mut peer, is_media);
    assert!(begun.iter().any(|it| is_event(it, STREAM_IS_RECORDED)));
    assert!(begun.iter().any(|it| it.kind == DATA && it.holds("onMetaData")));
    let started = std::time::Instant::now();
    let messages = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
    // Never sooner than the buffer allows: however slow the machine is, this holds.
    assert!(started.elapsed().as_millis() >= 3500);
    let frames: Vec<_> = messages.iter().filter(|it| is_frame(it)).collect();
    assert_eq!(frames.len(), Clip::plain().frames.video.len());
    let end: Vec<_> =
        messages.iter().skip_while(|it| !it.holds("NetStream.Play.Complete")).collect();
    assert!(end[0].kind == DATA && end[0].holds("onPlayStatus"));
    assert!(is_event(end[1], STREAM_EOF));
    assert!(end[2].says("NetStream.Play.Stop"));
}

#[test]
fn what_comes_depends_on_the_buffer_alone() {
    let nginx = start();
    let mut peer = ask(&nginx, "plain", 2000);
    let messages = receive_to(&mut peer, |it| is_media(it) && it.timestamp >= 1900);
    assert!(messages.iter().all(|it| !is_media(it) || it.timestamp < 2100));
    // In a pause nothing more comes, however long the buffer is now.
    call(&mut peer, "pause", &[boolean(true), number(0.0)]);
    let paused = receive_to(&mut peer, |it| it.says("NetStream.Pause.Notify"));
    assert!(paused.iter().all(|it| !is_media(it) || it.timestamp < 4900));
    set_buffer(&mut peer, 60_000);
    let payload = [&[0, 6], &7_u32.to_be_bytes()[..]].concat();
    peer.send(2, USER_CONTROL, 0, 0, &payload);
    let silent = receive_to(&mut peer, |it| is_event(it, 7));
    assert!(!silent.iter().any(is_media));
    call(&mut peer, "pause", &[boolean(false), number(1000.0)]);
    let resumed = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
    let all = messages.iter().chain(&paused).chain(&resumed).filter(|it| is_frame(it));
    assert_eq!(all.count(), Clip::plain().frames.video.len());
}

#[test]
fn seeks_go_to_keyframes() {
    let nginx = start();
    for name in ["plain", "indexed", "end.mp4", "fragmented.mp4", "dash.mp4"] {
        let mut peer = ask(&nginx, name, 60_000);
        let whole = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
        let keyframes: Vec<u32> =
            whole.iter().filter(|it| is_keyframe(it)).map(|it| it.timestamp).collect();
        assert_eq!(keyframes.len(), 5);
        for position in [3300, 700, 4999, 0] {
            call(&mut peer, "seek", &[number(f64::from(position))]);
            peer.wait_for("NetStream.Seek.Notify");
            let messages = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
            let expected = keyframes.iter().rev().find(|it| **it <= position);
            let expected = *expected.unwrap_or(&keyframes[0]);
            let media: Vec<_> = messages.iter().filter(|it| is_media(it)).collect();
            let first = media.iter().find(|it| is_frame(it)).unwrap();
            assert!(is_keyframe(first), "{name} {position}");
            assert_eq!(first.timestamp, expected, "{name} {position}");
            let headers = media.iter().filter(|it| it.payload[1] == 0);
            assert!(
                headers.clone().count() == 2 && headers.clone().all(|it| it.timestamp == expected)
            );
            let of_whole = whole.iter().filter(|it| is_frame(it) && it.timestamp >= expected);
            let frames = media.iter().filter(|it| is_frame(it));
            assert_eq!(frames.count(), of_whole.count(), "{name} {position}");
        }
    }
}

#[test]
fn a_part_is_played_and_tracks_are_chosen() {
    let nginx = start();
    let count = |file: &Path, kind| flv_tags(file).iter().filter(|tag| tag.0 == kind).count();
    let whole = dump(&nginx, &nginx.rtmp("vod/front.mp4"), &[]);
    let [pictures, sounds] = [VIDEO, AUDIO].map(|kind| count(&whole, kind));
    let part = dump(&nginx, &nginx.rtmp("vod/front.mp4"), &["--start", "2.5"]);
    assert_eq!(pictures - count(&part, VIDEO), 50, "from the third keyframe on");
    let sound_only = dump(&nginx, &nginx.rtmp("vod/front.mp4?vindex=1"), &[]);
    assert_eq!([VIDEO, AUDIO].map(|kind| count(&sound_only, kind)), [0, sounds]);
}

#[test]
fn players_of_one_file_do_not_depend_on_each_other() {
    let (nginx, clip) = (start(), Clip::plain());
    let mut stalled = ask(&nginx, "front.mp4", 60_000);
    stalled.wait_for("NetStream.Play.Start");
    let players = [(); 2].map(|()| Player::start(&nginx.rtmp("vod/front.mp4")));
    for player in players {
        assert_eq!(payloads(&player.wait_all(&clip.frames)), payloads(&clip.frames));
    }
    let messages = receive_to(&mut stalled, |it| it.says("NetStream.Play.Stop"));
    assert_eq!(messages.iter().filter(|it| is_frame(it)).count(), clip.frames.video.len());
}

#[test]
fn another_file_may_follow_on_a_connection() {
    let nginx = start();
    let mut peer = ask(&nginx, "front.mp4", 60_000);
    peer.wait_for("NetStream.Play.Start");
    peer.ask_play("plain");
    peer.wait_for("NetStream.Play.Start");
    let messages = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
    assert_eq!(messages.iter().filter(|it| is_keyframe(it)).count(), 5);
    call(&mut peer, "closeStream", &[]);
    peer.ask_play("missing");
    peer.wait_for("NetStream.Play.StreamNotFound");
    peer.wait_closed();
}

#[test]
fn what_is_no_film_is_refused() {
    let nginx = start();
    let films = nginx.prefix().join("films");
    fs::create_dir(films.join("directory.flv")).unwrap();
    run(command("mkfifo").arg(films.join("pipe.flv")));
    fs::write(nginx.prefix().join("secret.flv"), fs::read(films.join("plain.flv")).unwrap())
        .unwrap();
    let absolute = nginx.prefix().join("secret").display().to_string();
    for name in
        ["missing", "mp4:plain", "directory", "pipe", "../secret", "x/../../secret", &absolute]
    {
        let mut peer = ask(&nginx, name, 0);
        peer.wait_for("NetStream.Play.StreamNotFound");
        peer.wait_closed();
    }
    let film = fs::read(films.join("front.mp4")).unwrap();
    fs::write(films.join("empty.mp4"), b"").unwrap();
    fs::write(films.join("text.flv"), b"neither the one nor the other").unwrap();
    fs::write(films.join("cut.mp4"), &film[..1000]).unwrap();
    for (name, reason) in [
        ("empty.mp4", "the file has no movie box"),
        ("text", "the file has no movie box"),
        ("cut.mp4", "the file ends within the box at byte"),
    ] {
        let mut peer = ask(&nginx, name, 0);
        peer.wait_for("NetStream.Play.Failed");
        peer.wait_closed();
        nginx.wait_log(&["[error]", "failed", reason, "client: 127.0.0.1"]);
    }
}

#[test]
fn a_film_that_breaks_off_plays_up_to_there() {
    let nginx = start();
    let films = nginx.prefix().join("films");
    for (name, then) in [("plain.flv", "Complete"), ("front.mp4", "Failed")] {
        let film = fs::read(films.join(name)).unwrap();
        fs::write(films.join(name), &film[..film.len() * 3 / 5]).unwrap();
        let mut peer = ask(&nginx, name, 60_000);
        let messages = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
        assert!(messages.iter().any(|it| it.holds(&format!("NetStream.Play.{then}"))), "{name}");
        assert!((40..100).contains(&messages.iter().filter(|it| is_frame(it)).count()), "{name}");
    }
}

#[test]
fn links_in_the_directory_are_followed() {
    let nginx = start();
    let films = nginx.prefix().join("films");
    fs::rename(films.join("plain.flv"), nginx.prefix().join("elsewhere.flv")).unwrap();
    symlink(nginx.prefix().join("elsewhere.flv"), films.join("link.flv")).unwrap();
    let played = Frames::of(dump(&nginx, &nginx.rtmp("vod/link"), &[]));
    assert_eq!(payloads(&played), payloads(&Clip::plain().frames));
}

#[test]
fn directories_are_tried_from_the_inside_out() {
    let conf = Conf {
        rtmp: "play @prefix@/outer @prefix@/films;".into(),
        ..Conf::server("application vod { play @prefix@/inner; }")
    };
    let nginx = Nginx::start_conf(&conf);
    films(&nginx.prefix().join("films"));
    let path = |name: &str| nginx.prefix().join(name);
    for name in ["inner", "outer"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::copy(path("films/front.mp4"), path("outer/both.mp4")).unwrap();
    fs::write(path("inner/both.mp4"), b"no film").unwrap();
    ask(&nginx, "both.mp4", 0).wait_for("NetStream.Play.Failed");
    fs::remove_file(path("inner/both.mp4")).unwrap();
    ask(&nginx, "both.mp4", 0).wait_for("NetStream.Play.Start");
    ask(&nginx, "end.mp4", 0).wait_for("NetStream.Play.Start");
}

/// A server that plays files of `near`, and what its own HTTP server has below `/store/`.
fn start_remote(more: &str, of_http: &str) -> Nginx {
    let conf = Conf {
        http: format!("location /store/ {{ access_log asked; {of_http} }}"),
        ..Conf::server(&format!(
            "play_temp_path @prefix@/near;
             application vod {{ play @prefix@/near http://@http@/store; {more} }}"
        ))
    };
    let nginx = Nginx::start_conf(&conf);
    films(&nginx.prefix().join("store"));
    fs::create_dir(nginx.prefix().join("near")).unwrap();
    nginx
}

/// The requests that the HTTP server has had.
fn asked(nginx: &Nginx) -> Vec<String> {
    let log = fs::read_to_string(nginx.prefix().join("asked")).unwrap_or_default();
    log.lines().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn files_of_a_server_are_downloaded_and_played() {
    let (nginx, clip) = (start_remote("", ""), Clip::plain());
    for (name, file) in [("plain", "plain.flv"), ("mp4:front", "front.mp4")] {
        let played = Frames::of(dump(&nginx, &nginx.rtmp(&format!("vod/{name}?t=1")), &[]));
        assert_eq!(payloads(&played), payloads(&clip.frames), "{name}");
        let request = format!("GET /store/{file}?addr=127.0.0.1&t=1 HTTP/1.1");
        assert_eq!(asked(&nginx).last(), Some(&request));
    }
    fs::copy(nginx.prefix().join("store/end.mp4"), nginx.prefix().join("store/a b")).unwrap();
    ask(&nginx, "mp4:a b", 0).wait_for("NetStream.Play.Start");
    let last = ["a%20b.mp4", "a%20b"].map(|it| format!("GET /store/{it}?addr=127.0.0.1 HTTP/1.1"));
    wait_until("the second request", || asked(&nginx).ends_with(&last));
    assert_eq!(names(&nginx.prefix().join("near")), [""; 0], "nothing is left behind");
}

#[test]
fn downloads_are_kept_where_there_is_a_place_for_them() {
    let nginx = start_remote("play_local_path @prefix@/near;", "");
    fs::create_dir(nginx.prefix().join("store/sub")).unwrap();
    let film = fs::read(nginx.prefix().join("store/plain.flv")).unwrap();
    fs::write(nginx.prefix().join("store/sub/film.flv"), &film).unwrap();
    for _ in 0..2 {
        let mut peer = ask(&nginx, "sub/film", 60_000);
        let messages = receive_to(&mut peer, |it| it.says("NetStream.Play.Stop"));
        let frames = messages.iter().filter(|it| is_frame(it)).count();
        assert_eq!(frames, Clip::plain().frames.video.len());
        assert_eq!(fs::read(nginx.prefix().join("near/sub/film.flv")).unwrap(), film);
        assert_eq!(names(&nginx.prefix().join("near")), ["sub"]);
        assert_eq!(asked(&nginx).len(), 1, "the second time it is there");
    }
}

#[test]
fn a_server_without_the_file_is_one_place_of_several() {
    let nginx = start_remote("play http://127.0.0.1:1/ @prefix@/far;", "");
    fs::rename(nginx.prefix().join("store/end.mp4"), nginx.prefix().join("end.mp4")).unwrap();
    fs::create_dir(nginx.prefix().join("far")).unwrap();
    fs::rename(nginx.prefix().join("end.mp4"), nginx.prefix().join("far/end.mp4")).unwrap();
    ask(&nginx, "end.mp4", 0).wait_for("NetStream.Play.Start");
    nginx.wait_log(&["[error]", "downloading failed: connecting to 127.0.0.1:1 failed"]);
    ask(&nginx, "nowhere", 0).wait_for("NetStream.Play.StreamNotFound");
    // The other server is not asked for another name once it was found dead.
    assert_eq!(nginx.log().matches("downloading failed").count(), 2);
}

#[test]
fn a_slow_download_can_be_left() {
    let nginx = start_remote("", "limit_rate_after 100k; limit_rate 1k;");
    let peer = ask(&nginx, "plain", 0);
    nginx.wait_log(&["downloading \"plain.flv\" from http://127.0.0.1"]);
    wait_until("the file", || !names(&nginx.prefix().join("near")).is_empty());
    drop(peer);
    wait_until("its removal", || names(&nginx.prefix().join("near")).is_empty());
}

#[test]
fn who_wants_the_same_file_shares_its_download() {
    for more in ["", "play_local_path @prefix@/near;"] {
        let nginx = start_remote(more, "limit_rate_after 100k; limit_rate 20k;");
        let [first, second, third] = ["plain", "plain", "plain?t=1"].map(|it| ask(&nginx, it, 0));
        wait_until("three searches", || nginx.log().matches("downloading \"plain").count() == 3);
        // It goes on for those who stay.
        drop(first);
        for mut peer in [second, third] {
            peer.wait_for("NetStream.Play.Start");
        }
        wait_until("the requests' ends", || asked(&nginx).len() == 2);
    }
}

#[test]
fn a_live_stream_comes_before_a_file_of_its_name() {
    let nginx = start_with("application vod { live on; play @prefix@/films; }");
    let clip = Clip::plain();
    let mut recorded = ask(&nginx, "plain", 0);
    assert!(receive_to(&mut recorded, is_media).iter().any(|it| is_event(it, STREAM_IS_RECORDED)));
    let waiting = Player::start(&nginx.rtmp("vod/cam"));
    for name in ["cam", "plain"] {
        let _publisher = Publisher::endless(clip, &nginx.rtmp(&format!("vod/{name}")));
        nginx.wait_log(&["publishing while receiving", &format!("stream: \"{name}\"")]);
        let player =
            if name == "cam" { &waiting } else { &Player::start(&nginx.rtmp("vod/plain")) };
        assert_unbroken(&player.wait_video(150).video, &clip.frames.video);
    }
    let mut missing = ask(&nginx, "mp4:cam", 0);
    missing.wait_for("NetStream.Play.StreamNotFound");
}
