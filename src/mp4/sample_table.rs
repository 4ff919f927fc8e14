//! The sample table of a track (ISO/IEC 14496-12, 8.5 to 8.7): where its samples are, how large and
//! when. It stays in the file; a cursor goes through it.

use bytes::Buf;

use super::boxes::{BoxHeader, Table};
use super::{FourCc, ReadError, Result, Sample};
use crate::file_view::FileView;

/// Where the boxes of a sample table are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SampleTable {
    /// stts: counts of samples and their durations.
    times: Option<Table>,
    /// ctts: counts of samples and their composition offsets.
    compositions: Option<Table>,
    /// stsc: which chunks have how many samples.
    chunks: Option<Table>,
    /// stco or co64: where the chunks are.
    offsets: Option<Table>,
    /// stss: the samples that decoding can start at; all, without it.
    syncs: Option<Table>,
    sizes: Sizes,
}

/// The sizes of samples, and how many there are.
#[derive(Clone, Copy, Debug, Default)]
enum Sizes {
    #[default]
    None,
    /// All alike.
    Constant { size: u32, count: u32 },
    /// stsz or, with fewer bits each, stz2.
    Table { bits: u8, table: Table, count: u32 },
}

impl SampleTable {
    /// Takes a box, if it is one of a sample table.
    pub(super) fn take(&mut self, view: &mut FileView, header: &BoxHeader) -> Result<()> {
        let slot = match &header.kind {
            b"stts" => (&mut self.times, 8),
            b"ctts" => (&mut self.compositions, 8),
            b"stsc" => (&mut self.chunks, 12),
            b"stco" => (&mut self.offsets, 4),
            b"co64" => (&mut self.offsets, 8),
            b"stss" => (&mut self.syncs, 4),
            b"stsz" | b"stz2" => {
                self.sizes = Sizes::read(view, header)?;
                return Ok(());
            }
            _ => return Ok(()),
        };
        *slot.0 = Some(Table::counted(view, header, slot.1)?);
        Ok(())
    }

    /// How many samples there are.
    pub(super) const fn count(&self) -> u32 {
        match self.sizes {
            Sizes::None => 0,
            Sizes::Constant { count, .. } | Sizes::Table { count, .. } => count,
        }
    }
}

impl Sizes {
    fn read(view: &mut FileView, header: &BoxHeader) -> Result<Self> {
        let mut head = header.read(view, 12)?;
        if head.len() < 12 {
            return Err(header.bad().into());
        }
        head.advance(4);
        let (size, count) = (head.get_u32(), head.get_u32());
        let at = header.body + 12;
        let (bits, entries, entry) = match (&header.kind, size & 0xff) {
            (b"stsz", _) if size != 0 => {
                // No file has room for more.
                let most = u32::try_from(view.length() / u64::from(size)).unwrap_or(u32::MAX);
                return Ok(Self::Constant { size, count: count.min(most) });
            }
            (b"stsz", _) => (32, count, 4),
            (_, 4) => (4, count.div_ceil(2), 1),
            (_, 8) => (8, count, 1),
            (_, 16) => (16, count, 2),
            _ => return Err(header.bad().into()),
        };
        Ok(Self::Table { bits, table: Table::new(header, at, entries, entry)?, count })
    }

    fn get(&self, view: &mut FileView, index: u32) -> Result<u32> {
        let Self::Table { bits, table, .. } = self else {
            let Self::Constant { size, .. } = self else { return Ok(0) };
            return Ok(*size);
        };
        let place = if *bits == 4 { index / 2 } else { index };
        let Some(mut entry) = table.get(view, place)? else { return Ok(0) };
        Ok(match bits {
            4 if index.is_multiple_of(2) => u32::from(entry[0] >> 4),
            4 => u32::from(entry[0] & 0x0f),
            bits => entry.get_uint(usize::from(*bits) / 8) as u32,
        })
    }
}

/// A place in a sample table. Each box is gone through on its own, as far as it is asked for; what
/// has been passed is not read again after a [stop](crate::file_view::Stop).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// The sample, counted from 0.
    index: u32,
    time: Time,
    composition: Composition,
    chunk: Chunk,
    sync: Sync,
}

impl Cursor {
    /// A place at the sample `index`, which is the sync sample number `sync`, if that is known.
    fn at(index: u32, sync: u32) -> Self {
        Self { index, sync: Sync { entry: sync, number: 0 }, ..Self::default() }
    }

