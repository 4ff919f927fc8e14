//! Random publishers, and players of random speed that come at random times.

use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};

use super::*;

/// Small, so that groups of pictures outgrow them and players lag.
const LIMITS: LogLimits = LogLimits {
    lag: LagLimits { frames: 25, bytes: 6_000, age: Duration::ZERO },
    gop: Some(GopLimits { frames: 60, video: 60, audio: 60, bytes: 12_000 }),
};

/// Every player gets whole messages: headers, then from a keyframe on each message once and in
/// order, except where the player was counted as having skipped some.
#[test]
fn no_player_sees_a_gap_a_repeat_or_stale_headers() {
    let mut skips = 0;
    for seed in 1..20 {
        let mut random = Random(seed);
        let mut stream = stream(LIMITS);
        let mut publisher = Publisher::default();
        let mut viewers: Vec<Viewer> = Vec::new();
        for turn in 0..400 {
            if turn % 20 == 0 {
                viewers.push(Viewer::new(&mut stream, &mut random));
            }
            for _ in 0..random.below(4) {
                publisher.act(&mut stream, &mut random);
            }
            viewers.iter_mut().for_each(|viewer| viewer.watch(&stream, &mut random));
        }
        for mut viewer in viewers {
            viewer.room = usize::MAX;
            viewer.watch(&stream, &mut random);
            viewer.check_end();
            skips += viewer.client.player.skipped_frames();
        }
    }
    assert!(skips > 1000, "the limits were tried");
}

/// A publisher whose every frame holds its number and the version of the headers it needs.
#[derive(Default)]
struct Publisher {
    frames: u32,
    headers: u32,
}

impl Publisher {
    fn act(&mut self, stream: &mut Stream, random: &mut Random) {
        if !stream.is_publishing() {
            stream.publish(NOW).unwrap();
            self.push_headers(stream);
        }
        match random.below(200) {
            0 => stream.unpublish(),
            1 | 2 => self.push_headers(stream),
            3..=10 => self.push_frame(stream, &video(0, b"\x17\x01\0\0\0"), random),
            11..=100 => self.push_frame(stream, &video(0, b"\x27\x01\0\0\0"), random),
            _ => self.push_frame(stream, &audio(0, b"\xaf\x01"), random),
        }
    }

    /// A video header changes what pictures are to be decoded with, so a keyframe follows it.
    fn push_headers(&mut self, stream: &mut Stream) {
        self.headers += 1;
        for header in [video(0, b"\x17\0\0\0\0"), audio(0, b"\xaf\0")] {
            stream.push(NOW, self.numbered(&header, 0));
        }
        self.frames += 1;
        stream.push(NOW, self.numbered(&video(0, b"\x17\x01\0\0\0"), 0));
    }

    fn push_frame(&mut self, stream: &mut Stream, tag: &Message, random: &mut Random) {
        let padding = if random.below(50) == 0 { 2000 } else { random.below(200) };
        self.frames += 1;
        stream.push(NOW, self.numbered(tag, padding));
    }

    fn numbered(&self, tag: &Message, padding: usize) -> Message {
        let mut payload = BytesMut::from(&tag.payload[..]);
        payload.put_u32(self.headers);
        payload.put_u32(self.frames);
        payload.put_bytes(0xee, padding);
        Message { payload: payload.freeze(), timestamp: self.frames * 10, ..tag.clone() }
    }
}

/// A player that checks what it gets.
struct Viewer {
    client: Client,
    /// The bytes its connection takes a turn, at most.
    room: usize,
    /// The versions of the headers it has, for audio and for video.
    headers: [u32; 2],
    /// The frame it got last, since the publisher came.
    last: Option<u32>,
    missed: u64,
}

impl Viewer {
    fn new(stream: &mut Stream, random: &mut Random) -> Self {
        let room = [1, 60, 150, 300, 1000, usize::MAX][random.below(6)];
        Self { client: Client::new(stream), room, headers: [0; 2], last: None, missed: 0 }
    }

    fn watch(&mut self, stream: &Stream, random: &mut Random) {
        let room = if self.room == usize::MAX { self.room } else { random.below(2 * self.room) };
        for message in self.client.receive(stream, room) {
            self.check(&message);
        }
    }

    fn check(&mut self, message: &Message) {
        let mut payload = message.payload.clone();
        let (track, header) = match (message.kind, &payload[..]) {
            (MessageType::Audio, [_, kind, ..]) => (0, *kind == 0),
            (MessageType::Video, [_, kind, ..]) => (1, *kind == 0),
            _ => {
                self.last = None;
                return;
            }
        };
        let key = payload[0] == 0x17;
        payload.advance([2, 5][track]);
        let (headers, frame) = (payload.get_u32(), payload.get_u32());
        if header {
            self.headers[track] = headers;
            return;
        }
        assert_eq!(self.headers, [headers; 2]);
        assert_eq!(message.timestamp, frame * 10);
        match self.last {
            Some(last) if frame == last + 1 => {}
            Some(last) => {
                assert!(key && frame > last);
                self.missed += u64::from(frame - last - 1);
            }
            None => assert!(key),
        }
        self.last = Some(frame);
    }

    fn check_end(&self) {
        let skipped = self.client.player.skipped_frames();
        assert!(self.missed <= skipped);
        assert!(self.client.player.partial().is_empty());
    }
}

/// Xorshift (Marsaglia 2003): the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << shift } else { self.0 >> shift };
        }
        (self.0 % end as u64) as usize
    }
}
