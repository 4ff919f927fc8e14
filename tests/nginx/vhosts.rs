//! Servers that share an address, and are told apart by the host that clients name.

use crate::support::nginx::{Conf, Nginx, Verdict, test_conf};
use crate::support::raw::{Peer, VIDEO, connect_to, number, string};

/// A server named `name` with an application that only it has.
fn server(listen: &str, name: &str, application: &str) -> String {
    format!("server {{ {listen} {name} application {application} {{ live on; }} }}\n")
}

/// Which of `applications` there is at `host`.
fn applications_at<'a>(nginx: &Nginx, host: &str, applications: &[&'a str]) -> Vec<&'a str> {
    let exists = |application: &&str| {
        let mut peer = Peer::connect(nginx.rtmp_port());
        peer.command(0, &connect_to(&format!("rtmp://{host}/{application}"), application));
        peer.wait_for("NetConnection.Connect").says("NetConnection.Connect.Success")
    };
    applications.iter().copied().filter(exists).collect()
}

#[test]
fn server_is_chosen_by_host() {
    let listen = "listen @rtmp@;";
    let nginx = Nginx::start_conf(&Conf {
        rtmp: [
            server(listen, "server_name other.example One.Example;", "exact"),
            server(listen, "server_name .one.example; server_name www.*;", "wild"),
            server("listen @rtmp@ default_server;", "", "other"),
            server(listen, "server_name ~^re[0-9]+[.]X$;", "regex"),
        ]
        .concat(),
        listen: listen.into(),
        server: "server_name last.example $hostname; application last { live on; }".into(),
        ..Conf::default()
    });
    let applications = ["exact", "wild", "other", "regex", "last"];
    for (host, application) in [
        ("one.example", "exact"),
        ("ONE.example:1935", "exact"),
        ("other.example.", "exact"),
        ("user@one.example", "exact"),
        ("a.b.one.example", "wild"),
        ("www.somewhere", "wild"),
        ("re17.x", "regex"),
        ("last.example", "last"),
        ("re.x", "other"),
        ("nobody.example", "other"),
        ("[::1]:1935", "other"),
        ("", "other"),
        ("one..example", "other"),
        (&format!("{}.one.example", "a".repeat(300)), "other"),
    ] {
        assert_eq!(applications_at(&nginx, host, &applications), [application], "{host:?}");
    }
}

#[test]
fn first_server_is_that_of_unknown_hosts_and_of_none() {
    let listen = "listen @rtmp@;";
    let nginx = Nginx::start_conf(&Conf {
        rtmp: server(listen, "server_name a.example;", "first"),
        listen: listen.into(),
        server: "server_name b.example; application second {}".into(),
        ..Conf::default()
    });
    let applications = ["first", "second"];
    assert_eq!(applications_at(&nginx, "b.example", &applications), ["second"]);
    assert_eq!(applications_at(&nginx, "c.example", &applications), ["first"]);
    let app = string("first");
    let bare = [string("connect"), number(1.0), vec![3, 0, 3], b"app".to_vec(), app, vec![0, 0, 9]];
    Peer::connect(nginx.rtmp_port()).enter_by(&bare.concat());
    let mut odd = Peer::connect(nginx.rtmp_port());
    odd.enter_by(&connect_to("rtmp:/%", "first"));
}

#[test]
fn streams_and_settings_are_those_of_the_chosen_server() {
    let listen = "listen @rtmp@;";
    let live = "application live { live on; deny publish 127.0.0.2; }";
    let nginx = Nginx::start_conf(&Conf {
        rtmp: format!("server {{ {listen} server_name a; chunk_size 200; {live} }}"),
        listen: listen.into(),
        server: format!("server_name b; chunk_size 5000; max_message 4000; {live}"),
        workers: 2,
        ..Conf::default()
    });
    let enter = |host: &str| {
        let mut peer = Peer::connect(nginx.rtmp_port());
        peer.enter_by(&connect_to(&format!("rtmp://{host}/live"), "live"));
        peer
    };
    let keyframe = |number: u8| [&[0x17, 1, 0, 0, 0, number][..], &[9; 3000]].concat();
    let mut publishers = ["a", "b"].map(|host| {
        let mut peer = enter(host);
        peer.ask_publish("cam");
        peer.wait_for("NetStream.Publish.Start");
        peer
    });
    for (number, publisher) in publishers.iter_mut().enumerate() {
        publisher.send(6, VIDEO, 1, 0, &keyframe(number as u8));
    }
    for _ in 0..4 {
        for (number, host) in ["a", "b"].iter().enumerate() {
            let mut player = enter(host);
            player.ask_play("cam");
            player.wait_for("NetStream.Play.Start");
            let video = std::iter::from_fn(|| player.receive()).find(|it| it.kind == VIDEO);
            assert_eq!(video.expect("a picture").payload, keyframe(number as u8));
        }
    }
    let [mut a, mut b] = publishers;
    a.send(6, VIDEO, 1, 40, &[0x27; 4500]);
    b.send(6, VIDEO, 1, 40, &[0x27; 4500]);
    b.wait_closed();
    nginx.wait_log(&["larger than max_message 4000"]);
    let mut player = enter("a");
    player.ask_play("cam");
    let mut received = std::iter::from_fn(|| player.receive());
    assert!(received.any(|it| it.kind == VIDEO && it.payload.len() == 4500));
}

#[test]
fn options_are_given_once_for_all_servers_of_an_address() {
    let two = |one: &str, other: &str| {
        test_conf(&format!(
            "events {{}} rtmp {{\nserver {{ server_name a;\nlisten {one};\n}}\nserver {{ server_name b;\n\
             listen {other};\n}} }}"
        ))
    };
    for (one, other) in [
        ("1935 backlog=10", "1935"),
        ("1935", "*:1935 reuseport proxy_protocol"),
        ("1935 proxy_protocol", "1935 default_server"),
        ("unix:@prefix@/s", "unix:@prefix@/s default"),
    ] {
        let verdict = two(one, other);
        assert!(verdict.accepted && !verdict.text.contains("[warn]"), "{}", verdict.text);
    }
    for (one, other, what) in [
        ("1935 backlog=10", "1935 reuseport", "duplicate options of \"listen 0.0.0.0:1935\""),
        ("1935 default_server", "1935 default", "duplicate default server for 0.0.0.0:1935"),
    ] {
        let verdict = two(one, other);
        let says = ["[emerg]", what, "nginx.conf:3", "nginx.conf:6"];
        let found = verdict.text.lines().any(|line| says.iter().all(|part| line.contains(part)));
        assert!(found && !verdict.accepted, "{}", verdict.text);
    }
}

#[test]
fn servers_have_different_names() {
    let two = |one: &str, other: &str| {
        test_conf(&format!(
            "events {{}} rtmp {{\nserver {{ listen 1935; {one} }}\nserver {{ listen 1935; {other} }} }}"
        ))
    };
    for (one, other) in [
        ("server_name a;", "server_name A b;"),
        ("server_name .a;", "server_name a b;"),
        ("server_name \"\" a;", ""),
    ] {
        let Verdict { accepted, text } = two(one, other);
        assert!(accepted && text.contains("conflicting server name"), "{text}");
        assert!(text.contains("on 0.0.0.0:1935 at") && text.contains("nginx.conf:3"), "{text}");
    }
    for name in ["", "server_name \"\";"] {
        let Verdict { accepted, text } = two(name, "");
        assert!(!accepted && text.contains("duplicate \"listen 0.0.0.0:1935\""), "{text}");
        assert!(text.contains("told apart by their \"server_name\""), "{text}");
    }
}
