//! Metrics of the server as a whole.

use super::super::exposition::{Exposition, Family, Kind, Labels};
use super::super::{Counted, Document, Totals};
use super::{gauge, seconds};
use crate::time::UnixMillis;

type Count = fn(&Totals) -> u64;

/// The counters: names without `_total`, what they are, and where they come from.
const COUNTERS: [(&str, &str, Count); 15] = [
    ("connections_accepted", "Connections of clients that were accepted.", |it| it.accepted),
    ("received_bytes", "Bytes that came from clients and other servers.", |it| it.bytes_in),
    ("sent_bytes", "Bytes that went to clients and other servers.", |it| it.bytes_out),
    ("publishes", "Publishes that began.", |it| it.publishes),
    ("plays", "Plays of live streams that began.", |it| it.plays),
    ("messages_received", "Messages that came from publishers.", |it| it.messages),
    ("frames_sent", "Frames that players of live streams were sent.", |it| it.frames_sent),
    ("frames_skipped", "Frames that players were too slow for.", |it| it.frames_skipped),
    ("hls_segments", "HLS segments that were written.", |it| it.segments),
    ("recordings", "Recordings that were completed.", |it| it.recordings),
    (
        "storage_errors",
        "File operations that failed, and outputs for which the disk was too slow.",
        |it| it.storage_errors,
    ),
    (
        "relay_errors",
        "Attempts to push and pull that failed, and connections of relays that broke.",
        |it| it.relay_errors,
    ),
    ("children_started", "Programs that were started, or started again.", |it| it.children_started),
    ("callbacks", "Callbacks that were made.", |it| it.callbacks),
    ("callback_errors", "Callbacks that were not answered.", |it| it.callback_errors),
];

/// Why sessions end.
const ENDINGS: [(&str, Count); 7] = [
    ("closed", |it| it.ended_by_client),
    ("broken", |it| it.ended_broken),
    ("invalid", |it| it.ended_invalid),
    ("timeout", |it| it.ended_timeout),
    ("dropped", |it| it.ended_dropped),
    ("shutdown", |it| it.ended_shutdown),
    ("bug", |it| it.ended_bug),
];

/// Adds them.
pub(super) fn write(document: &Document, exposition: &mut Exposition) {
    let counted = &document.report.counted;
    write_build(document, exposition);
    let started = [(Labels::default(), seconds(counted.since))];
    let help = "When nginx was started, from when on counters count.";
    gauge(exposition, "nginx_rtmp_start_time_seconds", help, started);
    write_workers(document, exposition);
    write_storage(document, exposition);
    write_counters(counted, exposition);
}

fn write_build(document: &Document, exposition: &mut Exposition) {
    let process = &document.process;
    let labels = Labels::default()
        .with("version", &process.nginx_rtmp_version)
        .with("nginx_version", &process.nginx_version);
    let family = Family {
        name: "nginx_rtmp_build",
        kind: Kind::Info,
        help: "The versions of this module and of the nginx that it was built for.",
    };
    exposition.family(&family, [(labels, 1)]);
}

fn write_workers(document: &Document, exposition: &mut Exposition) {
    let workers = &document.report.workers;
    let counts = [("active", false), ("leaving", true)].map(|(state, leaving)| {
        let count = workers.iter().filter(|worker| worker.leaving == leaving).count();
        (Labels::default().with("state", state), count)
    });
    let help = "Worker processes that have answered; those that leave wait for sessions to end.";
    gauge(exposition, "nginx_rtmp_workers", help, counts);
    let connections: u64 = workers.iter().map(|worker| worker.connections).sum();
    let connections = [(Labels::default(), connections)];
    gauge(exposition, "nginx_rtmp_connections", "Clients that are connected.", connections);
}

fn write_storage(document: &Document, exposition: &mut Exposition) {
    let storage = document.report.storage();
    for (name, help, value) in [
        ("outputs", "HLS outputs and recordings that are being written.", storage.outputs),
        ("failing_outputs", "Those of them that cannot be written at present.", storage.failing),
        ("queued_bytes", "Bytes that wait to be written to files.", storage.queued),
    ] {
        let name = format!("nginx_rtmp_storage_{name}");
        gauge(exposition, &name, help, [(Labels::default(), value)]);
    }
}

fn write_counters(counted: &Counted, exposition: &mut Exposition) {
    let Counted { since, totals } = counted;
    let kind = Kind::Counter { since: Some(UnixMillis(*since)) };
    for (name, help, count) in COUNTERS {
        let name = format!("nginx_rtmp_{name}");
        let family = Family { name: &name, kind, help };
        exposition.family(&family, [(Labels::default(), count(totals))]);
    }
    let labelled = |label: &'static str| {
        move |(value, count): (&str, Count)| (Labels::default().with(label, value), count(totals))
    };
    let name = "nginx_rtmp_connections_refused";
    let help = "Connections of clients that were refused.";
    let refused: (&str, Count) = ("max_connections", |it| it.refused);
    exposition.family(&Family { name, kind, help }, [refused].map(labelled("reason")));
    let name = "nginx_rtmp_sessions_ended";
    let help = "Sessions of clients that have ended, by what ended them.";
    exposition.family(&Family { name, kind, help }, ENDINGS.map(labelled("reason")));
}
