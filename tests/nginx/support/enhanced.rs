//! Streams of codecs that Debian's ffmpeg encodes but does not publish, published by hand in the
//! tags of Enhanced RTMP.

use std::path::Path;

use tempfile::TempDir;

use super::process::{command, run};
use super::raw::{AUDIO, Peer, VIDEO};

/// A codec: ffmpeg's options for its encoder, and its FourCC.
#[derive(Clone, Copy)]
pub struct Codec {
    pub encoder: &'static str,
    pub four_cc: &'static [u8; 4],
}

/// A packet of a file, with times in milliseconds.
struct Packet {
    dts: i64,
    pts: i64,
    is_keyframe: bool,
    data: Vec<u8>,
}

/// A stream as the messages that publish it.
pub struct EnhancedClip {
    /// Kind, timestamp and payload of each.
    pub messages: Vec<(u8, u32, Vec<u8>)>,
    /// The times at which its pictures are presented, in milliseconds and in that order.
    pub pictures: Vec<i64>,
    /// How many audio packets it has.
    pub audio_packets: usize,
}

impl EnhancedClip {
    /// Encodes so many seconds of 320x180, 25 pictures a second, with sound.
    pub fn encode(video: Option<Codec>, audio: Codec, seconds: u32) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("clip.mp4");
        let mut ffmpeg = command("ffmpeg");
        ffmpeg.args(["-v", "error"]);
        if video.is_some() {
            ffmpeg.args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]);
        }
        ffmpeg.args(["-f", "lavfi", "-i", "sine=sample_rate=48000"]);
        for codec in video.iter().chain([&audio]) {
            ffmpeg.args(codec.encoder.split_whitespace());
        }
        run(ffmpeg.args(["-pix_fmt", "yuv420p", "-t", &seconds.to_string()]).arg(&path));
        Self::of(&path, video, audio)
    }

    fn of(path: &Path, video: Option<Codec>, audio: Codec) -> Self {
        let mut messages = Vec::new();
        let pictures = video.map_or_else(Vec::new, |_| packets(path, "v"));
        let frames = packets(path, "a");
        let start = pictures.iter().chain(&frames).map(|packet| packet.dts).min().expect("packets");
        if let Some(video) = video {
            messages.push((VIDEO, 0, tag(0x90, video, &extra_data(path, "v"))));
            for picture in &pictures {
                let frame_type = if picture.is_keyframe { 0x90 } else { 0xa0 };
                let offset = (picture.pts - picture.dts) as u32;
                let data = match video.four_cc {
                    b"av01" => picture.data.clone(),
                    _ => [&offset.to_be_bytes()[1..], &picture.data].concat(),
                };
                let payload = tag(frame_type | 1, video, &data);
                messages.push((VIDEO, (picture.dts - start) as u32, payload));
            }
        }
        let header = extra_data(path, "a");
        if !header.is_empty() {
            messages.push((AUDIO, 0, tag(0x90, audio, &header)));
        }
        for frame in &frames {
            messages.push((AUDIO, (frame.dts - start) as u32, tag(0x91, audio, &frame.data)));
        }
        // Headers come first, as they were pushed first.
        messages.sort_by_key(|(_, timestamp, _)| *timestamp);
        let mut pictures: Vec<i64> = pictures.iter().map(|picture| picture.pts - start).collect();
        pictures.sort_unstable();
        Self { messages, pictures, audio_packets: frames.len() }
    }

    /// Publishes all of it at once, as `name` in `application`.
    pub fn publish(&self, port: u16, application: &str, name: &str) {
        let mut peer = Peer::publish(port, application, name);
        peer.set_chunk_size(65536);
        for (kind, timestamp, payload) in &self.messages {
            peer.send(6, *kind, 1, *timestamp, payload);
        }
    }
}

fn tag(first: u8, codec: Codec, data: &[u8]) -> Vec<u8> {
    [&[first][..], codec.four_cc, data].concat()
}

fn extra_data(path: &Path, stream: &str) -> Vec<u8> {
    let text = probe(path, stream, &["-show_streams"]);
    let (_, dump) = text.split_once("\nextradata=\n").unwrap_or_default();
    dump.lines().map_while(dumped).flatten().collect()
}

fn packets(path: &Path, stream: &str) -> Vec<Packet> {
    let text = probe(path, stream, &["-show_packets"]);
    text.split("[PACKET]").skip(1).map(Packet::parse).collect()
}

fn probe(path: &Path, stream: &str, what: &[&str]) -> String {
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-show_data", "-select_streams", stream]).args(what);
    run(ffprobe.arg(path))
}

impl Packet {
    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_else(|| panic!("no {key} in {text}"))
        };
        let millis = |key| (value(key).parse::<f64>().expect("a time") * 1000.0).round() as i64;
        Self {
            dts: millis("dts_time="),
            pts: millis("pts_time="),
            is_keyframe: value("flags=").contains('K'),
            data: text
                .lines()
                .skip_while(|line| *line != "data=")
                .filter_map(dumped)
                .flatten()
                .collect(),
        }
    }
}

/// The bytes of a line such as `00000010: 4f70 7573 4865  OpusHe`.
fn dumped(line: &str) -> Option<Vec<u8>> {
    let (offset, bytes) = line.split_once(": ")?;
    usize::from_str_radix(offset, 16).ok().filter(|_| offset.len() == 8)?;
    let digits: String = bytes.split_once("  ")?.0.split(' ').collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}
