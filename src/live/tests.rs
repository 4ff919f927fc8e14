//! Scenarios: a publisher's messages in, what each player's client makes of its bytes out.

mod endurance;
mod random;
mod start;

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::rtmp::chunk::{ChunkReader, Framing, ReaderConfig};
use crate::rtmp::{Message, MessageType};
use crate::time::Instant;

const NOW: Instant = Instant::from_millis(0);
const CHUNK_SIZE: u32 = 60;

fn stream(limits: LogLimits) -> Stream {
    Stream::new(Arc::new(StreamConfig { limits, ..config() }))
}

fn config() -> StreamConfig {
    let framing = Framing { chunk_size: CHUNK_SIZE, repeat_extended_timestamp: true };
    StreamConfig { meta: Meta::Copy, ..StreamConfig::new(framing) }
}

/// A player and the client at the other end of its connection.
struct Client {
    player: Player,
    reader: ChunkReader,
}

impl Client {
    fn new(stream: &mut Stream) -> Self {
        let mut reader = ChunkReader::new(ReaderConfig {
            max_message: 1 << 20,
            max_streams: 32,
            fix_extended_timestamp: true,
        });
        reader.set_chunk_size(CHUNK_SIZE).unwrap();
        Self { player: stream.play(), reader }
    }

    /// The connection takes up to `room` bytes. Returns the messages that they complete.
    fn receive(&mut self, stream: &Stream, room: usize) -> Vec<Message> {
        let mut bytes = self.player.partial().to_vec();
        self.player.gather(stream.log()).for_each(|frame| bytes.extend(frame));
        bytes.truncate(room);
        self.player.advance(stream.log(), bytes.len());

        let mut input = &bytes[..];
        let mut messages = Vec::new();
        while let Some(message) = self.reader.read(&mut input).unwrap() {
            messages.push(message);
        }
        messages
    }

    fn receive_all(&mut self, stream: &Stream) -> Vec<Message> {
        self.receive(stream, usize::MAX)
    }
}

fn message(kind: MessageType, timestamp: u32, payload: &'static [u8]) -> Message {
    Message { kind, timestamp, stream_id: 1, payload: Bytes::from_static(payload) }
}

fn audio(timestamp: u32, payload: &'static [u8]) -> Message {
    message(MessageType::Audio, timestamp, payload)
}

fn video(timestamp: u32, payload: &'static [u8]) -> Message {
    message(MessageType::Video, timestamp, payload)
}

fn data(timestamp: u32, payload: &'static [u8]) -> Message {
    message(MessageType::DataAmf0, timestamp, payload)
}

fn event(payload: &'static [u8]) -> Message {
    Message { stream_id: 0, ..message(MessageType::UserControl, 0, payload) }
}

const BEGIN: &[u8] = b"\0\0\0\0\0\x01";
const DRY: &[u8] = b"\0\x02\0\0\0\x01";
const METADATA: &[u8] = b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09";
const TEXT: &[u8] = b"\x02\0\x0aonTextData\x05";
const AVC: &[u8] = b"\x17\0\0\0\0one";
const AVC_2: &[u8] = b"\x17\0\0\0\0two";
const AAC: &[u8] = b"\xaf\0\x12\x10";
const KEY: &[u8] = b"\x17\x01\0\0\0key";
const INTER: &[u8] = b"\x27\x01\0\0\0inter";
const SOUND: &[u8] = b"\xaf\x01sound";

#[test]
fn a_late_player_gets_the_headers_in_force_with_the_time_of_its_keyframe() {
    let mut stream = stream(LogLimits::default());
    stream.publish(NOW).unwrap();
    let mut early = Client::new(&mut stream);
    // More than 2^24 ms, so that timestamps are extended.
    let published = [
        data(0, METADATA),
        video(0, AVC),
        audio(0, AAC),
        audio(17_000_000, SOUND),
        video(17_000_001, KEY),
        video(17_000_040, INTER),
        data(17_000_041, TEXT),
        video(17_000_080, KEY),
        video(17_000_080, AVC_2),
        audio(17_000_090, SOUND),
        video(17_000_120, KEY),
        video(17_000_160, INTER),
    ];
    published[..8].iter().for_each(|message| stream.push(NOW, message.clone()));
    let mut middle = Client::new(&mut stream);
    assert_eq!(
        middle.receive_all(&stream),
        [data(0, METADATA), video(17_000_080, AVC), audio(17_000_080, AAC), video(17_000_080, KEY)]
    );
    published[8..].iter().for_each(|message| stream.push(NOW, message.clone()));
    assert_eq!(middle.receive_all(&stream), published[8..]);

    let expected = [
        data(0, METADATA),
        video(17_000_120, AVC_2),
        audio(17_000_120, AAC),
        video(17_000_120, KEY),
        video(17_000_160, INTER),
    ];
    assert_eq!(Client::new(&mut stream).receive_all(&stream), expected);
    assert_eq!(early.receive_all(&stream), expected, "was not served before");
}

