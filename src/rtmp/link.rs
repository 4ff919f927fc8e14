//! What both ends of a connection do alike: chunks, acknowledgements, answers to pings.

use bytes::{Bytes, BytesMut};

use super::chunk::{ChunkReader, DEFAULT_CHUNK_SIZE, Framing, ReaderConfig, csid};
use super::control::{Control, UserControl};
use super::{Error, Message, MessageType};

/// The chunk layer of one end.
pub(super) struct Link {
    reader: ChunkReader,
    framing: Framing,
    output: BytesMut,
    received: u64,
    acknowledged: u64,
    /// How many bytes may come in before they are acknowledged.
    ack_window: u32,
    /// The window that the peer was last told to acknowledge by.
    announced_window: Option<u32>,
}

impl Link {
    /// A link that acknowledges every `ack_window` bytes until the peer asks for it more often.
    pub(super) fn new(
        reader: ReaderConfig,
        repeat_extended_timestamp: bool,
        ack_window: u32,
    ) -> Self {
        Self {
            reader: ChunkReader::new(reader),
            framing: Framing { chunk_size: DEFAULT_CHUNK_SIZE, repeat_extended_timestamp },
            output: BytesMut::new(),
            received: 0,
            acknowledged: 0,
            ack_window,
            announced_window: None,
        }
    }

    /// Takes other settings. A peer that wants more acknowledgements keeps getting them.
    pub(super) fn configure(
        &mut self,
        reader: ReaderConfig,
        repeat_extended_timestamp: bool,
        ack_window: u32,
    ) {
        self.reader.configure(reader);
        self.framing.repeat_extended_timestamp = repeat_extended_timestamp;
        self.ack_window = self.ack_window.min(ack_window);
    }

    /// Counts bytes that came in.
    pub(super) const fn count_received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Acknowledges what came in when it is time. Not before the handshake is over, as its packets
    /// are not chunks.
    pub(super) fn acknowledge(&mut self) {
        if self.received - self.acknowledged >= u64::from(self.ack_window) {
            self.acknowledged = self.received;
            // The sequence number wraps; only differences count.
            self.send_control(Control::Acknowledgement(self.received as u32));
        }
    }

    /// Bytes received since the beginning, the handshake among them.
    pub(super) const fn bytes_received(&self) -> u64 {
        self.received
    }

    /// The next message in `input` that is not for the link itself, or `None` when all of it is
    /// consumed.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        while let Some(message) = self.reader.read(input)? {
            match Control::decode(&message)? {
                Some(control) if self.handle_control(control)? => {}
                _ => return Ok(Some(message)),
            }
        }
        Ok(None)
    }

    /// Sends `message` on chunk stream `csid`.
    pub(super) fn send(&mut self, csid: u32, message: &Message) {
        self.framing.encode(csid, message, &mut self.output);
    }

    /// Sends a control message; what it announces holds from then on.
    pub(super) fn send_control(&mut self, control: Control) {
        self.send(csid::CONTROL, &control.to_message());
        match control {
            Control::SetChunkSize(size) => self.framing.chunk_size = size,
            Control::WindowAckSize(window) => self.announced_window = Some(window),
            _ => {}
        }
    }

    /// Sends a command about a message stream, or with 0 about the connection.
    pub(super) fn send_command(&mut self, stream_id: u32, payload: Bytes) {
        let kind = MessageType::CommandAmf0;
        self.send(csid::COMMAND, &Message { kind, timestamp: 0, stream_id, payload });
    }

    /// Where the handshake puts what it sends.
    pub(super) const fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// What is to be sent, if anything.
    pub(super) fn poll_output(&mut self) -> Option<Bytes> {
        match self.output.is_empty() {
            true => None,
            false => Some(self.output.split().freeze()),
        }
    }

    /// Whether `control` is for the link alone, in which case it is done with.
    fn handle_control(&mut self, control: Control) -> Result<bool, Error> {
        match control {
            Control::SetChunkSize(size) => self.reader.set_chunk_size(size)?,
            Control::Abort(csid) => self.reader.abort(csid),
            // Nothing is held back for want of an acknowledgement: TCP does that.
            Control::Acknowledgement(_) => {}
            Control::WindowAckSize(window) => self.ack_window = self.ack_window.min(window.max(1)),
            Control::SetPeerBandwidth(window) if self.announced_window != Some(window) => {
                self.send_control(Control::WindowAckSize(window));
            }
            Control::SetPeerBandwidth(_) => {}
            Control::User(UserControl::PingRequest(timestamp)) => {
                self.send_control(Control::User(UserControl::PingResponse(timestamp)));
            }
            Control::User(_) => return Ok(false),
        }
        Ok(true)
    }
}
