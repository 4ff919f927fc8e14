//! `rtmp_stat` and `rtmp_control`: what is told of all workers, and what is done in all of them.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::hls::get;
use crate::support::media::{Clip, Frames};
use crate::support::nginx::{Conf, Nginx};
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, VIDEO};
use crate::support::{wait_for, wait_until};

const LIVE: &str = "application live { live on; }";

const HTTP: &str = "location /stat { rtmp_stat all; rtmp_stat_stylesheet /stat.xsl; }
    location /json { rtmp_stat all; rtmp_stat_format json; }
    location /control { rtmp_control all; }";

/// So many that some are in each of four workers.
const PLAYERS: usize = 24;

fn conf(workers: u32) -> Conf {
    Conf { workers, http: HTTP.into(), ..Conf::server(LIVE) }
}

fn ask(nginx: &Nginx, path: &str) -> String {
    let body = get(&nginx.http(path)).expect("an answer");
    String::from_utf8(body).expect("UTF-8")
}

fn control(nginx: &Nginx, what: &str) -> String {
    ask(nginx, &format!("control/{what}"))
}

/// The names of the elements, in order.
fn elements(xml: &str) -> Vec<&str> {
    let names = xml.split('<').skip(1).filter_map(|rest| rest.split(['>', ' ']).next());
    names.filter(|name| !name.starts_with(['?', '/'])).collect()
}

/// The text of the first element of that name.
fn text<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {xml}"));
    rest.split('<').next().unwrap_or_default()
}

/// Waits until the one stream has so many clients.
#[track_caller]
fn wait_clients(nginx: &Nginx, count: usize) -> String {
    wait_for(&format!("{count} clients"), || {
        let xml = ask(nginx, "stat");
        let is_there = xml.matches("<client>").count() == count;
        is_there.then_some(xml)
    })
}

#[track_caller]
fn wait_end(peer: &mut Peer) {
    while peer.receive().is_some() {}
}

#[test]
fn one_answer_is_that_of_all_workers() {
    let nginx = Nginx::start_conf(&conf(4));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let _players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    publisher.send(6, VIDEO, 1, 40, &[0x17, 1, 0, 0, 0, 9]);
    let xml = wait_clients(&nginx, PLAYERS + 1);
    assert_eq!(xml.matches("<stream>").count(), 1, "{xml}");
    assert_eq!(xml.matches("<publishing/>").count(), 2, "{xml}");
    assert_eq!(text(&xml, "nworkers"), "4");
    assert!(xml.contains("<?xml-stylesheet type=\"text/xsl\" href=\"/stat.xsl\" ?>"), "{xml}");
    wait_until("what came to be counted once", || {
        let xml = ask(&nginx, "stat");
        let (_, stream) = xml.split_once("<stream>").expect("a stream");
        text(stream, "bytes_in") == "6" && text(stream, "bytes_out").parse::<u32>().unwrap() > 240
    });
    assert!(text(&ask(&nginx, "stat"), "naccepted").parse::<usize>().unwrap() > PLAYERS);
    let json = ask(&nginx, "json");
    assert!(json.starts_with("{\"version\":1,"), "{json}");
    assert!(json.contains("\"nclients\":25"), "{json}");
}

#[test]
fn what_an_old_worker_still_has_is_told_after_a_reload() {
    let nginx = Nginx::start_conf(&conf(2));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    nginx.reload();
    let xml = wait_clients(&nginx, 1);
    assert_eq!(text(xml.split_once("<stream>").expect("a stream").1, "name"), "cam");
    assert_eq!(control(&nginx, "drop/publisher?app=live&name=cam"), "1");
    wait_end(&mut publisher);
}

#[test]
fn publishers_and_players_are_dropped_in_all_workers() {
    let nginx = Nginx::start_conf(&conf(4));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    wait_clients(&nginx, PLAYERS + 1);
    for nobody in ["app=other", "app=live&name=other", "addr=10.1.2.3", "clientid=999999"] {
        assert_eq!(control(&nginx, &format!("drop/client?{nobody}")), "0", "{nobody}");
    }
    assert_eq!(control(&nginx, "drop/subscriber?app=live&name=cam"), PLAYERS.to_string());
    for mut player in players {
        wait_end(&mut player);
    }
    let xml = wait_clients(&nginx, 1);
    let (_, client) = xml.split_once("<client>").expect("a client");
    let id = text(client, "id");
    assert_eq!(control(&nginx, &format!("drop/client?app=live&clientid={id}")), "1");
    wait_end(&mut publisher);
    wait_until("the stream to be gone", || !ask(&nginx, "stat").contains("<stream>"));
}

