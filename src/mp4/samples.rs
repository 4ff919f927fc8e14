//! Files for tests.

use super::{Mp4Reader, TrackChoice};
use crate::file_view::{FileView, read_from};
use crate::rtmp::{Message, MessageType};

/// The pictures and sound of a file, as messages.
pub(crate) fn read(file: &[u8]) -> Vec<Message> {
    let mut view = FileView::new(file.len() as u64);
    let mut reader = Mp4Reader::new(TrackChoice::default());
    read_from(&mut view, file, |view| reader.prepare(view)).unwrap();
    let next = || read_from(&mut view, file, |view| reader.next(view)).unwrap();
    let messages = std::iter::from_fn(next);
    messages.filter(|it| matches!(it.kind, MessageType::Audio | MessageType::Video)).collect()
}
