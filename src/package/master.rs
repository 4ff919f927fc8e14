//! The master playlist of a stream that is published in several renditions (RFC 8216, 4.3.4).

use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

use super::HlsConfig;
use super::NameError;
use super::layout::Layout;
use super::name::percent_encode;

/// One of the renditions in which an application's streams are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What the rendition's name has after the stream's.
    pub suffix: String,
    /// Attributes of `#EXT-X-STREAM-INF`, as they are to be written.
    pub attributes: Vec<String>,
}

/// What is known of a rendition that is being published. Written as text, as [`FromStr`] reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendition {
    /// The highest rate of a segment, in bits a second.
    pub bandwidth: u64,
    /// The `CODECS` attribute, without its quotes; none if that is unknown.
    pub codecs: Option<String>,
    /// Width and height in pixels; none without video.
    pub resolution: Option<(u32, u32)>,
}

/// Where a rendition's master playlist is, and who is in it.
#[derive(Clone, Debug)]
pub(super) struct Master {
    /// The stream's name, without a rendition's suffix.
    stream: String,
    playlist: PathBuf,
    temporary: PathBuf,
    config: HlsConfig,
}

impl Master {
    /// The master playlist that the stream `name` is a rendition in, if its name says so.
    ///
    /// # Errors
    ///
    /// The name without the rendition's suffix is no safe file name.
    pub(super) fn new(config: &HlsConfig, name: &str) -> Result<Option<Self>, NameError> {
        let Some(stream) = config.source_of(name) else { return Ok(None) };
        let layout = Layout::flat(config, stream)?;
        Ok(Some(Self {
            stream: stream.to_owned(),
            playlist: layout.playlist(),
            // Renditions may be written by several processes.
            temporary: Layout::flat(config, &format!("{name}.master"))?.temporary_playlist(),
            config: config.clone(),
        }))
    }

    pub(super) fn playlist(&self) -> &PathBuf {
        &self.playlist
    }

    pub(super) fn temporary(&self) -> &PathBuf {
        &self.temporary
    }

    /// The names of all renditions, in the order of the configuration.
    pub(super) fn renditions(&self) -> impl Iterator<Item = String> {
        self.config.variants.iter().map(|variant| format!("{}{}", self.stream, variant.suffix))
    }

    /// The playlist of those renditions that are published, of which `renditions` tells in the order
    /// of the configuration.
    pub(super) fn text(&self, renditions: &[Option<Rendition>]) -> String {
        let mut text = "#EXTM3U\n#EXT-X-VERSION:3\n".to_owned();
        for (variant, rendition) in self.config.variants.iter().zip(renditions) {
            if let Some(rendition) = rendition {
                let attributes = variant.attributes(rendition).join(",");
                // Writing to a string cannot fail.
                let _ = writeln!(text, "#EXT-X-STREAM-INF:{attributes}\n{}", self.uri(variant));
            }
        }
        text
    }

    fn uri(&self, variant: &Variant) -> String {
        let HlsConfig { base_url, nested, index, .. } = &self.config;
        let name = format!("{}{}", self.stream, variant.suffix);
        // Relative to the master playlist, which is where the stream's directory is.
        let name = match base_url.is_empty() {
            true => name.rsplit('/').next().unwrap_or_default(),
            false => &name,
        };
        let name = percent_encode(name);
        match nested {
            true => format!("{base_url}{name}/{}.m3u8", percent_encode(index)),
            false => format!("{base_url}{name}.m3u8"),
        }
    }
}

impl HlsConfig {
    /// The name of the stream that the stream `name` is a rendition of, if its name says so.
    pub(super) fn source_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let sources = self.variants.iter().filter_map(|it| name.strip_suffix(it.suffix.as_str()));
        // That of the longest suffix.
        let source = sources.min_by_key(|source| source.len())?;
        (!source.is_empty() && !source.ends_with('/')).then_some(source)
    }
}

