//! The files of HLS: their names, their removal, and disks that fail.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::files::{files_below, fill, seen_by};
use crate::support::hls::{Playlist, get, playlist, wait_playlist};
use crate::support::media::{Clip, assert_unbroken, flv_tags};
use crate::support::nginx::{Conf, Nginx, can_mount};
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::{DATA, Peer};
use crate::support::wait_until;

#[test]
fn cleanup_removes_old_files_of_hls_and_nothing_else() {
    let nginx = Nginx::start(
        "hls on; hls_playlist_length 1s;
         application clean { hls_path @prefix@/clean; }
         application keep { hls_path @prefix@/keep; hls_cleanup off; }",
    );
    let hour = SystemTime::now() - Duration::from_secs(3600);
    let of_hls = [
        "cam-1.ts",
        "cam.m3u8",
        "cam-2.ts.tmp",
        "cam.m3u8.tmp",
        "nested/1.ts",
        "nested/index.m3u8",
        "a/b/c/cam-1.ts",
    ];
    let foreign = ["index.html", "ts", "cam.mp4", "cam.ts.orig", "nested-too/.keep", "m3u8/readme"];
    for (directory, names) in [("clean", &of_hls[..]), ("clean", &foreign), ("keep", &of_hls)] {
        for name in names {
            write_old(&nginx.prefix().join(directory).join(name), hour);
        }
    }
    let directory = nginx.prefix().join("clean");
    // Links are foreign too, and what they lead to.
    write_old(&nginx.prefix().join("outside/1.ts"), hour);
    symlink(nginx.prefix().join("outside"), directory.join("link")).unwrap();
    symlink(nginx.prefix().join("outside/1.ts"), directory.join("link.ts")).unwrap();
    let young = directory.join("young-1.ts");
    let mut young = File::create(young).unwrap();
    let mut left = foreign.map(PathBuf::from).to_vec();
    left.extend(["link", "link.ts", "young-1.ts"].map(PathBuf::from));
    left.sort();
    wait_until("only foreign files to be left", || {
        young.write_all(b"still growing").unwrap();
        files_below(&directory) == left
    });
    wait_until("empty directories to be removed", || {
        young.write_all(b"still growing").unwrap();
        !directory.join("nested").exists() && !directory.join("a").exists()
    });
    assert_eq!(files_below(&directory), left);
    assert_eq!(files_below(&nginx.prefix().join("keep")).len(), of_hls.len());
    assert!(nginx.prefix().join("outside/1.ts").exists());
}

#[test]
fn full_disk_costs_hls_alone_and_only_while_it_is_full() {
    if !can_mount() {
        eprintln!("skipped: mounting is not permitted");
        return;
    }
    let nginx = Nginx::start_conf(&Conf {
        disk: Some("2m"),
        ..Conf::server(
            "application live { live on; hls on; hls_path @prefix@/disk/hls; hls_fragment 1s; }",
        )
    });
    let (clip, url) = (Clip::plain(), nginx.http("disk/hls/cam.m3u8"));
    let player = Player::start(&nginx.live("cam"));
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    let before = wait_playlist("two segments", &url, |list| list.segments.len() >= 2);
    let filler = seen_by(&nginx, "disk/hls/filler");
    fill(&filler);
    let line = nginx.wait_log(&["[error]", "disk/hls/cam", "No space left on device"]);
    player.wait_more(75);
    assert!(line.contains("writing") || line.contains("creating"), "{line}");
    // One line for each failure would fill the next disk.
    assert_eq!(nginx.log().matches("No space left on device").count(), 1);
    check_listed_files(&nginx, "disk/hls", &playlist(&url).expect("the playlist"));
    fs::remove_file(&filler).expect("to make room");
    let after = wait_playlist("a segment after the gap", &url, |list| {
        list.segments.iter().any(|segment| segment.is_discontinuous)
    });
    assert!(after.last_sequence() > before.last_sequence(), "{before:?} then {after:?}");
    check_listed_files(&nginx, "disk/hls", &after);
    let frames = player.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
}

