//! Live streams over HTTP as endless MP4, below `rtmp_dashboard`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::blocking::{Client, Response};

use crate::support::media::{Clip, Frames, assert_unbroken};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::{Player, Tracks};
use crate::support::process::{Process, command, open_files, resident_kib};
use crate::support::publisher::Publisher;
use crate::support::raw::{AUDIO, Peer, VIDEO};
use crate::support::{PATIENCE, wait_for, wait_until};

const LIVE: &str = "application live { live on; }";

const HTTP: &str = "location /dashboard/ { rtmp_dashboard; }
    listen unix:@prefix@/h2 http2;";

/// The path of the stream `cam`.
const CAM: &str = "dashboard/preview/live/cam.mp4";

/// Sequence headers of ffmpeg, libx264 with the profiles Baseline and Main, and aac.
const AVC_HEADER: &[u8] = b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00\x19\x67\x42\xc0\
    \x1e\xd9\x00\xa0\x2f\xf9\x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2e\x48\
    \x01\x00\x05\x68\xcb\x83\xcb\x20";
const AVC_HEADER_MAIN: &[u8] = b"\x17\x00\x00\x00\x00\x01\x4d\x40\x1e\xff\xe1\x00\x19\x67\x4d\x40\
    \x1e\xd9\x00\xa0\x2f\xf9\x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2e\x48\
    \x01\x00\x05\x68\xcb\x83\xcb\x20";
const AAC_HEADER: &[u8] = b"\xaf\x00\x12\x10\x56\xe5\x00";

fn conf(workers: u32) -> Conf {
    Conf { workers, http: HTTP.into(), ..Conf::server(LIVE) }
}

/// A keyframe with a slice of so many bytes.
fn keyframe(length: u32) -> Vec<u8> {
    picture(0x17, length)
}

fn picture(first: u8, length: u32) -> Vec<u8> {
    let mut tag = vec![first, 1, 0, 0, 0];
    tag.extend(length.to_be_bytes());
    tag.resize(tag.len() + length as usize, 0x65);
    tag
}

/// A publisher of `cam` that has sent its headers.
fn publish(nginx: &Nginx) -> Peer {
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.set_chunk_size(1 << 20);
    publisher.send(6, VIDEO, 1, 0, AVC_HEADER);
    publisher.send(4, AUDIO, 1, 0, AAC_HEADER);
    publisher
}

/// A publisher of `cam` that has sent half a second.
fn publish_pictures(nginx: &Nginx) -> Peer {
    let mut publisher = publish(nginx);
    publisher.send(6, VIDEO, 1, 0, &keyframe(1000));
    for timestamp in (40..500).step_by(40) {
        publisher.send(6, VIDEO, 1, timestamp, &picture(0x27, 100));
    }
    publisher
}

fn ask(nginx: &Nginx, path: &str) -> Response {
    let client = Client::builder().timeout(2 * PATIENCE).build().unwrap();
    client.get(nginx.http(path)).send().expect("an answer")
}

/// Watches `cam` as soon as it is there.
#[track_caller]
fn watch(nginx: &Nginx) -> Response {
    wait_for("the stream", || Some(ask(nginx, CAM)).filter(|it| it.status() == 200))
}

/// What a response header says.
fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Watches `cam` with ffmpeg as soon as it is there.
#[track_caller]
fn play(nginx: &Nginx) -> Player {
    drop(watch(nginx));
    Player::launch(&nginx.http(CAM), Tracks::Both)
}

/// Reads up to the end of the response, which has to be a proper one.
#[track_caller]
fn read_to_end(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    response.read_to_end(&mut body).expect("the whole of the response");
    body
}

/// Asserts that `got` is a part of the clip, over and over, from one of its keyframes on.
#[track_caller]
fn assert_part_of(clip: &Clip, got: &Frames) {
    let start = assert_unbroken(&got.video, &clip.frames.video);
    assert!(clip.is_keyframe(start), "it begins at {start}");
    assert_unbroken(&got.audio, &clip.frames.audio);
}

