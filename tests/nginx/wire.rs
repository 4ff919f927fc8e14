//! Chunk sizes, frame sizes, timestamps and the rarer messages of the protocol.

use std::time::Duration;

use crate::support::media::{Clip, Frame, Frames, assert_unbroken, flv_tags};
use crate::support::nginx::Nginx;
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::{
    AGGREGATE, AUDIO, COMMAND_AMF3, Message, PING_REQUEST, Peer, USER_CONTROL, VIDEO, chunks,
    closes_within, connect, null, number, string,
};

const LIVE: &str = "application live { live on; }";

#[test]
fn frames_beyond_64_kib_arrive_whole() {
    let (nginx, clip) =
        (Nginx::start("max_message 4m; application live { live on; }"), Clip::large());
    let player = Player::start(&nginx.live("cam"));
    Publisher::once(clip, &nginx.live("cam")).finish();
    let last = clip.frames.video.last();
    let frames = player.wait("the last picture", |frames| frames.video.last() == last);
    // Who waits for a stream gets it from a keyframe on, here any picture.
    assert_unbroken(&frames.video, &clip.frames.video);
    assert_unbroken(&frames.audio, &clip.frames.audio);
    assert!(frames.video.len() > 40, "{} pictures", frames.video.len());
}

#[test]
fn any_chunk_size_will_do() {
    let sent = keyframes(&[1, 127, 128, 129, 4096, 65536, 65537, 300_000]);
    for out in [128, 1000, 4096, 65536] {
        let nginx = Nginx::start(&format!("chunk_size {out}; {LIVE}"));
        for size in [1, 100, 65536, 10_485_760] {
            let name = format!("in{size}");
            let mut player = Peer::play(nginx.rtmp_port(), "live", &name);
            let mut publisher = Peer::publish(nginx.rtmp_port(), "live", &name);
            start(&mut publisher, &mut player);
            publisher.set_chunk_size(size);
            for (index, payload) in sent.iter().enumerate() {
                publisher.send(6, VIDEO, 1, index as u32 * 40, payload);
            }
            for (index, payload) in sent.iter().enumerate() {
                let message = next_video(&mut player);
                assert_eq!(message.timestamp, index as u32 * 40);
                assert!(message.payload == *payload, "frame {index}, {size} in, {out} out");
            }
        }
    }
}

#[test]
fn interleaved_chunk_streams_come_apart() {
    let nginx = Nginx::start(LIVE);
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let picture = keyframes(&[1000]).remove(0);
    let sound = [&[0xaf, 1][..], &[0x55; 1000]].concat();
    let video = chunks(6, VIDEO, 1, 10, &picture, 128);
    let audio = chunks(4, AUDIO, 1, 10, &sound, 128);
    // The first chunks have headers of 12 bytes, the others of one.
    let parts = |bytes: &[u8]| {
        let (first, rest) = bytes.split_at(12 + 128);
        let rest = rest.chunks(1 + 128).map(<[u8]>::to_vec);
        [first.to_vec()].into_iter().chain(rest).collect::<Vec<_>>()
    };
    for (video, audio) in parts(&video).iter().zip(&parts(&audio)) {
        publisher.send_bytes(&[&video[..], audio].concat());
    }
    assert!(next_video(&mut player).payload == picture);
    assert!(next(&mut player, AUDIO).payload == sound);
}

#[test]
fn timestamps_pass_the_24_bits_of_a_plain_header() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    // 0xffffff ms lie 1.215 s after this.
    let offset = ["-output_ts_offset", "16776"];
    Publisher::with(clip, &nginx.live("cam"), &["-copyts"], &offset).finish();
    let frames = player.wait_all(&clip.frames);
    assert_eq!(frames, shifted(&clip.frames, 16_776_000));
}

#[test]
fn timestamps_wrap_after_32_bits() {
    let nginx = Nginx::start(LIVE);
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let tags = flv_tags(&Clip::plain().path);
    let media: Vec<_> = tags.into_iter().filter(|tag| tag.0 == VIDEO).collect();
    let start = 0_u32.wrapping_sub(2000);
    // A player begins at the newest keyframe, so it has to have the first before others come.
    let (first, rest) = media.split_at(2);
    for part in [first, rest] {
        for (kind, timestamp, payload) in part {
            publisher.send(6, *kind, 1, start.wrapping_add(*timestamp), payload);
        }
        for (_, timestamp, payload) in part {
            let message = next_video(&mut player);
            assert_eq!(message.timestamp, start.wrapping_add(*timestamp));
            assert!(message.payload == *payload);
        }
    }
}

