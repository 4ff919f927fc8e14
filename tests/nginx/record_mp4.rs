//! Recordings in fragmented MP4: of every codec, while they are written, and after a crash.

use std::path::Path;

use crate::record::{assert_duration, digests, kill_worker, wait_recorded};
use crate::support::enhanced::{Codec, EnhancedClip};
use crate::support::media::{Clip, Frame, Frames, assert_unbroken, flv_tags};
use crate::support::nginx::Nginx;
use crate::support::player::Player;
use crate::support::process::{command, run};
use crate::support::publisher::Publisher;
use crate::support::raw::{AUDIO, VIDEO};
use crate::support::{wait_for, wait_until};

const SERVER: &str =
    "application live { live on; record all; record_path rec; record_format mp4; }";

const HEVC: Codec = Codec {
    encoder: "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25:bframes=2 -tag:v hvc1",
    four_cc: b"hvc1",
};
const AV1: Codec = Codec { encoder: "-c:v libsvtav1 -preset 12 -g 25", four_cc: b"av01" };
const OPUS: Codec = Codec { encoder: "-c:a libopus", four_cc: b"Opus" };
const MP3: Codec = Codec { encoder: "-c:a libmp3lame", four_cc: b".mp3" };

/// What ffprobe says of a file's streams: one line of each.
fn streams(path: &Path, entries: &str) -> Vec<String> {
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-of", "csv=p=0", "-show_entries", &format!("stream={entries}")]);
    run(ffprobe.arg(path)).lines().map(str::to_owned).collect()
}

/// What ffmpeg complains of when it decodes all of a file.
fn complaints(path: &Path) -> String {
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-v", "warning", "-i"]).arg(path).args(["-map", "0", "-f", "null", "-"]);
    let output = ffmpeg.output().expect("ffmpeg");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that frames are these, at these times but for rounding and for where they begin.
#[track_caller]
fn assert_same(got: &[Frame], expected: &[Frame]) {
    assert_eq!(digests(got), digests(expected));
    for (got_frame, expected_frame) in got.iter().zip(expected) {
        let apart = |of: fn(&Frame) -> i64| {
            (of(got_frame) - of(&got[0])) - (of(expected_frame) - of(&expected[0]))
        };
        assert!(apart(|it| it.dts).abs() <= 1, "{got_frame:?}, {expected_frame:?}");
        assert!(
            (got_frame.pts - got_frame.dts - expected_frame.pts + expected_frame.dts).abs() <= 1
        );
    }
}

#[test]
fn h264_and_aac_come_back_as_they_were_sent() {
    let nginx = Nginx::start(SERVER);
    let clip = Clip::plain();
    Publisher::once(clip, &nginx.live("cam")).finish();
    let path = nginx.prefix().join("rec/cam.mp4");
    assert_eq!(wait_recorded(&nginx, 1), [&*path]);

    let frames = Frames::of(&path);
    assert_same(&frames.video, &clip.frames.video);
    assert_same(&frames.audio, &clip.frames.audio);
    let apart = |frames: &Frames| frames.video[0].pts - frames.audio[0].pts;
    assert!((apart(&frames) - apart(&clip.frames)).abs() <= 1, "sound and picture are in step");
    assert_eq!(frames.video[0].dts.min(frames.audio[0].dts), 0, "times begin with 0");

    assert_eq!(
        streams(&path, "codec_name,codec_tag_string,width,height,time_base"),
        ["h264,avc1,320,180,1/90000", "aac,mp4a,1/44100",]
    );
    assert_duration(&path, 5.0);
    assert_eq!(complaints(&path), "");
    let decoded = Frames::decoded(&path);
    let source = Frames::decoded(&clip.path);
    assert_eq!(digests(&decoded.video), digests(&source.video));
}

#[test]
fn a_file_plays_while_it_is_written_and_after_a_crash() {
    let nginx = Nginx::start(SERVER);
    let clip = Clip::plain();
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    let player = Player::start(&nginx.live("cam"));
    let path = nginx.prefix().join("rec/cam.mp4");
    // It begins with what tells of the tracks alone.
    wait_until("a file", || path.metadata().is_ok_and(|it| it.len() > 0));
    let first =
        wait_for("pictures", || Some(Frames::of(&path)).filter(|frames| !frames.video.is_empty()));
    assert_unbroken(&first.video, &clip.frames.video);
    let grown = wait_for("more pictures", || {
        let frames = Frames::of(&path);
        (frames.video.len() >= first.video.len() + 50).then_some(frames)
    });
    assert_eq!(complaints(&path), "");
    assert_eq!(grown.video[..first.video.len()], first.video);

    let seen = player.wait_more(25);
    kill_worker(&nginx);
    drop(publisher);
    let left = Frames::of(&path);
    assert_eq!(assert_unbroken(&left.video, &clip.frames.video), 0);
    assert_unbroken(&left.audio, &clip.frames.audio);
    assert_eq!(complaints(&path), "");
    // Of what the player had, no more than a fragment and what was on its way to the disk.
    let last = seen.video.last().expect("pictures");
    let begun = seen.video[0].md5.as_str();
    let start = left.video.iter().position(|it| it.md5 == begun).expect("what the player saw");
    let missing = seen.video.len().saturating_sub(left.video.len() - start);
    assert!(missing <= 35, "{missing} pictures are missing up to {last:?}");
    assert_duration(&path, left.video.len() as f64 / 25.0);
}

/// Publishes a clip, and checks its recordings.
#[track_caller]
fn record_enhanced(video: Option<Codec>, audio: Codec, expected: &[&str]) {
    let nginx = Nginx::start(
        "application live {
            live on; record all; record_path rec; record_format mp4;
            recorder flv { record all; record_path rec/flv; record_format flv; }
        }",
    );
    let clip = EnhancedClip::encode(video, audio, 3);
    clip.publish(nginx.rtmp_port(), "live", "cam");
    let path = nginx.prefix().join("rec/cam.mp4");
    let flv = nginx.prefix().join("rec/flv/cam.flv");
    assert_eq!(wait_recorded(&nginx, 2), [&*path, &*flv]);

    assert_published(&flv, &clip);
    assert_eq!(streams(&path, "codec_name,codec_tag_string,width,height,time_base"), expected);
    assert_duration(&path, 3.0);
    assert_eq!(complaints(&path), "");
    let frames = Frames::of(&path);
    let mut times: Vec<i64> = frames.video.iter().map(|it| it.pts).collect();
    times.sort_unstable();
    let relative = |times: &[i64]| -> Vec<i64> { times.iter().map(|it| it - times[0]).collect() };
    assert_eq!(relative(&times), relative(&clip.pictures));
    // What is from before the first picture is not in the file.
    let expected = clip.audio_packets - 10..=clip.audio_packets;
    assert!(expected.contains(&frames.audio.len()), "{} of {expected:?}", frames.audio.len());
    assert_eq!(Frames::decoded(&path).video.len(), clip.pictures.len());
}

