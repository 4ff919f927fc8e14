//! Movie fragments (ISO/IEC 14496-12, 8.8): runs of samples, each with a table of its own.

use std::collections::VecDeque;

use bytes::Buf;

use super::boxes::{self, BoxHeader, Table};
use super::movie::SampleDefaults;
use super::{Result, Sample};
use crate::file_view::FileView;

/// Runs of one track that are kept at a time.
pub(super) const MAX_RUNS: usize = 256;

/// Some samples of a track, one after the other in the file (8.8.8).
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where the fragment that it is of begins.
    pub(super) fragment: u64,
    /// Where its first sample is; `None` for where the run before ends.
    data: Option<u64>,
    /// When it is; `None` for when the run before ends.
    dts: Option<u64>,
    count: u32,
    table: Table,
    fields: Fields,
    defaults: SampleDefaults,
    /// Of the first sample, if they differ.
    first_flags: Option<u32>,
}

/// Which fields each entry of a run's table has, by the box's flags.
#[derive(Clone, Copy, Debug)]
struct Fields(u32);

impl Fields {
    const DATA_OFFSET: u32 = 0x1;
    const FIRST_FLAGS: u32 = 0x4;
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    const FLAGS: u32 = 0x400;
    const COMPOSITION: u32 = 0x800;

    const fn has(self, field: u32) -> bool {
        self.0 & field != 0
    }

    fn entry(self) -> usize {
        let fields = [Self::DURATION, Self::SIZE, Self::FLAGS, Self::COMPOSITION];
        4 * fields.into_iter().filter(|field| self.has(*field)).count()
    }
}

/// In a sample's flags: decoding cannot start at it.
const NON_SYNC: u32 = 0x1_0000;

/// The runs of a track that are to come, and the place in the first of them.
#[derive(Debug, Default)]
pub(super) struct Runs {
    queue: VecDeque<Run>,
    /// The sample of the first run, counted from 0.
    index: u32,
    offset: u64,
    dts: u64,
    /// How long the sample that was [seen](Self::peek) last takes.
    duration: u32,
}

impl Runs {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn push(&mut self, run: Run) {
        if run.count > 0 {
            self.queue.push_back(run);
            if self.queue.len() == 1 {
                self.begin();
            }
        }
    }

    /// The place in the first run is its beginning.
    fn begin(&mut self) {
        self.index = 0;
        if let Some(run) = self.queue.front() {
            self.offset = run.data.unwrap_or(self.offset);
            self.dts = run.dts.unwrap_or(self.dts);
        }
    }

    /// The next sample, with where its fragment begins.
    pub(super) fn peek(&mut self, view: &mut FileView) -> Result<Option<(Sample, u64)>> {
        let Some(run) = self.queue.front() else { return Ok(None) };
        let entry = run.table.get(view, self.index)?;
        let mut entry = entry.unwrap_or_default();
        let mut field = |field, default| match run.fields.has(field) {
            true => entry.try_get_u32().unwrap_or(default),
            false => default,
        };
        let duration = field(Fields::DURATION, run.defaults.duration);
        let size = field(Fields::SIZE, run.defaults.size);
        let first = run.first_flags.filter(|_| self.index == 0);
        let flags = field(Fields::FLAGS, run.defaults.flags);
        let composition = field(Fields::COMPOSITION, 0) as i32;
        self.duration = duration;
        let is_sync = first.unwrap_or(flags) & NON_SYNC == 0;
        let dts = i64::try_from(self.dts).unwrap_or(i64::MAX);
        let sample = Sample { offset: self.offset, size, dts, composition, is_sync };
        Ok(Some((sample, run.fragment)))
    }

    /// Goes past the sample that was seen last.
    pub(super) fn advance(&mut self, sample: &Sample) {
        self.offset = self.offset.saturating_add(u64::from(sample.size));
        self.dts = self.dts.saturating_add(u64::from(self.duration));
        self.index += 1;
        if self.queue.front().is_some_and(|run| self.index >= run.count) {
            self.queue.pop_front();
            self.begin();
        }
    }
}

/// Goes through a movie fragment box, box by box.
#[derive(Debug)]
pub(super) struct FragmentParser {
    /// Where the box begins.
    start: u64,
    position: u64,
    end: u64,
    traf: Option<Traf>,
}

/// A track fragment in the making (8.8.6).
#[derive(Clone, Copy, Debug)]
struct Traf {
    end: u64,
    track: u32,
    /// What the data offsets of its runs count from.
    base: u64,
    defaults: SampleDefaults,
    dts: Option<u64>,
    /// Whether a run has been.
    has_run: bool,
}

