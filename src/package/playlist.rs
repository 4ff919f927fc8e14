//! The media playlist of a live stream (RFC 8216, 4).

use std::collections::VecDeque;
use std::fmt;

use ::time::OffsetDateTime;

use crate::time::{Ticks, UnixMillis};

/// Discontinuity sequences start below this: hls.js keeps an array with as many places, and hangs
/// when they are the seconds since 1970.
const MAX_FIRST_DISCONTINUITY: u64 = 1 << 16;

/// A segment as a playlist tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its address relative to the playlist, percent-encoded.
    pub uri: String,
    /// How long it lasts.
    pub duration: Ticks,
    /// The wall-clock time of its first access unit.
    pub date_time: UnixMillis,
    /// Its tracks or its timestamps do not go on from the segment before it.
    pub discontinuity: bool,
    /// It can be decoded without the segment before it.
    pub independent: bool,
}

/// A window over the last segments of a stream; its [`Display`](fmt::Display) is the playlist.
#[derive(Clone, Debug)]
pub struct Playlist {
    segments: VecDeque<Segment>,
    /// What the segments in the window last at least, once there are enough.
    window: Ticks,
    /// The most segments in the window. It takes many discontinuities to have so many.
    capacity: usize,
    /// Whole seconds. Never less than a segment's duration rounded, and never made smaller
    /// (4.3.3.1).
    target_duration: i64,
    media_sequence: u64,
    discontinuity_sequence: u64,
    independent: bool,
    ended: bool,
}

impl Playlist {
    /// An empty playlist that is to span `window`, of segments that are to last `fragment`. Its
    /// media sequence starts at `sequence`, and so, in short, does its discontinuity sequence.
    pub fn new(fragment: Ticks, window: Ticks, sequence: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            window,
            capacity: capacity(fragment, window),
            target_duration: ((fragment.0 + Ticks::PER_SECOND - 1) / Ticks::PER_SECOND).max(1),
            media_sequence: sequence,
            discontinuity_sequence: sequence % MAX_FIRST_DISCONTINUITY,
            independent: true,
            ended: false,
        }
    }

    /// The media sequence number of the segment that is pushed next.
    pub fn next_sequence(&self) -> u64 {
        self.media_sequence.saturating_add(self.segments.len() as u64)
    }

    /// The newest segment, if there is one, and its media sequence number.
    pub fn last(&self) -> Option<(u64, &Segment)> {
        let last = self.segments.back()?;
        Some((self.next_sequence() - 1, last))
    }

    /// Whether no segment was pushed.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Appends a segment, and lets those slide out that the window can do without.
    pub fn push(&mut self, segment: Segment) {
        self.target_duration = self.target_duration.max(rounded_seconds(segment.duration));
        self.independent &= segment.independent;
        self.segments.push_back(segment);
        self.slide();
    }

    /// Takes back the last segments, those whose sequence numbers `is_lost` says so of. No playlist
    /// that names them may have been published.
    pub fn retract(&mut self, is_lost: impl Fn(u64) -> bool) {
        while !self.segments.is_empty() && is_lost(self.next_sequence() - 1) {
            self.segments.pop_back();
        }
    }

    /// Says that no segment follows.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Players need three target durations of segments to play on (6.2.2).
    fn slide(&mut self) {
        let window = self.window.0.max(3 * self.target_duration * Ticks::PER_SECOND);
        let mut lasting: i64 = self.segments.iter().map(|segment| segment.duration.0).sum();
        while let Some(first) = self.segments.pop_front() {
            lasting -= first.duration.0;
            if lasting < window && self.segments.len() < self.capacity {
                self.segments.push_front(first);
                break;
            }
            self.media_sequence += 1;
            self.discontinuity_sequence += u64::from(first.discontinuity);
        }
    }
}

impl fmt::Display for Playlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U")?;
        writeln!(f, "#EXT-X-VERSION:3")?;
        if self.independent {
            writeln!(f, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        writeln!(f, "#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        for segment in &self.segments {
            write!(f, "{segment}")?;
        }
        if self.ended {
            writeln!(f, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.discontinuity {
            writeln!(f, "#EXT-X-DISCONTINUITY")?;
        }
        writeln!(f, "#EXT-X-PROGRAM-DATE-TIME:{}", DateTime(self.date_time))?;
        // Microseconds, because a tick of the 90 kHz clock is no whole number of milliseconds and
        // players add durations up.
        writeln!(f, "#EXTINF:{:.6},", self.duration.seconds_since(Ticks::default()))?;
        writeln!(f, "{}", self.uri)
    }
}

/// ISO/IEC 8601 in UTC, to the millisecond.
struct DateTime(UnixMillis);

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.0 / 1000).unwrap_or(i64::MAX);
        let time =
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        write!(
            f,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            u8::from(month),
            self.0.0 % 1000
        )
    }
}

/// Twice as many segments as the window needs, and some more.
fn capacity(fragment: Ticks, window: Ticks) -> usize {
    usize::try_from(2 * window.0 / fragment.0.max(1)).unwrap_or(usize::MAX).saturating_add(16)
}

