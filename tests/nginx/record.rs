//! Recordings: what is in them, what they are called, and disks and processes that fail.

use std::fs::{self, File};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::files::{files_below, fill, seen_by};
use crate::support::media::{Clip, Frame, Frames, assert_unbroken, flv_tags};
use crate::support::nginx::{Conf, Nginx, can_mount};
use crate::support::player::Player;
use crate::support::process::{command, run};
use crate::support::publisher::Publisher;
use crate::support::raw::{DATA, Peer};
use crate::support::{wait_for, wait_until};

/// Publishes the plain clip in `application`, and gives its one recording.
#[track_caller]
fn record_clip(nginx: &Nginx, application: &str) -> PathBuf {
    Publisher::once(Clip::plain(), &nginx.rtmp(&format!("{application}/cam"))).finish();
    let [path] = &wait_recorded(nginx, 1)[..] else { panic!("{}", nginx.log()) };
    path.clone()
}

/// Waits until so many recordings are complete, and gives them in order.
#[track_caller]
pub fn wait_recorded(nginx: &Nginx, count: usize) -> Vec<PathBuf> {
    let mut paths = wait_for("recordings", || {
        let log = nginx.log();
        let lines = log.lines().filter_map(|line| line.split("recorded \"").nth(1));
        let paths: Vec<_> =
            lines.map(|rest| PathBuf::from(rest.split('"').next().unwrap())).collect();
        (paths.len() >= count).then_some(paths)
    });
    paths.sort();
    assert_eq!(paths.len(), count, "{paths:?}");
    paths
}

/// The digests of frames.
pub fn digests(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.md5.as_str()).collect()
}

/// Asserts that frames are these, but for what both begin with.
#[track_caller]
fn assert_same(got: &[Frame], expected: &[Frame]) {
    assert_eq!(digests(got), digests(expected));
    let times = |frames: &[Frame]| -> Vec<_> {
        frames.iter().map(|it| (it.dts - frames[0].dts, it.pts - frames[0].dts)).collect()
    };
    assert_eq!(times(got), times(expected));
}

/// Asserts that a file is the whole plain clip.
#[track_caller]
fn assert_whole(path: impl AsRef<Path>) {
    let (frames, clip) = (Frames::of(path), &Clip::plain().frames);
    assert_same(&frames.video, &clip.video);
    assert_same(&frames.audio, &clip.audio);
    let apart = |frames: &Frames| frames.video[0].dts - frames.audio[0].dts;
    assert_eq!(apart(&frames), apart(clip));
}

/// The seconds that a file is said to last.
fn duration(path: &Path) -> f64 {
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(path);
    run(&mut ffprobe).trim().parse().expect("a duration")
}

/// Asserts that a file is said to last about so many seconds.
#[track_caller]
pub fn assert_duration(path: &Path, seconds: f64) {
    let said = duration(path);
    assert!((said - seconds).abs() < 0.2, "{said} s, not {seconds}");
}

/// The first picture that a player gets which begins at a time.
fn first_after_seek(path: &Path, seconds: &str) -> String {
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-v", "error", "-ss", seconds, "-i"]).arg(path);
    ffmpeg.args(["-map", "0:v", "-c", "copy", "-frames:v", "1", "-f", "framemd5", "-"]);
    Frames::parse(&run(&mut ffmpeg)).video[0].md5.clone()
}

pub fn kill_worker(nginx: &Nginx) {
    nginx.allow("exited on signal 9");
    let pid = nginx.workers()[0];
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).expect("to kill the worker");
}

/// How many whole tags there are in a file that is being written.
fn whole_tags(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap_or_default();
    let (mut rest, mut count) = (bytes.get(13..).unwrap_or_default(), 0);
    while let [_, l0, l1, l2, ..] = rest {
        let length = 11 + u32::from_be_bytes([0, *l0, *l1, *l2]) as usize + 4;
        let Some(tail) = rest.get(length..) else { break };
        (rest, count) = (tail, count + 1);
    }
    count
}

/// Sends what an FLV file of an encoder holds, but its metadata.
fn send_clip(peer: &mut Peer, tags: impl IntoIterator<Item = (u8, u32, Vec<u8>)>) -> usize {
    let mut count = 0;
    for (kind, timestamp, payload) in tags {
        // Metadata in a file has no @setDataFrame before it.
        if kind != DATA {
            peer.send(6, kind, 1, timestamp, &payload);
            count += 1;
        }
    }
    count
}