/// Watches the clip with so many viewers, in whichever worker, up to its end.
#[track_caller]
fn viewers_get_all(conf: &Conf, viewers: usize) {
    let (nginx, clip) = (Nginx::start_conf(conf), Clip::plain());
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    let mut players = vec![play(&nginx)];
    let all = players[0].wait_video(60);
    assert!(all.video[0].dts < 1000, "{:?}", all.video[0]);
    players.extend((1..viewers).map(|_| play(&nginx)));
    players.iter().for_each(|player| drop(player.wait_video(30)));
    publisher.stop();
    let mut ends = Vec::new();
    for player in players {
        wait_until("the end of the response", || !player.is_running());
        let got = player.frames();
        assert_part_of(clip, &got);
        ends.push(got.video.last().map(|frame| frame.md5.clone()));
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}

#[test]
fn viewers_get_the_stream_from_a_keyframe_to_its_end() {
    viewers_get_all(&conf(1), 3);
}

#[test]
fn viewers_in_any_worker_get_the_stream() {
    viewers_get_all(&conf(3), 6);
    viewers_get_all(&Conf { listen: "listen @rtmp@ reuseport;".into(), ..conf(2) }, 4);
}

#[test]
fn the_response_says_what_it_is() {
    let nginx = Nginx::start_conf(&conf(1));
    let mut publisher = publish_pictures(&nginx);
    let response = watch(&nginx);
    assert_eq!(header(&response, "content-type"), "video/mp4; codecs=\"avc1.42c01e,mp4a.40.2\"");
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(header(&response, "transfer-encoding"), "chunked");
    let head = Client::new().head(nginx.http(CAM)).send().expect("an answer");
    assert_eq!(header(&head, "content-type"), header(&response, "content-type"));
    publisher.send(6, VIDEO, 1, 520, &keyframe(1000));
    drop(publisher);
    assert!(read_to_end(response)[4..].starts_with(b"ftyp"));
}

#[test]
fn the_first_picture_comes_at_once() {
    let nginx = Nginx::start_conf(&conf(1));
    let publisher = publish_pictures(&nginx);
    let mut response = watch(&nginx);
    let mut body = Vec::new();
    while !body.windows(4).any(|name| name == b"mdat") {
        let mut piece = [0; 1000];
        let length = response.read(&mut piece).expect("more of the response");
        assert!(length > 0, "the response ends");
        body.extend_from_slice(&piece[..length]);
    }
    drop(publisher);
    read_to_end(response);
}

#[test]
fn what_is_not_there_is_not_found() {
    let nginx = Nginx::start_conf(&conf(2));
    let _publisher = publish_pictures(&nginx);
    drop(watch(&nginx));
    for path in [
        "dashboard/preview/live/other.mp4",
        "dashboard/preview/other/cam.mp4",
        "dashboard/preview/live/cam.mp4?server=1",
        "dashboard/preview/live/cam.mp4?server=x",
        "dashboard/preview/live/cam",
    ] {
        let response = ask(&nginx, path);
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.text().unwrap(), "there is no such stream\n", "{path}");
    }
    let post = Client::new().post(nginx.http(CAM)).body("x").send().expect("an answer");
    assert_eq!(post.status(), 405);
    let encoded = ask(&nginx, "dashboard/preview/live/c%61m.mp4?server=0");
    assert_eq!(encoded.status(), 200);
}

#[test]
fn what_mp4_does_not_carry_is_refused() {
    let nginx = Nginx::start_conf(&conf(1));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.send(4, AUDIO, 1, 0, b"\xb2speex");
    let response = wait_for("a refusal", || {
        publisher.send(4, AUDIO, 1, 20, b"\xb2speex");
        Some(ask(&nginx, CAM)).filter(|response| response.status() == 415)
    });
    let text = response.text().unwrap();
    assert_eq!(
        text,
        "the stream cannot be played here: unsupported audio codec: FLV sound format 11\n"
    );
}

