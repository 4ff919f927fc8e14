//! HLS read back over HTTP.

use std::fs;

use crate::support::hls::{Playlist, get, playlist, wait_playlist};
use crate::support::media::{Clip, Frame, Frames};
use crate::support::nginx::Nginx;
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::wait_until;

const HLS: &str = "application live {
    live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; hls_playlist_length 30s; }";

#[test]
fn stream_comes_back_as_it_was_sent() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let url = nginx.http("hls/cam.m3u8");
    let publisher = Publisher::once(clip, &nginx.live("cam"));
    let first = wait_playlist("a first segment", &url, |list| !list.segments.is_empty());
    assert!(!first.has_ended);
    publisher.finish();
    let list = wait_playlist("the end", &url, |list| list.has_ended);
    assert_eq!(list.media_sequence, first.media_sequence);
    assert!(list.segments.starts_with(&first.segments), "{first:?} then {list:?}");
    check_timing(&list);
    assert_eq!(list.segments.len(), 5);
    assert!((list.duration() - 5.0).abs() < 0.1, "{list:?}");
    assert_same_media(&Frames::decoded(&url), &Frames::decoded(&clip.path));
}

#[test]
fn every_segment_can_be_decoded_on_its_own() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let url = nginx.http("hls/cam.m3u8");
    Publisher::once(clip, &nginx.live("cam")).finish();
    let list = wait_playlist("the end", &url, |list| list.has_ended);
    let source = Frames::decoded(&clip.path).video;
    for (segment, expected) in list.segments.iter().zip(source.chunks(clip.gop)) {
        let got = Frames::decoded(nginx.http(&format!("hls/{}", segment.uri))).video;
        assert_eq!(payloads(&got), payloads(expected), "{segment:?}");
    }
}

#[test]
fn sound_or_pictures_alone_are_enough() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let sound = Publisher::with(clip, &nginx.live("sound"), &["-copyts"], &["-vn"]);
    let pictures = Publisher::with(clip, &nginx.live("pictures"), &["-copyts"], &["-an"]);
    sound.finish();
    pictures.finish();
    let mut source = Frames::decoded(&clip.path);
    for (name, is_sound) in [("sound", true), ("pictures", false)] {
        let url = nginx.http(&format!("hls/{name}.m3u8"));
        let list = wait_playlist("the end", &url, |list| list.has_ended);
        check_timing(&list);
        assert!((list.duration() - 5.0).abs() < 0.1, "{list:?}");
        assert!(list.segments.len() >= 5, "{list:?}");
        let got = Frames::decoded(&url);
        if is_sound {
            assert!(got.video.is_empty());
            assert_eq!(payloads(&got.audio), payloads(&source.audio));
        } else {
            assert!(got.audio.is_empty());
            assert_same_media(
                &got,
                &Frames { audio: Vec::new(), video: source.video.split_off(0) },
            );
        }
    }
}

#[test]
fn nested_streams_have_directories_of_their_own() {
    let nginx = Nginx::start(
        "application live {
            live on; hls on; hls_path @prefix@/hls/deep/er; hls_nested on; hls_fragment 1s; }",
    );
    let publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let url = nginx.http("hls/deep/er/cam/index.m3u8");
    let list = wait_playlist("two segments", &url, |list| list.segments.len() >= 2);
    let uri = &list.segments[0].uri;
    assert!(!uri.contains('/') && uri.ends_with(".ts"), "{list:?}");
    assert!(get(&nginx.http(&format!("hls/deep/er/cam/{uri}"))).is_some());
    publisher.stop();
    wait_playlist("the end", &url, |list| list.has_ended);
}

#[test]
fn window_slides_and_what_it_leaves_is_removed() {
    let nginx = Nginx::start(
        "hls_fragment 1s; hls_playlist_length 3s;
         application live { live on; hls on; hls_path @prefix@/clean; }
         application keep { live on; hls on; hls_path @prefix@/keep; hls_cleanup off; }",
    );
    let _cleaned = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let _kept = Publisher::endless(Clip::plain(), &nginx.rtmp("keep/cam"));
    let url = nginx.http("clean/cam.m3u8");
    let first = wait_playlist("a segment", &url, |list| !list.segments.is_empty());
    let kept = nginx.http("keep/cam.m3u8");
    let kept = wait_playlist("a segment", &kept, |list| !list.segments.is_empty());
    let mut last = first.clone();
    wait_until("the window to slide five times", || {
        let list = playlist(&url).expect("the playlist, always");
        check_timing(&list);
        assert!(list.media_sequence >= last.media_sequence, "{last:?} then {list:?}");
        assert!(list.segments.len() <= 5, "{list:?}");
        for segment in &list.segments {
            let there = get(&nginx.http(&format!("clean/{}", segment.uri))).is_some();
            assert!(there, "{} is listed but not there", segment.uri);
        }
        last = list;
        last.media_sequence >= first.media_sequence + 5
    });
    let gone = nginx.prefix().join("clean").join(&first.segments[0].uri);
    wait_until("the first segment to be removed", || !gone.exists());
    assert!(nginx.prefix().join("keep").join(&kept.segments[0].uri).exists());
    wait_until("one directory to outgrow the other", || {
        segments_in(&nginx, "clean") < segments_in(&nginx, "keep")
    });
}

