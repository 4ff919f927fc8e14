//! Chunks in, messages out.

use std::ops::ControlFlow;

use super::assembly::ChunkStreams;
use super::header::{self, BasicHeader, MessageHeader};
use super::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE};
use crate::rtmp::{Error, Limit, Message, PeerMisbehaved};

/// What a [`ChunkReader`] accepts.
#[derive(Clone, Copy, Debug)]
pub struct ReaderConfig {
    /// The longest message, in bytes (`max_message`).
    pub max_message: usize,
    /// Chunk stream ids are below this (`max_streams`).
    pub max_streams: u32,
    /// Whether chunks of format 3 repeat an extended timestamp (`publish_time_fix`), as the
    /// specification has it (5.3.1.3). Those of a peer that does not are understood all the same.
    pub fix_extended_timestamp: bool,
}

/// Assembles messages from the bytes of one connection, however these are split.
///
/// Holds at most `max_streams` messages of `max_message` bytes, and of these only what arrived. The
/// reader acts on no message: its user calls [`set_chunk_size`](Self::set_chunk_size) and
/// [`abort`](Self::abort) on the messages that ask for it, before the next [`read`](Self::read).
pub struct ChunkReader {
    config: ReaderConfig,
    chunk_size: u32,
    streams: ChunkStreams,
    state: State,
    held: Held,
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    /// The headers of a chunk.
    Header,
    /// The rest of a chunk's payload, `remaining` bytes.
    Payload { csid: u32, remaining: usize },
}

/// Whether to go on, or to stop with a message or for lack of input.
type Step = ControlFlow<Option<Message>>;

impl ChunkReader {
    /// A reader at the start of a chunk stream, with the chunk size at its default.
    pub fn new(config: ReaderConfig) -> Self {
        Self {
            config,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: ChunkStreams::default(),
            state: State::Header,
            held: Held::default(),
        }
    }

    /// Accepts something else, from the next header on.
    pub const fn configure(&mut self, config: ReaderConfig) {
        self.config = config;
    }

    /// Takes the next message off the front of `input`; `None` once the input is used up.
    ///
    /// # Errors
    ///
    /// [`Limit::Message`], [`Limit::ChunkStream`], [`PeerMisbehaved::ChunkFormat`] or
    /// [`PeerMisbehaved::MessageInterrupted`]; then the connection cannot be understood any more.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            let step =
                if self.held.is_empty() { self.step(input)? } else { self.step_over_held(input)? };
            if let ControlFlow::Break(message) = step {
                if message.is_none() {
                    self.held.fill(input);
                    *input = &[];
                }
                return Ok(message);
            }
        }
    }

    /// Obeys a Set Chunk Size (5.4.1).
    ///
    /// # Errors
    ///
    /// [`PeerMisbehaved::ChunkSize`] if `size` is zero or has its top bit set, [`Limit::ChunkSize`]
    /// if it is greater than [`MAX_CHUNK_SIZE`].
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        if size == 0 || size > i32::MAX as u32 {
            return Err(PeerMisbehaved::ChunkSize(size).into());
        }
        if size > MAX_CHUNK_SIZE {
            return Err(Limit::ChunkSize { size, max: MAX_CHUNK_SIZE }.into());
        }
        self.chunk_size = size;
        Ok(())
    }

    /// Obeys an Abort Message (5.4.2): forgets the partly received message of chunk stream `csid`.
    pub fn abort(&mut self, csid: u32) {
        if let Some(stream) = self.streams.get_mut(csid) {
            stream.abort();
        }
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Step, Error> {
        match self.state {
            State::Header => self.read_header(input),
            State::Payload { csid, remaining } => Ok(self.read_payload(csid, remaining, input)),
        }
    }

    /// A step over the held bytes and as much of `input` as a header may need.
    fn step_over_held(&mut self, input: &mut &[u8]) -> Result<Step, Error> {
        let mut window = self.held;
        window.fill(input);
        let mut rest = window.as_slice();
        let step = self.step(&mut rest)?;

        let used = window.as_slice().len() - rest.len();
        let used_of_input = used.saturating_sub(self.held.as_slice().len());
        *input = input.get(used_of_input..).unwrap_or_default();
        self.held.drop_front(used);
        Ok(step)
    }

    /// Takes the headers of a chunk off `input`, or nothing if they are not whole yet.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Step, Error> {
        let mut rest = *input;
        let Some(BasicHeader { format, csid }) = BasicHeader::take(&mut rest) else {
            return Ok(ControlFlow::Break(None));
        };
        self.check_basic_header(format, csid)?;

        let ReaderConfig { max_message, fix_extended_timestamp, .. } = self.config;
        let chunk_size = self.chunk_size as usize;
        let stream = self.streams.get_or_begin(csid);
        let repeat = stream.extended_timestamp().filter(|_| fix_extended_timestamp);
        let Some(header) = MessageHeader::take(format, repeat, &mut rest) else {
            return Ok(ControlFlow::Break(None));
        };
        stream.begin_chunk(csid, &header, max_message)?;
        self.state = State::Payload { csid, remaining: stream.missing().min(chunk_size) };
        *input = rest;
        Ok(ControlFlow::Continue(()))
    }

    fn check_basic_header(&self, format: u8, csid: u32) -> Result<(), Error> {
        let max = self.config.max_streams;
        if csid >= max {
            return Err(Limit::ChunkStream { csid, max }.into());
        }
        // Format 1 should follow a header too, but librtmp begins chunk stream 2 with it.
        if format > 1 && !self.streams.contains(csid) {
            return Err(PeerMisbehaved::ChunkFormat { format, csid }.into());
        }
        Ok(())
    }

    fn read_payload(&mut self, csid: u32, remaining: usize, input: &mut &[u8]) -> Step {
        let (taken, rest) = input.split_at(remaining.min(input.len()));
        if taken.is_empty() && remaining > 0 {
            return ControlFlow::Break(None);
        }
        *input = rest;
        let stream = self.streams.get_or_begin(csid);
        stream.append(taken);
        let remaining = remaining - taken.len();
        if remaining > 0 {
            self.state = State::Payload { csid, remaining };
            return ControlFlow::Continue(());
        }
        self.state = State::Header;
        match stream.take_message() {
            None => ControlFlow::Continue(()),
            message => ControlFlow::Break(message),
        }
    }
}

