//! What the directives of the protocol do to a connection.

use std::io::Read;
use std::time::Duration;

use crate::support::nginx::Nginx;
use crate::support::raw::{
    Message, PING_REQUEST, Peer, SET_CHUNK_SIZE, USER_CONTROL, VIDEO, chunks, closes_within, dial,
};

const LIVE: &str = "application live { live on; }";

/// Acknowledgement, Window Acknowledgement Size and Set Peer Bandwidth (section 5.4).
const ACKNOWLEDGEMENT: u8 = 3;
const WINDOW_ACK_SIZE: u8 = 5;
const SET_PEER_BANDWIDTH: u8 = 6;

/// The user control event that answers [`PING_REQUEST`].
const PING_RESPONSE: u8 = 7;

#[test]
fn whoever_passes_a_limit_is_closed_and_the_log_says_why() {
    let nginx = Nginx::start(&format!("max_message 1000; max_streams 8; {LIVE}"));
    let too_large = 10_485_761_u32.to_be_bytes();
    for (index, (csid, kind, payload, reason)) in [
        (6, VIDEO, &[0x27; 1001][..], "message of 1001 bytes is larger than max_message 1000"),
        (8, VIDEO, &[0x27; 10], "chunk stream id 8 is not below max_streams 8"),
        (2, SET_CHUNK_SIZE, &too_large, "chunk size of 10485761 bytes is larger than 10485760"),
        (2, SET_CHUNK_SIZE, &[0; 4], "chunk size 0x0 is not valid"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("cam{index}");
        let mut peer = Peer::publish(nginx.rtmp_port(), "live", &name);
        // Up to the limit all is well.
        peer.send(7, VIDEO, 1, 0, &[0x27; 1000]);
        peer.send(csid, kind, 1, 0, payload);
        peer.wait_closed();
        nginx.wait_log(&["[info]", &format!("client sent {reason}"), &format!("\"{name}\"")]);
    }
}

#[test]
fn timeout_ends_a_handshake_and_a_connection_without_a_command() {
    let nginx = Nginx::start(&format!("timeout 1s; {LIVE}"));
    let mut silent = dial(nginx.rtmp_port());
    let mut idle = Peer::connect(nginx.rtmp_port());
    assert!(closes_within(&mut silent, Duration::from_secs(10)));
    assert!(closes_within(idle.stream(), Duration::from_secs(10)));
    let reason = "no connect command within timeout 1s";
    nginx.wait_log(&[reason, "while receiving RTMP handshake", "client: 127.0.0.1"]);
    assert_eq!(nginx.log().matches(reason).count(), 2);
    // Once connected, a peer may be silent.
    let mut connected = Peer::open(nginx.rtmp_port(), "live");
    assert!(!closes_within(connected.stream(), Duration::from_secs(2)));
}

#[test]
fn peers_that_answer_no_ping_are_closed() {
    let nginx = Nginx::start(&format!("ping 500ms; ping_timeout 500ms; {LIVE}"));
    let mut alive = Peer::open(nginx.rtmp_port(), "live");
    let mut dead = Peer::open(nginx.rtmp_port(), "live");
    for _ in 0..3 {
        let ping = receive(&mut alive, |message| is_event(message, PING_REQUEST));
        assert_eq!(ping.payload.len(), 6);
        let answer = [&[0, PING_RESPONSE], &ping.payload[2..]].concat();
        alive.send(2, USER_CONTROL, 0, 0, &answer);
    }
    let said = dead.wait_closed();
    assert_eq!(said.iter().filter(|message| is_event(message, PING_REQUEST)).count(), 1);
    nginx.wait_log(&["[info]", "no sign of life within ping_timeout 500ms of a ping"]);
}

#[test]
fn zero_turns_pings_off() {
    let nginx = Nginx::start(&format!("ping 0; ping_timeout 100ms; {LIVE}"));
    let mut peer = Peer::open(nginx.rtmp_port(), "live");
    assert!(!closes_within(peer.stream(), Duration::from_secs(1)));
}

#[test]
fn busy_closes_whoever_sends_nothing() {
    let nginx = Nginx::start(&format!("ping 500ms; busy on; {LIVE}"));
    let mut peer = Peer::open(nginx.rtmp_port(), "live");
    let said = peer.wait_closed();
    assert!(!said.iter().any(|message| is_event(message, PING_REQUEST)), "{said:?}");
    nginx.wait_log(&["[info]", "busy is on, but nothing was received within ping 500ms"]);
}

#[test]
fn ack_window_is_announced_and_kept() {
    let nginx = Nginx::start(&format!("ack_window 10000; {LIVE}"));
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.command(0, &crate::support::raw::connect("live"));
    let window = receive(&mut peer, |message| message.kind == WINDOW_ACK_SIZE);
    assert_eq!(window.payload, 10_000_u32.to_be_bytes());
    let bandwidth = receive(&mut peer, |message| message.kind == SET_PEER_BANDWIDTH);
    assert_eq!(bandwidth.payload[..4], 10_000_u32.to_be_bytes());
    let mut last = 0;
    for _ in 0..3 {
        peer.send(6, VIDEO, 1, 0, &[0x27; 10_000]);
        let acknowledgement = receive(&mut peer, |message| message.kind == ACKNOWLEDGEMENT);
        let bytes = u32::from_be_bytes(acknowledgement.payload.try_into().expect("4 bytes"));
        assert!((last + 10_000..=last + 30_000).contains(&bytes), "{bytes} after {last}");
        last = bytes;
    }
}

#[test]
fn chunk_size_is_announced() {
    let nginx = Nginx::start(&format!("chunk_size 8000; {LIVE}"));
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.command(0, &crate::support::raw::connect("live"));
    let size = receive(&mut peer, |message| message.kind == SET_CHUNK_SIZE);
    assert_eq!(size.payload, 8000_u32.to_be_bytes());
}

#[test]
fn time_fixes_can_be_switched_off() {
    let nginx =
        Nginx::start(&format!("chunk_size 128; play_time_fix off; publish_time_fix off; {LIVE}"));
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let repeated = chunks(6, VIDEO, 1, 0x0100_0000, &frame(), 128);
    // The second chunk's header of one byte is at 16 + 128; the timestamp follows it.
    let second = 16 + 128;
    assert_eq!(repeated[second..second + 5], [0xc6, 1, 0, 0, 0]);
    let plain = [&repeated[..second + 1], &repeated[second + 5..]].concat();
    publisher.send_bytes(&plain);
    // A player is sent what a publisher has to send, but for the chunk stream's id.
    let wanted = &plain[16..];
    let mut got = Vec::new();
    while !holds(&got, wanted) {
        let mut buffer = [0; 4096];
        let count = player.stream().read(&mut buffer).expect("the frame");
        assert!(count > 0, "closed before the frame");
        let csid = |byte: u8| if byte & 0xc0 == 0xc0 { 0xc6 } else { byte };
        got.extend(buffer[..count].iter().map(|&byte| csid(byte)));
    }
}

#[test]
fn nobody_plays_where_live_is_off() {
    let nginx = Nginx::start("application live {}");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, &frame());
    let mut player = Peer::open(nginx.rtmp_port(), "live");
    player.ask_play("cam");
    player.wait_for("NetStream.Play.StreamNotFound");
    nginx.wait_log(&["[info]", "refused: live is off", "\"cam\""]);
    // The publisher is not disturbed, and its name still its own.
    publisher.send(6, VIDEO, 1, 40, &frame());
    let mut second = Peer::open(nginx.rtmp_port(), "live");
    second.ask_publish("cam");
    second.wait_for("NetStream.Publish.BadName");
}

