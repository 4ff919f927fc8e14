//! How long a fragmented movie is whose movie box does not say so: to its last fragment, which the
//! index at the end of the file names.

use super::index::IndexSearch;
use super::reader::{LEADER, Mp4Reader};
use super::{ReadError, Result};
use crate::file_view::FileView;

/// A search for the end of a movie.
#[derive(Clone, Copy, Debug)]
pub(super) enum ExtentSearch {
    /// The index is looked for.
    Index(IndexSearch),
    /// The last fragment is gone through; the times of its last two samples.
    Walk { before: u32, last: u32 },
}

impl Default for ExtentSearch {
    fn default() -> Self {
        Self::Index(IndexSearch::default())
    }
}

impl ExtentSearch {
    /// The end, in milliseconds of the stream. The reader is left anywhere.
    pub(super) fn run(&mut self, view: &mut FileView, reader: &mut Mp4Reader) -> Result<u32> {
        loop {
            *self = match self {
                Self::Index(search) => {
                    let last = search.run(view, None)?.last(view)?;
                    let last = last.ok_or_else(|| ReadError::Truncated(view.length()))?;
                    reader.begin_at(Some(last.fragment));
                    Self::Walk { before: 0, last: 0 }
                }
                &mut Self::Walk { before, last } => {
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
