//! Directives of HLS.

use std::path::PathBuf;
use std::time::Duration;

use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter, set_once};
use super::{Block, settings};
use crate::nginx::hls_cleanup::Directories;
use crate::package::{HlsConfig, Variant};

settings! {
    /// Settings of HLS.
    HlsSettings {
        hls: bool,
        path: PathBuf,
        fragment: Duration,
        max_fragment: Duration,
        playlist_length: Duration,
        nested: bool,
        index: String,
        base_url: String,
        cleanup: bool,
        variants: Vec<Variant>,
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
    Directive::new(c"hls_max_fragment", EVERYWHERE, Setter::Time(|s| &mut s.hls.max_fragment)),
    Directive::new(c"hls_base_url", EVERYWHERE, Setter::Argument(set_base_url)),
    Directive::new(c"hls_nested_index_filename", EVERYWHERE, Setter::Argument(set_index)),
    Directive::new(
        c"hls_continuous",
        EVERYWHERE,
        Setter::Unused("segments are numbered by the time, so numbers always go on"),
    ),
    Directive::new(c"hls_muxdelay", EVERYWHERE, Setter::Unused("segments have no such delay")),
    Directive::new(
        c"hls_sync",
        EVERYWHERE,
        Setter::Unused("the timestamps of sound follow from its samples"),
    ),
    Directive::new(
        c"hls_max_audio_delay",
        EVERYWHERE,
        Setter::Unused("sound is written as it comes"),
    ),
    Directive::new(
        c"hls_audio_buffer_size",
        EVERYWHERE,
        Setter::Unused("sound is written as it comes"),
    ),
    Directive::new(c"hls_nested", EVERYWHERE, Setter::Flag(|s| &mut s.hls.nested)),
    Directive::new(c"hls_cleanup", EVERYWHERE, Setter::Flag(|s| &mut s.hls.cleanup)),
    Directive::new(c"hls_variant", EVERYWHERE, Setter::Arguments(set_variant)),
];

fn set_base_url(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let url = conf.text(1)?.to_owned();
    if url.contains(|char: char| char.is_control() || char.is_whitespace()) {
        return Err(format!("has the invalid URL \"{url}\"").into());
    }
    set_once(&mut block.settings.hls.base_url, url)
}

fn set_index(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let name = conf.text(1)?.to_owned();
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(format!("has the invalid file name \"{name}\"").into());
    }
    set_once(&mut block.settings.hls.index, name)
}

/// `hls_variant SUFFIX [ATTRIBUTE...]`.
fn set_variant(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let suffix = conf.text(1)?.to_owned();
    if suffix.is_empty() || suffix.contains(['/', '\0']) {
        return Err(format!("has the invalid suffix \"{suffix}\", it ends names of streams").into());
    }
    let variants = block.settings.hls.variants.get_or_insert_default();
    if variants.iter().any(|variant| variant.suffix == suffix) {
        return Err(format!("has the suffix \"{suffix}\" a second time").into());
    }
    let attributes = (2..conf.args().len()).map(|index| attribute(conf.text(index)?));
    let attributes = attributes.collect::<Result<_, _>>()?;
    variants.push(Variant { suffix, attributes });
    Ok(())
}

/// An attribute of `#EXT-X-STREAM-INF`, which is written as it is.
fn attribute(text: &str) -> Result<String, Failure> {
    let is_one = text.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if !is_one || text.contains(char::is_control) {
        let right = "it must be like BANDWIDTH=640000";
        return Err(format!("has the invalid attribute \"{text}\", {right}").into());
    }
    Ok(text.to_owned())
}

impl HlsSettings {
    /// The packager's settings, if HLS is on and has a path.
    pub(super) fn config(&self) -> Option<HlsConfig> {
        let path = self.path.clone().filter(|_| self.hls == Some(true))?;
        let default = HlsConfig::new(path);
        let fragment = self.fragment.unwrap_or(default.fragment);
        Some(HlsConfig {
            fragment,
            max_fragment: self.max_fragment.unwrap_or(fragment * 10),
            playlist_length: self.playlist_length.unwrap_or(default.playlist_length),
            nested: self.nested.unwrap_or(default.nested),
            index: self.index.clone().unwrap_or(default.index),
            base_url: self.base_url.clone().unwrap_or(default.base_url),
            variants: self.variants.clone().unwrap_or_default(),
            path: default.path,
        })
    }

    /// Notes the directory that must exist, and what to remove from it.
    pub(super) fn register(&self, directories: &mut Directories) {
        if let Some(config) = self.config() {
            let cleanup = self.cleanup.unwrap_or(true).then_some(config.playlist_length);
            directories.add(config.path, cleanup);
        }
    }
}