/// To open a FIFO hangs, as a mount does whose server is gone, until somebody reads from it.
#[test]
fn stalled_disk_holds_up_its_stream_alone_and_loses_nothing() {
    let nginx = Nginx::start(
        "application live { live on; hls on; hls_path @prefix@/hls; hls_fragment 1s;
         hls_playlist_length 60s; }",
    );
    let stalled = nginx.prefix().join("hls/stalled.m3u8");
    let fifo = nginx.prefix().join("hls/stalled.m3u8.tmp");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());

    let clip = Clip::plain();
    let player = Player::start(&nginx.live("stalled"));
    let _stalled = Publisher::endless(clip, &nginx.live("stalled"));
    let _other = Publisher::endless(clip, &nginx.live("other"));
    wait_playlist("the other stream", &nginx.http("hls/other.m3u8"), |list| {
        list.segments.len() >= 3
    });
    let frames = player.wait_more(75);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    assert!(!stalled.exists(), "the playlist was written though its disk hangs");

    fs::read(&fifo).expect("what was to be written");
    wait_until("a playlist that is a file", || stalled.is_file());
    let list = wait_playlist("what was held up", &nginx.http("hls/stalled.m3u8"), |list| {
        list.segments.len() >= 4
    });
    assert!(list.segments.iter().all(|segment| !segment.is_discontinuous), "{list:?}");
    check_listed_files(&nginx, "hls", &list);
}

#[test]
fn directory_that_is_removed_comes_back() {
    for nested in ["off", "on"] {
        let nginx = Nginx::start(&format!(
            "application live {{ live on; hls on; hls_path @prefix@/hls; hls_fragment 1s;
             hls_nested {nested}; }}"
        ));
        let (path, directory) = match nested {
            "on" => ("hls/cam/index.m3u8", "hls/cam"),
            _ => ("hls/cam.m3u8", "hls"),
        };
        let (clip, url) = (Clip::plain(), nginx.http(path));
        let player = Player::start(&nginx.live("cam"));
        let _publisher = Publisher::endless(clip, &nginx.live("cam"));
        wait_playlist("a segment", &url, |list| !list.segments.is_empty());
        let hls = nginx.prefix().join("hls");
        // A file that comes while the directory is removed is in the way.
        wait_until("the directory to go", || fs::remove_dir_all(&hls).is_ok());
        let list = wait_playlist("segments again", &url, |list| list.segments.len() >= 2);
        let last = list.segments.last().expect("a segment");
        assert!(get(&nginx.http(&format!("{directory}/{}", last.uri))).is_some(), "{list:?}");
        let frames = player.wait_more(25);
        assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    }
}

#[test]
fn names_of_any_kind_work_when_they_are_encoded() {
    let nginx = Nginx::start(
        "application flat { live on; hls on; hls_path @prefix@/flat; hls_fragment 1s; }
         application nested { live on; hls on; hls_path @prefix@/nested; hls_fragment 1s;
             hls_nested on; }",
    );
    let long = "x".repeat(200);
    for name in [
        "a b",
        "100%",
        "%2e%2e",
        "%2e%2e%2fup",
        "it's \"quoted\"",
        "ünï/cødé/☃",
        "#1;v=2&c:d",
        "back\\slash",
        "...",
        "-rf",
        "~",
        "$HOME",
        "{a,b}*[c]",
        &long,
    ] {
        for application in ["flat", "nested"] {
            publish(&nginx, application, name);
            let path = format!("{application}/{}", encode(name));
            let (path, directory) = match application {
                "nested" => (format!("{path}/index.m3u8"), path),
                _ => (format!("{path}.m3u8"), parent(&path)),
            };
            let list = wait_playlist(name, &nginx.http(&path), |list| list.has_ended);
            assert!((list.duration() - 5.0).abs() < 0.1, "{list:?}");
            check_listed_files(&nginx, &directory, &list);
        }
    }
}

