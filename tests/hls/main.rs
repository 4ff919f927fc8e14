//! The HLS packager from an encoder's FLV tags to files on a disk, with ffprobe as the player.
//!
//! No nginx is involved: the test executes the file operations itself. ffmpeg and ffprobe are
//! needed.
#![allow(clippy::disallowed_methods, reason = "tests are not sans-IO")]

mod disk;
mod ffmpeg;
mod source;
mod transport_stream;

use std::time::Duration;

use ngx_rtmp_module::media::{Demuxer, TrackKind};
use ngx_rtmp_module::package::{Hls, HlsConfig};
use ngx_rtmp_module::rtmp::Message;
use ngx_rtmp_module::time::UnixMillis;

use disk::Output;
use source::Source;

/// 2023-11-14T22:13:20Z.
const START: UnixMillis = UnixMillis(1_700_000_000_000);

const VIDEO: &[&str] = &[
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=320x180:rate=25",
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-x264-params",
    "keyint=50:min-keyint=50:scenecut=0:bframes=2:b-adapt=0",
];
const AUDIO: &[&str] = &["-f", "lavfi", "-i", "sine=sample_rate=44100", "-c:a", "aac"];

/// Packages `messages` as the stream `live`, with time going on as in the stream.
fn package(fragment: Duration, messages: &[Message]) -> Output {
    let mut output = Output::new("live.m3u8");
    let config = HlsConfig {
        path: output.directory().into(),
        fragment,
        max_fragment: fragment * 10,
        playlist_length: Duration::from_secs(3600),
        nested: false,
    };
    let mut hls = Hls::new(&config, "live", START).expect("a safe name");
    let mut demuxer = Demuxer::default();
    for message in messages {
        let now = UnixMillis(START.0 + u64::from(message.timestamp));
        if let Some(event) = demuxer.push(message).expect("a well-formed message") {
            hls.push(event, now);
        }
        output.execute(std::iter::from_fn(|| hls.poll_op()));
    }
    hls.finish();
    output.execute(std::iter::from_fn(|| hls.poll_op()));
    output
}

/// Packages all of `source`, and compares what a player finds with it, frame by frame.
fn assert_round_trip(source: &Source, fragment: Duration) -> Output {
    let output = package(fragment, &source.messages);
    let packets = transport_stream::check(&output.segments());
    let played = ffmpeg::packets(&output.concatenated());

    assert_eq!(played.video, source.video, "video packets");
    assert_eq!(played.audio.len(), source.audio.len(), "audio packets");
    for (played, told) in played.audio.iter().zip(&source.audio) {
        // The source's times are rounded to milliseconds.
        assert!((played - told).abs() <= 90, "audio at {played} instead of {told}");
    }
    assert_eq!(packets.has(TrackKind::Video), !source.video.is_empty());
    assert_eq!(packets.has(TrackKind::Audio), !source.audio.is_empty());

    let decoded = ffmpeg::decoded_frames(&output.playlist_path());
    assert_eq!(decoded, (source.video.len(), source.audio.len()), "decoded frames");
    assert_durations(&output);
    output
}

/// The sum of all durations is that of the stream, and none is longer than promised.
fn assert_durations(output: &Output) {
    let target = output.tag("TARGETDURATION").expect("a target duration");
    for duration in output.durations() {
        assert!(duration.round() <= target, "{duration} > {target}");
    }
}

#[test]
fn video_with_reordered_pictures_and_audio() {
    let source = Source::encode(&[VIDEO, AUDIO], 10);
    assert!(source.video.iter().any(|packet| packet.pts != packet.dts));
    let output = assert_round_trip(&source, Duration::from_secs(2));
    assert_eq!(output.durations(), [2.0; 5]);
    assert_eq!(output.tag("MEDIA-SEQUENCE"), Some(1_700_000_000.0));
    assert!(output.playlist().ends_with("#EXT-X-ENDLIST\n"));
    assert!(!output.playlist().contains("#EXT-X-DISCONTINUITY\n"));
}

#[test]
fn video_only() {
    let source = Source::encode(&[VIDEO], 6);
    let output = assert_round_trip(&source, Duration::from_secs(2));
    assert_eq!(output.durations(), [2.0; 3]);
}

#[test]
fn audio_only() {
    let source = Source::encode(&[AUDIO], 6);
    let output = assert_round_trip(&source, Duration::from_secs(2));
    assert_eq!(output.durations().len(), 4);
    let sum: f64 = output.durations().iter().sum();
    assert!((sum - source.audio.len() as f64 * 1024.0 / 44_100.0).abs() < 0.001, "{sum}");
}

#[test]
fn fragments_shorter_than_groups_of_pictures() {
    let source = Source::encode(&[VIDEO, AUDIO], 6);
    let output = assert_round_trip(&source, Duration::from_millis(500));
    assert_eq!(output.durations(), [2.0; 3]);
    assert_eq!(output.tag("TARGETDURATION"), Some(2.0));
}

#[test]
fn groups_of_pictures_longer_than_the_maximum() {
    let source = Source::encode(&[VIDEO, AUDIO], 6);
    let output = assert_round_trip(&source, Duration::from_millis(100));
    assert_eq!(output.durations(), [1.0; 6]);
    assert!(!output.playlist().contains("INDEPENDENT"));
    assert!(!output.playlist().contains("#EXT-X-DISCONTINUITY\n"));
}

#[test]
fn tiny_fragments() {
    let keyframes: &[&str] = &["-g", "1", "-bf", "0"];
    let video = [&VIDEO[..8], keyframes].concat();
    let source = Source::encode(&[&video, AUDIO], 3);
    let output = assert_round_trip(&source, Duration::from_millis(40));
    assert_eq!(output.durations(), [0.04; 75]);
}

#[test]
fn slides_are_far_apart() {
    let video =
        [&["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=1"], &VIDEO[4..8], &["-g", "2"]]
            .concat();
    let source = Source::encode(&[&video, AUDIO], 8);
    let output = assert_round_trip(&source, Duration::from_secs(2));
    assert_eq!(output.durations(), [2.0; 4]);
}

#[test]
fn pictures_too_large_for_a_bounded_packet() {
    let video = [
        &["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=60,noise=alls=60:allf=t"],
        &VIDEO[4..8],
        &["-g", "60", "-bf", "3", "-qp", "10"],
    ]
    .concat();
    let source = Source::encode(&[&video, AUDIO], 2);
    assert_round_trip(&source, Duration::from_secs(1));
}

#[test]
fn a_clock_that_starts_over_is_a_discontinuity() {
    let source = Source::encode(&[VIDEO, AUDIO], 4);
    let mut messages = source.messages.clone();
    let later = source.messages.iter().map(|message| Message {
        timestamp: message.timestamp.wrapping_add(3_600_000),
        ..message.clone()
    });
    messages.splice(0..0, later);

    let output = package(Duration::from_secs(2), &messages);
    transport_stream::check(&output.segments());
    assert_eq!(output.durations(), [2.0; 4]);
    let playlist = output.playlist();
    let discontinuity = playlist.find("#EXT-X-DISCONTINUITY\n").expect("a discontinuity");
    assert!(playlist.find("1700000001.ts").is_some_and(|before| before < discontinuity));
    assert!(playlist.find("1700000002.ts").is_some_and(|after| after > discontinuity));
    let decoded = ffmpeg::decoded_frames(&output.playlist_path());
    assert_eq!(decoded, (2 * source.video.len(), 2 * source.audio.len()));
}