impl Variant {
    /// Those of the configuration, and those that it does not have.
    fn attributes(&self, rendition: &Rendition) -> Vec<String> {
        let known = [
            ("BANDWIDTH", Some(rendition.bandwidth.to_string())),
            ("CODECS", rendition.codecs.as_ref().map(|codecs| format!("\"{codecs}\""))),
            ("RESOLUTION", rendition.resolution.map(|(width, height)| format!("{width}x{height}"))),
        ];
        let is_set = |name: &str| {
            let names = self.attributes.iter().filter_map(|it| it.split_once('='));
            names.map(|(name, _)| name.trim()).any(|it| it == name)
        };
        let added = known.into_iter().filter(|(name, _)| !is_set(name));
        let added = added.filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        self.attributes.iter().cloned().chain(added).collect()
    }
}

impl std::fmt::Display for Rendition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (width, height) = self.resolution.unwrap_or_default();
        let codecs = self.codecs.as_deref().unwrap_or_default();
        write!(f, "{} {width} {height} {codecs}", self.bandwidth)
    }
}

/// Text that is no rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a rendition")]
pub struct NotRendition;

impl FromStr for Rendition {
    type Err = NotRendition;

    fn from_str(text: &str) -> Result<Self, NotRendition> {
        let mut words = text.splitn(4, ' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let numbers = (number(), number(), number());
        let (Some(bandwidth), Some(width), Some(height)) = numbers else {
            return Err(NotRendition);
        };
        let size = [width, height].map(|it| u32::try_from(it).ok().filter(|&it| it > 0));
        let codecs = words.next().filter(|it| !it.is_empty()).map(str::to_owned);
        Ok(Self { bandwidth, codecs, resolution: size[0].zip(size[1]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(suffix: &str, attributes: &[&str]) -> Variant {
        let attributes = attributes.iter().map(|&it| it.to_owned()).collect();
        Variant { suffix: suffix.to_owned(), attributes }
    }

    fn config(nested: bool) -> HlsConfig {
        HlsConfig {
            nested,
            variants: vec![
                variant("_low", &["BANDWIDTH=640000"]),
                variant("_very_low", &[]),
                variant("_hi", &["BANDWIDTH=2140000", "RESOLUTION=1x1", "NAME=\"a,b\""]),
            ],
            ..HlsConfig::new("/hls")
        }
    }

    fn rendition() -> Rendition {
        let codecs = Some("avc1.64001f,mp4a.40.2".to_owned());
        Rendition { bandwidth: 1234, codecs, resolution: Some((1280, 720)) }
    }

    #[test]
    fn live_renditions_are_listed_with_what_is_known_of_them() {
        let master = Master::new(&config(true), "news/a cam_low").unwrap().unwrap();
        assert_eq!(master.playlist(), &PathBuf::from("/hls/news/a cam.m3u8"));
        assert_eq!(master.temporary(), &PathBuf::from("/hls/news/a cam_low.master.m3u8.tmp"));
        assert_eq!(
            master.renditions().collect::<Vec<_>>(),
            ["news/a cam_low", "news/a cam_very_low", "news/a cam_hi"]
        );
        let low = Rendition { codecs: None, resolution: None, ..rendition() };
        assert_eq!(
            master.text(&[Some(low), None, Some(rendition())]),
            "#EXTM3U\n#EXT-X-VERSION:3\n\
             #EXT-X-STREAM-INF:BANDWIDTH=640000\na%20cam_low/index.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2140000,RESOLUTION=1x1,NAME=\"a,b\",\
             CODECS=\"avc1.64001f,mp4a.40.2\"\na%20cam_hi/index.m3u8\n"
        );
    }

    #[test]
    fn the_longest_suffix_counts_and_other_streams_have_no_master() {
        let master = Master::new(&config(false), "cam_very_low").unwrap().unwrap();
        assert_eq!(master.playlist(), &PathBuf::from("/hls/cam.m3u8"));
        assert_eq!(
            master.text(&[None, Some(rendition()), None]),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=1234,\
             CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720\ncam_very_low.m3u8\n"
        );
        for name in ["cam", "_low", "cams/_low"] {
            assert!(Master::new(&config(false), name).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn renditions_are_text_and_back() {
        let all = [rendition(), Rendition::default(), Rendition { codecs: None, ..rendition() }];
        for rendition in all {
            assert_eq!(rendition.to_string().parse(), Ok(rendition));
        }
        for text in ["", "1 2", "x 1 2 c", "-1 1 1 c"] {
            assert_eq!(text.parse::<Rendition>(), Err(NotRendition), "{text}");
        }
    }
}
