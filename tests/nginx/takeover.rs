//! `publish_takeover`: the newer of two publishers gets the name, and players see one stream.

use crate::support::hls::{get, playlist, wait_playlist};
use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::publisher::Publisher;
use crate::support::raw::{AUDIO, Message, Peer, VIDEO};
use crate::support::wait_until;

const TAKEOVER: &str = "publish_takeover on; application live { live on; }";

const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 1];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 1];
const SOUND: &[u8] = &[0xaf, 1, 0];

/// Sends a second of media that begins at `start`.
fn send_second(publisher: &mut Peer, start: u32) {
    publisher.send(6, VIDEO, 1, start, KEY);
    for number in 1..25 {
        publisher.send(6, VIDEO, 1, start + number * 40, INTER);
        publisher.send(4, AUDIO, 1, start + number * 40, SOUND);
    }
}

/// The next media messages of the player, `count` pictures.
fn pictures(player: &mut Peer, count: usize) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    while messages.iter().filter(|message| message.kind == VIDEO).count() < count {
        let message = player.receive().expect("media before the end");
        assert!(!message.says("NetStream.Play."), "{message:?}");
        if message.kind == VIDEO || message.kind == AUDIO {
            messages.push(message);
        }
    }
    messages
}

fn check_takeover(workers: u32) {
    let nginx = Nginx::start_conf(&Conf { workers, ..Conf::server(TAKEOVER) });
    let mut players: Vec<_> =
        (0..3 * workers).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    send_second(&mut publisher, 0);
    let mut lasts: Vec<_> =
        players.iter_mut().map(|player| pictures(player, 25).last().unwrap().timestamp).collect();
    for start in [0, 500_000, 3] {
        let mut newer = Peer::publish(nginx.rtmp_port(), "live", "cam");
        publisher.wait_for("NetStream.Publish.BadName");
        publisher.wait_closed();
        // Without the pictures before, these make no sense.
        newer.send(6, VIDEO, 1, start, INTER);
        send_second(&mut newer, start + 40);
        for (player, last) in players.iter_mut().zip(&mut lasts) {
            let got = pictures(player, 25);
            assert_eq!(got.iter().find(|it| it.kind == VIDEO).unwrap().payload, KEY);
            for message in &got {
                let step = message.timestamp.wrapping_sub(*last) as i32;
                assert!((0..1000).contains(&step), "{} after {last}", message.timestamp);
                *last = message.timestamp;
            }
        }
        publisher = newer;
    }
    nginx.wait_log(&["[info]", "another publisher took over", "\"cam\""]);
}

#[test]
fn players_see_one_stream_go_on() {
    check_takeover(1);
}

#[test]
fn players_of_all_workers_see_one_stream_go_on() {
    check_takeover(4);
}

#[test]
fn a_playlist_goes_on_through_a_takeover() {
    for workers in [1, 3] {
        let server = "publish_takeover on;
            application live { live on; hls on; hls_path hls; hls_fragment 1s; }";
        let nginx = Nginx::start_conf(&Conf { workers, ..Conf::server(server) });
        let (clip, url) = (Clip::plain(), nginx.http("hls/cam.m3u8"));
        let mut publishers = vec![Publisher::endless(clip, &nginx.live("cam"))];
        let mut last = 0;
        for round in 1..4 {
            let list = wait_playlist("a segment", &url, |list| {
                list.segments.len() > 1 && list.last_sequence() > last
            });
            assert!(!list.has_ended);
            last = list.last_sequence();
            publishers.push(Publisher::endless(clip, &nginx.live("cam")));
            wait_until("the takeover", || {
                nginx.log().matches("publisher took over").count() == round
            });
            publishers.remove(0);
        }
        let list = playlist(&url).unwrap();
        assert!(
            list.segments.iter().all(|it| get(&nginx.http(&format!("hls/{}", it.uri))).is_some())
        );
        publishers.pop().unwrap().stop();
        wait_playlist("the end", &url, |list| list.has_ended && list.last_sequence() >= last);
    }
}

#[test]
fn a_publisher_taken_over_by_a_worker_without_players_ends_too() {
    let nginx = Nginx::start_conf(&Conf { workers: 4, ..Conf::server(TAKEOVER) });
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    for _ in 0..8 {
        let newer = Peer::publish(nginx.rtmp_port(), "live", "cam");
        publisher.wait_for("NetStream.Publish.BadName");
        publisher.wait_closed();
        publisher = newer;
    }
}