#[test]
fn clients_go_on_with_another_stream() {
    let nginx = Nginx::start_conf(&conf(2));
    let mut first = Peer::publish(nginx.rtmp_port(), "live", "a");
    let mut second = Peer::publish(nginx.rtmp_port(), "live", "b");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "a");
    let keyframe = |number: u8| [0x17, 1, 0, 0, 0, number];
    first.send(6, VIDEO, 1, 0, &keyframe(1));
    while player.receive().expect("a picture").payload != keyframe(1) {}
    assert_eq!(control(&nginx, "redirect/subscriber?app=live&name=a&newname=b"), "1");
    second.send(6, VIDEO, 1, 40, &keyframe(2));
    while player.receive().expect("a picture of the other").payload != keyframe(2) {}

    assert_eq!(control(&nginx, "redirect/publisher?app=live&name=a&newname=c"), "1");
    let mut late = Peer::play(nginx.rtmp_port(), "live", "c");
    first.send(6, VIDEO, 1, 80, &keyframe(3));
    while late.receive().expect("a picture of what was renamed").payload != keyframe(3) {}
    assert_eq!(control(&nginx, "redirect/publisher?app=live&name=c&newname=b"), "1");
    wait_end(&mut first);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let nginx = Nginx::start_conf(&conf(1));
    let status = |path: &str| {
        let answer = reqwest::blocking::get(nginx.http(path)).expect("an answer");
        (answer.status().as_u16(), answer.text().expect("a body"))
    };
    for (path, code, text) in [
        ("control/drop/all", 500, "Undefined method"),
        ("control/redirect/client", 500, "newname not specified"),
        ("control/drop/client?srv=7", 500, "Server index out of range"),
        ("control/record/start?rec=a", 500, "Recorder not found"),
        ("control/record/pause?rec=a", 500, "Undefined method"),
        ("control/stat", 404, ""),
    ] {
        let (got, body) = status(path);
        assert_eq!(got, code, "{path}: {body}");
        assert!(body.contains(text), "{path}: {body}");
    }
}

#[test]
fn a_worker_that_hangs_is_left_out_and_so_is_a_client_that_goes_away() {
    let nginx = Nginx::start_conf(&conf(2));
    wait_until("two workers", || text(&ask(&nginx, "stat"), "nworkers") == "2");
    let hanging = Pid::from_raw(nginx.workers()[0] as i32).expect("a process");
    kill_process(hanging, Signal::STOP).expect("to stop a worker");
    let xml = ask(&nginx, "stat");
    assert_eq!(text(&xml, "nworkers"), "1", "{xml}");
    assert!(xml.trim_end().ends_with("</rtmp>"), "{xml}");
    for _ in 0..3 {
        let address = nginx.http("").replace("http://", "");
        let mut client = TcpStream::connect(address.trim_end_matches('/')).expect("to connect");
        client.write_all(b"GET /stat HTTP/1.1\r\nHost: a\r\n\r\n").expect("to ask");
    }
    kill_process(hanging, Signal::CONT).expect("to go on with it");
    wait_until("both workers", || text(&ask(&nginx, "stat"), "nworkers") == "2");
    nginx.wait_log(&["a worker process did not answer"]);
}

#[test]
fn the_xml_is_that_of_the_c_module() {
    let told = |c_module: bool| {
        let http = "location /stat { rtmp_stat all; }".into();
        let conf = Conf { c_module, http, ..Conf::server(LIVE) };
        let nginx = Nginx::start_conf(&conf);
        let publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
        let xml = wait_for("all that is known of a stream", || {
            let xml = ask(&nginx, "stat");
            (xml.contains("<sample_rate>") && xml.contains("<level>")).then_some(xml)
        });
        publisher.stop();
        xml
    };
    let (ours, theirs) = (told(false), told(true));
    let mut names = elements(&ours);
    // What is new has new names.
    names.retain(|name| elements(&theirs).contains(name));
    // What the C module does not tell of a client comes last.
    let extra = names.windows(2).position(|pair| pair == ["bytes_in", "bytes_out"]);
    let extra = extra.expect("what a client has sent");
    names.drain(extra..extra + 2);
    assert_eq!(names, elements(&theirs), "\n{ours}\n{theirs}");
    let media = |xml: &str| {
        let (_, media) = xml.split_once("<meta>").expect("what is known of a stream");
        let (media, _) = media.split_once("</meta>").expect("an end of it");
        media.replace("\r\n", "")
    };
    assert_eq!(media(&ours), media(&theirs));
}

#[test]
fn recorders_are_started_and_stopped_whichever_worker_has_the_stream() {
    let nginx = Nginx::start_conf(&Conf {
        workers: 4,
        http: HTTP.into(),
        ..Conf::server(
            "application live { live on;
                 recorder tape { record all manual; record_path @prefix@/rec; } }",
        )
    });
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    nginx.wait_log(&["publishing"]);
    let switch = |what: &str| control(&nginx, &format!("record/{what}?app=live&name=cam&rec=tape"));
    assert_eq!(switch("stop"), "");
    let path = switch("start");
    assert!(path.ends_with("/rec/cam.flv"), "{path}");
    assert_eq!(switch("start"), "");
    wait_until("a recording", || fs::metadata(&path).is_ok_and(|file| file.len() > 100_000));
    assert_eq!(switch("stop"), path);
    nginx.wait_log(&["recorded", "recorder \"tape\""]);
    let frames = Frames::decoded(&path);
    assert!(frames.video.len() > 10 && !frames.audio.is_empty());
    assert_ne!(switch("start"), path);
}
