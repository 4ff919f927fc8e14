//! Several workers: a stream is played from every one of them, whichever it is published to.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::process::children;
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, VIDEO};
use crate::support::{wait_for, wait_until};

const LIVE: &str = "application live { live on; }";

/// So many that some are in each of four workers.
const PLAYERS: usize = 24;

fn workers(count: u32, server: &str) -> Conf {
    Conf { workers: count, ..Conf::server(server) }
}

/// A keyframe that says which it is.
fn keyframe(number: u8) -> Vec<u8> {
    vec![0x17, 1, 0, 0, 0, number]
}

#[track_caller]
fn wait_keyframe(player: &mut Peer, number: u8) {
    let wanted = keyframe(number);
    while player.receive().expect("the keyframe before the end").payload != wanted {}
}

/// Asks for the name `cam`; `None` if it is taken.
fn try_publish(nginx: &Nginx) -> Option<Peer> {
    let mut peer = Peer::open(nginx.rtmp_port(), "live");
    peer.ask_publish("cam");
    peer.wait_for("NetStream.Publish.").says("NetStream.Publish.Start").then_some(peer)
}

/// Publishes `cam` as soon as the worker of the publisher before has seen that one leave.
fn publish_again(nginx: &Nginx) -> Peer {
    wait_for("a free name", || try_publish(nginx))
}

/// How many workers have a player of `name`, by what they log.
fn workers_with_players(nginx: &Nginx) -> usize {
    let log = nginx.log();
    let playing =
        log.lines().filter(|line| line.contains("playing while") && line.contains("client: 127"));
    let pids: std::collections::BTreeSet<_> =
        playing.filter_map(|line| line.split(' ').nth(3)?.split('#').next()).collect();
    pids.len()
}

#[test]
fn a_stream_plays_from_every_worker_whoever_comes_first() {
    let nginx = Nginx::start_conf(&workers(4, LIVE));
    let early: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, &keyframe(1));
    let late: Vec<_> = (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    publisher.send(6, VIDEO, 1, 40, &keyframe(2));
    for mut player in early.into_iter().chain(late) {
        wait_keyframe(&mut player, 2);
    }
    assert!(workers_with_players(&nginx) > 1, "all players are in one worker");
}

#[test]
fn what_real_clients_get_from_another_worker_is_whole() {
    let (nginx, clip) = (Nginx::start_conf(&workers(3, LIVE)), Clip::plain());
    let players: Vec<_> = (0..6).map(|_| Player::start(&nginx.live("cam"))).collect();
    Publisher::once(clip, &nginx.live("cam")).finish();
    for player in players {
        assert_eq!(player.wait_all(&clip.frames), clip.frames);
    }
}

#[test]
fn a_name_is_taken_in_all_workers_and_free_in_all() {
    let nginx = Nginx::start_conf(&workers(4, LIVE));
    let mut first = Peer::publish(nginx.rtmp_port(), "live", "cam");
    for _ in 0..3 {
        for _ in 0..8 {
            assert!(try_publish(&nginx).is_none(), "two publishers of one name");
        }
        drop(first);
        first = publish_again(&nginx);
    }
}

#[test]
fn players_follow_a_publisher_that_moves_from_worker_to_worker() {
    let nginx = Nginx::start_conf(&workers(4, LIVE));
    let mut players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    for round in 1..6 {
        let mut publisher = publish_again(&nginx);
        publisher.send(6, VIDEO, 1, 0, &keyframe(round));
        for player in &mut players {
            wait_keyframe(player, round);
        }
    }
}

#[test]
fn players_of_new_workers_get_what_was_published_before_a_reload() {
    let nginx = Nginx::start_conf(&workers(2, LIVE));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, &keyframe(1));
    let mut old = Peer::play(nginx.rtmp_port(), "live", "cam");
    nginx.reload();
    let mut new: Vec<_> = (0..8).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    for player in &mut new {
        wait_keyframe(player, 1);
    }
    publisher.send(6, VIDEO, 1, 40, &keyframe(2));
    for player in new.iter_mut().chain([&mut old]) {
        wait_keyframe(player, 2);
    }
    // The name is still the old publisher's, until it leaves.
    let mut second = Peer::open(nginx.rtmp_port(), "live");
    second.ask_publish("cam");
    second.wait_for("NetStream.Publish.BadName");
    drop((publisher, old));
    wait_until("the end of the old workers", || nginx.old_workers().is_empty());
    let mut publisher = publish_again(&nginx);
    publisher.send(6, VIDEO, 1, 0, &keyframe(3));
    for player in &mut new {
        wait_keyframe(player, 3);
    }
}