#[test]
fn messages_reach_a_player_unchanged_whatever_its_connection_takes_at_a_time() {
    let mut stream = stream(LogLimits::default());
    stream.publish(NOW).unwrap();
    let long: &[u8] = &[&b"\x17\x01"[..], &[7; 500]].concat();
    let published = [
        video(u32::MAX - 20, AVC),
        Message { payload: Bytes::copy_from_slice(long), ..video(u32::MAX - 20, b"") },
        audio(u32::MAX - 10, SOUND),
        video(15, INTER),
        data(16, TEXT),
        video(55, b""),
    ];
    published.iter().for_each(|message| stream.push(NOW, message.clone()));
    for room in 1..700 {
        let mut client = Client::new(&mut stream);
        let mut received = Vec::new();
        for _ in 0..700 {
            received.extend(client.receive(&stream, room));
        }
        assert_eq!(received, published);
    }
}

#[test]
fn repeated_headers_are_not_passed_on() {
    let mut stream = stream(LogLimits::default());
    stream.publish(NOW).unwrap();
    let mut client = Client::new(&mut stream);
    for message in [video(0, AVC), video(0, KEY), video(40, AVC), data(40, METADATA)] {
        stream.push(NOW, message);
    }
    assert_eq!(client.receive_all(&stream), [video(0, AVC), video(0, KEY), data(0, METADATA)]);
    for message in [data(50, METADATA), video(80, AVC), video(80, AVC_2), video(80, AVC)] {
        stream.push(NOW, message);
    }
    assert_eq!(client.receive_all(&stream), [video(80, AVC_2), video(80, AVC)]);
}

#[test]
fn sound_without_pictures_starts_at_once() {
    let mut stream = stream(LogLimits::default());
    stream.publish(NOW).unwrap();
    for message in [audio(0, AAC), audio(0, SOUND), audio(23, SOUND), audio(46, b"\xaf\x01")] {
        stream.push(NOW, message);
    }
    let expected = [audio(23, AAC), audio(23, SOUND), audio(46, b"\xaf\x01")];
    assert_eq!(Client::new(&mut stream).receive_all(&stream), expected);
}

#[test]
fn sound_waits_for_promised_pictures_but_not_for_ever() {
    let metadata = b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x0cvideocodecid\0\x40\x1c\0\0\0\0\0\0";
    for promise in [video(0, AVC), data(0, metadata)] {
        let mut stream = stream(LogLimits::default());
        stream.publish(NOW).unwrap();
        let mut client = Client::new(&mut stream);
        stream.push(NOW, promise);
        stream.push(NOW, audio(0, AAC));
        let mut waited = 0;
        while client.receive_all(&stream).iter().all(|message| message.payload != SOUND) {
            assert!(waited < 200);
            waited += 1;
            stream.push(NOW, audio(waited, SOUND));
        }
        assert!(waited > 100);

        stream.push(NOW, video(900, INTER));
        stream.push(NOW, video(910, AVC_2));
        stream.push(NOW, audio(920, SOUND));
        stream.push(NOW, video(930, KEY));
        let expected = [video(910, AVC_2), audio(920, SOUND), video(930, KEY)];
        assert_eq!(client.receive_all(&stream), expected);
    }
}

#[test]
fn publishers_come_and_go() {
    let mut stream = stream(LogLimits::default());
    let mut client = Client::new(&mut stream);
    stream.push(NOW, video(0, KEY));
    assert_eq!(client.receive_all(&stream), [], "nobody publishes");
    stream.publish(NOW).unwrap();
    assert_eq!(stream.publish(NOW), Err(AlreadyPublishing));
    assert_eq!(client.receive_all(&stream), [event(BEGIN)]);
    stream.push(NOW, video(1000, AVC));
    stream.push(NOW, video(1000, KEY));
    stream.unpublish();
    stream.unpublish();
    assert!(!stream.is_publishing());
    assert_eq!(client.receive_all(&stream), [event(DRY)], "gone before there was a chance");

    stream.publish(NOW).unwrap();
    stream.push(NOW, video(0, KEY));
    assert_eq!(client.receive_all(&stream), [event(BEGIN), video(0, KEY)]);
    stream.push(NOW, video(40, INTER));
    stream.unpublish();
    stream.publish(NOW).unwrap();
    stream.push(NOW, audio(0, SOUND));
    stream.push(NOW, video(0, INTER));
    let expected = [video(40, INTER), event(DRY), event(BEGIN), audio(0, SOUND)];
    assert_eq!(client.receive_all(&stream), expected);
    stream.push(NOW, video(20, KEY));
    assert_eq!(client.receive_all(&stream), [video(20, KEY)]);
}