#[test]
fn publishers_that_send_nothing_are_closed() {
    let nginx = Nginx::start(
        "application all { live on; idle_timeout 1s; }
         application media { live on; drop_idle_publisher 1s; }
         application forever { live on; idle_timeout off; drop_idle_publisher off; }",
    );
    let publish = |application: &str| {
        let mut publisher = Peer::publish(nginx.rtmp_port(), application, "cam");
        if application != "all" {
            publisher.send(6, VIDEO, 1, 0, &frame());
        }
        publisher
    };
    let mut forever = publish("forever");
    let mut unheard = Peer::publish(nginx.rtmp_port(), "media", "unheard");
    for (application, reason) in [
        ("all", "publisher sent nothing within idle_timeout 1s"),
        ("media", "publisher sent no audio or video within drop_idle_publisher 1s"),
    ] {
        let mut publisher = publish(application);
        publisher.wait_closed();
        nginx.wait_log(&["[info]", reason, "\"cam\""]);
        // The name is free.
        Peer::publish(nginx.rtmp_port(), application, "cam");
    }
    // A player is no publisher.
    let mut player = Peer::play(nginx.rtmp_port(), "all", "cam");
    assert!(!closes_within(player.stream(), Duration::from_secs(2)));
    for peer in [&mut forever, &mut unheard] {
        peer.send(6, VIDEO, 1, 0, &frame());
        assert!(!peer.is_closed());
    }
}

/// A keyframe in more than one chunk, but in less than three.
fn frame() -> Vec<u8> {
    [&[0x17, 1, 0, 0, 0][..], &[0x55; 195]].concat()
}

/// Reads on until a message is `wanted`.
#[track_caller]
fn receive(peer: &mut Peer, wanted: impl Fn(&Message) -> bool) -> Message {
    loop {
        let message = peer.receive().expect("the message before the end");
        if wanted(&message) {
            return message;
        }
    }
}

fn is_event(message: &Message, event: u8) -> bool {
    message.kind == USER_CONTROL && message.payload.starts_with(&[0, event])
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