#[test]
fn the_connection_is_kept_when_the_stream_ends() {
    let nginx = Nginx::start_conf(&conf(1));
    let publisher = publish_pictures(&nginx);
    drop(watch(&nginx));
    let address = nginx.http("").replace("http://", "").replace('/', "");
    let stream = TcpStream::connect(&address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = || write!(&stream, "GET /{CAM} HTTP/1.1\r\nHost: x\r\n\r\n").expect("to ask");
    let mut got = Vec::new();
    let mut read_until = |wanted: &[u8]| {
        while !got.windows(wanted.len()).any(|part| part == wanted) {
            let mut piece = [0; 4096];
            let length = (&stream).read(&mut piece).expect("more of the response");
            assert!(length > 0, "the connection is closed");
            got.extend_from_slice(&piece[..length]);
        }
    };
    ask();
    read_until(b"mdat");
    drop(publisher);
    read_until(b"\r\n0\r\n\r\n");
    ask();
    read_until(b"there is no such stream\n");
}

#[test]
fn http_2_carries_it_too() {
    let (nginx, clip) = (Nginx::start_conf(&conf(2)), Clip::plain());
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    drop(watch(&nginx));
    let path = |name: &str| nginx.prefix().join(name);
    let mut curl = command("curl");
    curl.args(["-sS", "--fail", "--http2-prior-knowledge", "-D"]).arg(path("head"));
    curl.arg("-o").arg(path("body.mp4")).arg("--unix-socket").arg(path("h2"));
    curl.arg(format!("http://localhost/{CAM}"));
    let mut curl = Process::spawn("curl", &mut curl, &path("curl"));
    let size = || fs::metadata(path("body.mp4")).map_or(0, |file| file.len());
    wait_until("much of the response", || size() > 100_000);
    publisher.stop();
    assert!(curl.wait().success(), "{}", fs::read_to_string(path("curl")).unwrap());
    let head = fs::read_to_string(path("head")).unwrap();
    assert!(head.starts_with("HTTP/2 200"), "{head}");
    assert_part_of(clip, &Frames::of(path("body.mp4")));
}

#[test]
fn a_client_that_does_not_read_costs_nothing() {
    const PICTURES: u32 = 300;
    const LENGTH: u32 = 400_000;

    let nginx = Nginx::start_conf(&conf(1));
    let mut publisher = publish_pictures(&nginx);
    let slow = watch(&nginx);
    let worker = nginx.workers()[0];
    let mut memory = 0;
    for number in 0..PICTURES {
        publisher.send(6, VIDEO, 1, 520 + number * 40, &keyframe(LENGTH));
        if number == PICTURES / 4 {
            memory = resident_kib(worker);
        }
    }
    // It has taken all of them.
    drop(publisher);
    nginx.wait_log(&["preview of stream \"cam\" ends"]);
    let grown = resident_kib(worker) - memory;
    assert!(grown < 16 << 10, "the worker has grown by {grown} KiB");
    let got = read_to_end(slow).len();
    assert!(got < (PICTURES * LENGTH / 2) as usize, "{got} bytes were kept");
}

#[test]
fn what_the_last_viewer_leaves_is_freed() {
    let nginx = Nginx::start_conf(&conf(1));
    let mut publisher = publish_pictures(&nginx);
    let files = open_files(nginx.workers()[0]);
    let viewers: Vec<_> = (0..5).map(|_| watch(&nginx)).collect();
    let count = |text: &str| nginx.log().matches(text).count();
    assert_eq!(count("preview of stream \"cam\" begins"), 1, "they share it");
    drop(viewers);
    nginx.wait_log(&["preview of stream \"cam\" ends"]);
    wait_until("the connections to be closed", || open_files(nginx.workers()[0]) == files);
    // It begins anew for the next one.
    publisher.send(6, VIDEO, 1, 520, &keyframe(1000));
    drop(watch(&nginx));
    wait_until("the end of the next one", || count("preview of stream \"cam\" ends") == 2);
}

#[test]
fn other_codecs_end_the_response() {
    let nginx = Nginx::start_conf(&conf(1));
    let mut publisher = publish_pictures(&nginx);
    let response = watch(&nginx);
    publisher.send(6, VIDEO, 1, 520, AVC_HEADER_MAIN);
    publisher.send(6, VIDEO, 1, 520, &keyframe(1000));
    publisher.send(6, VIDEO, 1, 560, &keyframe(1000));
    read_to_end(response);
    let response = watch(&nginx);
    assert_eq!(header(&response, "content-type"), "video/mp4; codecs=\"avc1.4d401e,mp4a.40.2\"");
}

#[test]
fn a_reload_ends_the_responses_of_old_workers() {
    let (nginx, clip) = (Nginx::start_conf(&conf(2)), Clip::plain());
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    let viewers: Vec<_> = (0..4).map(|_| watch(&nginx)).collect();
    nginx.reload();
    for viewer in viewers {
        read_to_end(viewer);
    }
    // The publisher's worker goes on with it.
    let player = play(&nginx);
    player.wait_video(30);
    publisher.stop();
    wait_until("the end of the response", || !player.is_running());
    assert_unbroken(&player.frames().video, &clip.frames.video);
}

#[test]
fn a_rate_limit_holds() {
    let http = "location /dashboard/ { rtmp_dashboard; limit_rate 60k; }".into();
    let (nginx, clip) = (Nginx::start_conf(&Conf { http, ..conf(1) }), Clip::plain());
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    let player = play(&nginx);
    player.wait_video(60);
    publisher.stop();
    wait_until("the end of the response", || !player.is_running());
    assert_part_of(clip, &player.frames());
}
