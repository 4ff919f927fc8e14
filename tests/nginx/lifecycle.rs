//! What the signals to nginx's master do to live streams.

use std::fs;
use std::net::TcpStream;

use rustix::process::Signal;

use crate::support::hls::{Playlist, wait_playlist};
use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::Peer;
use crate::support::wait_until;

const HLS: &str = "application live {
    live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; }";

#[test]
fn reload_leaves_streams_alone_and_takes_new_ones() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let player = Player::start(&nginx.live("old"));
    let publisher = Publisher::endless(clip, &nginx.live("old"));
    player.wait_video(10);
    nginx.reload();
    assert_eq!(nginx.old_workers().len(), 1);
    // A stream that begins now lives in the new worker.
    let newcomer = Player::start(&nginx.live("new"));
    Publisher::once(clip, &nginx.live("new")).finish();
    assert_eq!(newcomer.wait_all(&clip.frames), clip.frames);
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    publisher.stop();
    drop(player);
    wait_until("the old worker to leave", || nginx.old_workers().is_empty());
}

#[test]
fn reload_under_load_time_and_again() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    for _ in 0..5 {
        player.wait_more(5);
        nginx.reload();
        Peer::publish(nginx.rtmp_port(), "live", "other");
    }
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    publisher.stop();
    drop(player);
    wait_until("the old workers to leave", || nginx.old_workers().is_empty());
}

#[test]
fn reload_takes_a_changed_configuration() {
    let nginx = Nginx::start("application live { live on; }");
    nginx.rewrite_conf(&Conf::server("application other { live on; }"));
    nginx.reload();
    Peer::publish(nginx.rtmp_port(), "other", "cam");
    // A configuration that is wrong changes nothing.
    nginx.rewrite_conf(&Conf::server("application broken { live perhaps; }"));
    nginx.signal(Signal::HUP);
    nginx.allow("live");
    nginx.wait_log(&["[emerg]", "perhaps"]);
    Peer::publish(nginx.rtmp_port(), "other", "cam");
}

#[test]
fn graceful_stop_waits_for_the_last_peer() {
    let (mut nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    wait_playlist("a segment", &nginx.http("hls/cam.m3u8"), |list| !list.segments.is_empty());
    nginx.signal(Signal::QUIT);
    wait_until("the port to close", || {
        TcpStream::connect(("127.0.0.1", nginx.rtmp_port())).is_err()
    });
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    assert!(nginx.is_running());
    publisher.stop();
    drop(player);
    nginx.wait_exit();
    let list = fs::read_to_string(nginx.prefix().join("hls/cam.m3u8")).expect("the playlist");
    assert!(Playlist::parse(&list).has_ended, "{list}");
}

#[test]
fn fast_stop_leaves_nothing_behind() {
    let (mut nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    player.wait_video(10);
    let workers = nginx.workers();
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    for pid in workers {
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "worker {pid} is still there");
    }
}

#[test]
fn log_is_reopened() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    player.wait_video(10);
    let log = nginx.prefix().join("logs/error.log");
    fs::rename(&log, log.with_extension("1")).unwrap();
    nginx.signal(Signal::USR1);
    wait_until("a new log", || log.exists());
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.send_bytes(&[0; 64]);
    drop(peer);
    wait_until("lines in the new log", || fs::metadata(&log).is_ok_and(|file| file.len() > 0));
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
}
