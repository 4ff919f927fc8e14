//! The receiving end of a stream that comes without having been asked for on its connection: what
//! one worker gets from another.

use super::chunk::ReaderConfig;
use super::link::Link;
use super::{Error, Message, media};

/// Chunks in, media out. The sending end is a [`Session`](super::Session) that was made
/// [`feeding`](super::Session::feeding).
pub struct Feed {
    link: Link,
}

/// The sender has applied its own limits already; these are the protocol's.
const READER: ReaderConfig =
    ReaderConfig { max_message: 0xff_ffff, max_streams: 64, fix_extended_timestamp: true };

impl Default for Feed {
    fn default() -> Self {
        Self { link: Link::new(READER, true, u32::MAX) }
    }
}

impl Feed {
    /// Processes received bytes: calls `each` with the audio, video and data in them.
    ///
    /// # Errors
    ///
    /// What the other end does wrong.
    pub fn handle_input(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Message),
    ) -> Result<(), Error> {
        while let Some(message) = self.link.read(&mut bytes)? {
            media::for_each(message, &mut each)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::rtmp::chunk::{Framing, csid};
    use crate::rtmp::session::{Output, STREAM_ID, SessionConfig};
    use crate::rtmp::{MessageType, Session};
    use crate::time::Instant;

    #[test]
    fn what_a_feeding_session_is_followed_by_arrives() {
        let config = SessionConfig { chunk_size: 1000, ..SessionConfig::default() };
        let framing = Framing { chunk_size: config.chunk_size, repeat_extended_timestamp: true };
        let now = Instant::from_millis(5);
        let mut session = Session::feeding(Arc::new(config), now);
        let mut sent = BytesMut::new();
        while let Output::Send(bytes) = session.poll_output() {
            sent.extend_from_slice(&bytes);
        }
        let payload = Bytes::from(vec![0x27; 5000]);
        let (kind, timestamp, stream_id) = (MessageType::Video, 0x0100_0000, STREAM_ID);
        let message = Message { kind, timestamp, stream_id, payload };
        framing.encode(csid::VIDEO, &message, &mut sent);
        for piece in [1, 7, sent.len()] {
            let (mut feed, mut got) = (Feed::default(), Vec::new());
            for bytes in sent.chunks(piece) {
                feed.handle_input(bytes, |message| got.push(message)).unwrap();
            }
            assert_eq!(got, std::slice::from_ref(&message));
        }
        // Nobody answers its pings.
        session.handle_timeout(now + Duration::from_secs(10_000)).unwrap();
        assert_eq!(session.poll_output(), Output::Timeout(None));
    }
}