/// What the project began with.
#[test]
fn everything_is_recorded_and_can_be_played_and_searched() {
    let nginx = Nginx::start(
        "chunk_size 4096;
         application live {
             live on; meta copy; record all; record_path @prefix@/rec; record_unique on;
         }",
    );
    let clip = Clip::plain();
    let path = record_clip(&nginx, "live");
    let name = path.file_name().unwrap().to_str().unwrap();
    let time = name.strip_prefix("cam-").and_then(|rest| rest.strip_suffix(".flv"));
    assert!(
        time.is_some_and(|time| time.parse::<u64>().is_ok_and(|it| it > 1_700_000_000)),
        "{name}"
    );
    assert_whole(&path);
    let decoded = [&path, &clip.path].map(Frames::decoded);
    assert_same(&decoded[0].video, &decoded[1].video);
    assert_same(&decoded[0].audio, &decoded[1].audio);
    assert!((4.9..5.1).contains(&duration(&path)), "{}", duration(&path));
    for (seconds, second) in [("1.5", 1), ("2.5", 2), ("4.9", 4)] {
        assert_eq!(first_after_seek(&path, seconds), clip.frames.video[second * clip.gop].md5);
    }
    // Complete files are anybody's to read.
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn what_is_recorded_is_chosen() {
    let nginx = Nginx::start(
        "record_path rec;
         application audio { live on; record audio; }
         application video { live on; record video; }
         application keyframes { live on; record keyframes audio; }
         application off { live on; record all off; }
         application manual { live on; record all manual; }
         application lost { live on; record all; recorder inner { record off; } }",
    );
    let clip = Clip::plain();
    let publish = |application: &str| {
        Publisher::once(clip, &nginx.rtmp(&format!("{application}/{application}"))).finish();
    };
    std::thread::scope(|scope| {
        for application in ["audio", "video", "keyframes", "off", "manual"] {
            scope.spawn(move || publish(application));
        }
    });
    let recorded = wait_recorded(&nginx, 3).into_iter().map(Frames::of);
    let [audio, keyframes, video]: [Frames; 3] = recorded.collect::<Vec<_>>().try_into().unwrap();
    assert_same(&audio.audio, &clip.frames.audio);
    assert_same(&video.video, &clip.frames.video);
    assert_eq!((audio.video.len(), video.audio.len()), (0, 0));
    let expected: Vec<_> = clip.frames.video.iter().step_by(clip.gop).cloned().collect();
    assert_same(&keyframes.video, &expected);
    assert_same(&keyframes.audio, &clip.frames.audio);
}

#[test]
fn recorders_of_an_application_have_files_of_their_own() {
    let nginx = Nginx::start(
        "application live {
             live on; record all; record_path @prefix@/rec;
             recorder audio { record audio; record_suffix .audio.flv; }
             recorder same { }
             recorder dated { record_path rec/dated; record_suffix /%Y-%m/%d.flv; }
             recorder off { record off; }
         }",
    );
    let clip = Clip::plain();
    let mut peer = Peer::publish(nginx.rtmp_port(), "live", "a/b");
    send_clip(&mut peer, flv_tags(&clip.path));
    drop(peer);
    wait_recorded(&nginx, 4);
    let directory = nginx.prefix().join("rec");
    let files = files_below(&directory);
    let [same, audio, own, dated] = &files[..] else { panic!("{files:?}") };
    assert_eq!(audio, Path::new("a%2Fb.audio.flv"));
    assert_eq!(same, Path::new("a%2Fb-same.flv"));
    assert_eq!(own, Path::new("a%2Fb.flv"));
    let parts: Vec<_> = dated.iter().map(|part| part.to_str().unwrap().len()).collect();
    assert_eq!(parts, ["dated", "a%2Fb", "2026-01", "01.flv"].map(str::len), "{dated:?}");
    assert_same(&Frames::of(directory.join(audio)).audio, &clip.frames.audio);
    for file in [same, own, dated] {
        assert_whole(directory.join(file));
    }
}