/// The bytes of a header that is not whole yet. They may turn out to be payload in part: where an
/// extended timestamp was not repeated.
#[derive(Clone, Copy, Default)]
struct Held {
    bytes: [u8; header::MAX_LENGTH],
    length: usize,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Appends as much of `bytes` as there is room for.
    fn fill(&mut self, bytes: &[u8]) {
        for (to, from) in self.bytes[self.length..].iter_mut().zip(bytes) {
            *to = *from;
            self.length += 1;
        }
    }

    /// Removes the first `count` bytes, or all there are.
    fn drop_front(&mut self, count: usize) {
        let count = count.min(self.length);
        self.bytes.copy_within(count..self.length, 0);
        self.length -= count;
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, Bytes, BytesMut};

    use super::*;
    use crate::rtmp::MessageType;
    use crate::rtmp::chunk::Framing;

    const CONFIG: ReaderConfig =
        ReaderConfig { max_message: 1 << 20, max_streams: 32, fix_extended_timestamp: true };

    fn message(kind: MessageType, timestamp: u32, payload: &[u8]) -> Message {
        Message { kind, timestamp, stream_id: 1, payload: Bytes::copy_from_slice(payload) }
    }

    /// The messages of `input`, fed in pieces of `piece` bytes.
    fn read_in_pieces(
        reader: &mut ChunkReader,
        input: &[u8],
        piece: usize,
    ) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        for mut piece in input.chunks(piece) {
            while let Some(message) = reader.read(&mut piece)? {
                messages.push(message);
            }
            assert!(piece.is_empty());
        }
        Ok(messages)
    }

    /// The messages of `input`, which must be the same for every size of piece and every split.
    fn read_all(config: ReaderConfig, input: &[u8]) -> Result<Vec<Message>, Error> {
        let whole = read_in_pieces(&mut ChunkReader::new(config), input, input.len().max(1));
        for piece in 1..input.len().min(40) {
            let pieces = read_in_pieces(&mut ChunkReader::new(config), input, piece);
            assert_eq!(pieces, whole, "pieces of {piece}");
        }
        for split in 1..input.len() {
            let (first, second) = input.split_at(split);
            let mut reader = ChunkReader::new(config);
            let parts = read_in_pieces(&mut reader, first, first.len()).and_then(|mut messages| {
                messages.extend(read_in_pieces(&mut reader, second, second.len())?);
                Ok(messages)
            });
            assert_eq!(parts, whole, "split at {split}");
        }
        whole
    }

    fn timestamps(messages: &[Message]) -> Vec<u32> {
        messages.iter().map(|message| message.timestamp).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut config = CONFIG;
        for (csid, repeat_extended_timestamp) in [(3, true), (63, false), (64, true), (319, true)]
            .into_iter()
            .chain([(320, false), (65599, true)])
        {
            config.max_streams = 65600;
            let framing = Framing { chunk_size: 128, repeat_extended_timestamp };
            let messages = [
                message(MessageType::Video, 0, &[7; 400]),
                message(MessageType::Audio, 0xff_fffe, &[8; 128]),
                message(MessageType::Video, 0xff_ffff, &[9; 129]),
                message(MessageType::DataAmf0, u32::MAX, &[10; 300]),
                message(MessageType::Other(0), 1, b""),
                message(MessageType::CommandAmf0, 2, b"x"),
            ];
            let mut out = BytesMut::new();
            messages.iter().for_each(|message| framing.encode(csid, message, &mut out));
            assert_eq!(read_all(config, &out), Ok(messages.to_vec()), "csid {csid}");
        }
    }

    #[test]
    fn deltas_add_up_over_all_formats_and_the_wrap() {
        let input = [
            &b"\x04\xff\xff\xff\x00\x00\x01\x08\x01\x00\x00\x00\xff\xff\xff\xf0a"[..],
            b"\x44\x00\x00\x17\x00\x00\x02\x09bc", // 23 later, past 2^32
            b"\x84\x00\x00\x0ade",                 // 10 later
            b"\xc4fg",                             // 10 later
            b"\x04\x00\x00\x28\x00\x00\x01\x08\x01\x00\x00\x00h",
            b"\xc4i", // 40 later: the timestamp is the delta
        ]
        .concat();
        let messages = read_all(CONFIG, &input).unwrap();
        assert_eq!(timestamps(&messages), [u32::MAX - 15, 7, 17, 27, 40, 80]);
        assert_eq!(messages[3], message(MessageType::Video, 27, b"fg"));
    }

    #[test]
    fn chunk_streams_interleave() {
        let mut input = BytesMut::new();
        input.put_slice(b"\x04\x00\x00\x01\x00\x01\x00\x08\x01\x00\x00\x00");
        input.put_bytes(b'a', 128);
        input.put_slice(b"\x06\x00\x00\x02\x00\x00\x81\x09\x01\x00\x00\x00");
        input.put_bytes(b'v', 128);
        input.put_slice(b"\xc4");
        input.put_bytes(b'a', 128);
        input.put_slice(b"\xc6v");
        let expected = vec![
            message(MessageType::Audio, 1, &[b'a'; 256]),
            message(MessageType::Video, 2, &[b'v'; 129]),
        ];
        assert_eq!(read_all(CONFIG, &input), Ok(expected));
    }

    /// A message of 130 bytes that start with `payload`, its second chunk led in by `repeat`.
    fn extended(timestamp: u32, repeat: &[u8], last: &[u8]) -> BytesMut {
        let mut input = BytesMut::new();
        input.put_slice(b"\x06\xff\xff\xff\x00\x00");
        input.put_u8(128 + last.len() as u8);
        input.put_slice(b"\x09\x01\x00\x00\x00");
        input.put_u32(timestamp);
        input.put_bytes(b'v', 128);
        input.put_u8(0xc6);
        input.put_slice(repeat);
        input.put_slice(last);
        input
    }

    fn extended_payload(last: &[u8]) -> Vec<Message> {
        let payload = [&[b'v'; 128], last].concat();
        vec![
            message(MessageType::Video, 0x0100_0000, &payload),
            message(MessageType::Video, 0x0200_0000, &payload),
        ]
    }

    #[test]
    fn an_extended_timestamp_may_or_may_not_be_repeated() {
        let ones: [&[u8]; 5] =
            [b"x", b"\x01\x00\x00\x07", b"\x01\x00\x00", b"\x01", b"\x01\x00xyz"];
        for last in ones {
            for repeat in [&b"\x01\x00\x00\x00"[..], b""] {
                let mut input = extended(0x0100_0000, repeat, last);
                input.unsplit(extended(
                    0x0200_0000,
                    if repeat.is_empty() { b"" } else { b"\x02\x00\x00\x00" },
                    last,
                ));
                assert_eq!(read_all(CONFIG, &input), Ok(extended_payload(last)), "{last:?}");
            }
        }
    }

    #[test]
    fn without_the_fix_nothing_is_taken_for_a_repetition() {
        let config = ReaderConfig { fix_extended_timestamp: false, ..CONFIG };
        let last = b"\x01\x00\x00\x00";
        let mut input = extended(0x0100_0000, b"", last);
        input.unsplit(extended(0x0200_0000, b"", last));
        assert_eq!(read_all(config, &input), Ok(extended_payload(last)));
    }

    #[test]
    fn librtmp_begins_the_control_stream_with_format_1() {
        // The answer to a ping, as rtmpdump sends it.
        let input = b"\x42\x00\x00\x00\x00\x00\x06\x04\x00\x07\x00\x00\x03\xe8";
        let expected = Message {
            kind: MessageType::UserControl,
            timestamp: 0,
            stream_id: 0,
            payload: Bytes::from_static(b"\x00\x07\x00\x00\x03\xe8"),
        };
        assert_eq!(read_all(CONFIG, input), Ok(vec![expected]));
    }

    #[test]
    fn a_chunk_stream_cannot_begin_without_a_length() {
        for (first, format) in [(0x84, 2), (0xc4, 3)] {
            assert_eq!(
                read_all(CONFIG, &[first]),
                Err(PeerMisbehaved::ChunkFormat { format, csid: 4 }.into())
            );
        }
    }

    #[test]
    fn limits_are_enforced_before_anything_is_stored() {
        let input = b"\x04\x00\x00\x00\x10\x00\x01\x08\x01\x00\x00\x00";
        assert_eq!(
            read_all(CONFIG, input),
            Err(Limit::Message { length: (1 << 20) + 1, max: 1 << 20 }.into())
        );
        for input in [&b"\x20"[..], b"\x00\x00", b"\x01\x00\x00"] {
            let result = read_all(CONFIG, input);
            assert!(matches!(result, Err(Error::Limit(Limit::ChunkStream { max: 32, .. }))));
        }
    }

    #[test]
    fn a_header_within_a_message_continues_or_contradicts_it() {
        let mut input = BytesMut::new();
        input.put_slice(b"\x04\x00\x00\x01\x00\x00\x81\x08\x01\x00\x00\x00");
        input.put_bytes(b'a', 128);
        let mut again = input.clone();
        again.put_slice(b"\x44\x00\x00\x05\x00\x00\x81\x08a");
        let expected = vec![message(MessageType::Audio, 1, &[b'a'; 129])];
        assert_eq!(read_all(CONFIG, &again), Ok(expected));

        input.put_slice(b"\x44\x00\x00\x05\x00\x00\x82\x08a");
        let error = PeerMisbehaved::MessageInterrupted { csid: 4 };
        assert_eq!(read_all(CONFIG, &input), Err(error.into()));
    }

    #[test]
    fn an_abort_makes_room_for_the_next_message() {
        let mut reader = ChunkReader::new(CONFIG);
        let mut input = BytesMut::new();
        input.put_slice(b"\x04\x00\x00\x01\x00\x00\x81\x08\x01\x00\x00\x00");
        input.put_bytes(b'a', 128);
        assert_eq!(reader.read(&mut &input[..]), Ok(None));
        reader.abort(4);
        reader.abort(5);
        let next = b"\x04\x00\x00\x02\x00\x00\x01\x08\x01\x00\x00\x00b";
        let expected = message(MessageType::Audio, 2, b"b");
        assert_eq!(reader.read(&mut &next[..]), Ok(Some(expected)));
    }

    #[test]
    fn a_chunk_size_holds_from_the_next_chunk_on() {
        let mut reader = ChunkReader::new(CONFIG);
        let big = message(MessageType::Video, 5, &[1; 5000]);
        let mut out = BytesMut::new();
        Framing { chunk_size: 5000, repeat_extended_timestamp: true }.encode(6, &big, &mut out);
        reader.set_chunk_size(5000).unwrap();
        assert_eq!(reader.read(&mut &out[..]), Ok(Some(big)));

        assert_eq!(reader.set_chunk_size(MAX_CHUNK_SIZE), Ok(()));
        for size in [0, 1 << 31, u32::MAX] {
            let error = PeerMisbehaved::ChunkSize(size);
            assert_eq!(reader.set_chunk_size(size), Err(error.into()));
        }
        let (size, max) = (MAX_CHUNK_SIZE + 1, MAX_CHUNK_SIZE);
        let error = Limit::ChunkSize { size, max };
        assert_eq!(reader.set_chunk_size(size), Err(error.into()));
    }
}
