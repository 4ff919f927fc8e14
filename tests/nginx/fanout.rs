//! Fan-out to many players: what `send_window` gathers arrives whole, and keyframes at once.

use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::Nginx;
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, VIDEO};

/// More than a small audience.
const PLAYERS: usize = 30;

const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 1];

#[test]
fn what_is_gathered_arrives_whole() {
    for window in ["0", "auto", "100", "350ms"] {
        let nginx = Nginx::start(&format!("send_window {window}; application live {{ live on; }}"));
        let clip = Clip::plain();
        let _crowd: Vec<_> =
            (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
        let players = [(); 2].map(|()| Player::start(&nginx.live("cam")));
        let publisher = Publisher::once(clip, &nginx.live("cam"));
        players[0].wait_video(30);
        let late = Player::start(&nginx.live("cam"));
        for player in &players {
            assert_eq!(player.wait_all(&clip.frames), clip.frames, "send_window {window}");
        }
        assert_unbroken(&late.wait_video(25).video, &clip.frames.video);
        publisher.finish();
    }
}

#[test]
fn every_player_gets_the_last_frame_though_nothing_follows() {
    let nginx = Nginx::start("send_window 350; application live { live on; }");
    let mut players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, KEY);
    for number in 1..5_u8 {
        publisher.send(6, VIDEO, 1, u32::from(number) * 40, &[0x27, 1, 0, 0, 0, number]);
    }
    for player in &mut players {
        while player.receive().expect("the last frame").payload != [0x27, 1, 0, 0, 0, 4] {}
    }
}

#[test]
fn gathering_makes_nobody_lag() {
    let nginx = Nginx::start("out_queue 16; send_window 350; application live { live on; }");
    let mut players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, KEY);
    // More than `out_queue`, but fewer than may come in the window.
    for number in 1..=24_u8 {
        publisher.send(6, VIDEO, 1, u32::from(number) * 10, &[0x27, 1, 0, 0, 0, number]);
    }
    let numbers = |player: &mut Peer| {
        let pictures = std::iter::from_fn(|| player.receive()).filter(|it| it.kind == VIDEO);
        let numbers = pictures.map(|picture| picture.payload[5]).skip_while(|&it| it != 1);
        numbers.take(25).collect::<Vec<_>>()
    };
    // Somebody's turn has come, not everybody's.
    let mut first = Vec::new();
    while first.last() != Some(&24) {
        let message = players[0].receive().expect("the pictures");
        first.extend((message.kind == VIDEO).then(|| message.payload[5]));
    }
    publisher.send(6, VIDEO, 1, 250, KEY);
    let all: Vec<u8> = (1..=24).collect();
    for player in &mut players[1..] {
        assert_eq!(numbers(player)[1..], all);
    }
}
