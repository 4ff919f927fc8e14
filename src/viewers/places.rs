//! Where applications have the files of their streams.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::live::{ApplicationId, StreamKey};
use crate::package::HlsConfig;

/// The directories of all applications with HLS; several may share one.
#[derive(Debug, Default)]
pub struct Places(HashMap<PathBuf, Vec<(ApplicationId, Arc<HlsConfig>)>>);

/// A stream that a file is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The stream.
    pub stream: StreamKey,
    /// How long who has got the file is one of its viewers.
    pub lasts: Duration,
}

impl Places {
    /// An application has its files in `directory`, as `hls` says but for the path in it.
    pub fn add(&mut self, directory: PathBuf, application: ApplicationId, hls: &Arc<HlsConfig>) {
        self.0.entry(directory).or_default().push((application, Arc::clone(hls)));
    }

    /// Whether no application has any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The streams that the file at `file` is of, if it is a playlist or a segment: one, and the one
    /// that it is a rendition of, of each application that has its files there.
    pub fn streams_of(&self, file: &Path) -> Vec<Watched> {
        let mut watched = Vec::new();
        for directory in file.ancestors().skip(1) {
            let Some(applications) = self.0.get(directory) else { continue };
            let below = file.strip_prefix(directory).ok().and_then(Path::to_str);
            for (application, hls) in applications {
                let streams = below.into_iter().flat_map(|file| hls.streams_of(file));
                watched.extend(streams.map(|name| Watched {
                    stream: StreamKey { application: *application, name: name.to_owned() },
                    lasts: super::lasts(hls.fragment, hls.playlist_length),
                }));
            }
        }
        watched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Variant;

    fn places() -> Places {
        let hls = |nested| HlsConfig { nested, ..HlsConfig::new("") };
        let variants = vec![Variant { suffix: "_low".into(), attributes: Vec::new() }];
        let mut places = Places::default();
        for (number, directory, hls) in [
            (1, "/var//hls/", hls(false)),
            (2, "/var/hls", hls(false)),
            (3, "/var/nested", hls(true)),
            (4, "/var/variant", HlsConfig { variants, ..hls(false) }),
        ] {
            places.add(directory.into(), ApplicationId(number), &Arc::new(hls));
        }
        places
    }

    #[track_caller]
    fn check(file: &str, streams: &[(u64, &str)]) {
        let found = places().streams_of(file.as_ref());
        let found: Vec<_> =
            found.iter().map(|it| (it.stream.application.0, it.stream.name.as_str())).collect();
        assert_eq!(found, streams, "{file}");
    }

    #[test]
    fn files_are_found_in_the_directories_of_applications() {
        check("/var/hls/cam.m3u8", &[(1, "cam"), (2, "cam")]);
        check("/var//hls/./cam.m3u8", &[(1, "cam"), (2, "cam")]);
        check("/var/hls/a b/é?%20.m3u8", &[(1, "a b/é?%20"), (2, "a b/é?%20")]);
        check("/var/nested/cam/index.m3u8", &[(3, "cam")]);
        check("/var/variant/cam_low-17.ts", &[(4, "cam_low"), (4, "cam")]);
        for file in ["/var/hls", "/var/hlscam.m3u8", "/cam.m3u8", "", "/", "cam.m3u8"] {
            check(file, &[]);
        }
    }
}
