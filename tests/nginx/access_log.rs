//! What the access log says of sessions: `access_log`, `log_format`, `log_interval`, `log_size`.

use std::fs;

use rustix::process::Signal;

use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, connect, connect_to};
use crate::support::{wait_for, wait_until};

/// The lines of the log at `path` in the prefix, once there are at least `count`.
#[track_caller]
fn wait_lines(nginx: &Nginx, path: &str, count: usize) -> Vec<String> {
    wait_for(&format!("{count} lines in {path}"), || {
        let lines = lines(nginx, path);
        (lines.len() >= count).then_some(lines)
    })
}

fn lines(nginx: &Nginx, path: &str) -> Vec<String> {
    let text = fs::read_to_string(nginx.prefix().join(path)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn publisher_and_player_have_a_line_each_when_they_have_gone() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "log_format sizes '$command $name $bytes_received $bytes_sent';
               access_log logs/rtmp.log; access_log logs/sizes.log sizes;"
            .into(),
        ..Conf::server("application live { live on; }")
    });
    let clip = Clip::plain();
    let player = Player::start(&nginx.live("cam?who=me"));
    Publisher::once(clip, &nginx.live("cam?st=abc")).finish();
    player.wait_all(&clip.frames);
    drop(player);
    let mut log = wait_lines(&nginx, "logs/rtmp.log", 2);
    log.sort_by_key(|line| line.contains("PLAY"));
    let [published, played] = &log[..] else { panic!("{log:?}") };
    for (line, command, args, flash_ver) in
        [(published, "PUBLISH", "st=abc", "FMLE/3.0"), (played, "PLAY", "who=me", "LNX")]
    {
        assert!(line.starts_with("127.0.0.1 ["), "{line}");
        let middle = format!("] {command} \"live\" \"cam\" \"{args}\" - ");
        assert!(line.contains(&middle), "{line}");
        let (_, end) = line.split_once("\" - ").unwrap();
        assert!(end.contains(&format!(" \"\" \"{flash_ver}")) && end.ends_with("s)"), "{line}");
    }
    let size = fs::metadata(&clip.path).unwrap().len();
    for line in wait_lines(&nginx, "logs/sizes.log", 2) {
        let words: Vec<&str> = line.split(' ').collect();
        let [command, "cam", received, sent] = words[..] else { panic!("{line}") };
        let large = if command == "PUBLISH" { received } else { sent };
        let bytes: u64 = large.parse().unwrap();
        assert!(bytes > size * 9 / 10, "{line}, {size} bytes in the file");
    }
}

#[test]
fn clients_forge_no_lines() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: r#"log_format json escape=json '{"name":"$name","url":"$tcurl","x":"$arg_x",'
                 '"uri":"$request_uri","port":"$server_port","id":$connection}';
               access_log logs/plain.log; access_log logs/json.log json;"#
            .into(),
        ..Conf::server("application live { live on; }")
    });
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.enter_by(&connect_to("rtmp://h/\"é", "live"));
    peer.ask_publish("a\" \"é?x=\\");
    peer.wait_for("NetStream.Publish.Start");
    drop(peer);
    let plain = wait_lines(&nginx, "logs/plain.log", 1);
    assert_eq!(plain.len(), 1, "{plain:?}");
    assert!(plain[0].contains(r#""live" "a\x22 \x22\xC3\xA9" "x=\x5C" - "#), "{plain:?}");
    let json = wait_lines(&nginx, "logs/json.log", 1);
    assert_eq!(json.len(), 1, "{json:?}");
    let value: serde_json::Value = serde_json::from_str(&json[0]).expect("JSON");
    assert_eq!(value["name"], "a\" \"é");
    assert_eq!(value["url"], "rtmp://h/\"é");
    assert_eq!(value["x"], "\\");
    assert_eq!(value["uri"], "/live/a\" \"é?x=\\");
    assert_eq!(value["port"], nginx.rtmp_port().to_string());
}

#[test]
fn blocks_log_where_they_say() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "access_log logs/all.log brief;".into(),
        server:
            "log_format brief '$command $app/$name';
             application live { live on; }
             application quiet { live on; access_log off; }
             application own { live on; deny publish all; access_log @prefix@/logs/own.log brief; }"
                .into(),
        ..Conf::default()
    });
    let port = nginx.rtmp_port();
    drop(Peer::publish(port, "quiet", "cam"));
    let mut refused = Peer::open(port, "own");
    refused.ask_publish("cam");
    refused.wait_closed();
    assert_eq!(wait_lines(&nginx, "logs/own.log", 1), ["PUBLISH own/cam"]);
    let mut lost = Peer::connect(port);
    lost.command(0, &connect("nowhere"));
    lost.wait_closed();
    assert_eq!(wait_lines(&nginx, "logs/all.log", 1), ["NONE nowhere/"]);
    drop(Peer::play(port, "live", "cam"));
    assert_eq!(wait_lines(&nginx, "logs/all.log", 2), ["NONE nowhere/", "PLAY live/cam"]);
}