/// The tracks that a fragment's runs are for.
pub(super) trait Tracks {
    /// The track with the number, if it is played, and the defaults of its samples.
    fn track(&mut self, id: u32) -> Option<(&mut Runs, SampleDefaults)>;
}

impl FragmentParser {
    pub(super) fn new(start: u64, of: &BoxHeader) -> Self {
        Self { start, position: of.body, end: of.end, traf: None }
    }

    /// Reads the whole box, and gives its runs to `tracks`.
    pub(super) fn run(&mut self, view: &mut FileView, tracks: &mut impl Tracks) -> Result<()> {
        loop {
            self.traf = self.traf.filter(|traf| self.position < traf.end);
            let limit = self.traf.map_or(self.end, |traf| traf.end);
            match boxes::read_header(view, self.position, limit)? {
                Some(header) if header.end > limit => return Err(header.bad().into()),
                Some(header) => self.step(view, &header, tracks)?,
                None if self.traf.is_none() => return Ok(()),
                None => self.position = limit,
            }
        }
    }

    fn step(
        &mut self,
        view: &mut FileView,
        header: &BoxHeader,
        tracks: &mut impl Tracks,
    ) -> Result<()> {
        match (&header.kind, self.traf.as_mut()) {
            (b"traf", None) => {
                let (base, end) = (self.start, header.end);
                let defaults = SampleDefaults::default();
                let traf = Traf { end, track: 0, base, defaults, dts: None, has_run: false };
                self.traf = Some(traf);
                self.position = header.body;
                return Ok(());
            }
            (b"tfhd", Some(traf)) => {
                let contents = header.read(view, 64)?;
                traf.take_header(&contents, tracks).ok_or_else(|| header.bad())?;
            }
            (b"tfdt", Some(traf)) => {
                let mut contents = header.read(view, 12)?;
                let is_long = contents.try_get_u32().map_err(|_| header.bad())? >> 24 == 1;
                let length = if is_long { 8 } else { 4 };
                traf.dts = Some(contents.try_get_uint(length).map_err(|_| header.bad())?);
            }
            (b"trun", Some(traf)) => traf.take_run(view, header, self.start, tracks)?,
            _ => {}
        }
        self.position = header.end;
        Ok(())
    }
}

impl Traf {
    /// The track fragment header (8.8.7).
    fn take_header(&mut self, mut contents: &[u8], tracks: &mut impl Tracks) -> Option<()> {
        let flags = contents.try_get_u32().ok()?;
        self.track = contents.try_get_u32().ok()?;
        self.defaults = tracks.track(self.track).map(|(_, it)| it).unwrap_or_default();
        if flags & 0x1 != 0 {
            self.base = contents.try_get_u64().ok()?;
        }
        let mut field = |bit, known| match flags & bit {
            0 => Some(known),
            _ => contents.try_get_u32().ok(),
        };
        field(0x2, 0)?;
        self.defaults.duration = field(0x8, self.defaults.duration)?;
        self.defaults.size = field(0x10, self.defaults.size)?;
        self.defaults.flags = field(0x20, self.defaults.flags)?;
        Some(())
    }

    /// A track fragment run (8.8.8).
    fn take_run(
        &mut self,
        view: &mut FileView,
        header: &BoxHeader,
        fragment: u64,
        tracks: &mut impl Tracks,
    ) -> Result<()> {
        let mut contents = header.read(view, 16)?;
        let length = contents.len();
        let mut next = || contents.try_get_u32().map_err(|_| header.bad());
        let fields = Fields(next()?);
        let count = next()?;
        let data_offset = if fields.has(Fields::DATA_OFFSET) { Some(next()? as i32) } else { None };
        let first_flags = if fields.has(Fields::FIRST_FLAGS) { Some(next()?) } else { None };
        let at = header.body + (length - contents.len()) as u64;
        let table = Table::new(header, at, count, fields.entry())?;
        // Of samples that are not told one by one, the file has room for so many.
        let all = u64::from(count) * u64::from(self.defaults.size.max(1));
        if fields.entry() == 0 && all > view.length() {
            return Err(header.bad().into());
        }
        let data = match data_offset {
            Some(offset) => Some(self.base.saturating_add_signed(offset.into())),
            None => (!self.has_run).then_some(self.base),
        };
        let dts = self.dts.take();
        self.has_run = true;
        let Some((runs, _)) = tracks.track(self.track) else { return Ok(()) };
        if runs.len() >= MAX_RUNS {
            return Err(header.bad().into());
        }
        let defaults = self.defaults;
        runs.push(Run { fragment, data, dts, count, table, fields, defaults, first_flags });
        Ok(())
    }
}
