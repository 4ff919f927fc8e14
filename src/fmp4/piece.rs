//! What a file is made of, for who has to tell its pieces apart.

use bytes::BytesMut;

/// A part of a file that is sent whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The initialisation segment.
    Init,
    /// Samples of the tracks.
    Fragment {
        /// Whether it can be decoded without those before it.
        independent: bool,
    },
}

/// Where a file is written.
pub trait Output {
    /// Where its bytes are appended.
    fn buffer(&mut self) -> &mut BytesMut;

    /// What was appended since the last piece ended is one.
    fn end_piece(&mut self, piece: Piece);
}

/// Just the bytes.
impl Output for BytesMut {
    fn buffer(&mut self) -> &mut BytesMut {
        self
    }

    fn end_piece(&mut self, _piece: Piece) {}
}
