//! The movie box (ISO/IEC 14496-12, 8.2): the tracks that are played, and what there is to know of
//! them before their samples.

use bytes::Buf;

use super::boxes::{self, BoxHeader};
use super::sample_entry::{self, SampleEntry};
use super::sample_table::SampleTable;
use super::{FourCc, ReadError, Result, TrackChoice};
use crate::file_view::FileView;

/// The most of a box that is looked into; configurations are far smaller.
const MAX_CONTENTS: usize = 64 << 10;

/// Boxes in boxes that are looked into.
const MAX_DEPTH: usize = 8;

/// What the movie box says.
#[derive(Debug, Default)]
pub(super) struct Movie {
    /// Units of the movie's times in a second.
    timescale: u32,
    /// In units; of the fragments, if the movie is fragmented and says it.
    duration: u64,
    fragment_duration: u64,
    pub(super) video: Option<TrackInfo>,
    pub(super) audio: Option<TrackInfo>,
    /// Of fragments, by track.
    defaults: Vec<(u32, SampleDefaults)>,
    pub(super) is_fragmented: bool,
}

impl Movie {
    /// In seconds, if it is known.
    pub(super) fn duration(&self) -> Option<f64> {
        let units = self.duration.max(self.fragment_duration);
        let is_known = self.timescale > 0 && units > 0;
        is_known.then(|| units as f64 / f64::from(self.timescale))
    }

    /// It is this many milliseconds long.
    pub(super) fn set_duration(&mut self, millis: u32) {
        (self.timescale, self.duration) = (1000, millis.into());
    }

    /// What a fragment's samples are like that it does not say more of.
    pub(super) fn defaults(&self, track: u32) -> SampleDefaults {
        let mut known = self.defaults.iter();
        known.find(|(id, _)| *id == track).map(|(_, defaults)| *defaults).unwrap_or_default()
    }
}

/// What is the same for all samples of a fragment (8.8.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SampleDefaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// One track.
#[derive(Clone, Debug)]
pub(super) struct TrackInfo {
    pub(super) id: u32,
    /// Units of the track's times in a second, at least 1.
    pub(super) timescale: u32,
    /// What is added to the track's times by its edit list.
    pub(super) shift: i64,
    pub(super) entry: SampleEntry,
    pub(super) table: SampleTable,
}

/// Goes through a movie box, box by box.
#[derive(Debug)]
pub(super) struct MovieParser {
    choice: TrackChoice,
    position: u64,
    end: u64,
    /// The ends of the boxes that it is in, and whether they are tracks.
    open: Vec<(u64, bool)>,
    track: Draft,
    /// How many tracks there have been: video, audio.
    seen: (u32, u32),
    movie: Movie,
    /// Why a track cannot be played.
    refused: Option<ReadError>,
}

/// A track in the making.
#[derive(Debug, Default)]
struct Draft {
    id: u32,
    timescale: u32,
    handler: FourCc,
    edits: Edits,
    entry: Option<std::result::Result<SampleEntry, ReadError>>,
    table: SampleTable,
}

/// The beginning of an edit list (8.6.6).
#[derive(Clone, Copy, Debug, Default)]
struct Edits {
    /// How long nothing is presented first, in the movie's units.
    empty: u64,
    /// What is presented then, in the track's.
    media_time: i64,
}

impl MovieParser {
    pub(super) fn new(of: &BoxHeader, choice: TrackChoice) -> Self {
        Self {
            choice,
            position: of.body,
            end: of.end,
            open: Vec::new(),
            track: Draft::default(),
            seen: (0, 0),
            movie: Movie::default(),
            refused: None,
        }
    }

    /// Reads the whole box.
    pub(super) fn run(&mut self, view: &mut FileView) -> Result<&mut Movie> {
        loop {
            while let Some((_, is_track)) = self.open.pop_if(|(end, _)| self.position >= *end) {
                if is_track {
                    self.end_track();
                }
            }
            let limit = self.open.last().map_or(self.end, |(end, _)| *end);
            match boxes::read_header(view, self.position, limit)? {
                Some(header) if header.end > limit => return Err(header.bad().into()),
                Some(header) => self.step(view, &header)?,
                None if self.open.is_empty() => return self.finish(),
                None => self.position = limit,
            }
        }
    }

    fn finish(&mut self) -> Result<&mut Movie> {
        if self.movie.video.is_none() && self.movie.audio.is_none() {
            return Err(self.refused.unwrap_or(ReadError::NoTracks).into());
        }
        Ok(&mut self.movie)
    }

    fn step(&mut self, view: &mut FileView, header: &BoxHeader) -> Result<()> {
        match &header.kind {
            b"trak" | b"mdia" | b"minf" | b"stbl" | b"mvex" | b"edts"
                if self.open.len() < MAX_DEPTH =>
            {
                let is_track = header.kind == *b"trak";
                if is_track {
                    self.track = Draft::default();
                }
                self.open.push((header.end, is_track));
                self.position = header.body;
            }
            _ => {
                self.take(view, header)?;
                self.position = header.end;
            }
        }
        Ok(())
    }

