//! Relays: streams that are pushed to other servers and pulled from them.

use std::fs;
use std::net::TcpListener;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::process::{command, run};
use crate::support::publisher::Publisher;
use crate::support::raw::{AUDIO, DATA, Peer, VIDEO, object, string};
use crate::support::{wait_for, wait_until};

const LIVE: &str = "application live { live on; }";

/// A server whose application `live` also says `more`.
fn live(more: &str) -> Conf {
    Conf::server(&format!("application live {{ live on; {more} }}"))
}

fn count(nginx: &Nginx, part: &str) -> usize {
    nginx.log().matches(part).count()
}

#[test]
fn a_pushed_stream_arrives_whole() {
    let (origin, clip) = (Nginx::start(LIVE), Clip::plain());
    let edge = Nginx::start_conf(&live(&format!("push {};", origin.rtmp("live/pushed"))));
    let player = Player::start(&origin.live("pushed"));
    Publisher::once(clip, &edge.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
    // The end is told, and the stream there is free again.
    wait_until("the end of the push", || count(&origin, "client closed connection") >= 1);
    drop(Peer::publish(origin.rtmp_port(), "live", "pushed"));
}

#[test]
fn a_push_takes_the_name_the_arguments_and_the_filter() {
    let origin = Nginx::start("application in { live on; } application other { live on; }");
    let edge = Nginx::start_conf(&live(&format!(
        "push {0}/in/x-${{name}}?$args; push {0}/other name=cam; push {0}/other/never name=nope;",
        origin.rtmp("").trim_end_matches('/'),
    )));
    let _publisher = Publisher::endless(Clip::plain(), &edge.live("cam?key=1"));
    Player::start(&origin.rtmp("in/x-cam")).wait_more(5);
    Player::start(&origin.rtmp("other/cam")).wait_more(5);
    assert_eq!(count(&edge, "pushing"), 2);
}

#[test]
fn a_push_is_like_an_encoders_on_the_message_stream_that_its_server_gives() {
    for stream_id in [1, 5] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().unwrap().port();
        let edge = Nginx::start_conf(&live(&format!("meta copy; push rtmp://127.0.0.1:{port}/x;")));
        let mut publisher = Peer::publish(edge.rtmp_port(), "live", "cam");
        let mut server = Peer::accept(&listener);
        server.admit_publisher(stream_id);
        edge.wait_log(&["pushing"]);
        let metadata = [string("onMetaData"), object(&[("encoder", string("mine"))])].concat();
        let picture = [&[0x17, 1, 0, 0, 0][..], &[7; 50_000]].concat();
        publisher.send(5, DATA, 1, 0, &metadata);
        publisher.send(6, VIDEO, 1, 40, &picture);
        publisher.send(4, AUDIO, 1, 50, &[0xaf, 1, 9]);
        let data = [string("@setDataFrame"), metadata].concat();
        for (kind, payload) in [(DATA, data), (VIDEO, picture), (AUDIO, vec![0xaf, 1, 9])] {
            let message = server.wait_media();
            assert_eq!((message.kind, message.stream_id), (kind, stream_id));
            assert_eq!(message.payload, payload);
        }
    }
}

#[test]
fn a_refused_push_is_tried_again() {
    let origin = Nginx::start_conf(&live("deny publish all;"));
    let edge = Nginx::start_conf(&live(&format!(
        "push {}; push_reconnect 100ms;",
        origin.rtmp("live/secret-key")
    )));
    let _publisher = Publisher::endless(Clip::plain(), &edge.live("cam"));
    let line = edge.wait_log(&["push of stream \"cam\"", "server refused", "next attempt in"]);
    assert!(line.contains("[warn]"), "{line}");
    origin.rewrite_conf(&live(""));
    origin.reload();
    Player::start(&origin.live("secret-key")).wait_more(5);
    assert!(!edge.log().contains("secret-key"), "a stream's key is in the log");
}

#[test]
fn a_push_survives_its_server_and_never_disturbs_the_stream() {
    let origin = Nginx::start(LIVE);
    let edge =
        Nginx::start_conf(&live(&format!("push {}; push_reconnect 100ms;", origin.rtmp("live"))));
    let _publisher = Publisher::endless(Clip::plain(), &edge.live("cam"));
    let watcher = Player::start(&edge.live("cam"));
    Player::start(&origin.live("cam")).wait_more(5);
    for worker in origin.workers() {
        origin.allow("exited on signal 9");
        kill_process(Pid::from_raw(worker as i32).unwrap(), Signal::KILL).unwrap();
    }
    Player::start(&origin.live("cam")).wait_more(5);
    let frames = watcher.wait_more(5);
    assert_unbroken(&frames.video, &Clip::plain().frames.video);
}

#[test]
fn a_server_that_cannot_be_found_does_not_keep_nginx_from_starting() {
    let edge = Nginx::start_conf(&live(
        "push rtmp://no-such-host.invalid/live; push rtmp://127.0.0.1:1/live;",
    ));
    let _publisher = Publisher::endless(Clip::plain(), &edge.live("cam"));
    edge.wait_log(&["push of stream \"cam\"", "looking up \"no-such-host.invalid\" failed"]);
    edge.wait_log(&["push of stream \"cam\"", "connecting to 127.0.0.1:1 failed"]);
    Player::start(&edge.live("cam")).wait_more(5);
}

#[test]
fn a_name_with_several_addresses_has_all_of_them_tried() {
    // Where localhost is ::1 first, nothing listens there.
    let origin = Nginx::start(LIVE);
    let url = format!("rtmp://localhost:{}/live", origin.rtmp_port());
    let edge = Nginx::start_conf(&live(&format!("push {url};")));
    let _publisher = Publisher::endless(Clip::plain(), &edge.live("cam"));
    Player::start(&origin.live("cam")).wait_more(5);
}