#[test]
fn only_clients_have_lines() {
    let mut nginx = Nginx::start_conf(&Conf {
        rtmp: "log_format brief '$command $remote_addr'; access_log logs/rtmp.log brief;".into(),
        server: "application live { live on; }
             application copy { live on; pull rtmp://@rtmp@/live; }"
            .into(),
        workers: 2,
        ..Conf::default()
    });
    let port = nginx.rtmp_port();
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    Player::start(&nginx.live("cam")).wait_video(5);
    // So many that each worker has some.
    let players: Vec<_> = (0..16).map(|_| Peer::play(port, "live", "cam")).collect();
    drop(players);
    wait_lines(&nginx, "logs/rtmp.log", 17);
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    let log = lines(&nginx, "logs/rtmp.log");
    let count = |line: &str| log.iter().filter(|it| *it == line).count();
    assert_eq!((count("PLAY 127.0.0.1"), count("PUBLISH 127.0.0.1")), (17, 1), "{log:?}");
    assert_eq!(log.len(), 18, "{log:?}");
}

#[test]
fn rotated_logs_are_opened_again() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "log_format brief '$name'; access_log logs/rtmp.log brief;".into(),
        workers: 2,
        ..Conf::server("application live { live on; }")
    });
    let port = nginx.rtmp_port();
    drop(Peer::play(port, "live", "before"));
    wait_lines(&nginx, "logs/rtmp.log", 1);
    let player = Peer::play(port, "live", "over");
    let [path, rotated] = ["logs/rtmp.log", "logs/rtmp.log.1"].map(|it| nginx.prefix().join(it));
    fs::rename(&path, &rotated).unwrap();
    nginx.signal(Signal::USR1);
    // Each process says so, the master twice.
    wait_until("all processes to reopen", || {
        let log = nginx.log();
        path.exists() && log.matches("reopening logs").count() == 4
    });
    drop(player);
    drop(Peer::play(port, "live", "after"));
    wait_until("lines of both", || {
        let log = [lines(&nginx, "logs/rtmp.log"), lines(&nginx, "logs/rtmp.log.1")].concat();
        log.len() == 3
    });
    assert_eq!(lines(&nginx, "logs/rtmp.log.1"), ["before"]);
}

#[test]
fn long_sessions_have_lines_while_they_go_on() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "log_format line '$command $name $bytes_sent $request_id';
               access_log logs/rtmp.log line; log_interval 100ms; log_size 64;"
            .into(),
        ..Conf::server("application live { live on; }")
    });
    let player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let going_on = wait_lines(&nginx, "logs/rtmp.log", 3);
    let words: Vec<Vec<&str>> = going_on.iter().map(|line| line.split(' ').collect()).collect();
    assert!(words[0][2].parse::<u64>().unwrap() > 3000, "{going_on:?}");
    // Nothing was sent since.
    assert!(words[1..].iter().all(|line| line[2] == "0"), "{going_on:?}");
    assert!(words.iter().all(|line| line[3] == words[0][3]), "{going_on:?}");
    drop(player);
    nginx.wait_log(&["client closed connection"]);
    // The next one has the number of the last one in its worker.
    let _idle = Peer::open(nginx.rtmp_port(), "live");
    let count = lines(&nginx, "logs/rtmp.log").len();
    drop(Peer::play(nginx.rtmp_port(), "live", "long-name-that-does-not-fit-the-line"));
    let log = wait_lines(&nginx, "logs/rtmp.log", count + 1);
    let last = log.iter().find(|line| line.contains("long")).unwrap();
    assert_eq!(last.len(), 63, "{log:?}");
    assert!(log.iter().all(|line| line.starts_with("PLAY ")), "{log:?}");
}

#[test]
fn session_variables_have_values() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "log_format all '$host|$server_name|$remote_port|$server_addr|$hostname|$pid|$msec|'
               '$nginx_version|$tcpinfo_rtt|$tcpinfo_snd_cwnd|$tcpinfo_rcv_space|$time_iso8601|'
               '$session_time|$request_time|$binary_remote_addr';
               access_log logs/rtmp.log all;"
            .into(),
        ..Conf::server("server_name example.com; application live { live on; }")
    });
    drop(Peer::publish(nginx.rtmp_port(), "live", "cam"));
    let log = wait_lines(&nginx, "logs/rtmp.log", 1);
    let words: Vec<&str> = log[0].split('|').collect();
    assert_eq!((words[0], words[1], words[3]), ("127.0.0.1", "example.com", "127.0.0.1"));
    assert_eq!(words[14], "\\x7F\\x00\\x00\\x01");
    assert_eq!(words[5], nginx.workers()[0].to_string());
    for index in [2, 8, 9, 10] {
        assert!(words[index].parse::<u32>().is_ok_and(|number| number > 0), "{index} of {log:?}");
    }
    assert!(words.iter().all(|word| !word.is_empty() && *word != "-"), "{log:?}");
}
