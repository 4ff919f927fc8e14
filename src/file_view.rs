//! A file of which only a few pieces are in memory: what readers of recorded files see of theirs.

use bytes::Bytes;

/// What a reader sees of its file.
///
/// Readers ask for ranges; one that is not there is told as [`Absent::Unread`], and the reader's
/// owner reads it, [fills](Self::fill) it in, and lets the reader try again. How much is kept is
/// bounded whatever the file is like.
#[derive(Debug)]
pub struct FileView {
    length: u64,
    extents: Vec<Extent>,
    /// Counts uses, so that the extent that was not used for the longest time is known.
    uses: u64,
    /// How many uses there may be before something is read.
    left: u32,
}

/// Uses without anything being read: some milliseconds of work. Readers that go on for longer, as a
/// file made for it has them do, are stopped by a reading, so that others have their turn.
const MAX_USES: u32 = 4096;

#[derive(Debug)]
struct Extent {
    purpose: Purpose,
    offset: u64,
    bytes: Bytes,
    used: u64,
}

/// What a range is read for, by which it is decided how much is read with it and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Small entries of tables, each table at a place of its own.
    Tables,
    /// Pictures and sound, in long runs.
    Media,
}

impl Purpose {
    /// The bytes that are read at once, if no more are asked for.
    const fn read_ahead(self) -> usize {
        match self {
            Self::Tables => 16 << 10,
            Self::Media => 128 << 10,
        }
    }

    /// The extents that are kept: of tables, more than any reader needs for one step; of media, one
    /// for each track, as tracks may be stored one after the other.
    const fn kept(self) -> usize {
        match self {
            Self::Tables => 24,
            Self::Media => 2,
        }
    }
}

/// A range of a file that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    purpose: Purpose,
    /// Where it begins.
    pub offset: u64,
    /// Its bytes, at least 1; all of them are within the file's length.
    pub length: usize,
}

/// Why a range is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// This has to be read first.
    Unread(ReadRequest),
    /// The file ends before the range does.
    PastEnd,
}

/// Why a reader stops in the middle of a step, which it does again when it is called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop<E> {
    /// This has to be read first.
    Unread(ReadRequest),
    /// The file cannot be read on.
    Failed(E),
}

impl<E> From<E> for Stop<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

impl<E> Stop<E> {
    /// A reader's reason for `absent`, where the end of the file is `past_end`.
    pub fn from_absent(absent: Absent, past_end: E) -> Self {
        match absent {
            Absent::Unread(request) => Self::Unread(request),
            Absent::PastEnd => Self::Failed(past_end),
        }
    }
}

impl FileView {
    /// A view of a file of `length` bytes, of which nothing has been read.
    pub const fn new(length: u64) -> Self {
        Self { length, extents: Vec::new(), uses: 0, left: MAX_USES }
    }

    /// The length of the file.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The `length` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn get(&mut self, purpose: Purpose, offset: u64, length: usize) -> Result<Bytes, Absent> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.length);
        let end = end.ok_or(Absent::PastEnd)?;
        self.uses += 1;
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(self.unread(purpose, offset, length));
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        for extent in &mut self.extents {
            let extent_end = extent.offset + extent.bytes.len() as u64;
            if extent.purpose == purpose && extent.offset <= offset && end <= extent_end {
                extent.used = self.uses;
                let start = (offset - extent.offset) as usize;
                return Ok(extent.bytes.slice(start..start + length));
            }
        }
        Err(self.unread(purpose, offset, length))
    }

    fn unread(&self, purpose: Purpose, offset: u64, length: usize) -> Absent {
        // Of an empty range at the end the last byte is as good.
        let offset = offset.min(self.length.saturating_sub(1));
        let rest = usize::try_from(self.length - offset).unwrap_or(usize::MAX);
        let length = length.max(purpose.read_ahead()).min(rest);
        Absent::Unread(ReadRequest { purpose, offset, length })
    }

    /// Takes what was read for `request`. If that is less than was asked for, the file has become
    /// shorter, and ends there.
    pub fn fill(&mut self, request: ReadRequest, bytes: Bytes) {
        let ReadRequest { purpose, offset, length } = request;
        if bytes.len() < length {
            self.length = self.length.min(offset + bytes.len() as u64);
        }
        self.uses += 1;
        self.left = MAX_USES;
        let extent = Extent { purpose, offset, bytes, used: self.uses };
        let is_full = self.alike(purpose).count() >= purpose.kept();
        let oldest = self.alike(purpose).min_by_key(|(_, it)| it.used).map(|(index, _)| index);
        match oldest.filter(|_| is_full) {
            Some(oldest) => self.extents[oldest] = extent,
            None => self.extents.push(extent),
        }
    }

    fn alike(&self, purpose: Purpose) -> impl Iterator<Item = (usize, &Extent)> {
        self.extents.iter().enumerate().filter(move |(_, it)| it.purpose == purpose)
    }
}

