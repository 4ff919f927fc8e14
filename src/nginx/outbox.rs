//! Answers that are waiting to be sent.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Bytes for one peer alone: handshake, answers to commands, pings, and what is played to it from a
/// file.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Bytes>,
    length: usize,
    /// The part of that which may be media.
    media: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.queue.push_back(bytes);
    }

    pub(super) fn push_front(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        self.queue.push_front(Bytes::copy_from_slice(bytes));
    }

    pub(super) fn push_media(&mut self, bytes: Bytes) {
        self.media += bytes.len();
        self.push(bytes);
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// How many bytes wait that the peer has asked for.
    pub(super) fn answers(&self) -> usize {
        self.length - self.media
    }

    /// What waits, in order.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.queue.iter().map(Bytes::as_ref).filter(|slice| !slice.is_empty())
    }

    /// Drops the first `sent` bytes.
    pub(super) fn advance(&mut self, mut sent: usize) {
        self.length -= sent;
        self.media = self.media.min(self.length);
        while let Some(front) = self.queue.front_mut() {
            if sent < front.len() {
                front.advance(sent);
                return;
            }
            sent -= front.len();
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_leaves_the_rest() {
        for sent in 0..=6 {
            let mut outbox = Outbox::default();
            outbox.push(Bytes::from_static(b"cd"));
            outbox.push(Bytes::new());
            outbox.push(Bytes::from_static(b"ef"));
            outbox.push_front(b"ab");
            outbox.advance(sent);
            let rest: Vec<u8> = outbox.slices().flatten().copied().collect();
            assert_eq!(rest, b"abcdef"[sent..]);
            assert_eq!(outbox.len(), rest.len());
        }
    }

    #[test]
    fn media_are_no_answers() {
        let mut outbox = Outbox::default();
        outbox.push_media(Bytes::from_static(b"abc"));
        outbox.push(Bytes::from_static(b"de"));
        assert_eq!((outbox.len(), outbox.answers()), (5, 2));
        outbox.advance(5);
        outbox.push(Bytes::from_static(b"de"));
        assert_eq!((outbox.len(), outbox.answers()), (2, 2));
    }
}