/// Asserts that an FLV file holds what was published, but for sound before the first picture.
#[track_caller]
fn assert_published(path: &Path, clip: &EnhancedClip) {
    /// The first byte of a sequence header's payload.
    const HEADER: u8 = 0x90;
    let tags = flv_tags(path);
    for kind in [VIDEO, AUDIO] {
        let of = |all: &[(u8, u32, Vec<u8>)]| -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
            let of_kind = all.iter().filter(|(it, _, _)| *it == kind);
            of_kind.map(|(_, _, payload)| payload.clone()).partition(|it| it[0] == HEADER)
        };
        let (headers, frames) = of(&tags);
        let (published_headers, published) = of(&clip.messages);
        assert_eq!(headers, published_headers);
        let missing = published.len() - frames.len();
        assert!(missing <= if kind == AUDIO { 10 } else { 0 }, "{missing} are missing");
        assert_eq!(frames, published[missing..]);
    }
}

#[test]
fn the_index_of_keyframes_is_read_by_players() {
    let nginx = Nginx::start(SERVER);
    Publisher::once(Clip::plain(), &nginx.live("cam")).finish();
    let [path] = &wait_recorded(&nginx, 1)[..] else { panic!("{}", nginx.log()) };
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-v", "trace", "-use_mfra_for", "pts", "-i"]).arg(path);
    let output = ffmpeg.args(["-c", "copy", "-f", "null", "-"]).output().expect("ffmpeg");
    let trace = String::from_utf8_lossy(&output.stderr);
    assert!(trace.contains("stream has mfra"), "{trace}");
    // Of each second the first picture is one, shown 80 ms after it is decoded.
    for second in 0..5 {
        let found = format!("found mfra time {}, using it for pts", 90_000 * second + 7200);
        assert!(trace.contains(&found), "{trace}");
    }

    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-v", "error", "-ss", "3.5", "-i"]).arg(path);
    let output = ffmpeg.args(["-map", "0:v", "-c", "copy", "-frames:v", "1"]);
    let output = output.args(["-f", "framemd5", "-"]).output().expect("ffmpeg");
    let frames = Frames::parse(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(frames.video[0].md5, Clip::plain().frames.video[75].md5);
}

#[test]
fn hevc_and_opus() {
    record_enhanced(Some(HEVC), OPUS, &["hevc,hvc1,320,180,1/90000", "opus,Opus,1/48000"]);
}

#[test]
fn av1_and_mp3() {
    record_enhanced(Some(AV1), MP3, &["av1,av01,320,180,1/90000", "mp3,mp4a,1/48000"]);
}

#[test]
fn sound_alone() {
    for (codec, expected) in [(OPUS, "opus,Opus,1/48000"), (MP3, "mp3,mp4a,1/48000")] {
        record_enhanced(None, codec, &[expected]);
    }
}
