//! The viewers that streams have by HLS. Their requests come to whichever worker, so what each has
//! seen is put together.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Report;
use crate::live::StreamKey;
use crate::viewers::Sample;

/// Who watches a stream by HLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AudienceReport {
    /// The stream's application, as all workers know it.
    pub application: u64,
    /// The stream's name.
    pub name: String,
    /// Those who watch it.
    pub viewers: Sample,
}

impl From<(&StreamKey, Sample)> for AudienceReport {
    fn from((stream, viewers): (&StreamKey, Sample)) -> Self {
        Self { application: stream.application.0, name: stream.name.clone(), viewers }
    }
}

impl AudienceReport {
    fn key(&self) -> (u64, &str) {
        (self.application, &self.name)
    }
}

impl Report {
    /// Adds the viewers that a worker has seen.
    pub(super) fn merge_audiences(&mut self, others: Vec<AudienceReport>) {
        let known = self.audiences.iter().enumerate();
        let known: HashMap<_, _> =
            known.map(|(index, it)| ((it.application, it.name.clone()), index)).collect();
        for other in others {
            match known.get(&(other.application, other.name.clone())) {
                Some(&index) => self.audiences[index].viewers.merge(other.viewers),
                None => self.audiences.push(other),
            }
        }
    }

    /// Tells each stream how many watch it by HLS. What is no stream any more has no viewers.
    pub(super) fn count_viewers(&mut self) {
        let audiences: HashMap<_, _> =
            self.audiences.iter().map(|it| (it.key(), it.viewers.count())).collect();
        for stream in &mut self.streams {
            let count = audiences.get(&(stream.application, stream.name.as_str()));
            stream.hls_viewers = count.copied().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};
    use std::time::Duration;

    use super::super::StreamReport;
    use super::*;
    use crate::live::ApplicationId;
    use crate::time::Instant;
    use crate::viewers::{ViewerId, Viewers, Watched};

    fn report(streams: &[&str], watched: &[(&str, u64)]) -> Report {
        let mut viewers = Viewers::new();
        let now = Instant::from_millis(0);
        let keys = BuildHasherDefault::<DefaultHasher>::default();
        for (name, viewer) in watched {
            let stream = StreamKey { application: ApplicationId(1), name: (*name).to_owned() };
            let watched = Watched { stream, lasts: Duration::from_secs(10) };
            viewers.see(now, watched, ViewerId::new(&keys, &viewer.to_be_bytes()));
        }
        let stream = |name: &&str| StreamReport {
            application: 1,
            name: (*name).to_owned(),
            ..StreamReport::default()
        };
        Report {
            streams: streams.iter().map(stream).collect(),
            audiences: viewers.audiences(now).map(AudienceReport::from).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn viewers_of_several_workers_are_counted_once_where_the_stream_is() {
        let one = report(&["cam"], &[("cam", 1), ("cam", 2), ("gone", 1)]);
        assert_eq!(Report::merge([one.clone()]).streams[0].hls_viewers, 2);
        let other = report(&["quiet"], &[("cam", 2), ("cam", 3)]);
        for reports in [[one.clone(), other.clone()], [other, one]] {
            let merged = Report::merge(reports);
            let mut counts: Vec<_> =
                merged.streams.iter().map(|it| (it.name.as_str(), it.hls_viewers)).collect();
            counts.sort_unstable();
            assert_eq!(counts, [("cam", 3), ("quiet", 0)]);
        }
    }
}