    /// A place past the last sample.
    pub(super) fn past_end() -> Self {
        Self { index: u32::MAX, ..Self::default() }
    }

    /// The sample at the cursor; `None` past the last.
    pub(super) fn peek(&mut self, view: &mut FileView, of: &SampleTable) -> Result<Option<Sample>> {
        if self.index >= of.count() {
            return Ok(None);
        }
        let dts = self.time.reach(view, of, self.index)?;
        let composition = self.composition.reach(view, of, self.index)?;
        let offset = self.chunk.reach(view, of, self.index)?;
        let size = of.sizes.get(view, self.index)?;
        let is_sync = self.sync.reach(view, of, self.index)?;
        Ok(Some(Sample { offset, size, dts, composition, is_sync }))
    }

    /// Goes to the next sample.
    pub(super) const fn advance(&mut self) {
        self.index = self.index.saturating_add(1);
    }
}

/// Decoding times.
#[derive(Clone, Copy, Debug, Default)]
struct Time {
    run: Run,
    dts: u64,
}

/// The samples of one entry of a run-length table.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// The entry that comes next.
    entry: u32,
    /// The sample that the rest of the run begins at.
    index: u32,
    left: u32,
    value: u32,
}

impl Run {
    /// Goes to the next entry if this one is used up; whether there is one.
    fn load(&mut self, view: &mut FileView, table: Option<&Table>) -> Result<bool> {
        while self.left == 0 {
            let entry = match table {
                Some(table) => table.get(view, self.entry)?,
                None => None,
            };
            let Some(mut entry) = entry else { return Ok(false) };
            (self.left, self.value) = (entry.get_u32(), entry.get_u32());
            self.entry += 1;
        }
        Ok(true)
    }

    fn skip(&mut self, samples: u32) {
        self.left -= samples;
        self.index = self.index.saturating_add(samples);
    }
}

impl Time {
    /// The decoding time of the sample `index`.
    fn reach(&mut self, view: &mut FileView, of: &SampleTable, index: u32) -> Result<i64> {
        while self.run.index < index {
            let samples = index - self.run.index;
            if !self.run.load(view, of.times.as_ref())? {
                // As long as the last one.
                self.run.left = samples;
            }
            self.pass(samples.min(self.run.left));
        }
        Ok(i64::try_from(self.dts).unwrap_or(i64::MAX))
    }

    fn pass(&mut self, samples: u32) {
        let duration = u64::from(samples) * u64::from(self.run.value);
        self.dts = self.dts.saturating_add(duration);
        self.run.skip(samples);
    }

    /// Goes to the last sample that is not after `target`.
    fn find(&mut self, view: &mut FileView, of: &SampleTable, target: u64) -> Result<u32> {
        while self.run.load(view, of.times.as_ref())? {
            let value = u64::from(self.run.value).max(1);
            let before = target.saturating_sub(self.dts) / value;
            if before < u64::from(self.run.left) {
                return Ok(self.run.index + before as u32);
            }
            self.pass(self.run.left);
        }
        Ok(self.run.index.saturating_sub(1))
    }
}

/// Composition offsets.
#[derive(Clone, Copy, Debug, Default)]
struct Composition {
    run: Run,
}

impl Composition {
    fn reach(&mut self, view: &mut FileView, of: &SampleTable, index: u32) -> Result<i32> {
        loop {
            if !self.run.load(view, of.compositions.as_ref())? {
                return Ok(0);
            }
            if self.run.index == index {
                // Signed in version 1 of the box, and in files of version 0 that mean it.
                return Ok(self.run.value as i32);
            }
            self.run.skip(self.run.left.min(index - self.run.index));
        }
    }
}

/// Places of samples.
#[derive(Clone, Copy, Debug, Default)]
struct Chunk {
    /// The entry of stsc that comes next.
    entry: u32,
    /// The chunk, counted from 1, and the first that is not as the entry says.
    number: u32,
    until: u32,
    samples_per_chunk: u32,
    /// The sample at `offset`, and how many the chunk has from it on.
    index: u32,
    left: u32,
    offset: u64,
}

impl Chunk {
    /// Where the sample `index` is.
    fn reach(&mut self, view: &mut FileView, of: &SampleTable, index: u32) -> Result<u64> {
        loop {
            if self.left == 0 {
                self.next_chunk(view, of, index)?;
            }
            let samples = (index - self.index).min(self.left);
            match of.sizes {
                _ if samples == 0 => return Ok(self.offset),
                _ if samples == self.left => self.pass(samples, 0),
                Sizes::Constant { size, .. } => self.pass(samples, u64::from(size)),
                sizes => {
                    let size = sizes.get(view, self.index)?;
                    self.pass(1, u64::from(size));
                }
            }
        }
    }

