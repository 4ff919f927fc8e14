//! The reader does not care how its input is split, and reads back what the writer makes of its
//! messages.

#![no_main]

use bytes::{Buf, BytesMut};
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::rtmp::chunk::{ChunkReader, Framing, ReaderConfig, csid};
use ngx_rtmp_module::rtmp::{Error, Message, MessageType};

const MAX_MESSAGE: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let piece = usize::from(*data.last().unwrap_or(&0)) + 1;
    let fix_extended_timestamp = piece > 1;
    let config =
        ReaderConfig { max_message: MAX_MESSAGE, max_streams: 1000, fix_extended_timestamp };
    let (messages, error) = read(config, data, data.len().max(1));
    assert_eq!(read(config, data, piece), (messages.clone(), error));

    let mut out = BytesMut::new();
    let framing = Framing { chunk_size: 128, repeat_extended_timestamp: fix_extended_timestamp };
    let mut reader = ChunkReader::new(config);
    for message in messages {
        assert!(message.payload.len() <= MAX_MESSAGE);
        framing.encode(csid::VIDEO, &message, &mut out);
        assert_eq!(reader.read(&mut &out.split()[..]), Ok(Some(message)));
    }
});

/// The messages of `data`, fed in pieces, and the error that ended them.
fn read(config: ReaderConfig, data: &[u8], piece: usize) -> (Vec<Message>, Option<Error>) {
    let mut reader = ChunkReader::new(config);
    let mut messages = Vec::new();
    for mut input in data.chunks(piece) {
        loop {
            match reader.read(&mut input).and_then(|message| obey(&mut reader, message)) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(input.is_empty());
    }
    (messages, None)
}

/// Does what a session does on a message that is about chunks.
fn obey(reader: &mut ChunkReader, message: Option<Message>) -> Result<Option<Message>, Error> {
    if let Some(Message { kind, payload, .. }) = &message {
        match (kind, payload.clone().try_get_u32()) {
            (MessageType::SetChunkSize, Ok(size)) => reader.set_chunk_size(size)?,
            (MessageType::Abort, Ok(csid)) => reader.abort(csid),
            _ => {}
        }
    }
    Ok(message)
}
