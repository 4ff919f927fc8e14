//! Which stream a file is of: [`Layout`](super::layout::Layout) the other way round.

use super::HlsConfig;

impl HlsConfig {
    /// The names of the streams that the playlist or segment `file` is of, a path below
    /// [`path`](Self::path): one, and the one that it is a rendition of. Those of another's files are
    /// nobody's.
    pub fn streams_of<'a>(&self, file: &'a str) -> impl Iterator<Item = &'a str> {
        let stream = self.stream_of(file);
        stream.into_iter().chain(stream.and_then(|name| self.source_of(name)))
    }

    fn stream_of<'a>(&self, file: &'a str) -> Option<&'a str> {
        if self.nested
            && let Some((directory, leaf)) = file.rsplit_once('/')
            && (is_number(leaf.strip_suffix(".ts"))
                || leaf.strip_suffix(".m3u8") == Some(&self.index))
        {
            return Some(directory);
        }
        // Beside nested streams there are master playlists.
        match file.strip_suffix(".m3u8") {
            Some(name) => (!self.nested || !self.variants.is_empty()).then_some(name),
            None if self.nested => None,
            None => {
                let (name, number) = file.strip_suffix(".ts")?.rsplit_once('-')?;
                is_number(Some(number)).then_some(name)
            }
        }
    }
}

fn is_number(text: Option<&str>) -> bool {
    text.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::layout::Layout;
    use super::super::master::Variant;
    use super::*;

    fn config(nested: bool, variants: &[&str]) -> HlsConfig {
        let variants = variants.iter().map(|&suffix| suffix.to_owned());
        let variants = variants.map(|suffix| Variant { suffix, attributes: Vec::new() }).collect();
        HlsConfig { nested, variants, ..HlsConfig::new("/hls") }
    }

    fn streams(config: &HlsConfig, file: &Path) -> Vec<String> {
        let below = file.strip_prefix("/hls").unwrap_or(file);
        config.streams_of(below.to_str().unwrap()).map(str::to_owned).collect()
    }

    #[test]
    fn the_files_of_a_stream_are_its_own() {
        for config in [config(false, &[]), config(true, &[])] {
            for name in ["cam", "a-7", "a b/c?é%20#", "index", ".m3u8", "7"] {
                let layout = Layout::new(&config, name).unwrap();
                for file in [layout.playlist(), layout.segment(1_700_000_000), layout.segment(0)] {
                    assert_eq!(streams(&config, &file), [name], "{file:?}");
                }
                for file in [layout.temporary_playlist(), layout.temporary_segment(1)] {
                    assert!(streams(&config, &file).is_empty(), "{file:?}");
                }
            }
        }
    }

    #[test]
    fn who_watches_a_rendition_watches_its_source() {
        for nested in [false, true] {
            let config = config(nested, &["_low", "_very_low"]);
            for (name, source) in [("cam_low", "cam"), ("cam_very_low", "cam")] {
                let layout = Layout::new(&config, name).unwrap();
                for file in [layout.playlist(), layout.segment(7)] {
                    assert_eq!(streams(&config, &file), [name, source]);
                }
            }
            assert_eq!(streams(&config, Path::new("cam.m3u8")), ["cam"]);
        }
    }

    #[test]
    fn other_files_are_of_no_stream() {
        for file in ["cam.ts", "cam-.ts", "cam-x.ts", "cam-1.mp4", "cam", "", "ts", "-1.ts/"] {
            assert!(streams(&config(false, &[]), Path::new(file)).is_empty(), "{file}");
        }
        for file in ["cam.m3u8", "cam/other.m3u8", "1.ts", "cam-1.ts", "cam/-1.ts", "cam/.ts"] {
            assert!(streams(&config(true, &[]), Path::new(file)).is_empty(), "{file}");
        }
    }
}
