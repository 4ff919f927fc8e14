//! What the signals to nginx's master do to live streams.

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::hls::{Playlist, wait_playlist};
use crate::support::media::{Clip, assert_unbroken, flv_tags};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::process::{open_files, resident_kib};
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, connect};
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
    check_complete(&nginx);
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

#[test]
fn reloads_in_a_row_leave_one_generation() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    player.wait_video(10);
    let first = nginx.workers();
    nginx.signal(Signal::HUP);
    nginx.signal(Signal::HUP);
    wait_until("the stream's worker to be the only old one", || {
        nginx.old_workers() == first && nginx.workers().len() == 1
    });
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    publisher.stop();
    drop(player);
    wait_until("the old worker to leave", || nginx.old_workers().is_empty());
}

#[test]
fn sessions_leave_nothing_in_the_worker() {
    let nginx = Nginx::start(HLS);
    let worker = nginx.workers()[0];
    let tags = flv_tags(&Clip::plain().path);
    let stream = |index: usize| {
        let name = format!("cam{index}");
        let _player = Peer::play(nginx.rtmp_port(), "live", &name);
        let mut publisher = Peer::publish(nginx.rtmp_port(), "live", &name);
        for (kind, timestamp, payload) in &tags {
            publisher.send(6, *kind, 1, *timestamp, payload);
        }
        drop(publisher);
        // One after the other, or there is more or less in the queue to the disk each time.
        let list = nginx.prefix().join(format!("hls/{name}.m3u8"));
        wait_until("the end of the playlist", || {
            fs::read_to_string(&list).is_ok_and(|list| Playlist::parse(&list).has_ended)
        });
    };
    let files = open_files(worker);
    // So many until the memory that is kept for use again is there.
    (0..100).for_each(stream);
    wait_until("the sessions to end", || open_files(worker) <= files);
    let before = resident_kib(worker);
    (100..200).for_each(stream);
    wait_until("the sessions to end", || open_files(worker) <= files);
    let after = resident_kib(worker);
    // A stream of theirs has 190 KB.
    assert!(after - before < 4000, "{before} KiB, then {after} KiB");
}

#[test]
fn application_that_is_removed_keeps_its_streams() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let url = nginx.http("hls/cam.m3u8");
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    player.wait_video(10);
    nginx.rewrite_conf(&Conf::server("application other { live on; }"));
    nginx.reload();
    let mut refused = Peer::connect(nginx.rtmp_port());
    refused.command(0, &connect("live"));
    assert!(refused.wait_closed().iter().any(|message| message.says("_error")));
    let frames = player.wait_more(50);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    let list = wait_playlist("a segment", &url, |list| !list.segments.is_empty());
    assert!(!list.has_ended);
    publisher.stop();
    wait_playlist("the end", &url, |list| list.has_ended);
    drop(player);
    wait_until("the old worker to leave", || nginx.old_workers().is_empty());
}

#[test]
fn shutdown_timeout_ends_what_does_not_end() {
    let conf = Conf { main: "worker_shutdown_timeout 1s;".into(), ..Conf::server(HLS) };
    let (mut nginx, clip) = (Nginx::start_conf(&conf), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    wait_playlist("a segment", &nginx.http("hls/cam.m3u8"), |list| !list.segments.is_empty());
    let begin = Instant::now();
    nginx.signal(Signal::QUIT);
    nginx.wait_exit();
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_secs(1) && elapsed < Duration::from_secs(10), "{elapsed:?}");
    nginx.wait_log(&["[info]", "worker_shutdown_timeout has passed", "\"cam\""]);
    assert_eq!(assert_unbroken(&player.frames().video, &clip.frames.video), 0);
    check_complete(&nginx);
}

#[test]
fn fast_stop_completes_files() {
    let (mut nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    wait_playlist("a segment", &nginx.http("hls/cam.m3u8"), |list| !list.segments.is_empty());
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    check_complete(&nginx);
}

#[test]
fn killed_worker_is_replaced_and_its_streams_may_come_back() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let url = nginx.http("hls/cam.m3u8");
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    let first = wait_playlist("a segment", &url, |list| !list.segments.is_empty());
    let worker = nginx.workers()[0];
    nginx.allow(&format!("worker process {worker} exited on signal 9"));
    kill_process(Pid::from_raw(worker as i32).unwrap(), Signal::KILL).unwrap();
    wait_until("a new worker", || nginx.workers().iter().any(|&pid| pid != worker));
    // Its name is not taken, and what the old worker left half done is not in the way.
    let player = Player::start(&nginx.live("cam"));
    Publisher::once(clip, &nginx.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
    let list = wait_playlist("the end", &url, |list| list.has_ended);
    assert!(list.last_sequence() > first.last_sequence(), "{first:?} then {list:?}");
}

#[test]
fn one_process_is_enough() {
    let conf = Conf { main: "master_process off;".into(), ..Conf::server(HLS) };
    let (mut nginx, clip) = (Nginx::start_conf(&conf), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    wait_playlist("a segment", &nginx.http("hls/cam.m3u8"), |list| !list.segments.is_empty());
    let frames = player.wait_video(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    check_complete(&nginx);
}

#[test]
fn connections_may_be_accepted_in_turn() {
    let conf = Conf { events: "accept_mutex on; multi_accept on;".into(), ..Conf::server(HLS) };
    let (nginx, clip) = (Nginx::start_conf(&conf), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    Publisher::once(clip, &nginx.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
}

/// Asserts that the stream `cam` has ended on disk, with everything that its playlist names, and
/// that nothing is left half written.
#[track_caller]
fn check_complete(nginx: &Nginx) {
    let directory = nginx.prefix().join("hls");
    let list = fs::read_to_string(directory.join("cam.m3u8")).expect("the playlist");
    let list = Playlist::parse(&list);
    assert!(list.has_ended, "{list:?}");
    for segment in &list.segments {
        let length = fs::metadata(directory.join(&segment.uri)).expect("a listed segment").len();
        assert!(length > 0 && length.is_multiple_of(188), "{length} bytes in {}", segment.uri);
    }
    let files = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path());
    let left: Vec<_> = files.filter(|file| file.extension().unwrap() == "tmp").collect();
    assert!(left.is_empty(), "{left:?}");
}
