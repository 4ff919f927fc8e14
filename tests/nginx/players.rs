//! What players are given and told, as the directives of live streams have it.

use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::{Message, Peer, VIDEO};

const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 1];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 2];

#[track_caller]
fn next_picture(player: &mut Peer) -> Message {
    loop {
        let message = player.receive().expect("a picture before the end");
        if message.kind == VIDEO {
            return message;
        }
    }
}

#[test]
fn without_gop_cache_the_first_picture_is_the_next_keyframe() {
    let nginx = Nginx::start("gop_cache off; application live { live on; }");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut early = Peer::play(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, KEY);
    assert_eq!(next_picture(&mut early).payload, KEY);
    let mut late = Peer::play(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 40, INTER);
    assert_eq!(next_picture(&mut early).payload, INTER);
    publisher.send(6, VIDEO, 1, 80, KEY);
    assert_eq!(next_picture(&mut late).timestamp, 80);
    assert_eq!(next_picture(&mut early).timestamp, 80);
}

#[test]
fn without_wait_key_the_first_picture_is_the_newest() {
    let nginx = Nginx::start("gop_cache off; wait_key off; application live { live on; }");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut early = Peer::play(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, KEY);
    publisher.send(6, VIDEO, 1, 40, INTER);
    while next_picture(&mut early).timestamp < 40 {}
    let mut late = Peer::play(nginx.rtmp_port(), "live", "cam");
    assert_eq!(next_picture(&mut late).payload, INTER);
}

#[test]
fn ffmpeg_plays_with_every_switch_turned() {
    let nginx = Nginx::start(
        "gop_cache off; interleave on; wait_video on; publish_notify on; max_lag 3s;
         application live { live on; }",
    );
    let clip = Clip::plain();
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    for _ in 0..2 {
        let frames = Player::start(&nginx.live("cam")).wait_video(40);
        assert!(clip.is_keyframe(assert_unbroken(&frames.video, &clip.frames.video)));
        assert_unbroken(&frames.audio, &clip.frames.audio);
    }
}

#[test]
fn players_are_told_when_publishers_come_and_go() {
    let nginx = Nginx::start("publish_notify on; play_restart on; application live { live on; }");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    for _ in 0..2 {
        let publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
        player.wait_for("NetStream.Play.Start");
        player.wait_for("NetStream.Play.PublishNotify");
        drop(publisher);
        player.wait_for("NetStream.Play.Stop");
        player.wait_for("NetStream.Play.UnpublishNotify");
    }
}

#[test]
fn without_idle_streams_nobody_waits_for_a_publisher() {
    for workers in [1, 3] {
        let server = "idle_streams off; application live { live on; }";
        let nginx = Nginx::start_conf(&Conf { workers, ..Conf::server(server) });
        let mut refused = Peer::open(nginx.rtmp_port(), "live");
        refused.ask_play("cam");
        refused.wait_for("NetStream.Play.StreamNotFound");
        refused.wait_closed();
        nginx.wait_log(&["[info]", "refused: stream not found", "\"cam\""]);

        let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
        publisher.send(6, VIDEO, 1, 0, KEY);
        let mut players: Vec<_> =
            (0..4 * workers).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
        for player in &mut players {
            assert_eq!(next_picture(player).payload, KEY);
        }
        drop(publisher);
        for player in &mut players {
            player.wait_closed();
        }
    }
}