#[test]
fn a_killed_worker_ends_its_own_sessions_alone() {
    let nginx = Nginx::start_conf(&workers(4, LIVE));
    let before = nginx.workers();
    let mut publishers: Vec<_> = (0..12)
        .map(|number| Peer::publish(nginx.rtmp_port(), "live", &format!("cam{number}")))
        .collect();
    let mut players: Vec<_> = (0..12)
        .map(|number| Peer::play(nginx.rtmp_port(), "live", &format!("cam{number}")))
        .collect();
    for (publisher, player) in publishers.iter_mut().zip(&mut players) {
        publisher.send(6, VIDEO, 1, 0, &keyframe(1));
        wait_keyframe(player, 1);
    }
    nginx.allow("exited on signal 9");
    kill_process(Pid::from_raw(before[0] as i32).unwrap(), Signal::KILL).unwrap();
    // By then its connections are closed.
    nginx.wait_log(&[&format!("worker process {} exited on signal 9", before[0])]);
    for (number, publisher) in publishers.iter_mut().enumerate() {
        // A publisher of the killed worker comes back at once, to whichever worker.
        let name = format!("cam{number}");
        let lost = publisher.is_closed();
        if lost {
            *publisher = Peer::publish(nginx.rtmp_port(), "live", &name);
        }
        publisher.send(6, VIDEO, 1, 40, &keyframe(2));
        if players[number].is_closed() {
            players[number] = Peer::play(nginx.rtmp_port(), "live", &name);
        }
        wait_keyframe(&mut players[number], 2);
    }
}

#[test]
fn where_workers_meet_is_private_and_left_tidy() {
    let mut nginx = Nginx::start_conf(&workers(2, LIVE));
    let place = nginx.prefix().join("nginx.rtmp");
    assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o700);
    for file in fs::read_dir(&place).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    assert!(!place.exists(), "left behind: {:?}", fs::read_dir(&place));
}

#[test]
fn connections_of_all_workers_are_limited_together() {
    let nginx = Nginx::start_conf(&workers(4, &format!("max_connections 6; {LIVE}")));
    for _ in 0..2 {
        let peers: Vec<_> = (0..6).map(|_| Peer::open(nginx.rtmp_port(), "live")).collect();
        let mut refused = crate::support::raw::dial(nginx.rtmp_port());
        assert!(crate::support::raw::closes_within(&mut refused, crate::support::PATIENCE));
        nginx.wait_log(&["[warn]", "max_connections", "client: 127.0.0.1"]);
        // Those of a killed worker do not count any more.
        nginx.allow("exited on signal 9");
        for worker in nginx.workers() {
            kill_process(Pid::from_raw(worker as i32).unwrap(), Signal::KILL).unwrap();
        }
        drop(peers);
        wait_until("four workers", || nginx.workers().len() == 4);
    }
    Peer::publish(nginx.rtmp_port(), "live", "cam");
}

#[test]
fn a_player_that_is_alone_in_its_worker_leaves_nothing_behind() {
    let (nginx, clip) = (Nginx::start_conf(&workers(2, LIVE)), Clip::plain());
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    for _ in 0..3 {
        let players: Vec<_> = (0..4).map(|_| Player::start(&nginx.live("cam"))).collect();
        for player in &players {
            assert_unbroken(&player.wait_video(10).video, &clip.frames.video);
        }
    }
}

#[test]
fn with_a_socket_for_each_worker_all_is_the_same() {
    let listen = "listen @rtmp@ reuseport backlog=64 rcvbuf=64k sndbuf=256k deferred;".into();
    let nginx = Nginx::start_conf(&Conf { listen, ..workers(4, LIVE) });
    let mut players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    for round in 1..4 {
        let mut publisher = publish_again(&nginx);
        publisher.send(6, VIDEO, 1, 0, &keyframe(round));
        for player in &mut players {
            wait_keyframe(player, round);
        }
        players.push(Peer::play(nginx.rtmp_port(), "live", "cam"));
        if round == 2 {
            nginx.reload();
        }
    }
}

#[test]
fn a_new_binary_plays_what_is_published_to_the_old_one() {
    let nginx = Nginx::start_conf(&Conf { orphan: true, ..workers(2, LIVE) });
    let old_master = nginx.master();
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let watcher = Player::start(&nginx.live("cam"));
    watcher.wait_more(5);
    let signal = |signal| kill_process(Pid::from_raw(old_master as i32).unwrap(), signal).unwrap();
    // The old one's parent has to be gone.
    wait_until("a new binary", || {
        signal(Signal::USR2);
        std::thread::sleep(std::time::Duration::from_millis(100));
        nginx.prefix().join("nginx.pid.oldbin").exists() && nginx.master() != old_master
    });
    wait_until("new workers", || nginx.workers().len() == 2);
    signal(Signal::QUIT);
    wait_until("old workers that leave", || {
        let mut workers = children(old_master);
        workers.retain(|(_, line)| line.starts_with("nginx: worker process"));
        workers.iter().all(|(_, line)| line.contains("is shutting down"))
    });
    let player = Player::start(&nginx.live("cam"));
    let frames = player.wait_more(10);
    assert_unbroken(&frames.video, &Clip::plain().frames.video);
    let frames = watcher.wait_more(10);
    assert_unbroken(&frames.video, &Clip::plain().frames.video);
}
