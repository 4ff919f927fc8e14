//! Metrics of applications.

use std::fmt::Display;

use super::super::exposition::{Exposition, Labels};
use super::super::{ChildState, RecorderState, RelayState};
use super::{Group, bytes, gauge};
use crate::relay::Direction;

type Count = fn(&Group<'_>) -> usize;

/// What is counted of an application.
const COUNTS: [(&str, &str, Count); 5] = [
    ("streams", "Live streams that are published.", |it| it.published().count()),
    ("publishers", "Clients that publish.", |it| clients(it, true)),
    ("players", "Clients that play live streams.", |it| clients(it, false)),
    ("hls_viewers", "Who watches live streams by HLS.", |it| {
        it.streams.iter().map(|stream| stream.hls_viewers as usize).sum()
    }),
    ("file_players", "Clients that play files.", |it| {
        it.files.iter().map(|file| file.clients.len()).sum()
    }),
];

const DIRECTIONS: [Direction; 2] = [Direction::Push, Direction::Pull];

const RELAY_STATES: [RelayState; 3] =
    [RelayState::Waiting, RelayState::Connecting, RelayState::Connected];

const RECORDER_STATES: [RecorderState; 5] = [
    RecorderState::Stopped,
    RecorderState::Waiting,
    RecorderState::Opening,
    RecorderState::Recording,
    RecorderState::Failed,
];

const CHILD_STATES: [ChildState; 4] =
    [ChildState::Starting, ChildState::Running, ChildState::Waiting, ChildState::Ending];

/// Adds them.
pub(super) fn write(groups: &[Group<'_>], exposition: &mut Exposition) {
    for (name, help, count) in COUNTS {
        let name = format!("nginx_rtmp_{name}");
        gauge(exposition, &name, help, groups.iter().map(|it| (it.labels.clone(), count(it))));
    }
    let rates = groups.iter().flat_map(|group| {
        let rate = |name, bits: fn(&Group<'_>) -> u64| {
            (group.labels.with("direction", name), bytes(bits(group)))
        };
        [rate("in", bits_in), rate("out", bits_out)]
    });
    let name = "nginx_rtmp_media_bytes_per_second";
    let help = "Audio, video and data of live streams that come and go, over the last 10 seconds.";
    gauge(exposition, name, help, rates);
    write_states(groups, exposition);
}

fn write_states(groups: &[Group<'_>], exposition: &mut Exposition) {
    let relays = groups.iter().flat_map(|group| {
        let ways = DIRECTIONS.into_iter().flat_map(|way| RELAY_STATES.map(|state| (way, state)));
        ways.map(|(direction, state)| {
            let labels = group.labels.with("direction", &direction.to_string());
            (labels.with("state", state.name()), relays(group, direction, state))
        })
    });
    gauge(exposition, "nginx_rtmp_relays", "Streams that are pushed and pulled.", relays);
    let recorders = groups.iter().flat_map(|group| {
        by_state(group, RECORDER_STATES.map(|it| (it.name(), recorders(group, it))))
    });
    gauge(exposition, "nginx_rtmp_recorders", "Recorders of published streams.", recorders);
    let children = groups
        .iter()
        .flat_map(|group| by_state(group, CHILD_STATES.map(|it| (it.name(), children(group, it)))));
    gauge(exposition, "nginx_rtmp_children", "Programs that run with streams.", children);
}

fn by_state<const N: usize, V: Display>(
    group: &Group<'_>,
    counts: [(&str, V); N],
) -> [(Labels, V); N] {
    counts.map(|(state, count)| (group.labels.with("state", state), count))
}

fn clients(group: &Group<'_>, publishing: bool) -> usize {
    let clients = group.streams.iter().flat_map(|stream| &stream.clients);
    clients.filter(|client| client.publishing == publishing).count()
}

fn bits_in(group: &Group<'_>) -> u64 {
    group.published().map(|stream| stream.traffic.bw_in).sum()
}

fn bits_out(group: &Group<'_>) -> u64 {
    group.streams.iter().map(|stream| stream.traffic.bw_out).sum()
}

fn relays(group: &Group<'_>, direction: Direction, state: RelayState) -> usize {
    let of_streams = group.streams.iter().flat_map(|stream| &stream.relays);
    let all = of_streams.chain(group.relays.iter().copied());
    all.filter(|relay| (relay.direction, relay.state) == (direction, state)).count()
}

fn recorders(group: &Group<'_>, state: RecorderState) -> usize {
    let all = group.streams.iter().flat_map(|stream| &stream.recorders);
    all.filter(|recorder| recorder.state == state).count()
}

fn children(group: &Group<'_>, state: ChildState) -> usize {
    let of_streams = group.streams.iter().flat_map(|stream| &stream.children);
    let all = of_streams.chain(group.children.iter().copied());
    all.filter(|child| child.state == state).count()
}
