//! Seeking: to a sync sample of the leading track, the video's if there is one, and with the other
//! track to where that is then.

use super::Result;
use super::fragment::Runs;
use super::index::IndexSearch;
use super::reader::{LEADER, Mp4Reader};
use super::sample_table::Search;
use crate::file_view::{FileView, Stop};

/// A search for a place to go on from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seek {
    target: u32,
    stage: Stage,
}

/// ```text
/// a movie in one piece:   Search -> Arrived -> Search (the other track) -> Arrived
/// a fragmented one:       Index -> Scan (-> Scan from the beginning) -> Skip -> Align
/// ```
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// A track's tables are searched for a time.
    Search { track: usize, search: Option<Search>, time: u32 },
    /// A track is where it is to go on from.
    Arrived { track: usize, time: u32 },
    /// It is looked up where to begin.
    Index(IndexSearch),
    /// The leader's samples are gone through, from the beginning or from where the index says: the one
    /// before the next, and the best so far.
    Scan { indexed: bool, last: Option<Place>, best: Option<Place> },
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
    pub(super) fn new(target: u32, is_fragmented: bool) -> Self {
        let stage = match is_fragmented {
            true => Stage::Index(IndexSearch::default()),
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
                Stage::Index(search) => self.look_up(view, reader, search)?,
                Stage::Scan { indexed, last, best } => {
                    self.scan(view, reader, indexed, last, best)?;
                }
                Stage::Skip { left } => self.skip(view, reader, left)?,
                Stage::Align { time } => return align(view, reader, time),
            }
        }
    }

    /// Begins at the fragment that the index names, if there is one.
    fn look_up(
        &mut self,
        view: &mut FileView,
        reader: &mut Mp4Reader,
        mut search: IndexSearch,
    ) -> Result<()> {
        let leader = &reader.tracks[LEADER];
        let (id, time) = (leader.info.id, leader.time_at(self.target));
        let found = search.run(view, Some(id)).and_then(|it| it.last_until(view, time));
        self.stage = Stage::Index(search);
        let entry = match found {
            Ok(entry) => entry,
            Err(Stop::Unread(request)) => return Err(Stop::Unread(request)),
            // There is none, or none that makes sense.
            Err(Stop::Failed(_)) => None,
        };
        let fragment = entry.map(|entry| entry.fragment);
        self.begin_scan(reader, fragment);
        Ok(())
    }

    fn begin_scan(&mut self, reader: &mut Mp4Reader, fragment: Option<u64>) {
        reader.begin_at(fragment);
        self.stage = Stage::Scan { indexed: fragment.is_some(), last: None, best: None };
    }

    /// Goes past the leader's next sample.
    fn scan(
        &mut self,
        view: &mut FileView,
        reader: &mut Mp4Reader,
        indexed: bool,
        last: Option<Place>,
        best: Option<Place>,
    ) -> Result<()> {
        let next = match reader.peek(view, LEADER) {
            // An index may be wrong.
            Err(Stop::Failed(_)) if indexed => None,
            next => next?.filter(|next| next.time <= self.target),
        };
        let Some(next) = next else {
            if indexed && best.is_none() {
                self.begin_scan(reader, None);
                return Ok(());
            }
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
        self.stage = Stage::Scan { indexed, last: place, best };
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
