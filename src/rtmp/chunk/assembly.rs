//! The peer's chunk streams: the message being assembled on each, and what later headers refer to.

use std::mem;

use super::header::{MessageHeader, TimestampField};
use crate::rtmp::{Error, Limit, Message, MessageType, PeerMisbehaved};

/// The least that a payload's buffer grows by, in bytes, unless the message is shorter.
const MIN_GROWTH: usize = 4096;

/// The chunk streams that a peer uses, by their ids. They are few, and looked up for every chunk: so
/// they lie side by side, in order.
#[derive(Default)]
pub(super) struct ChunkStreams(Vec<(u32, ChunkStream)>);

impl ChunkStreams {
    fn find(&self, csid: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&csid, |(csid, _)| *csid)
    }

    pub(super) fn contains(&self, csid: u32) -> bool {
        self.find(csid).is_ok()
    }

    pub(super) fn get_mut(&mut self, csid: u32) -> Option<&mut ChunkStream> {
        let at = self.find(csid).ok()?;
        self.0.get_mut(at).map(|(_, stream)| stream)
    }

    /// The chunk stream, new if the peer has not used it yet.
    pub(super) fn get_or_begin(&mut self, csid: u32) -> &mut ChunkStream {
        let at = self.find(csid).unwrap_or_else(|at| {
            self.0.insert(at, (csid, ChunkStream::default()));
            at
        });
        &mut self.0[at].1
    }
}

/// The state of one chunk stream.
pub(super) struct ChunkStream {
    timestamp: u32,
    /// What a format 3 header stands for: it adds this to the timestamp, and repeats its extension.
    field: TimestampField,
    length: usize,
    kind: MessageType,
    stream_id: u32,
    /// What has arrived of the message; a message that has begun has at least one byte here,
    /// whenever a chunk is complete.
    payload: Vec<u8>,
}

impl Default for ChunkStream {
    fn default() -> Self {
        Self {
            timestamp: 0,
            field: TimestampField::default(),
            length: 0,
            kind: MessageType::Other(0),
            stream_id: 0,
            payload: Vec::new(),
        }
    }
}

impl ChunkStream {
    /// The extended timestamp of the last header that was not of format 3, if it had one.
    pub(super) fn extended_timestamp(&self) -> Option<u32> {
        self.field.extended.then_some(self.field.millis)
    }

    /// How much of the message is still to come, in bytes.
    pub(super) fn missing(&self) -> usize {
        self.length.saturating_sub(self.payload.len())
    }

    /// Takes note of the header of the next chunk, which belongs to chunk stream `csid`.
    ///
    /// A message goes on in chunks of format 3 (5.3.1.2.4). Other formats are taken to continue it
    /// too, as ffmpeg and nginx-rtmp-module do, if they do not contradict its length.
    pub(super) fn begin_chunk(
        &mut self,
        csid: u32,
        header: &MessageHeader,
        max_message: usize,
    ) -> Result<(), Error> {
        if self.payload.is_empty() {
            self.begin_message(header);
            if self.length > max_message {
                return Err(Limit::Message { length: self.length, max: max_message }.into());
            }
            return Ok(());
        }
        match header {
            MessageHeader::Full { length, .. } | MessageHeader::SameStream { length, .. }
                if *length != self.length =>
            {
                Err(PeerMisbehaved::MessageInterrupted { csid }.into())
            }
            _ => Ok(()),
        }
    }

    /// A format 3 header that begins a message adds the last delta or, after format 0, that header's
    /// timestamp: the specification's rule (5.3.1.2.4), and that of ffmpeg, librtmp and SRS. So
    /// ffmpeg sends it when the second of two equally long messages comes twice as late.
    fn begin_message(&mut self, header: &MessageHeader) {
        match *header {
            MessageHeader::Full { timestamp, length, kind, stream_id } => {
                self.timestamp = 0;
                self.field = timestamp;
                (self.length, self.kind, self.stream_id) = (length, kind, stream_id);
            }
            MessageHeader::SameStream { delta, length, kind } => {
                self.field = delta;
                (self.length, self.kind) = (length, kind);
            }
            MessageHeader::SameLength { delta } => self.field = delta,
            MessageHeader::Same => {}
        }
        self.timestamp = self.timestamp.wrapping_add(self.field.millis);
    }

    /// Appends to the message. The buffer doubles with what arrives, up to the length declared, so
    /// that a declaration alone costs nothing and a whole message wastes nothing.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if self.payload.capacity() - self.payload.len() < bytes.len() {
            let doubled = self.payload.len().max(bytes.len()).max(MIN_GROWTH);
            self.payload.reserve_exact(doubled.min(self.missing()));
        }
        self.payload.extend_from_slice(bytes);
    }

    /// The message, once all of it has arrived.
    pub(super) fn take_message(&mut self) -> Option<Message> {
        (self.missing() == 0).then(|| Message {
            kind: self.kind,
            timestamp: self.timestamp,
            stream_id: self.stream_id,
            payload: mem::take(&mut self.payload).into(),
        })
    }

    /// Forgets what has arrived of the message.
    pub(super) fn abort(&mut self) {
        self.payload = Vec::new();
    }
}