#[test]
fn an_interval_cuts_at_keyframes_and_loses_nothing() {
    let nginx = Nginx::start(
        "application live {
             live on; record all; record_path rec; record_unique on; record_interval 1500ms;
         }",
    );
    let clip = Clip::plain();
    Publisher::once(clip, &nginx.live("cam")).finish();
    // Two seconds each, if the publisher keeps time.
    wait_until("the end", || {
        nginx.log().contains("[info]") && nginx.log().contains("bytes received")
    });
    let paths = wait_for("all files", || {
        let count = nginx.log().matches("recorded \"").count();
        let files = files_below(&nginx.prefix().join("rec"));
        (count > 1 && count == files.len()).then_some(files)
    });
    let parts: Vec<_> =
        paths.iter().map(|path| Frames::of(nginx.prefix().join("rec").join(path))).collect();
    let joined = |part: fn(&Frames) -> &Vec<Frame>| -> Vec<&str> {
        parts.iter().flat_map(|frames| digests(part(frames))).collect()
    };
    assert_eq!(joined(|it| &it.video), digests(&clip.frames.video));
    assert_eq!(joined(|it| &it.audio), digests(&clip.frames.audio));
    for frames in &parts {
        assert_eq!(frames.video.len() % clip.gop, 0);
        assert_eq!(frames.video[0].dts, 0);
    }
}

#[test]
fn limits_end_a_file() {
    let nginx = Nginx::start(
        "record all; record_path rec;
         application frames { live on; record_max_frames 30; }
         application size { live on; record_max_size 64k; }",
    );
    let clip = Clip::plain();
    std::thread::scope(|scope| {
        for application in ["frames", "size"] {
            let url = nginx.rtmp(&format!("{application}/{application}"));
            scope.spawn(move || Publisher::once(clip, &url).finish());
        }
    });
    let [frames, size]: [PathBuf; 2] = wait_recorded(&nginx, 2).try_into().unwrap();
    assert_same(&Frames::of(frames).video, &clip.frames.video[..30]);
    let bytes = fs::metadata(&size).unwrap().len();
    assert!((65_536..80_000).contains(&bytes), "{bytes}");
    assert_unbroken(&Frames::of(size).video, &clip.frames.video);
}

#[test]
fn a_killed_worker_leaves_what_it_had_to_the_second() {
    let nginx = Nginx::start("application live { live on; record all; record_path rec; }");
    let clip = Clip::plain();
    let mut peer = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let sent = send_clip(&mut peer, flv_tags(&clip.path).into_iter().take(200));
    let path = nginx.prefix().join("rec/cam.flv");
    // Nothing more comes, and still it gets there.
    wait_until("all of it in the file", || whole_tags(&path) == 1 + sent);
    kill_worker(&nginx);
    peer.wait_closed();
    let frames = Frames::of(&path);
    assert_same(&frames.video, &clip.frames.video[..frames.video.len()]);
    assert_same(&frames.audio, &clip.frames.audio[..frames.audio.len()]);
    assert_eq!(frames.video.len() + frames.audio.len() + 2, sent);
    assert!((duration(&path) - frames.video.last().unwrap().dts as f64 / 1000.0).abs() < 0.2);
}

#[test]
fn a_shutdown_completes_files() {
    for signal in [Signal::TERM, Signal::QUIT] {
        let mut nginx = Nginx::start_conf(&Conf {
            main: "worker_shutdown_timeout 1s;".into(),
            ..Conf::server("application live { live on; record all; record_path rec; }")
        });
        let mut peer = Peer::publish(nginx.rtmp_port(), "live", "cam");
        let tags = flv_tags(&Clip::plain().path);
        send_clip(&mut peer, tags.into_iter().take(200));
        let path = nginx.prefix().join("rec/cam.flv");
        wait_until("a file", || whole_tags(&path) > 1);
        nginx.signal(signal);
        nginx.wait_exit();
        assert_eq!(wait_recorded(&nginx, 1), [&*path]);
        let metadata = &flv_tags(&path)[0].2;
        let has_keyframes = [&b"hasKeyframes"[..], &[1, 1]].concat();
        assert!(metadata.windows(has_keyframes.len()).any(|it| it == has_keyframes));
    }
}

