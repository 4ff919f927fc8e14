use super::*;
use crate::live::StreamConfig;
use crate::mp4::samples::read;
use crate::rtmp::MessageType;
use crate::rtmp::chunk::Framing;

/// Of ffmpeg: H.264 with reordered pictures and AAC; HEVC and Opus.
const AVC_AAC: &[u8] = include_bytes!("../../tests/fixtures/front.mp4");
const HEVC_OPUS: &[u8] = include_bytes!("../../tests/fixtures/hevc-opus.mp4");

/// A stream that is published, and made MP4 of.
struct Bench {
    stream: Stream,
    player: Player,
    mp4: LiveMp4,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let framing = Framing { chunk_size: 1000, repeat_extended_timestamp: true };
        let mut stream = Stream::new(StreamConfig::new(framing).into());
        stream.publish(Instant::default()).unwrap();
        let (player, mp4) = (stream.play(), LiveMp4::new(&stream).unwrap());
        Self { stream, player, mp4, now: Instant::default() }
    }

    /// The stream with `messages`, watched from now on.
    fn of(messages: &[Message]) -> Self {
        let mut bench = Self::new();
        messages.iter().for_each(|message| bench.publish(message));
        bench.player = bench.stream.play();
        bench.mp4 = LiveMp4::new(&bench.stream).unwrap();
        bench.take();
        bench
    }

    fn publish(&mut self, message: &Message) {
        self.now = Instant::from_millis(u64::from(message.timestamp));
        self.stream.push(self.now, message.clone());
    }

    fn take(&mut self) {
        self.mp4.take(self.now, &mut self.player, &self.stream).unwrap();
    }

    fn push(&mut self, messages: &[Message]) {
        for message in messages {
            self.publish(message);
            self.take();
        }
    }

    fn viewer(&self) -> Player {
        Player::new(self.mp4.log())
    }

    /// What a viewer gets now.
    fn watch(&self, viewer: &mut Player) -> Vec<Bytes> {
        std::iter::from_fn(|| Some(viewer.take(self.mp4.log())?.1.clone())).collect()
    }
}

fn of_kind(messages: &[Message], kind: MessageType) -> Vec<&Message> {
    messages.iter().filter(|it| it.kind == kind).collect()
}

/// Asserts that what a viewer got is the end of a stream, moved in time.
#[track_caller]
fn assert_end_of(messages: &[Message], got: &[Bytes]) {
    let got = read(&got.concat());
    let mut shifts = Vec::new();
    for kind in [MessageType::Video, MessageType::Audio] {
        let (all, got) = (of_kind(messages, kind), of_kind(&got, kind));
        // But for the header.
        let frames = &all[all.len() + 1 - got.len()..];
        assert_eq!(got[0].payload, all[0].payload, "the header of {kind:?}");
        for (got, sent) in got[1..].iter().zip(frames) {
            assert_eq!(got.payload, sent.payload, "{kind:?} at {}", sent.timestamp);
            shifts.push(sent.timestamp - got.timestamp);
        }
    }
    let least = *shifts.iter().min().unwrap();
    assert!(shifts.iter().all(|shift| shift - least <= 1), "{shifts:?}");
}

#[test]
fn viewers_from_the_beginning_get_all() {
    for (file, media_type) in [
        (AVC_AAC, "video/mp4; codecs=\"avc1.64000a,mp4a.40.2\""),
        (HEVC_OPUS, "video/mp4; codecs=\"hvc1.1.6.L30.90,opus\""),
    ] {
        let messages = read(file);
        let mut bench = Bench::new();
        let mut viewer = bench.viewer();
        bench.push(&messages);
        assert_eq!(bench.mp4.media_type().map(|it| &**it), Some(media_type));
        bench.mp4.finish();
        assert_end_of(&messages, &bench.watch(&mut viewer));
    }
}