    fn pass(&mut self, samples: u32, size: u64) {
        self.index += samples;
        self.left -= samples;
        self.offset = self.offset.saturating_add(size * u64::from(samples));
    }

    /// Goes to the next chunk, or a later one that may have the sample `index`.
    fn next_chunk(&mut self, view: &mut FileView, of: &SampleTable, index: u32) -> Result<()> {
        let mut next = *self;
        next.number += 1;
        if next.number >= next.until {
            next.load(view, of)?;
        }
        let chunks = (index - next.index) / next.samples_per_chunk;
        let chunks = chunks.min(next.until - 1 - next.number);
        next.number += chunks;
        next.index += chunks * next.samples_per_chunk;
        let offset = get(view, of.offsets.as_ref(), next.number - 1)?;
        let Some(mut offset) = offset else { return Err(damaged(*b"stco").into()) };
        next.offset = offset.get_uint(offset.len());
        next.left = next.samples_per_chunk;
        *self = next;
        Ok(())
    }

    fn load(&mut self, view: &mut FileView, of: &SampleTable) -> Result<()> {
        let entry = get(view, of.chunks.as_ref(), self.entry)?;
        let following = get(view, of.chunks.as_ref(), self.entry + 1)?;
        let until = following.map_or(u32::MAX, |mut it| it.get_u32());
        let Some(mut entry) = entry else { return Err(damaged(*b"stsc").into()) };
        let (first, samples) = (entry.get_u32(), entry.get_u32());
        if first != self.number || until <= first || samples == 0 {
            return Err(damaged(*b"stsc").into());
        }
        (self.entry, self.until, self.samples_per_chunk) = (self.entry + 1, until, samples);
        Ok(())
    }
}

/// Sync samples.
#[derive(Clone, Copy, Debug, Default)]
struct Sync {
    /// The entry that comes next.
    entry: u32,
    /// The number of the next sync sample, counted from 1.
    number: u32,
}

impl Sync {
    fn reach(&mut self, view: &mut FileView, of: &SampleTable, index: u32) -> Result<bool> {
        let Some(table) = &of.syncs else { return Ok(true) };
        while self.number <= index {
            let Some(mut entry) = table.get(view, self.entry)? else { return Ok(false) };
            self.number = entry.get_u32();
            self.entry += 1;
        }
        Ok(self.number - 1 == index)
    }
}

fn get(view: &mut FileView, table: Option<&Table>, index: u32) -> Result<Option<bytes::Bytes>> {
    table.map_or(Ok(None), |table| table.get(view, index))
}

const fn damaged(kind: FourCc) -> ReadError {
    ReadError::Table(kind)
}

/// A search for the last sync sample that is not after a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    target: u64,
    time: Time,
    /// The last sample that is not after the time, once it is found, and the sync samples that it
    /// may be, as places in their table.
    found: Option<(u32, u32, u32)>,
}

impl Search {
    /// A search from the beginning; the time is in the track's units.
    pub(super) fn new(target: u64) -> Self {
        Self { target, time: Time::default(), found: None }
    }

    /// The place of the sample: of the first one, if all are after the time.
    pub(super) fn run(&mut self, view: &mut FileView, of: &SampleTable) -> Result<Cursor> {
        let syncs = of.syncs.filter(|table| table.count() > 0);
        if self.found.is_none() {
            let sample = self.time.find(view, of, self.target)?;
            let sample = sample.min(of.count().saturating_sub(1));
            self.found = Some((sample, 0, syncs.map_or(0, |table| table.count())));
        }
        let Some((sample, low, high)) = &mut self.found else { return Ok(Cursor::default()) };
        let Some(syncs) = syncs else { return Ok(Cursor::at(*sample, 0)) };
        while low < high {
            let middle = *low + (*high - *low) / 2;
            let number = syncs.get(view, middle)?.map_or(0, |mut entry| entry.get_u32());
            if number <= *sample + 1 {
                *low = middle + 1;
            } else {
                *high = middle;
            }
        }
        let entry = low.saturating_sub(1);
        let number = syncs.get(view, entry)?.map_or(1, |mut entry| entry.get_u32());
        let index = number.saturating_sub(1);
        Ok(if index > *sample { Cursor::default() } else { Cursor::at(index, entry) })
    }
}
