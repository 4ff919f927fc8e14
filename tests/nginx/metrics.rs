//! `rtmp_metrics`: what Prometheus is told of all workers, read by its own parsers.

use std::io::Write;
use std::process::{Command, Stdio};

use reqwest::blocking::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;

use crate::support::nginx::{Conf, Nginx};
use crate::support::raw::{self, Peer, VIDEO, null, number, string};
use crate::support::{wait_for, wait_until};

/// So many that some are in each of four workers.
const PLAYERS: usize = 24;

const HTTP: &str = "location /metrics { rtmp_metrics streams; }
    location /few { rtmp_metrics streams=2; }
    location /brief { rtmp_metrics; }";

/// An answer, as a parser has understood it.
struct Metrics(Value);

impl Metrics {
    #[track_caller]
    fn get(nginx: &Nginx, path: &str, accept: &str) -> Self {
        let request = Client::new().get(nginx.http(path)).header(ACCEPT, accept);
        let answer = request.send().expect("an answer");
        let kind = answer.headers()[CONTENT_TYPE].to_str().expect("text").to_owned();
        let format = match kind.as_str() {
            "text/plain; version=0.0.4; charset=utf-8" => "prometheus",
            "application/openmetrics-text; version=1.0.0; charset=utf-8" => "openmetrics",
            _ => panic!("{kind}"),
        };
        assert_eq!(format == "openmetrics", accept.starts_with("application/"), "{accept}");
        Self::parse(format, &answer.text().expect("UTF-8"))
    }

    /// Debian's parser is for Debian's Python.
    #[track_caller]
    fn parse(format: &str, text: &str) -> Self {
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", include_str!("support/metrics.py"), format]);
        let python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = python.spawn().expect("Python");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("to write");
        let output = child.wait_with_output().expect("an end");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}\n{text}");
        Self(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// The value of a sample, if there is one with these labels.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let families = self.0.as_object().expect("families");
        let samples = families.values().flat_map(|it| it["samples"].as_array().expect("samples"));
        let is_meant = |sample: &&Value| {
            sample[0] == name && labels.iter().all(|(name, value)| sample[1][name] == *value)
        };
        samples.clone().find(is_meant).and_then(|sample| sample[2].as_f64())
    }

    /// How many series a name has.
    fn series(&self, name: &str) -> usize {
        let families = self.0.as_object().expect("families");
        let samples = families.values().flat_map(|it| it["samples"].as_array().expect("samples"));
        samples.filter(|sample| sample[0] == name).count()
    }
}

fn conf(workers: u32, server: &str) -> Conf {
    Conf { workers, http: HTTP.into(), ..Conf::server(server) }
}

/// Asks until the answer is as it should be.
#[track_caller]
fn wait_metrics(nginx: &Nginx, what: &str, is_there: impl Fn(&Metrics) -> bool) -> Metrics {
    wait_for(what, || {
        let metrics = Metrics::get(nginx, "metrics", "*/*");
        is_there(&metrics).then_some(metrics)
    })
}

#[test]
fn both_formats_tell_of_all_workers() {
    let nginx = Nginx::start_conf(&conf(4, "application live { live on; }"));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let _players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    publisher.send(6, VIDEO, 1, 40, &[0x17, 1, 0, 0, 0, 9]);
    let application = [("server", "0"), ("application", "live")];
    let stream = [("application", "live"), ("stream", "cam")];
    let is_there = |metrics: &Metrics| {
        metrics.value("nginx_rtmp_players", &application) == Some(PLAYERS as f64)
            && metrics.value("nginx_rtmp_workers", &[("state", "active")]) == Some(4.0)
    };
    wait_metrics(&nginx, "all players", is_there);
    for accept in ["application/openmetrics-text;version=1.0.0,*/*;q=0.1", "text/plain"] {
        let metrics = Metrics::get(&nginx, "metrics", accept);
        assert!(is_there(&metrics));
        let value = |name, labels: &[_]| metrics.value(name, labels);
        assert_eq!(value("nginx_rtmp_streams", &application), Some(1.0));
        assert_eq!(value("nginx_rtmp_publishers", &application), Some(1.0));
        assert_eq!(value("nginx_rtmp_stream_players", &stream), Some(PLAYERS as f64));
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        assert_eq!(value("nginx_rtmp_build_info", &version), Some(1.0));
    }
    assert_eq!(Metrics::get(&nginx, "brief", "*/*").series("nginx_rtmp_stream_players"), 0);
}