#[test]
fn a_stream_is_pulled_once_for_all_workers_while_it_is_played() {
    let origin = Nginx::start(LIVE);
    let pull = live(&format!("pull {};", origin.rtmp("live")));
    let edge = Nginx::start_conf(&Conf { workers: 4, ..pull });
    let mut publisher = Peer::publish(origin.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 0, &[0x17, 1, 0, 0, 0, 1]);
    let players: Vec<_> = (0..12).map(|_| Peer::play(edge.rtmp_port(), "live", "cam")).collect();
    publisher.send(6, VIDEO, 1, 40, &[0x17, 1, 0, 0, 0, 2]);
    for mut player in players {
        while player.receive().expect("the keyframe before the end").payload
            != [0x17, 1, 0, 0, 0, 2]
        {}
    }
    assert_eq!(count(&edge, "pulling"), 1);
    // When all have left, so does the pull.
    wait_until("the end of the pull", || count(&origin, "client closed connection") >= 1);
}

#[test]
fn a_pulled_stream_arrives_whole_and_its_publisher_may_come_later() {
    let (origin, clip) = (Nginx::start(LIVE), Clip::plain());
    let edge = Nginx::start_conf(&live(&format!("pull {} live=1 name=blah;", origin.live("cam"))));
    let player = Player::start(&edge.live("blah"));
    wait_until("the pull", || count(&origin, "playing") >= 1);
    Publisher::once(clip, &origin.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
}

#[test]
fn the_next_server_is_tried_when_one_fails() {
    let origin = Nginx::start(LIVE);
    let edge = Nginx::start_conf(&live(&format!(
        "pull rtmp://127.0.0.1:1/live; pull {};",
        origin.rtmp("live")
    )));
    let _publisher = Publisher::endless(Clip::plain(), &origin.live("cam"));
    Player::start(&edge.live("cam")).wait_more(5);
}

#[test]
fn a_static_pull_is_one_workers_of_all_and_moves_when_that_one_goes() {
    let origin = Nginx::start(LIVE);
    let pull = live(&format!("pull {} name=blah static;", origin.live("cam")));
    let edge = Nginx::start_conf(&Conf { workers: 4, ..pull });
    let _publisher = Publisher::endless(Clip::plain(), &origin.live("cam"));
    edge.wait_log(&["pulling"]);
    let player = Player::start(&edge.live("blah"));
    player.wait_more(5);
    assert_eq!(count(&edge, "pulling"), 1);
    // A reload: the old worker's pull goes on until a new one's takes its place.
    edge.reload();
    wait_until("a new worker's pull", || count(&edge, "pulling") == 2);
    Player::start(&edge.live("blah")).wait_more(5);
    assert!(player.is_running(), "the player was lost: {}", player.log());
    player.wait_more(5);
    // A worker that is killed.
    drop(player);
    wait_until("the old workers' end", || edge.old_workers().is_empty());
    let puller = wait_for("the worker that pulls", || {
        let log = edge.log();
        let line = log.lines().rfind(|line| line.contains("pulling"))?.to_owned();
        line.split(' ').nth(3)?.split('#').next()?.parse::<i32>().ok()
    });
    edge.allow("exited on signal 9");
    kill_process(Pid::from_raw(puller).unwrap(), Signal::KILL).unwrap();
    wait_until("another worker's pull", || count(&edge, "pulling") == 3);
    Player::start(&edge.live("blah")).wait_more(5);
}

#[test]
fn nginx_quits_with_a_static_pull() {
    let origin = Nginx::start(LIVE);
    let mut edge =
        Nginx::start_conf(&live(&format!("pull {} name=blah static;", origin.live("cam"))));
    let _publisher = Publisher::endless(Clip::plain(), &origin.live("cam"));
    edge.wait_log(&["pulling"]);
    edge.signal(Signal::QUIT);
    edge.wait_exit();
}

#[test]
fn a_push_over_tls_wants_a_certificate_that_it_can_trust() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let mut openssl = command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-keyout", &key, "-out", &certificate]);
    run(&mut openssl);
    let origin = Nginx::start_conf(&Conf {
        listen: "listen @rtmp@ ssl;".into(),
        rtmp: format!("ssl_certificate {certificate}; ssl_certificate_key {key};"),
        ..Conf::server(LIVE)
    });
    let port = origin.rtmp_port();
    let trusted = format!("relay_ssl_trusted_certificate {certificate};");
    let edge = Nginx::start(&format!(
        "application good {{ live on; push rtmps://localhost:{port}/live/good; {trusted} }}
         application stranger {{ live on; push rtmps://localhost:{port}/live/stranger; }}
         application misnamed {{ live on; push rtmps://127.0.0.1:{port}/live/misnamed; {trusted} }}
         application blind {{ live on; push rtmps://localhost:{port}/live/blind;
             relay_ssl_verify off; }}",
    ));
    let names = ["good", "stranger", "misnamed", "blind"];
    let _publishers =
        names.map(|name| Publisher::endless(Clip::plain(), &edge.rtmp(&format!("{name}/cam"))));
    edge.wait_log(&["application: \"stranger\"", "has no good certificate"]);
    edge.wait_log(&["application: \"misnamed\"", "has no good certificate"]);
    let pushed = |name: &str| {
        let log = fs::read_to_string(origin.prefix().join("logs/error.log")).unwrap();
        log.lines().any(|line| line.contains("publishing") && line.contains(name))
    };
    wait_until("both pushes", || pushed("\"good\"") && pushed("\"blind\""));
    assert!(!pushed("\"stranger\"") && !pushed("\"misnamed\""));
}