/// Rounded as a player rounds it to compare it with the target duration.
const fn rounded_seconds(duration: Ticks) -> i64 {
    (duration.0 + Ticks::PER_SECOND / 2) / Ticks::PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000;

    fn playlist() -> Playlist {
        Playlist::new(Ticks::from_millis(2000), Ticks::from_millis(6000), START)
    }

    /// The segments of `durations` in milliseconds, in order.
    fn push_all(playlist: &mut Playlist, durations: &[i64]) {
        for duration in durations {
            let date_time = playlist.segments.back().map_or(UnixMillis(START * 1000), |last| {
                UnixMillis(last.date_time.0 + last.duration.as_millis() as u64)
            });
            playlist.push(Segment {
                uri: format!("{}.ts", playlist.next_sequence()),
                duration: Ticks::from_millis(*duration),
                date_time,
                discontinuity: false,
                independent: true,
            });
        }
    }

    #[test]
    fn a_live_playlist() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2000, 1960]);
        assert_eq!(
            playlist.to_string(),
            "#EXTM3U\n\
             #EXT-X-VERSION:3\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-TARGETDURATION:2\n\
             #EXT-X-MEDIA-SEQUENCE:1700000000\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:61696\n\
             #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n\
             #EXTINF:2.000000,\n\
             1700000000.ts\n\
             #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z\n\
             #EXTINF:1.960000,\n\
             1700000001.ts\n"
        );
    }

    #[test]
    fn an_ended_playlist_with_a_discontinuity() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2000]);
        playlist.push(Segment {
            uri: "b%20c-1700000001.ts".into(),
            duration: Ticks(100_001),
            date_time: UnixMillis(START * 1000 + 59_007),
            discontinuity: true,
            independent: false,
        });
        playlist.end();
        assert_eq!(
            playlist.to_string(),
            "#EXTM3U\n\
             #EXT-X-VERSION:3\n\
             #EXT-X-TARGETDURATION:2\n\
             #EXT-X-MEDIA-SEQUENCE:1700000000\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:61696\n\
             #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n\
             #EXTINF:2.000000,\n\
             1700000000.ts\n\
             #EXT-X-DISCONTINUITY\n\
             #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:19.007Z\n\
             #EXTINF:1.111122,\n\
             b%20c-1700000001.ts\n\
             #EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn the_window_slides_while_the_rest_fills_it() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2000, 2000, 2000]);
        assert_eq!((playlist.media_sequence, playlist.segments.len()), (START, 3));
        push_all(&mut playlist, &[1999]);
        assert_eq!((playlist.media_sequence, playlist.segments.len()), (START, 4));
        push_all(&mut playlist, &[2000]);
        assert_eq!((playlist.media_sequence, playlist.segments.len()), (START + 1, 4));
    }

    #[test]
    fn long_segments_keep_three_target_durations() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[10_000, 10_000, 10_000, 10_000]);
        assert_eq!(playlist.target_duration, 10);
        assert_eq!((playlist.media_sequence, playlist.segments.len()), (START + 1, 3));
    }

    #[test]
    fn many_short_segments_do_not_fill_the_window() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[1; 100]);
        assert_eq!((playlist.media_sequence, playlist.segments.len()), (START + 78, 22));
    }

    #[test]
    fn the_target_duration_is_rounded_and_only_grows() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2499]);
        assert_eq!(playlist.target_duration, 2);
        push_all(&mut playlist, &[2500]);
        assert_eq!(playlist.target_duration, 3);
        push_all(&mut playlist, &[1000; 20]);
        assert_eq!(playlist.target_duration, 3);
    }

    #[test]
    fn discontinuities_are_counted_as_they_slide_out() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2000, 2000, 2000]);
        playlist.segments[1].discontinuity = true;
        push_all(&mut playlist, &[2000]);
        assert_eq!(playlist.discontinuity_sequence, START % MAX_FIRST_DISCONTINUITY);
        push_all(&mut playlist, &[2000]);
        assert_eq!(playlist.discontinuity_sequence, START % MAX_FIRST_DISCONTINUITY + 1);
        assert!(!playlist.to_string().contains("#EXT-X-DISCONTINUITY\n"));
    }

    #[test]
    fn lost_segments_give_their_numbers_back() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2000, 2000, 2000, 2000]);
        playlist.retract(|sequence| sequence == START || sequence >= START + 2);
        assert_eq!((playlist.segments.len(), playlist.next_sequence()), (1, START + 2));
        playlist.retract(|_| true);
        assert!(playlist.is_empty());
    }

    #[test]
    fn independence_is_withdrawn_for_good() {
        let mut playlist = playlist();
        push_all(&mut playlist, &[2000]);
        playlist.segments[0].independent = false;
        let dependent = playlist.segments[0].clone();
        playlist.push(dependent);
        push_all(&mut playlist, &[2000; 20]);
        assert!(!playlist.to_string().contains("INDEPENDENT"));
    }
}
