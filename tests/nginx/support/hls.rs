//! HLS over HTTP: playlists read as a player reads them.

use reqwest::blocking::Client;

use super::wait_for;

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playlist {
    pub version: u32,
    pub media_sequence: u64,
    pub target_duration: f64,
    pub has_ended: bool,
    pub segments: Vec<Segment>,
}

/// A segment of a playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    pub uri: String,
    /// Seconds.
    pub duration: f64,
    /// The text of `EXT-X-PROGRAM-DATE-TIME`, if given.
    pub date_time: Option<String>,
    pub is_discontinuous: bool,
}

impl Playlist {
    /// Reads the text of a playlist; panics at what RFC 8216 forbids.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut playlist = Self::default();
        let mut segment = Segment::default();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"), "in\n{text}");
        for line in lines.filter(|line| !line.is_empty()) {
            match line.split_once(':').unwrap_or((line, "")) {
                ("#EXT-X-VERSION", value) => playlist.version = value.parse().unwrap(),
                ("#EXT-X-MEDIA-SEQUENCE", value) => {
                    playlist.media_sequence = value.parse().unwrap();
                }
                ("#EXT-X-TARGETDURATION", value) => {
                    playlist.target_duration = f64::from(value.parse::<u32>().unwrap());
                }
                ("#EXT-X-ENDLIST", _) => playlist.has_ended = true,
                ("#EXT-X-DISCONTINUITY", _) => segment.is_discontinuous = true,
                ("#EXT-X-PROGRAM-DATE-TIME", value) => segment.date_time = Some(value.to_owned()),
                ("#EXTINF", value) => {
                    let (seconds, _title) = value.split_once(',').expect("EXTINF ends in a comma");
                    segment.duration = seconds.parse().unwrap();
                }
                _ if line.starts_with('#') => {}
                _ => {
                    segment.uri = line.to_owned();
                    playlist.segments.push(std::mem::take(&mut segment));
                }
            }
        }
        playlist
    }

    /// The sum of the segments' durations in seconds.
    pub fn duration(&self) -> f64 {
        self.segments.iter().map(|segment| segment.duration).sum()
    }

    /// The media sequence number of the last segment.
    pub fn last_sequence(&self) -> u64 {
        self.media_sequence + self.segments.len() as u64 - 1
    }
}

/// Gets the body at `url`; `None` unless it is there.
pub fn get(url: &str) -> Option<Vec<u8>> {
    let answer = Client::new().get(url).send().expect("an answer over HTTP");
    answer.status().is_success().then(|| answer.bytes().expect("a whole body").to_vec())
}

/// Gets the playlist at `url`; `None` as long as there is none.
#[track_caller]
pub fn playlist(url: &str) -> Option<Playlist> {
    get(url).map(|body| Playlist::parse(&String::from_utf8(body).expect("UTF-8")))
}

/// Waits until the playlist at `url` is as `enough` wants it.
#[track_caller]
pub fn wait_playlist(what: &str, url: &str, enough: impl Fn(&Playlist) -> bool) -> Playlist {
    wait_for(&format!("{what} in {url}"), || playlist(url).filter(|list| enough(list)))
}
