//! How long a fragmented movie is whose movie box does not say so: to its last fragment, which the
//! index at the end of the file names (ISO/IEC 14496-12, 8.8.9 to 8.8.11).

use bytes::Buf;

use super::boxes::{self, Table};
use super::reader::{LEADER, Mp4Reader};
use super::{ReadError, Result};
use crate::file_view::FileView;

/// The box that ends the file with the size of the index.
const MFRO: u64 = 16;

/// A search for the end of a movie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum ExtentSearch {
    /// The index is looked for.
    #[default]
    Index,
    /// Its entries are in this range.
    Entries { position: u64, end: u64 },
    /// The last fragment is gone through; the times of its last two samples.
    Walk { before: u32, last: u32 },
}

impl ExtentSearch {
    /// The end, in milliseconds of the stream. The reader is left anywhere.
    pub(super) fn run(&mut self, view: &mut FileView, reader: &mut Mp4Reader) -> Result<u32> {
        loop {
            *self = match *self {
                Self::Index => find_index(view)?,
                Self::Entries { position, end } => {
                    let Some(header) = boxes::read_header(view, position, end)? else {
                        return Err(ReadError::Truncated(position).into());
                    };
                    if header.kind == *b"tfra" {
                        let fragment = last_fragment(view, &header)?;
                        reader.begin_at(Some(fragment));
                        Self::Walk { before: 0, last: 0 }
                    } else {
                        Self::Entries { position: header.end, end }
                    }
                }
                Self::Walk { before, last } => {
                    let Some(next) = reader.peek(view, LEADER)? else {
                        return Ok(last.saturating_add(last.saturating_sub(before)));
                    };
                    reader.tracks[LEADER].advance();
                    Self::Walk { before: if last == 0 { next.time } else { last }, last: next.time }
                }
            };
        }
    }
}

fn find_index(view: &mut FileView) -> Result<ExtentSearch> {
    let end = view.length();
    let position = end.saturating_sub(MFRO);
    let mut mfro = boxes::read(view, position, MFRO as usize)?;
    mfro.advance(4);
    let kind = mfro.get_u32().to_be_bytes();
    mfro.advance(4);
    let size = u64::from(mfro.get_u32());
    let start = end.checked_sub(size).filter(|_| kind == *b"mfro" && size > MFRO + 8);
    let start = start.ok_or(ReadError::Truncated(position))?;
    Ok(ExtentSearch::Entries { position: start + 8, end: position })
}

/// Where the last fragment is that the table of a track names.
fn last_fragment(view: &mut FileView, tfra: &boxes::BoxHeader) -> Result<u64> {
    let mut head = tfra.read(view, 16)?;
    if head.len() < 16 {
        return Err(tfra.bad().into());
    }
    let is_long = head.get_u32() >> 24 == 1;
    head.advance(4);
    let lengths = head.get_u32();
    let count = head.get_u32();
    // The numbers of the track fragment, the run and the sample have one to four bytes each.
    let numbers = (0..3).map(|index| (lengths >> (2 * index) & 3) as usize + 1).sum::<usize>();
    let width = if is_long { 8 } else { 4 };
    let table = Table::new(tfra, tfra.body + 16, count, 2 * width + numbers)?;
    let last = table.get(view, count.saturating_sub(1))?;
    let mut last = last.ok_or_else(|| tfra.bad())?;
    last.advance(width);
    Ok(last.get_uint(width))
}
