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

use ngx_rtmp_module::media::{Container, Demuxer, TrackKind};
use ngx_rtmp_module::package::{Hls, HlsConfig};
use ngx_rtmp_module::rtmp::{Message, MessageType};
use ngx_rtmp_module::time::UnixMillis;

use disk::Output;
use source::{Source, Track};

/// 2023-11-14T22:13:20Z.
const START: UnixMillis = UnixMillis(1_700_000_000_000);

/// Pictures are reordered, and every 50th is a keyframe.
const VIDEO: Track = Track {
    input: "testsrc2=size=320x180:rate=25",
    encoder: "-c:v libx264 -preset ultrafast -pix_fmt yuv420p \
        -x264-params keyint=50:min-keyint=50:scenecut=0:bframes=2:b-adapt=0",
};
const AUDIO: Track = Track { input: "sine=sample_rate=44100", encoder: "-c:a aac" };

/// Packages `messages` as the stream `live`, with time going on as in the stream.
fn package(fragment: Duration, messages: &[Message]) -> Output {
    let mut output = Output::new("live.m3u8");
    let config = HlsConfig {
        path: output.directory().into(),
        fragment,
        max_fragment: fragment * 10,
        playlist_length: Duration::from_secs(3600),
        nested: false,
        ..HlsConfig::new("")
    };
    let mut hls = Hls::new(&config, "live", START).expect("a safe name");
    let mut demuxer = Demuxer::new(Container::MpegTs);
    for message in messages {
        let now = UnixMillis(START.0 + u64::from(message.timestamp));
        // An error says that nothing comes of the message.
        let _ = demuxer.push(message);
        while let Some(event) = demuxer.poll_event() {
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
    let target = output.tag("TARGETDURATION").expect("a target duration");
    assert!(output.durations().iter().all(|duration| duration.round() <= target));
    output
}

#[test]
fn video_with_reordered_pictures_and_audio() {
    let source = Source::encode(&[VIDEO, AUDIO], 6);
    assert!(source.video.iter().any(|packet| packet.pts != packet.dts));
    let output = assert_round_trip(&source, Duration::from_secs(2));
    assert_eq!(output.durations(), [2.0; 3]);
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
fn groups_of_pictures_longer_than_the_fragment() {
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
    let video = Track { encoder: "-c:v libx264 -preset ultrafast -g 1", ..VIDEO };
    let source = Source::encode(&[video, AUDIO], 3);
    let output = assert_round_trip(&source, Duration::from_millis(40));
    assert_eq!(output.durations(), [0.04; 75]);
}

#[test]
fn pictures_that_are_far_apart() {
    let video = Track {
        input: "testsrc2=size=320x180:rate=1",
        encoder: "-c:v libx264 -preset ultrafast -g 2",
    };
    let source = Source::encode(&[video, AUDIO], 8);
    let output = assert_round_trip(&source, Duration::from_secs(2));
    assert_eq!(output.durations(), [2.0; 4]);
}

#[test]
fn pictures_too_large_for_a_bounded_packet() {
    let video = Track {
        input: "testsrc2=size=640x360:rate=25,noise=alls=60:allf=t",
        encoder: "-c:v libx264 -preset ultrafast -g 25 -qp 10",
    };
    let source = Source::encode(&[video, AUDIO], 2);
    assert!(source.messages.iter().any(|message| message.payload.len() > 0xffff));
    assert_round_trip(&source, Duration::from_secs(1));
}

#[test]
fn a_clock_that_starts_over_is_a_discontinuity() {
    let source = Source::encode(&[VIDEO, AUDIO], 4);
    let messages = [delayed(&source, 3_600_000), source.messages.clone()].concat();
    let output = package(Duration::from_secs(2), &messages);
    transport_stream::check(&output.segments());
    assert_eq!(output.durations(), [2.0; 4]);
    assert_eq!(output.discontinuities(), [false, false, true, false]);
    let decoded = ffmpeg::decoded_frames(&output.playlist_path());
    assert_eq!(decoded, (2 * source.video.len(), 2 * source.audio.len()));
}

#[test]
fn a_picture_size_that_changes_is_a_discontinuity() {
    let first = Source::encode(&[VIDEO, AUDIO], 4);
    let smaller = Track { input: "testsrc2=size=160x90:rate=25", ..VIDEO };
    let second = Source::encode(&[smaller, AUDIO], 4);
    let messages = [first.messages.clone(), delayed(&second, 4000)].concat();
    let output = package(Duration::from_secs(2), &messages);
    transport_stream::check(&output.segments());
    assert_eq!(output.durations(), [2.0; 4]);
    assert_eq!(output.discontinuities(), [false, false, true, false]);
    let decoded = ffmpeg::decoded_frames(&output.playlist_path());
    assert_eq!(decoded.0, first.video.len() + second.video.len());
}

#[test]
fn audio_that_comes_late_joins_at_a_keyframe() {
    let source = Source::encode(&[VIDEO, AUDIO], 6);
    let is_late = |message: &&Message| {
        message.kind != MessageType::Audio || message.payload[1] == 0 || message.timestamp >= 1500
    };
    let mut messages: Vec<Message> = source.messages.iter().filter(is_late).cloned().collect();
    let header = messages.iter().position(|message| message.kind == MessageType::Audio);
    let header = messages.remove(header.expect("a sequence header"));
    let start = messages.iter().position(|message| message.timestamp >= 1500);
    messages.insert(start.expect("a later message"), header);

    let output = package(Duration::from_secs(4), &messages);
    let segments = output.segments();
    assert!(!transport_stream::check(&segments[..1]).has(TrackKind::Audio));
    assert!(transport_stream::check(&segments).has(TrackKind::Audio));
    assert_eq!(output.durations(), [2.0, 4.0]);
    assert_eq!(output.discontinuities(), [false, true]);
}

#[test]
fn garbage_is_survived() {
    let source = Source::encode(&[VIDEO, AUDIO], 1);
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as u32
    };
    let mut messages = vec![];
    for _ in 0..100 {
        for message in &source.messages {
            let mut payload = message.payload.to_vec();
            for _ in 0..next() % 4 {
                let index = next() as usize % payload.len();
                payload[index] = next() as u8;
            }
            payload.truncate(if next() % 8 == 0 { next() as usize % 64 } else { usize::MAX });
            let timestamp = if next() % 8 == 0 { next() << 1 } else { message.timestamp };
            messages.push(Message { timestamp, payload: payload.into(), ..message.clone() });
        }
    }
    package(Duration::from_millis(200), &messages);
}

/// The messages of `source`, so many milliseconds later.
fn delayed(source: &Source, millis: u32) -> Vec<Message> {
    let delay =
        |message: &Message| Message { timestamp: message.timestamp + millis, ..message.clone() };
    source.messages.iter().map(delay).collect()
}
