//! Boxes (ISO/IEC 14496-12, 4.2) and the tables of fixed entries in them.

use bytes::{Buf, Bytes};

use super::{FourCc, ReadError, Result};
use crate::file_view::{FileView, Purpose, Stop};

/// Where a box is in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoxHeader {
    pub(super) kind: FourCc,
    /// Where its contents begin.
    pub(super) body: u64,
    /// Where the next box begins.
    pub(super) end: u64,
}

/// The header of the box at `position` in what ends at `limit`; `None` if none fits there.
pub(super) fn read_header(
    view: &mut FileView,
    position: u64,
    limit: u64,
) -> Result<Option<BoxHeader>> {
    if limit.saturating_sub(position) < 8 {
        return Ok(None);
    }
    let mut header = read(view, position, 8)?;
    let size = u64::from(header.get_u32());
    let kind = header.get_u32().to_be_bytes();
    let (body, end) = match size {
        // To the end of what it is in.
        0 => (8, Some(limit)),
        1 => (16, position.checked_add(read(view, position + 8, 8)?.get_u64())),
        size => (8, position.checked_add(size)),
    };
    let body = position + body;
    match end.filter(|end| *end >= body) {
        Some(end) => Ok(Some(BoxHeader { kind, body, end })),
        None => Err(ReadError::Box { kind, position }.into()),
    }
}

/// Bytes of a box that holds no samples.
pub(super) fn read(view: &mut FileView, position: u64, length: usize) -> Result<Bytes> {
    let past_end = ReadError::Truncated(position);
    view.get(Purpose::Tables, position, length)
        .map_err(|absent| Stop::from_absent(absent, past_end))
}

impl BoxHeader {
    /// The contents, up to `most` bytes of them.
    pub(super) fn read(&self, view: &mut FileView, most: usize) -> Result<Bytes> {
        let length = usize::try_from(self.end - self.body).unwrap_or(most).min(most);
        read(view, self.body, length)
    }

    /// What is wrong with the box.
    pub(super) const fn bad(&self) -> ReadError {
        ReadError::Box { kind: self.kind, position: self.body }
    }
}

/// A table of entries of one size, which stays in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    at: u64,
    count: u32,
    entry: usize,
}

impl Table {
    /// The table of `count` entries of `entry` bytes at `at`, if the box has that many.
    pub(super) fn new(of: &BoxHeader, at: u64, count: u32, entry: usize) -> Result<Self> {
        let end = at + u64::from(count) * entry as u64;
        if end > of.end {
            return Err(of.bad().into());
        }
        Ok(Self { at, count, entry })
    }

    /// The table of a box that has a count after its version and flags.
    pub(super) fn counted(view: &mut FileView, of: &BoxHeader, entry: usize) -> Result<Self> {
        let mut head = of.read(view, 8)?;
        head.try_get_u32().map_err(|_| of.bad())?;
        let count = head.try_get_u32().map_err(|_| of.bad())?;
        Self::new(of, of.body + 8, count, entry)
    }

    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// The entry at `index`; `None` past the last.
    pub(super) fn get(&self, view: &mut FileView, index: u32) -> Result<Option<Bytes>> {
        if index >= self.count {
            return Ok(None);
        }
        read(view, self.at + u64::from(index) * self.entry as u64, self.entry).map(Some)
    }
}

/// The contents of the first box of a kind among `boxes`, which are in memory.
pub(super) fn find(mut boxes: &[u8], kind: FourCc) -> Option<&[u8]> {
    while let Some((found, body)) = split_first(&mut boxes) {
        if found == kind {
            return Some(body);
        }
    }
    None
}

/// Takes the first box off `boxes`: its kind and contents.
pub(super) fn split_first<'a>(boxes: &mut &'a [u8]) -> Option<(FourCc, &'a [u8])> {
    let mut header = *boxes;
    let size = usize::try_from(header.try_get_u32().ok()?).ok()?;
    let kind = header.try_get_u32().ok()?.to_be_bytes();
    let whole = boxes.split_off(..size)?;
    Some((kind, whole.get(8..)?))
}
