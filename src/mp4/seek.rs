//! Seeking: to a sync sample of the leading track, the video's if there is one, and with the other
//! track to where that is then.

use super::Result;
use super::fragment::Runs;
use super::reader::{LEADER, Mp4Reader};
use super::sample_table::Search;
use crate::file_view::FileView;

/// A search for a place to go on from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seek {
    target: u32,
    stage: Stage,
}

/// ```text
/// a movie in one piece:   Search -> Arrived -> Search (the other track) -> Arrived
/// a fragmented one:       Rewind -> Scan -> Skip -> Align
/// ```
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// A track's tables are searched for a time.
    Search { track: usize, search: Option<Search>, time: u32 },
    /// A track is where it is to go on from.
    Arrived { track: usize, time: u32 },
    /// Everything begins again.
    Rewind,
    /// The leader's samples are gone through: the one before the next, and the best so far.
    Scan { last: Option<Place>, best: Option<Place> },
    /// The leader goes past so many samples.
    Skip { left: u32 },
    /// The other track catches up with this time.
    Align { time: u32 },
}

/// A sample, by its fragment and how many of its track come before it in that.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// None of a sample that the movie box has.
    fragment: Option<u64>,
    number: u32,
}

impl Seek {
    /// Searches for the last sync sample that is not after `target`, in milliseconds.
    pub(super) const fn new(target: u32, is_fragmented: bool) -> Self {
        let stage = match is_fragmented {
            true => Stage::Rewind,
            false => Stage::Search { track: LEADER, search: None, time: target },
        };
        Self { target, stage }
    }

    /// Goes there; gives its time.
    pub(super) fn run(&mut self, view: &mut FileView, reader: &mut Mp4Reader) -> Result<u32> {
        loop {
            match self.stage {
                Stage::Search { track, time, .. } if track == reader.tracks.len() => {
                    return Ok(time);
                }
                Stage::Search { track, search, time } => {
                    let it = &mut reader.tracks[track];
                    let mut search = search.unwrap_or_else(|| Search::new(it.time_at(time)));
                    let found = search.run(view, &it.info.table);
                    self.stage = Stage::Search { track, search: Some(search), time };
                    it.restart(found?);
                    self.stage = Stage::Arrived { track, time };
                }
                Stage::Arrived { track, time } => {
                    let next = reader.tracks[track].peek(view)?;
                    let time = next.filter(|_| track == LEADER).map_or(time, |next| next.time);
                    self.stage = Stage::Search { track: track + 1, search: None, time };
                }
                Stage::Rewind => {
                    reader.begin_at(None);
                    self.stage = Stage::Scan { last: None, best: None };
                }
                Stage::Scan { last, best } => self.scan(view, reader, last, best)?,
                Stage::Skip { left } => self.skip(view, reader, left)?,
                Stage::Align { time } => return align(view, reader, time),
            }
        }
    }

    /// Goes past the leader's next sample.
    fn scan(
        &mut self,
        view: &mut FileView,
        reader: &mut Mp4Reader,
        last: Option<Place>,
        best: Option<Place>,
    ) -> Result<()> {
        let next = reader.peek(view, LEADER)?.filter(|next| next.time <= self.target);
        let Some(next) = next else {
            reader.begin_at(best.and_then(|place| place.fragment));
            self.stage = Stage::Skip { left: best.map_or(0, |place| place.number) };
            return Ok(());
        };
        let number = match last {
            Some(last) if last.fragment == next.fragment => last.number + 1,
            _ => 0,
        };
        let place = Some(Place { fragment: next.fragment, number });
        for track in &mut reader.tracks[LEADER + 1..] {
            track.runs = Runs::default();
        }
        reader.tracks[LEADER].advance();
        let best = if next.sample.is_sync { place } else { best };
        self.stage = Stage::Scan { last: place, best };
        Ok(())
    }

    fn skip(&mut self, view: &mut FileView, reader: &mut Mp4Reader, left: u32) -> Result<()> {
        let next = reader.peek(view, LEADER)?;
        if left == 0 {
            self.stage = Stage::Align { time: next.map_or(self.target, |next| next.time) };
        } else {
            reader.tracks[LEADER].advance();
            self.stage = Stage::Skip { left: left - 1 };
        }
        Ok(())
    }
}

fn align(view: &mut FileView, reader: &mut Mp4Reader, time: u32) -> Result<u32> {
    for track in LEADER + 1..reader.tracks.len() {
        while reader.peek(view, track)?.is_some_and(|next| next.time < time) {
            reader.tracks[track].advance();
        }
    }
    Ok(time)
}
