//! What `rtmp_stat` tells of streams, their players and their outputs, and of the workers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::support::hls::get;
use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::publisher::Publisher;
use crate::support::raw::Peer;
use crate::support::wait_for;

const HTTP: &str = "location /json { rtmp_stat all; rtmp_stat_format json; }
    location /stat { rtmp_stat all; }";

fn conf(workers: u32, application: &str) -> Conf {
    let server = format!("application live {{ live on; {application} }}");
    Conf { workers, http: HTTP.into(), ..Conf::server(&server) }
}

fn ask(nginx: &Nginx) -> Value {
    let body = get(&nginx.http("json")).expect("an answer");
    serde_json::from_slice(&body).expect("JSON")
}

/// The stream `cam`.
fn stream(answer: &Value) -> Option<&Value> {
    let streams = answer["servers"][0]["applications"][0]["live"].as_array()?;
    streams.iter().find(|stream| stream["name"] == "cam")
}

/// Waits until the stream `cam` is as `is_so` says.
#[track_caller]
fn wait_stream(nginx: &Nginx, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let answer = ask(nginx);
        stream(&answer).filter(|stream| is_so(stream)).cloned()
    })
}

/// Holds an answer against its schema.
#[track_caller]
fn check(nginx: &Nginx, answer: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/python/bin/python");
    assert!(python.exists(), "no {}: run scripts/setup test first", python.display());
    let file = nginx.prefix().join("answer.json");
    fs::write(&file, answer.to_string()).expect("to write");
    let mut check = Command::new(python);
    let output = check.arg(root.join("tests/stat/check.py")).arg(file).output().expect("to run it");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "not as docs/stat.schema.json says:\n{text}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn a_stream_and_its_clients_are_told_whichever_worker_has_them() {
    let nginx = Nginx::start_conf(&conf(2, ""));
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let _players: Vec<_> = (0..6).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    let stream = wait_stream(&nginx, "a group of pictures and all players", |stream| {
        !stream["gop"].is_null() && stream["nclients"] == 7 && stream["since_audio"].is_u64()
    });
    assert!(number(&stream["gop"]["time"]) > 0.0 && number(&stream["gop"]["frames"]) > 1.0);
    assert!(number(&stream["frame_rate"]) > 1.0, "{stream}");
    assert!(number(&stream["frames"]) > number(&stream["gop"]["frames"]));
    assert!(stream["media"]["video"]["rfc6381"].as_str().is_some_and(|it| it.starts_with("avc1.")));
    assert_eq!(stream["media"]["audio"]["rfc6381"], "mp4a.40.2");
    assert_eq!(stream["publisher"]["address"], "127.0.0.1");
    let clients = stream["clients"].as_array().expect("clients");
    for client in clients {
        assert_eq!(client["protocol"], "rtmp");
        assert!(number(&client["tcp"]["rtt"]) > 0.0, "{client}");
        assert_eq!(client["lag"].is_null(), client["publishing"] == true, "{client}");
    }
    let answer = ask(&nginx);
    let workers = answer["processes"].as_array().expect("processes");
    assert_eq!(workers.len(), 2);
    let connections: f64 = workers.iter().map(|it| number(&it["connections"])).sum();
    assert_eq!(connections, 7.0, "{workers:?}");
    assert!(number(&answer["totals"]["messages"]) > 10.0);
    assert_eq!(answer["totals"]["plays"], 6);
    check(&nginx, &answer);
}

#[test]
fn a_player_that_does_not_read_lags_and_then_skips() {
    let nginx = Nginx::start_conf(&conf(1, "gop_cache on;"));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    wait_stream(&nginx, "a player", |stream| stream["nclients"] == 2);
    let mut picture = vec![0; 100_000];
    let mut send = |count: u32| {
        for number in 0..count {
            picture[..5].copy_from_slice(&[if number == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
            publisher.send(6, crate::support::raw::VIDEO, 1, number * 40, &picture);
        }
    };
    send(200);
    let told = |stream: &Value| {
        let clients = stream["clients"].as_array().expect("clients");
        clients.iter().find(|client| client["publishing"] == false).cloned().expect("a player")
    };
    let lagging =
        wait_stream(&nginx, "lag", |stream| told(stream)["lag"]["time"].as_u64() > Some(0));
    let lagging = told(&lagging);
    assert!(number(&lagging["lag"]["bytes"]) >= number(&lagging["lag"]["frames"]) * 50_000.0);
    assert!(number(&lagging["tcp"]["send_queue"]) > 0.0, "{lagging}");
    send(400);
    thread::spawn(move || while player.receive().is_some() {});
    let skipping =
        wait_stream(&nginx, "skipped frames", |stream| stream["skipped"].as_u64() > Some(0));
    assert!(number(&told(&skipping)["dropped"]) > 0.0, "{skipping}");
    let answer = ask(&nginx);
    assert!(number(&answer["totals"]["frames_skipped"]) > 0.0, "{answer}");
}

#[test]
fn outputs_are_told_and_no_keys() {
    let origin = Nginx::start("application live { live on; }");
    let nginx = Nginx::start_conf(&conf(
        2,
        &format!(
            "hls on; hls_path @prefix@/hls; hls_fragment 500ms;
             recorder tape {{ record all; record_path @prefix@/rec; }}
             recorder hand {{ record all manual; record_path @prefix@/rec; record_suffix .m.flv; }}
             push {}; push rtmp://127.0.0.1:1/live/other-key; exec_push sleep 100;",
            origin.rtmp("live/secret-key")
        ),
    ));
    nginx.allow("unknown process");
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let stream = wait_stream(&nginx, "all outputs", |stream| {
        let relays = stream["relays"].as_array().map_or(&[][..], Vec::as_slice);
        stream["hls"]["last_segment"].is_object()
            && relays.iter().any(|relay| relay["state"] == "connected")
            && relays.iter().any(|relay| relay["errors"]["count"].as_u64() > Some(0))
            && stream["children"][0]["state"] == "running"
            && stream["recorders"][0]["bytes"].as_u64() > Some(0)
    });
    let hls = &stream["hls"];
    assert!(hls["playlist"].as_str().is_some_and(|it| fs::exists(it).expect("a path")), "{hls}");
    assert!(number(&hls["last_segment"]["duration"]) > 0.0 && number(&hls["segments"]) > 0.0);
    let tape = &stream["recorders"][0];
    assert_eq!((&tape["id"], &tape["state"]), (&"tape".into(), &"recording".into()));
    assert!(tape["file"].as_str().is_some_and(|it| it.ends_with("/rec/cam.flv")), "{tape}");
    assert!(number(&tape["time"]) > 0.0 && number(&tape["frames"]) > 0.0, "{tape}");
    assert_eq!(stream["recorders"][1]["state"], "stopped");
    assert_eq!(stream["children"][0]["program"], "sleep");
    let pushed = stream["relays"].as_array().expect("relays");
    assert_eq!(pushed[0]["url"], format!("{}/live/***", origin.rtmp("").trim_end_matches('/')));
    let answer = ask(&nginx);
    check(&nginx, &answer);
    let answer = answer.to_string();
    let xml = get(&nginx.http("stat")).expect("an answer");
    let xml = String::from_utf8(xml).expect("UTF-8");
    for answer in [&answer, &xml] {
        assert!(!answer.contains("secret-key") && !answer.contains("other-key"), "{answer}");
    }
    assert!(xml.contains("<direction>push</direction>"), "{xml}");
}
