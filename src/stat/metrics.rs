//! The report as metrics: `docs/metrics.md` says what they are.
//!
//! What there may be any number of, such as clients, has no metrics of its own, and streams have only
//! up to a bound: each is a time series that Prometheus keeps.

mod application;
mod server;
mod stream;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;

use super::exposition::{Exposition, Family, Kind, Labels, TextFormat};
use super::{ChildReport, Document, FileReport, RelayReport, StreamReport};

/// Of what there are metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of how many streams; none of any but with their applications.
    pub streams: Option<usize>,
}

impl Document {
    /// The document as metrics.
    pub fn to_metrics(&self, scope: Scope, format: TextFormat) -> String {
        let mut exposition = Exposition::new(format);
        server::write(self, &mut exposition);
        let groups = self.groups();
        application::write(&groups, &mut exposition);
        if let Some(most) = scope.streams {
            let (streams, omitted) = chosen(&groups, most);
            stream::write(&streams, omitted, &mut exposition);
        }
        exposition.finish()
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
        let Self { report, .. } = self;
        for (number, server) in self.all_servers().into_iter().enumerate() {
            let server_labels = Labels::default().with("server", &number.to_string());
            for application in server {
                let id = application.id.0;
                let labels = server_labels.with("application", &application.name);
                let group = groups.entry((number, application.name.clone())).or_default();
                group.labels = labels;
                group.streams.extend(self.streams_of(&application));
                group.files.extend(self.files_of(&application));
                group.relays.extend(report.relays.iter().filter(|it| it.application == id));
                group.children.extend(report.children.iter().filter(|it| it.application == id));
            }
        }
        groups.into_values().collect()
    }
}

/// What applications of one server and one name have: of one, but for what older configurations have
/// left.
#[derive(Default)]
struct Group<'a> {
    labels: Labels,
    streams: Vec<&'a StreamReport>,
    files: Vec<&'a FileReport>,
    /// Besides those of the streams.
    relays: Vec<&'a RelayReport>,
    /// Besides those of the streams.
    children: Vec<&'a ChildReport>,
}

impl<'a> Group<'a> {
    fn published(&self) -> impl Iterator<Item = &'a StreamReport> {
        self.streams.iter().copied().filter(|stream| stream.publishing)
    }
}

/// The streams that have metrics, with their labels, and how many have none. Those have that have been
/// published for longest, so that series last as long as streams, and nobody takes another one's
/// place.
fn chosen<'a>(groups: &'a [Group<'_>], most: usize) -> (BTreeMap<Labels, &'a StreamReport>, usize) {
    let of_group = |group: &'a Group<'_>| group.published().map(|stream| (&group.labels, stream));
    let mut streams: Vec<_> = groups.iter().flat_map(of_group).collect();
    streams.sort_by_key(|(_, stream)| Reverse(stream.time));
    let labelled = streams.iter().take(most);
    let chosen: BTreeMap<_, _> =
        labelled.map(|(labels, stream)| (labels.with("stream", &stream.name), *stream)).collect();
    let omitted = streams.len() - chosen.len();
    (chosen, omitted)
}

/// Adds a gauge.
fn gauge<V: Display>(
    exposition: &mut Exposition,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels, V)>,
) {
    exposition.family(&Family { name, kind: Kind::Gauge, help }, samples);
}

/// Seconds.
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Bytes a second.
fn bytes(bits: u64) -> f64 {
    bits as f64 / 8.0
}

#[cfg(test)]
mod tests;
