//! The index at the end of a fragmented movie, which names fragments in which decoding can start
//! (ISO/IEC 14496-12, 8.8.9 to 8.8.11).

use bytes::Buf;

use super::boxes::{self, BoxHeader, Table};
use super::{ReadError, Result};
use crate::file_view::FileView;

/// The box that ends the file with the size of the index.
const MFRO: u64 = 16;

/// What comes before the entries in a track's table, with the version.
const HEAD: usize = 16;

/// A search for the table of a track.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum IndexSearch {
    /// The index is looked for.
    #[default]
    Index,
    /// Its tables are in this range.
    Tables { position: u64, end: u64 },
}

/// A track's fragments, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entries {
    table: Table,
    /// Bytes of a time, and of a position.
    width: usize,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// When its first sync sample is, in the track's units.
    pub(super) time: u64,
    /// Where the fragment begins.
    pub(super) fragment: u64,
}

impl IndexSearch {
    /// The table of a track, or of the first one that has one.
    pub(super) fn run(&mut self, view: &mut FileView, track: Option<u32>) -> Result<Entries> {
        loop {
            *self = match *self {
                Self::Index => find_index(view)?,
                Self::Tables { position, end } => {
                    let header = boxes::read_header(view, position, end)?;
                    let header = header.ok_or(ReadError::Truncated(position))?;
                    if header.kind == *b"tfra"
                        && let Some(entries) = Entries::of(view, &header, track)?
                    {
                        return Ok(entries);
                    }
                    Self::Tables { position: header.end, end }
                }
            };
        }
    }
}

impl Entries {
    /// Those of a table, unless it is another track's.
    fn of(view: &mut FileView, tfra: &BoxHeader, track: Option<u32>) -> Result<Option<Self>> {
        let mut head = tfra.read(view, HEAD)?;
        if head.len() < HEAD {
            return Err(tfra.bad().into());
        }
        let is_long = head.get_u32() >> 24 == 1;
        let of = head.get_u32();
        let lengths = head.get_u32();
        let count = head.get_u32();
        if track.is_some_and(|track| track != of) {
            return Ok(None);
        }
        // The numbers of the track fragment, the run and the sample have one to four bytes each.
        let numbers = (0..3).map(|index| (lengths >> (2 * index) & 3) as usize + 1).sum::<usize>();
        let width = if is_long { 8 } else { 4 };
        let table = Table::new(tfra, tfra.body + HEAD as u64, count, 2 * width + numbers)?;
        Ok(Some(Self { table, width }))
    }

    /// The last one.
    pub(super) fn last(&self, view: &mut FileView) -> Result<Option<Entry>> {
        self.get(view, self.table.count().saturating_sub(1))
    }

    /// The last one that is not after `time`.
    pub(super) fn last_until(&self, view: &mut FileView, time: u64) -> Result<Option<Entry>> {
        let (mut found, mut from, mut to) = (None, 0, self.table.count());
        while from < to {
            let middle = from + (to - from) / 2;
            match self.get(view, middle)?.filter(|entry| entry.time <= time) {
                Some(entry) => (found, from) = (Some(entry), middle + 1),
                None => to = middle,
            }
        }
        Ok(found)
    }

    fn get(&self, view: &mut FileView, index: u32) -> Result<Option<Entry>> {
        let Some(mut entry) = self.table.get(view, index)? else { return Ok(None) };
        let time = entry.get_uint(self.width);
        Ok(Some(Entry { time, fragment: entry.get_uint(self.width) }))
    }
}

fn find_index(view: &mut FileView) -> Result<IndexSearch> {
    let end = view.length();
    let position = end.saturating_sub(MFRO);
    let mut mfro = boxes::read(view, position, MFRO as usize)?;
    mfro.advance(4);
    let kind = mfro.get_u32().to_be_bytes();
    mfro.advance(4);
    let size = u64::from(mfro.get_u32());
    let start = end.checked_sub(size).filter(|_| kind == *b"mfro" && size > MFRO + 8);
    let start = start.ok_or(ReadError::Truncated(position))?;
    Ok(IndexSearch::Tables { position: start + 8, end: position })
}