#[test]
fn aggregate_is_taken_apart() {
    let nginx = Nginx::start(LIVE);
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    start(&mut publisher, &mut player);
    let pictures = keyframes(&[50, 60]);
    // Sub-messages are FLV tags, timed from the first; the aggregate's own time counts.
    let aggregate: Vec<u8> = [(&pictures[0], 500), (&pictures[1], 540)]
        .iter()
        .flat_map(|(payload, timestamp)| flv_tag(VIDEO, *timestamp, payload))
        .collect();
    publisher.send(6, AGGREGATE, 1, 1000, &aggregate);
    for (picture, timestamp) in pictures.iter().zip([1000, 1040]) {
        let message = next_video(&mut player);
        assert_eq!((message.timestamp, &message.payload), (timestamp, picture));
    }
}

#[test]
fn commands_may_be_wrapped_in_amf3() {
    let nginx = Nginx::start(LIVE);
    let mut peer = Peer::connect(nginx.rtmp_port());
    let publish = [string("publish"), number(0.0), null(), string("cam"), string("live")].concat();
    let create = [string("createStream"), number(2.0), null()].concat();
    for (stream, command, answer) in [
        (0, connect("live"), "NetConnection.Connect.Success"),
        (0, create, "_result"),
        (1, publish, "NetStream.Publish.Start"),
    ] {
        peer.send(3, COMMAND_AMF3, stream, 0, &[&[0][..], &command].concat());
        peer.wait_for(answer);
    }
}

#[test]
fn peer_that_does_not_answer_pings_is_dropped() {
    let nginx = Nginx::start("ping 1s; ping_timeout 1s; application live { live on; }");
    let mut silent = Peer::open(nginx.rtmp_port(), "live");
    let mut alive = Peer::open(nginx.rtmp_port(), "live");
    for _ in 0..3 {
        let ping = next(&mut alive, USER_CONTROL);
        assert_eq!(ping.payload[..2], [0, PING_REQUEST]);
        alive.send(2, USER_CONTROL, 0, 0, &[&[0, PING_REQUEST + 1], &ping.payload[2..]].concat());
    }
    silent.wait_closed();
    alive.ask_publish("cam");
    alive.wait_for("NetStream.Publish.Start");
}

#[test]
fn limits_cut_whoever_breaks_them_and_say_which() {
    let nginx = Nginx::start("max_message 64k; max_streams 16; application live { live on; }");
    let too_long = chunks(6, VIDEO, 1, 0, &vec![0x17; 70_000], 128);
    let too_many = chunks(20, VIDEO, 1, 0, &[0x17, 1, 0, 0, 0], 128);
    let too_big = chunks(2, 1, 0, 0, &0x7fff_ffff_u32.to_be_bytes(), 128);
    for (attack, name) in [(too_long, "long"), (too_many, "many"), (too_big, "big")] {
        let mut peer = Peer::publish(nginx.rtmp_port(), "live", name);
        peer.send_bytes(&attack);
        assert!(closes_within(peer.stream(), Duration::from_secs(5)), "{name}");
    }
    // The names are free again: nothing of the sessions is left.
    for name in ["long", "many", "big"] {
        Peer::publish(nginx.rtmp_port(), "live", name);
    }
}

/// Sends a first keyframe and waits until the player has it; from then on it gets everything.
#[track_caller]
fn start(publisher: &mut Peer, player: &mut Peer) {
    publisher.send(6, VIDEO, 1, 0, &keyframes(&[10])[0]);
    next_video(player);
}

/// Payloads of `sizes` bytes that look like keyframes from the outside; each is different.
fn keyframes(sizes: &[usize]) -> Vec<Vec<u8>> {
    let picture = |(index, &size): (usize, &usize)| {
        let bytes = (0..size).map(|at| (at * 7 + index) as u8);
        [0x17, 1, 0, 0, 0].into_iter().chain(bytes).collect()
    };
    sizes.iter().enumerate().map(picture).collect()
}

fn flv_tag(kind: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let [t3, t0, t1, t2] = timestamp.to_be_bytes();
    let length = (payload.len() as u32).to_be_bytes();
    let size = (payload.len() as u32 + 11).to_be_bytes();
    let header = [&[kind], &length[1..], &[t0, t1, t2, t3, 0, 0, 0]].concat();
    [&header, payload, &size].concat()
}

fn shifted(frames: &Frames, ms: i64) -> Frames {
    let shift = |list: &[Frame]| {
        let shifted =
            |frame: &Frame| Frame { dts: frame.dts + ms, pts: frame.pts + ms, ..frame.clone() };
        list.iter().map(shifted).collect()
    };
    Frames { video: shift(&frames.video), audio: shift(&frames.audio) }
}

#[track_caller]
fn next_video(peer: &mut Peer) -> Message {
    next(peer, VIDEO)
}

#[track_caller]
fn next(peer: &mut Peer, kind: u8) -> Message {
    loop {
        let message = peer.receive().expect("a message before the end");
        if message.kind == kind {
            return message;
        }
    }
}