#[test]
fn late_viewers_start_from_the_last_keyframe_at_once() {
    let messages = read(AVC_AAC);
    let mut bench = Bench::of(&messages);
    let mut viewer = bench.viewer();
    let first = bench.watch(&mut viewer);
    assert!(first.len() > 1, "there is something to see");
    bench.mp4.finish();
    let got = [first, bench.watch(&mut viewer)].concat();
    let pictures = of_kind(&read(&got.concat()), MessageType::Video).len() - 1;
    assert!(pictures > 0 && pictures < of_kind(&messages, MessageType::Video).len() / 2);
    assert_end_of(&messages, &got);
    // They share what is there.
    let again = bench.watch(&mut bench.viewer());
    assert_eq!(again.last().map(|it| it.as_ptr()), got.last().map(|it| it.as_ptr()));
}

#[test]
fn a_stream_without_sound_is_not_waited_for() {
    let messages = read(AVC_AAC);
    let video: Vec<_> = of_kind(&messages, MessageType::Video).into_iter().cloned().collect();
    let bench = Bench::of(&video);
    assert_eq!(bench.mp4.media_type().map(|it| &**it), Some("video/mp4; codecs=\"avc1.64000a\""));
    let audio: Vec<_> = of_kind(&messages, MessageType::Audio).into_iter().cloned().collect();
    let bench = Bench::of(&audio);
    assert_eq!(bench.mp4.media_type().map(|it| &**it), Some("audio/mp4; codecs=\"mp4a.40.2\""));
}

#[test]
fn viewers_that_are_too_slow_skip_to_a_keyframe() {
    let messages = read(AVC_AAC);
    let length = messages.last().unwrap().timestamp + 40;
    let mut bench = Bench::new();
    let mut viewer = bench.viewer();
    bench.push(&messages);
    let first = bench.watch(&mut viewer);
    for round in 1..20 {
        let moved: Vec<_> = messages
            .iter()
            .map(|it| Message { timestamp: it.timestamp + round * length, ..it.clone() })
            .collect();
        bench.push(&moved);
    }
    let got = bench.watch(&mut viewer);
    assert!(viewer.skipped_frames() > 0);
    let pictures = of_kind(&read(&[&first[..1], &got].concat().concat()), MessageType::Video).len();
    assert!(pictures < of_kind(&messages, MessageType::Video).len());
}

#[test]
fn other_tracks_begin_with_a_segment_of_their_own() {
    let (first, second) = (read(AVC_AAC), read(HEVC_OPUS));
    let offset = first.last().unwrap().timestamp + 40;
    let second: Vec<_> = second
        .iter()
        .map(|it| Message { timestamp: it.timestamp + offset, ..it.clone() })
        .collect();
    let mut bench = Bench::new();
    let mut viewer = bench.viewer();
    bench.push(&first);
    let before = bench.watch(&mut viewer);
    let inits = |pieces: &[Bytes]| pieces.iter().filter(|it| it[4..].starts_with(b"ftyp")).count();
    assert_eq!(inits(&before), 1);
    bench.push(&second);
    let after = bench.watch(&mut viewer);
    assert!(inits(&after) >= 1, "for those whose codecs are the same");
    bench.mp4.finish();
    assert_end_of(&second, &bench.watch(&mut bench.viewer()));
    assert_eq!(
        bench.mp4.media_type().map(|it| &**it),
        Some("video/mp4; codecs=\"hvc1.1.6.L30.90,opus\"")
    );
}

#[test]
fn what_mp4_does_not_carry_is_told() {
    let (kind, payload) = (MessageType::Audio, Bytes::from_static(b"\xb2speex"));
    let speex = Message { kind, timestamp: 2000, stream_id: 1, payload };
    let mut bench = Bench::new();
    assert_eq!(bench.mp4.obstacle(), None);
    bench.push(&[speex]);
    let obstacle = bench.mp4.obstacle().map(|it| it.to_string());
    assert_eq!(obstacle.as_deref(), Some("unsupported audio codec: FLV sound format 11"));
    bench.push(&read(AVC_AAC));
    assert_eq!(bench.mp4.obstacle(), None);
    assert!(bench.mp4.media_type().is_some());
}