#[test]
fn returning_publisher_continues_the_playlist() {
    let (nginx, clip) = (Nginx::start(HLS), Clip::plain());
    let url = nginx.http("hls/cam.m3u8");
    Publisher::once(clip, &nginx.live("cam")).finish();
    let first = wait_playlist("the end", &url, |list| list.has_ended);
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    let second = wait_playlist("a live playlist again", &url, |list| {
        !list.has_ended && list.last_sequence() > first.last_sequence()
    });
    // Either the old segments are still listed, and the break is marked, or they are not.
    let old = (first.last_sequence() + 1).saturating_sub(second.media_sequence);
    if old > 0 {
        assert!(second.segments[old as usize].is_discontinuous, "{first:?} then {second:?}");
    }
}

#[test]
fn returning_publisher_goes_on_counting() {
    let nginx = Nginx::start(
        "application live { live on; hls on; hls_path @prefix@/hls; hls_fragment 250ms; }",
    );
    let url = nginx.http("hls/cam.m3u8");
    let mut last = 0;
    for _ in 0..3 {
        let short_sound = ["-vn", "-t", "1.5"];
        Publisher::with(Clip::plain(), &nginx.live("cam"), &["-copyts"], &short_sound).finish();
        let list = wait_playlist("a new ending", &url, |list| {
            list.has_ended && list.last_sequence() != last
        });
        assert!(list.segments.len() >= 5, "more segments than seconds: {list:?}");
        assert!(list.media_sequence > last, "{last}, then {list:?}");
        last = list.last_sequence();
    }
}

#[test]
fn live_goes_on_when_files_cannot_be_written() {
    let nginx = Nginx::start(
        "application live {
            live on; hls on; hls_path @prefix@/hls; hls_nested on; hls_fragment 1s; }",
    );
    // Not even root can make a directory where there is a file.
    fs::create_dir_all(nginx.prefix().join("hls")).unwrap();
    fs::write(nginx.prefix().join("hls/cam"), "in the way").unwrap();
    nginx.allow("hls/cam");
    let (clip, player) = (Clip::plain(), Player::start(&nginx.live("cam")));
    Publisher::once(clip, &nginx.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
    nginx.wait_log(&["hls/cam"]);
}

/// Checks what RFC 8216 wants of the durations and what PROGRAM-DATE-TIME promises.
#[track_caller]
fn check_timing(list: &Playlist) {
    for segment in &list.segments {
        assert!(segment.duration > 0.0, "{list:?}");
        assert!(segment.duration.round() <= list.target_duration, "{list:?}");
    }
    let times: Vec<f64> =
        list.segments.iter().filter_map(|s| seconds(s.date_time.as_ref()?)).collect();
    assert!(!times.is_empty(), "no EXT-X-PROGRAM-DATE-TIME in {list:?}");
    if times.len() == list.segments.len() {
        for (pair, segment) in times.windows(2).zip(&list.segments) {
            let step = (pair[1] - pair[0]).rem_euclid(86400.0);
            assert!((step - segment.duration).abs() < 0.1, "{list:?}");
        }
    }
}

/// Seconds since midnight of `2026-11-23T06:07:08.123Z`.
fn seconds(date_time: &str) -> Option<f64> {
    let (_, time) = date_time.split_once('T').unwrap_or_else(|| panic!("{date_time}"));
    let mut seconds = 0.0;
    for part in time.get(..12)?.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().unwrap_or_else(|_| panic!("{date_time}"));
    }
    Some(seconds)
}

/// Asserts that `got` has the pictures and sounds of `source`, at the same times but for one
/// common offset and the rounding to and from milliseconds.
#[track_caller]
fn assert_same_media(got: &Frames, source: &Frames) {
    assert_eq!(payloads(&got.video), payloads(&source.video));
    assert_eq!(payloads(&got.audio), payloads(&source.audio));
    let offset = got.video[0].pts - source.video[0].pts;
    for (got, sent) in got.video.iter().zip(&source.video) {
        assert_eq!(got.pts - offset, sent.pts);
    }
    for (got, sent) in got.audio.iter().zip(&source.audio) {
        assert!((got.pts - offset - sent.pts).abs() <= 3, "{got:?}, {sent:?}, offset {offset}");
    }
}

fn payloads(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.md5.as_str()).collect()
}

fn segments_in(nginx: &Nginx, directory: &str) -> usize {
    let files = fs::read_dir(nginx.prefix().join(directory)).expect("the directory");
    files
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "ts"))
        .count()
}

#[test]
fn addresses_may_be_those_of_another_server_and_the_index_may_have_a_name() {
    let nginx = Nginx::start(
        "application live { live on; hls on; hls_path @prefix@/hls; hls_fragment 1s;
             hls_nested on; hls_nested_index_filename list;
             hls_base_url https://cdn.example/hls/; }",
    );
    Publisher::once(Clip::plain(), &nginx.live("cam")).finish();
    let url = nginx.http("hls/cam/list.m3u8");
    let list = wait_playlist("the end", &url, |list| list.has_ended);
    let start = "https://cdn.example/hls/cam/";
    assert!(list.segments.iter().all(|segment| segment.uri.starts_with(start)), "{list:?}");
}