#[test]
fn names_cannot_lead_out_of_the_directory() {
    let nginx = Nginx::start(
        "application flat { live on; hls on; hls_path @prefix@/a/flat; }
         application nested { live on; hls on; hls_path @prefix@/a/nested; hls_nested on; }",
    );
    let outside = || {
        let mut files = files_below(nginx.prefix());
        files.retain(|file| !file.starts_with("a/flat") && !file.starts_with("a/nested"));
        files
    };
    let before = outside();
    let (long, longer) = ("x".repeat(250), "x".repeat(2000));
    let names = [
        "..",
        ".",
        "../up",
        "../../up",
        "a/../b",
        "a/../../../up",
        "/tmp/absolute",
        "//",
        "a//b",
        "a/",
        "./a",
        "../flat-too",
        "nul\0l",
        "new\nline",
        &long,
        &longer,
    ];
    for name in names {
        for application in ["flat", "nested"] {
            publish(&nginx, application, name);
        }
    }
    // All of that was dealt with when this stream is complete.
    publish(&nginx, "flat", "last");
    wait_playlist("the end", &nginx.http("a/flat/last.m3u8"), |list| list.has_ended);
    assert_eq!(outside(), before);
    let written = files_below(&nginx.prefix().join("a"));
    assert!(
        written.iter().all(|file| file.to_str().unwrap().starts_with("flat/last")),
        "{written:?}"
    );
    nginx.wait_log(&["no HLS: relative path in stream name", "\"a/../b\""]);
    nginx.wait_log(&["no HLS: stream name too long for a file name"]);
}

#[test]
fn applications_may_share_a_directory() {
    let nginx = Nginx::start(
        "hls on; hls_path @prefix@/hls;
         application one { live on; } application two { live on; hls_cleanup off; }",
    );
    publish(&nginx, "one", "of-one");
    publish(&nginx, "two", "of-two");
    for name in ["of-one", "of-two"] {
        let url = nginx.http(&format!("hls/{name}.m3u8"));
        let list = wait_playlist("the end", &url, |list| list.has_ended);
        check_listed_files(&nginx, "hls", &list);
    }
}

#[test]
fn what_a_crash_left_is_no_hindrance() {
    let nginx = Nginx::start("application live { live on; hls on; hls_path @prefix@/hls; }");
    let directory = nginx.prefix().join("hls");
    // A playlist half written, longer than the new one will be, and one that names nothing.
    fs::write(directory.join("cam.m3u8.tmp"), "#EXTM3U\n".repeat(10_000)).unwrap();
    fs::write(directory.join("cam.m3u8"), "#EXTM3U\n#EXTINF:5,\ncam-1.ts\n").unwrap();
    publish(&nginx, "live", "cam");
    let url = nginx.http("hls/cam.m3u8");
    let list = wait_playlist("the end", &url, |list| list.has_ended);
    check_listed_files(&nginx, "hls", &list);
    assert!(!directory.join("cam.m3u8.tmp").exists());
}

/// Publishes the plain clip as `name` at once, and leaves. The server may refuse.
fn publish(nginx: &Nginx, application: &str, name: &str) {
    let mut peer = Peer::open(nginx.rtmp_port(), application);
    peer.ask_publish(name);
    for (kind, timestamp, payload) in flv_tags(&Clip::plain().path) {
        // Metadata in a file has no @setDataFrame before it.
        if kind != DATA && !peer.try_send(6, kind, 1, timestamp, &payload) {
            return;
        }
    }
    let _ = peer.stream().shutdown(std::net::Shutdown::Write);
    while peer.receive().is_some() {}
}

/// Asserts that all files that a playlist names are there, and are whole packets of MPEG-TS.
#[track_caller]
fn check_listed_files(nginx: &Nginx, directory: &str, list: &Playlist) {
    for segment in &list.segments {
        let file = get(&nginx.http(&format!("{directory}/{}", segment.uri)));
        let file = file.unwrap_or_else(|| panic!("{} is listed but not there", segment.uri));
        assert!(
            !file.is_empty()
                && file.chunks(188).all(|packet| packet.len() == 188 && packet[0] == 0x47)
        );
    }
}

fn write_old(path: &Path, time: SystemTime) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "old").unwrap();
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// `name` with everything but slashes percent-encoded.
fn encode(name: &str) -> String {
    name.bytes()
        .map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") })
        .collect()
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').expect("a path with a slash").0.to_owned()
}