#[test]
fn a_full_disk_costs_a_part_of_the_recording_alone() {
    if !can_mount() {
        eprintln!("skipped: mounting is not permitted");
        return;
    }
    let nginx = Nginx::start_conf(&Conf {
        disk: Some("2m"),
        ..Conf::server("application live { live on; record all; record_path disk/rec; }")
    });
    let clip = Clip::plain();
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    let directory = seen_by(&nginx, "disk/rec");
    let first = directory.join("cam.flv");
    wait_until("the first file", || whole_tags(&first) > 60);
    let filler = seen_by(&nginx, "disk/filler");
    fill(&filler);
    let line = nginx.wait_log(&["[error]", "disk/rec/cam.flv", "No space left on device"]);
    assert!(line.contains("writing"), "{line}");
    player.wait_more(75);
    fs::remove_file(&filler).expect("to make room");
    nginx.wait_log(&["[warn]", "writing works again", "disk/rec/cam-"]);
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    // One line for each failure would fill the next disk.
    assert_eq!(nginx.log().matches("No space left on device").count(), 1);
    publisher.stop();
    wait_recorded(&nginx, 2);
    let files = files_below(&directory);
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let frames = Frames::of(directory.join(file));
        let start = assert_unbroken(&frames.video, &clip.frames.video);
        assert!(clip.is_keyframe(start));
    }
}

/// A locked file is waited for in the way of a disk that hangs.
#[test]
fn a_file_that_cannot_be_opened_yet_costs_nothing() {
    let nginx = Nginx::start(
        "application live { live on; record all; record_path rec; record_append on; }",
    );
    let (clip, path) = (Clip::plain(), nginx.prefix().join("rec/cam.flv"));
    fs::create_dir(nginx.prefix().join("rec")).expect("a directory");
    let lock = File::create(&path).expect("a file");
    fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).expect("a lock");

    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    let frames = player.wait_more(50);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    drop(lock);
    wait_until("a recording", || whole_tags(&path) > 100);
    publisher.stop();
    wait_recorded(&nginx, 1);
    let start = assert_unbroken(&Frames::of(&path).video, &clip.frames.video);
    assert!(clip.is_keyframe(start));
}

#[test]
fn a_takeover_goes_on_in_the_file_and_a_reconnect_in_the_next() {
    let nginx = Nginx::start(
        "publish_takeover on;
         application live { live on; record all; record_path rec; record_unique on; }",
    );
    let clip = Clip::plain();
    let endless = Publisher::endless(clip, &nginx.live("cam"));
    let files = || files_below(&nginx.prefix().join("rec"));
    wait_until("a file with something in it", || {
        files().first().is_some_and(|file| whole_tags(&nginx.prefix().join("rec").join(file)) > 60)
    });
    Publisher::once(clip, &nginx.live("cam")).finish();
    drop(endless);
    let recorded = wait_recorded(&nginx, 1);
    let frames = Frames::of(&recorded[0]);
    let all = digests(&frames.video);
    assert!(all.ends_with(&digests(&clip.frames.video)) && all.len() > 125, "{}", all.len());
    assert!(frames.video.windows(2).all(|pair| pair[0].dts < pair[1].dts));

    Publisher::once(clip, &nginx.live("cam")).finish();
    let recorded = wait_recorded(&nginx, 2);
    assert_whole(recorded.last().unwrap());
}

/// The recordings of a stream that three publishers have, one after the other, in three workers.
fn record_takeovers(settings: &str) -> Vec<Frames> {
    let mut nginx = Nginx::start_conf(&Conf {
        workers: 3,
        ..Conf::server(&format!(
            "publish_takeover on;
             application live {{ live on; record all; record_path rec; {settings} }}"
        ))
    });
    let clip = Clip::plain();
    let mut publishers = Vec::new();
    for round in 0..3 {
        publishers.push(Publisher::endless(clip, &nginx.live("cam")));
        wait_until("the takeover", || nginx.log().matches("publisher took over").count() == round);
        let player = Player::start(&nginx.live("cam"));
        player.wait_more(50);
    }
    publishers.pop().unwrap().stop();
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    let files = files_below(&nginx.prefix().join("rec")).into_iter();
    let parts: Vec<_> =
        files.map(|file| Frames::of(nginx.prefix().join("rec").join(file))).collect();
    for frames in &parts {
        assert!(frames.video.windows(2).all(|pair| pair[0].dts < pair[1].dts));
        assert!(frames.video.len() >= 50 && !frames.audio.is_empty(), "{}", nginx.log());
    }
    parts
}

