//! A worker that shuts down: who can is asked to reconnect, and who is left in the end is told.

use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::nginx::{Conf, Nginx};
use crate::support::raw::{Message, Peer, VIDEO, connect_enhanced};
use crate::support::wait_until;

const LIVE: &str = "application live { live on; }";
const RECONNECT: &str = "NetConnection.Connect.ReconnectRequest";
const SHUTDOWN: &str = "NetConnection.Connect.AppShutdown";

/// `capsEx` of a client that reconnects when it is asked to.
const CAN_RECONNECT: f64 = 1.0;

/// A keyframe that says which it is.
fn keyframe(number: u8) -> Vec<u8> {
    vec![0x17, 1, 0, 0, 0, number]
}

/// What the player gets up to that keyframe.
#[track_caller]
fn until_keyframe(player: &mut Peer, number: u8) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let message = player.receive().expect("the keyframe before the end");
        if message.kind == VIDEO && message.payload == keyframe(number) {
            return messages;
        }
        messages.push(message);
    }
}

/// A client that reconnects when it is asked to.
#[track_caller]
fn movable(nginx: &Nginx) -> Peer {
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.enter_by(&connect_enhanced("live", CAN_RECONNECT));
    peer
}

#[track_caller]
fn movable_publisher(nginx: &Nginx) -> Peer {
    let mut peer = movable(nginx);
    peer.ask_publish("cam");
    peer.wait_for("NetStream.Publish.Start");
    peer
}

#[track_caller]
fn movable_player(nginx: &Nginx) -> Peer {
    let mut peer = movable(nginx);
    peer.ask_play("cam");
    peer.wait_for("NetStream.Play.Start");
    peer
}

fn check_move(workers: u32) {
    let nginx = Nginx::start_conf(&Conf { workers, ..Conf::server(LIVE) });
    let mut publisher = movable_publisher(&nginx);
    let mut player = movable_player(&nginx);
    let mut classic = Peer::play(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, &keyframe(1));
    until_keyframe(&mut player, 1);
    until_keyframe(&mut classic, 1);

    nginx.reload();
    publisher.wait_for(RECONNECT);
    player.wait_for(RECONNECT);
    // Both go on where they are for as long as they like.
    publisher.send(6, VIDEO, 1, 40, &keyframe(2));
    until_keyframe(&mut player, 2);
    let mut moved_player = movable_player(&nginx);
    until_keyframe(&mut moved_player, 2);
    drop(player);

    // It connects before it leaves, so its name is its own.
    let mut moved = movable_publisher(&nginx);
    moved.send(6, VIDEO, 1, 0, &keyframe(3));
    publisher.wait_for("NetStream.Unpublish.Success");
    publisher.wait_closed();
    for player in [&mut moved_player, &mut classic] {
        let before = until_keyframe(player, 3);
        assert!(!before.iter().any(|message| message.holds("Reconnect")), "{before:?}");
    }
    drop(classic);
    wait_until("the old workers to leave", || nginx.old_workers().is_empty());
}

#[test]
fn who_can_moves_to_the_new_worker_and_others_see_no_break() {
    check_move(1);
}

#[test]
fn who_can_moves_to_any_of_the_new_workers() {
    check_move(3);
}

#[test]
fn who_cannot_reconnect_keeps_its_name() {
    let nginx = Nginx::start(LIVE);
    let mut classic = Peer::publish(nginx.rtmp_port(), "live", "cam");
    nginx.reload();
    let mut other = Peer::open(nginx.rtmp_port(), "live");
    other.ask_publish("cam");
    other.wait_for("NetStream.Publish.BadName");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    classic.send(6, VIDEO, 1, 0, &keyframe(1));
    until_keyframe(&mut player, 1);
    assert!(!classic.is_closed());
    classic.stream().shutdown(Shutdown::Write).unwrap();
    let heard = classic.wait_closed();
    assert!(!heard.iter().any(|message| message.holds("Reconnect")), "{heard:?}");
}

#[test]
fn who_connects_while_the_worker_leaves_is_asked_at_once() {
    let mut nginx = Nginx::start(LIVE);
    let mut peer = Peer::connect(nginx.rtmp_port());
    nginx.signal(Signal::QUIT);
    wait_until("the port to close", || {
        TcpStream::connect(("127.0.0.1", nginx.rtmp_port())).is_err()
    });
    nginx.wait_log(&["gracefully shutting down"]);
    peer.command(0, &connect_enhanced("live", CAN_RECONNECT));
    peer.wait_for("NetConnection.Connect.Success");
    peer.wait_for(RECONNECT);
    peer.ask_publish("cam");
    peer.wait_for("NetStream.Publish.Start");
    drop(peer);
    nginx.wait_exit();
}

#[test]
fn who_is_left_is_told_that_the_server_goes() {
    let conf = Conf { main: "worker_shutdown_timeout 1s;".into(), ..Conf::server(LIVE) };
    let mut nginx = Nginx::start_conf(&conf);
    let mut idle = Peer::open(nginx.rtmp_port(), "live");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let _silent = Peer::connect(nginx.rtmp_port());
    nginx.signal(Signal::QUIT);
    // As fast as an encoder that never rests, so there is always something unread.
    for number in 0.. {
        if !publisher.try_send(6, VIDEO, 1, number, &keyframe(7)) {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let heard = publisher.wait_closed();
    assert_eq!(ends(&heard), ["NetStream.Unpublish.Success", SHUTDOWN], "{heard:?}");
    assert_eq!(ends(&idle.wait_closed()), [SHUTDOWN]);
    let heard = player.wait_closed();
    assert_eq!(ends(&heard), ["NetStream.Play.Stop", SHUTDOWN], "{heard:?}");
    assert!(heard.iter().any(|message| message.kind == VIDEO));
    nginx.wait_exit();
}

/// The codes among what was heard that tell of an end.
fn ends(heard: &[Message]) -> Vec<&'static str> {
    let codes = ["NetStream.Unpublish.Success", "NetStream.Play.Stop", SHUTDOWN];
    let code_of = |message: &Message| codes.into_iter().find(|code| message.says(code));
    heard.iter().filter_map(code_of).collect()
}
