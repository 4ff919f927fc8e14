use std::collections::BTreeSet;

use super::super::{
    Application, ClientReport, Counted, Gop, HlsReport, Lag, MediaFacts, Report, Totals, Traffic,
    WorkerReport,
};
use super::*;
use crate::live::ApplicationId;
use crate::relay::Direction;

fn stream(application: u64, name: &str, time: u64) -> StreamReport {
    let player = |millis| ClientReport {
        lag: Some(Lag { time: millis, ..Lag::default() }),
        dropped: 3,
        ..ClientReport::default()
    };
    let publisher = ClientReport { publishing: true, dropped: 100, ..ClientReport::default() };
    StreamReport {
        application,
        application_name: "live".into(),
        name: name.into(),
        publishing: true,
        time,
        traffic: Traffic { bytes_in: 100, bytes_out: 10, bw_in: 80, bw_out: 8 },
        bw_video: 64,
        media: Some(MediaFacts::default()),
        gop: Some(Gop { time: 2000, frames: 50 }),
        since_keyframe: Some(1500),
        since_audio: Some(20),
        hls: Some(HlsReport::default()),
        hls_viewers: 12,
        clients: vec![publisher, player(40), player(250)],
        ..StreamReport::default()
    }
}

fn document(streams: Vec<StreamReport>) -> Document {
    let application =
        Application { id: ApplicationId(7), name: "live".into(), live: true, play: false };
    let workers = [false, false, true].map(|leaving| WorkerReport {
        leaving,
        connections: 4,
        ..WorkerReport::default()
    });
    let relay =
        RelayReport { application: 7, direction: Direction::Pull, ..RelayReport::default() };
    let totals = Totals { plays: 5, refused: 1, ended_timeout: 2, ..Totals::default() };
    let report = Report {
        workers: workers.into(),
        counted: Counted { since: 1_700_000_000_500, totals },
        relays: vec![relay],
        streams,
        ..Report::default()
    };
    Document { servers: vec![vec![application]], report, ..Document::default() }
}

fn render(streams: Vec<StreamReport>, most: Option<usize>, format: TextFormat) -> String {
    document(streams).to_metrics(Scope { streams: most }, format)
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
}

/// The words of a text that are names of metrics.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    text.split(|it| !is_part(it)).filter(|word| word.starts_with("nginx_rtmp_")).collect()
}

/// The names that samples have, whether there are any or not.
fn exported() -> BTreeSet<String> {
    let text = render(vec![stream(7, "a", 5)], Some(10), TextFormat::Prometheus);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_server_and_its_applications_always_have_metrics() {
    let text = render(vec![stream(7, "a", 5)], None, TextFormat::Prometheus);
    for line in [
        "nginx_rtmp_start_time_seconds 1700000000.5",
        "nginx_rtmp_workers{state=\"active\"} 2",
        "nginx_rtmp_workers{state=\"leaving\"} 1",
        "nginx_rtmp_connections 12",
        "nginx_rtmp_plays_total 5",
        "nginx_rtmp_connections_refused_total{reason=\"max_connections\"} 1",
        "nginx_rtmp_sessions_ended_total{reason=\"timeout\"} 2",
        "nginx_rtmp_streams{server=\"0\",application=\"live\"} 1",
        "nginx_rtmp_publishers{server=\"0\",application=\"live\"} 1",
        "nginx_rtmp_players{server=\"0\",application=\"live\"} 2",
        "nginx_rtmp_hls_viewers{server=\"0\",application=\"live\"} 12",
        "nginx_rtmp_media_bytes_per_second{server=\"0\",application=\"live\",direction=\"in\"} 10",
        "nginx_rtmp_relays{server=\"0\",application=\"live\",direction=\"pull\",state=\"waiting\"} 1",
    ] {
        has(&text, line);
    }
    assert!(!text.contains("nginx_rtmp_stream_"), "{text}");
}

#[test]
fn streams_have_metrics_where_that_is_wanted() {
    let text = render(vec![stream(7, "a\"b", 5)], Some(10), TextFormat::OpenMetrics);
    let labels = "server=\"0\",application=\"live\",stream=\"a\\\"b\"";
    for (name, value) in [
        ("up_seconds", "0.005"),
        ("players", "2"),
        ("hls_viewers", "12"),
        ("send_bytes_per_second", "1"),
        ("gop_seconds", "2"),
        ("gop_frames", "50"),
        ("keyframe_age_seconds", "1.5"),
        ("audio_age_seconds", "0.02"),
        ("player_lag_seconds", "0.25"),
        ("player_skipped_frames", "6"),
        ("received_bytes_total", "100"),
    ] {
        has(&text, &format!("nginx_rtmp_stream_{name}{{{labels}}} {value}"));
    }
    let rates = "nginx_rtmp_stream_receive_bytes_per_second";
    has(&text, &format!("{rates}{{{labels},media=\"video\"}} 8"));
    has(&text, "nginx_rtmp_plays_created 1700000000.500");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
}

#[test]
fn what_is_not_known_of_a_stream_has_no_sample() {
    let stream = StreamReport { gop: None, since_audio: None, hls: None, ..stream(7, "a", 5) };
    let text = render(vec![stream], Some(10), TextFormat::Prometheus);
    for name in ["gop_seconds", "audio_age_seconds", "hls_segments_total"] {
        assert!(!text.contains(&format!("\nnginx_rtmp_stream_{name}{{")), "{text}");
    }
}

#[test]
fn the_streams_that_last_longest_have_metrics() {
    let streams = vec![stream(7, "new", 5), stream(7, "old", 900), stream(7, "older", 1000)];
    let text = render(streams, Some(2), TextFormat::Prometheus);
    has(&text, "nginx_rtmp_streams_omitted 1");
    has(&text, "nginx_rtmp_streams{server=\"0\",application=\"live\"} 3");
    assert!(text.contains("stream=\"old\"") && text.contains("stream=\"older\""), "{text}");
    assert!(!text.contains("stream=\"new\""), "{text}");
}

#[test]
fn no_series_comes_twice_though_older_configurations_have_the_same_names() {
    let streams = [8, 9].map(|application| stream(application, "a", 5));
    let text = render(streams.into(), Some(10), TextFormat::Prometheus);
    has(&text, "nginx_rtmp_streams{server=\"1\",application=\"live\"} 2");
    has(&text, "nginx_rtmp_streams_omitted 1");
    let series: Vec<_> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let series: Vec<_> = series.iter().map(|it| it.0).filter(|it| !it.starts_with('#')).collect();
    assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len());
}

#[test]
fn every_metric_is_documented() {
    let docs = include_str!("../../../docs/metrics.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `"));
    let described: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(described.iter().map(|&it| it.to_owned()).collect::<BTreeSet<_>>(), exported());
    assert_eq!(described.len(), exported().len());
}

#[test]
fn the_dashboard_and_the_alerts_know_only_metrics_that_there_are() {
    let exported = exported();
    let dashboard = include_str!("../../../docs/grafana.json");
    let parsed: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    assert_eq!(parsed["title"], "nginx RTMP");
    for text in [dashboard, include_str!("../../../docs/alerts.yml")] {
        let names = names(text);
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            assert!(exported.contains(name), "{name}");
        }
    }
}
