//! Directives of HLS.

use std::path::PathBuf;
use std::time::Duration;

use super::directive::{Directive, EVERYWHERE, Setter};
use super::settings;
use crate::nginx::hls_cleanup::Directories;
use crate::package::HlsConfig;

settings! {
    /// Settings of HLS.
    HlsSettings {
        hls: bool,
        path: PathBuf,
        fragment: Duration,
        playlist_length: Duration,
        nested: bool,
        cleanup: bool,
    }
}

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"hls", EVERYWHERE, Setter::Flag(|s| &mut s.hls.hls)),
    Directive::new(c"hls_path", EVERYWHERE, Setter::Path(|s| &mut s.hls.path)),
    Directive::new(c"hls_fragment", EVERYWHERE, Setter::Time(|s| &mut s.hls.fragment)),
    Directive::new(
        c"hls_playlist_length",
        EVERYWHERE,
        Setter::Time(|s| &mut s.hls.playlist_length),
    ),
    Directive::new(c"hls_nested", EVERYWHERE, Setter::Flag(|s| &mut s.hls.nested)),
    Directive::new(c"hls_cleanup", EVERYWHERE, Setter::Flag(|s| &mut s.hls.cleanup)),
];

impl HlsSettings {
    /// The packager's settings, if HLS is on and has a path.
    pub(super) fn config(&self) -> Option<HlsConfig> {
        let path = self.path.clone().filter(|_| self.hls == Some(true))?;
        let fragment = self.fragment.unwrap_or(Duration::from_secs(5));
        Some(HlsConfig {
            path,
            fragment,
            max_fragment: fragment * 10,
            playlist_length: self.playlist_length(),
            nested: self.nested.unwrap_or(false),
        })
    }

    /// Notes the directory that must exist, and what to remove from it.
    pub(super) fn register(&self, directories: &mut Directories) {
        if let Some(config) = self.config() {
            let cleanup = self.cleanup.unwrap_or(true).then_some(config.playlist_length);
            directories.add(config.path, cleanup);
        }
    }

    fn playlist_length(&self) -> Duration {
        self.playlist_length.unwrap_or(Duration::from_secs(30))
    }
}