    /// Takes a box that has no others in it.
    fn take(&mut self, view: &mut FileView, header: &BoxHeader) -> Result<()> {
        match &header.kind {
            b"mvhd" | b"tkhd" | b"mdhd" | b"hdlr" | b"elst" | b"mehd" | b"trex" => {
                let contents = header.read(view, MAX_CONTENTS)?;
                self.take_fields(header.kind, &contents).ok_or_else(|| header.bad())?;
            }
            b"stsd" => {
                let contents = header.read(view, MAX_CONTENTS)?;
                self.track.entry = Some(sample_entry::parse(&contents));
            }
            _ => self.track.table.take(view, header)?,
        }
        Ok(())
    }

    fn take_fields(&mut self, kind: FourCc, mut contents: &[u8]) -> Option<()> {
        let is_long = contents.try_get_u32().ok()? >> 24 == 1;
        let rest = &mut contents;
        match &kind {
            b"mvhd" => {
                skip(rest, if is_long { 16 } else { 8 })?;
                self.movie.timescale = rest.try_get_u32().ok()?;
                self.movie.duration = known(get_long(rest, is_long)?, is_long);
            }
            b"tkhd" => {
                skip(rest, if is_long { 16 } else { 8 })?;
                self.track.id = rest.try_get_u32().ok()?;
            }
            b"mdhd" => {
                skip(rest, if is_long { 16 } else { 8 })?;
                self.track.timescale = rest.try_get_u32().ok()?;
            }
            b"hdlr" => {
                skip(rest, 4)?;
                self.track.handler = rest.try_get_u32().ok()?.to_be_bytes();
            }
            b"elst" => self.track.edits = Edits::read(rest, is_long)?,
            b"mehd" => {
                self.movie.fragment_duration = known(get_long(rest, is_long)?, is_long);
            }
            _ => self.take_defaults(rest)?,
        }
        Some(())
    }

    /// trex: defaults of a track's fragments (8.8.3).
    fn take_defaults(&mut self, rest: &mut &[u8]) -> Option<()> {
        self.movie.is_fragmented = true;
        let track = rest.try_get_u32().ok()?;
        rest.try_get_u32().ok()?;
        let mut next = || rest.try_get_u32().ok();
        let defaults = SampleDefaults { duration: next()?, size: next()?, flags: next()? };
        self.movie.defaults.push((track, defaults));
        // Two tracks are played; the last ones of very many others do not matter.
        self.movie.defaults.truncate(256);
        Some(())
    }

    fn end_track(&mut self) {
        let draft = std::mem::take(&mut self.track);
        let (slot, seen, wanted) = match &draft.handler {
            b"vide" => (&mut self.movie.video, &mut self.seen.0, self.choice.video),
            b"soun" => (&mut self.movie.audio, &mut self.seen.1, self.choice.audio),
            _ => return,
        };
        let is_wanted = wanted.is_none_or(|index| index == *seen);
        *seen += 1;
        if !is_wanted || slot.is_some() {
            return;
        }
        match draft.finish(self.movie.timescale) {
            Ok(track) => *slot = Some(track),
            Err(error) => self.refused = Some(error),
        }
    }
}

impl Draft {
    fn finish(self, movie_timescale: u32) -> std::result::Result<TrackInfo, ReadError> {
        let entry = self.entry.unwrap_or(Err(ReadError::NoSampleEntry))?;
        let is_of_kind = match &entry {
            SampleEntry::Video(_) => self.handler == *b"vide",
            SampleEntry::Audio(_) => self.handler == *b"soun",
        };
        if self.timescale == 0 || !is_of_kind {
            return Err(ReadError::NoSampleEntry);
        }
        let Edits { empty, media_time } = self.edits;
        let empty =
            u128::from(empty) * u128::from(self.timescale) / u128::from(movie_timescale.max(1));
        let empty = i64::try_from(empty).unwrap_or(0);
        Ok(TrackInfo {
            id: self.id,
            timescale: self.timescale,
            shift: empty.saturating_sub(media_time),
            entry,
            table: self.table,
        })
    }
}

impl Edits {
    /// Reads up to the first edit that presents something.
    fn read(rest: &mut &[u8], is_long: bool) -> Option<Self> {
        let count = rest.try_get_u32().ok()?;
        let mut edits = Self::default();
        for _ in 0..count {
            let duration = get_long(rest, is_long)?;
            let media_time = match is_long {
                true => rest.try_get_i64().ok()?,
                false => i64::from(rest.try_get_i32().ok()?),
            };
            rest.try_get_u32().ok()?;
            if media_time >= 0 {
                edits.media_time = media_time;
                break;
            }
            edits.empty = edits.empty.saturating_add(duration);
        }
        Some(edits)
    }
}

fn skip(rest: &mut &[u8], bytes: usize) -> Option<()> {
    *rest = rest.get(bytes..)?;
    Some(())
}

fn get_long(rest: &mut &[u8], is_long: bool) -> Option<u64> {
    if is_long { rest.try_get_u64().ok() } else { rest.try_get_u32().ok().map(u64::from) }
}

/// All ones stand for a duration that is not known.
const fn known(duration: u64, is_long: bool) -> u64 {
    let unknown = if is_long { u64::MAX } else { u32::MAX as u64 };
    if duration == unknown { 0 } else { duration }
}