#[test]
fn workers_that_take_a_stream_over_leave_each_other_their_files() {
    let parts = record_takeovers("");
    // How many come to another worker than the one before is up to the system.
    assert!((1..=3).contains(&parts.len()));
    assert!(parts.iter().map(|frames| frames.video.len()).sum::<usize>() >= 150);
}

#[test]
fn workers_that_take_a_stream_over_continue_the_file() {
    let parts = record_takeovers("record_append on;");
    let [frames] = &parts[..] else { panic!("{} files", parts.len()) };
    assert!(frames.video.len() >= 150);
}

#[test]
fn publishers_are_told() {
    let nginx = Nginx::start(
        "application live {
             live on; record_path rec; record_notify on; recorder all { record all; }
         }",
    );
    let mut peer = Peer::publish(nginx.rtmp_port(), "live", "cam");
    send_clip(&mut peer, flv_tags(&Clip::plain().path).into_iter().take(50));
    assert!(peer.wait_for("NetStream.Record.Start").holds("all"));
    let close = [&b"\x02\x00\x0bcloseStream"[..], &[0; 9], &[5]].concat();
    peer.command(1, &close);
    peer.wait_for("NetStream.Record.Stop");
}

#[test]
fn names_cannot_lead_out_of_the_directory() {
    let nginx = Nginx::start("application live { live on; record all; record_path a/rec; }");
    let outside = || {
        let mut files = files_below(nginx.prefix());
        files.retain(|file| !file.starts_with("a/rec"));
        files
    };
    let before = outside();
    let tags = flv_tags(&Clip::plain().path);
    for name in ["../../up", "..", ".", "/etc/x", "a/../../b", "/../x", &"x".repeat(250)] {
        let mut peer = Peer::open(nginx.rtmp_port(), "live");
        peer.ask_publish(name);
        for (kind, timestamp, payload) in tags.iter().take(20).filter(|tag| tag.0 != DATA) {
            // The server may refuse.
            peer.try_send(6, *kind, 1, *timestamp, payload);
        }
        let _ = peer.stream().shutdown(Shutdown::Write);
        while peer.receive().is_some() {}
    }
    // Two have the same name.
    wait_recorded(&nginx, 5);
    assert_eq!(outside(), before);
    let names = ["%2E%2E.flv", "%2E.flv", "%2Fetc%2Fx.flv", "a.flv"];
    assert_eq!(files_below(&nginx.prefix().join("a/rec")), names.map(PathBuf::from));
    nginx.wait_log(&["[error]", "is not recorded", "empty part in stream name"]);
    nginx.wait_log(&["[error]", "is not recorded", "too long"]);
}

#[test]
fn a_file_is_continued_by_the_next_publish_and_after_a_crash() {
    let nginx = Nginx::start(
        "application live { live on; record all; record_path rec; record_append on; }",
    );
    let clip = Clip::plain();
    let path = record_clip(&nginx, "live");
    assert_whole(&path);

    let mut peer = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let before = whole_tags(&path);
    let sent = send_clip(&mut peer, flv_tags(&clip.path).into_iter().take(100));
    wait_until("more in the file", || whole_tags(&path) == before + sent);
    kill_worker(&nginx);
    peer.wait_closed();
    wait_until("another worker", || !nginx.workers().is_empty());

    Publisher::once(clip, &nginx.live("cam")).finish();
    wait_recorded(&nginx, 2);
    let frames = Frames::of(&path);
    let interrupted = frames.video.len() - 2 * clip.frames.video.len();
    let all = [&clip.frames.video[..], &clip.frames.video[..interrupted], &clip.frames.video];
    assert_eq!(digests(&frames.video), digests(&all.concat()));
    assert!(frames.video.windows(2).all(|pair| pair[0].dts < pair[1].dts));
    let last = frames.video.last().unwrap().dts as f64 / 1000.0;
    assert!((duration(&path) - last).abs() < 0.2, "{} and {last}", duration(&path));
    let seconds = format!("{}", last - 1.5);
    assert_eq!(first_after_seek(&path, &seconds), clip.frames.video[3 * clip.gop].md5);
}