/// Runs a reader over a file in memory.
#[cfg(test)]
pub(crate) fn read_from<T, E>(
    view: &mut FileView,
    file: &[u8],
    mut step: impl FnMut(&mut FileView) -> Result<T, Stop<E>>,
) -> Result<T, E> {
    loop {
        match step(view) {
            Ok(value) => return Ok(value),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Unread(request)) => {
                let start = request.offset as usize;
                let bytes = Bytes::copy_from_slice(&file[start..start + request.length]);
                view.fill(request, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 4 << 20;

    fn read(view: &mut FileView, purpose: Purpose, offset: u64, length: usize) -> ReadRequest {
        match view.get(purpose, offset, length) {
            Err(Absent::Unread(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_read_is_there() {
        let mut view = FileView::new(LENGTH);
        let request = read(&mut view, Purpose::Tables, 100, 8);
        assert_eq!((request.offset, request.length), (100, 16 << 10));
        let bytes: Vec<u8> = (0..request.length).map(|n| n as u8).collect();
        view.fill(request, bytes.into());
        assert_eq!(view.get(Purpose::Tables, 101, 3).unwrap(), [1, 2, 3][..]);
        assert_eq!(view.get(Purpose::Tables, 5, 0).unwrap(), b""[..]);
        assert_eq!(read(&mut view, Purpose::Tables, 99, 3).offset, 99);
        assert_eq!(read(&mut view, Purpose::Media, 101, 3).offset, 101);
        let last = 100 + (16 << 10) - 1;
        assert_eq!(view.get(Purpose::Tables, last, 1).unwrap().len(), 1);
        assert_eq!(read(&mut view, Purpose::Tables, last, 2).offset, last);
    }

    #[test]
    fn nothing_is_past_the_end() {
        let mut view = FileView::new(100);
        assert_eq!(view.get(Purpose::Media, 99, 2), Err(Absent::PastEnd));
        assert_eq!(view.get(Purpose::Media, u64::MAX, 2), Err(Absent::PastEnd));
        let request = read(&mut view, Purpose::Media, 60, 1);
        assert_eq!(request.length, 40);
        view.fill(request, Bytes::from_static(b"abc"));
        assert_eq!(view.length(), 63, "the file was cut");
        assert_eq!(view.get(Purpose::Media, 60, 3).unwrap(), b"abc"[..]);
        assert_eq!(view.get(Purpose::Media, 60, 4), Err(Absent::PastEnd));
    }

    #[test]
    fn nobody_goes_on_for_long() {
        let mut view = FileView::new(LENGTH);
        for (offset, length) in [(100, 8), (100, 0), (LENGTH, 0)] {
            let stop = std::iter::repeat_with(|| view.get(Purpose::Tables, offset, length));
            let stop = stop.take(MAX_USES as usize).find_map(Result::err);
            let Some(Absent::Unread(request)) = stop else { panic!("{stop:?}") };
            assert!(request.length > 0 && request.offset + request.length as u64 <= LENGTH);
            view.fill(request, vec![0; request.length].into());
            assert!(view.get(Purpose::Tables, offset, length).is_ok());
        }
    }

    #[test]
    fn so_much_is_kept() {
        let mut view = FileView::new(LENGTH);
        let first = read(&mut view, Purpose::Tables, 0, 16);
        view.fill(first, vec![0; first.length].into());
        for turn in 1..100 {
            let request = read(&mut view, Purpose::Tables, turn * (20 << 10), 16);
            view.fill(request, vec![0; request.length].into());
            // What is used again and again stays.
            view.get(Purpose::Tables, 0, 16).unwrap();
        }
        assert_eq!(view.extents.len(), Purpose::Tables.kept());
        let request = read(&mut view, Purpose::Media, 0, 300 << 10);
        assert_eq!(request.length, 300 << 10);
    }
}