#[test]
fn counters_go_on_when_streams_end_and_workers_are_replaced() {
    let conf = conf(2, "application live { live on; }");
    let nginx = Nginx::start_conf(&Conf { rtmp: "max_connections 3;".into(), ..conf });
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let player = Peer::play(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, VIDEO, 1, 40, &[0x17, 1, 0, 0, 0, 9]);
    wait_metrics(&nginx, "a frame", |it| {
        it.value("nginx_rtmp_frames_sent_total", &[]) >= Some(1.0)
    });
    let refused = ["a", "b"].map(|_| raw::dial(nginx.rtmp_port()));
    wait_metrics(&nginx, "a refusal", |it| {
        it.value("nginx_rtmp_connections_refused_total", &[]) >= Some(1.0)
    });
    drop((publisher, player, refused));
    let before = wait_metrics(&nginx, "the end", |it| {
        it.value("nginx_rtmp_sessions_ended_total", &[("reason", "closed")]) >= Some(3.0)
    });
    let started = before.value("nginx_rtmp_start_time_seconds", &[]);
    nginx.reload();
    wait_until("the old workers' end", || nginx.old_workers().is_empty());
    let after = Metrics::get(&nginx, "metrics", "application/openmetrics-text");
    for name in ["publishes", "plays", "connections_accepted", "received_bytes", "sent_bytes"] {
        let name = format!("nginx_rtmp_{name}_total");
        assert!(before.value(&name, &[]) > Some(0.0), "{name}");
        assert!(after.value(&name, &[]) >= before.value(&name, &[]), "{name}");
    }
    assert_eq!(after.value("nginx_rtmp_start_time_seconds", &[]), started);
    assert_eq!(after.value("nginx_rtmp_plays_created", &[]), started);
}

#[test]
fn no_name_breaks_the_format() {
    let server = "application 'we\"ird\\\\' { live on; } application live { live on; }";
    let nginx = Nginx::start_conf(&conf(2, server));
    let names = ["a\"b\\c", "\\\"", "{a=\"b\"} 1 #", "käse 🎥"];
    let _quoted: Vec<_> =
        names.iter().map(|name| Peer::publish(nginx.rtmp_port(), "we\"ird\\", name)).collect();
    let mut broken = Peer::open(nginx.rtmp_port(), "live");
    let mut command = [string("publish"), number(0.0), null()].concat();
    command.extend(b"\x02\x00\x03a\xffb");
    command.extend(string("live"));
    broken.command(1, &command);
    broken.wait_for("NetStream.Publish.Start");
    for accept in ["application/openmetrics-text", "text/plain"] {
        let metrics = Metrics::get(&nginx, "metrics", accept);
        for name in names {
            let labels = [("application", "we\"ird\\"), ("stream", name)];
            assert_eq!(metrics.value("nginx_rtmp_stream_players", &labels), Some(0.0), "{name}");
        }
        let labels = [("stream", "a\u{fffd}b")];
        assert_eq!(metrics.value("nginx_rtmp_stream_players", &labels), Some(0.0));
    }
}

#[test]
fn no_more_streams_have_series_than_the_configuration_says() {
    let nginx = Nginx::start_conf(&conf(2, "application live { live on; idle_streams on; }"));
    let _publishers: Vec<_> =
        ["a", "b", "c"].map(|name| Peer::publish(nginx.rtmp_port(), "live", name)).into();
    let _waiting = Peer::play(nginx.rtmp_port(), "live", "nobody publishes this");
    let metrics = Metrics::get(&nginx, "few", "*/*");
    assert_eq!(metrics.series("nginx_rtmp_stream_players"), 2);
    assert_eq!(metrics.value("nginx_rtmp_streams_omitted", &[]), Some(1.0));
    assert_eq!(metrics.value("nginx_rtmp_streams", &[]), Some(3.0));
    let all = Metrics::get(&nginx, "metrics", "*/*");
    assert_eq!(all.series("nginx_rtmp_stream_players"), 3, "only what is published");
    assert_eq!(all.value("nginx_rtmp_streams_omitted", &[]), Some(0.0));
}
