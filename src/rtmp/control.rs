//! Protocol control and User Control messages (RTMP 1.0, 5.4 and 6.2).

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use super::{Error, Message, MessageType, PeerMisbehaved};

/// A message about the connection itself. All travel on chunk stream 2, message stream 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The largest chunk payload that its sender will use from now on, in bytes.
    SetChunkSize(u32),
    /// The chunk stream whose partly sent message is to be forgotten.
    Abort(u32),
    /// How many bytes its sender has received so far, modulo 2^32.
    Acknowledgement(u32),
    /// How many bytes its sender sends before it wants an Acknowledgement.
    WindowAckSize(u32),
    /// Asks the receiver to have no more than so many bytes unacknowledged, with limit type
    /// Dynamic, the only one this program sends; the received type is not kept.
    SetPeerBandwidth(u32),
    /// A User Control message.
    User(UserControl),
}

impl Control {
    /// The control message in `message`, or `None` if its type is not one of theirs.
    ///
    /// # Errors
    ///
    /// [`PeerMisbehaved::ControlTruncated`] if the payload is too short.
    pub fn decode(message: &Message) -> Result<Option<Self>, Error> {
        Self::parse(message.kind, &message.payload)
            .map_err(|_| PeerMisbehaved::ControlTruncated(message.kind).into())
    }

    /// The message that carries this.
    pub fn to_message(self) -> Message {
        let mut payload = BytesMut::with_capacity(10);
        let kind = match self {
            Self::SetChunkSize(size) => {
                payload.put_u32(size);
                MessageType::SetChunkSize
            }
            Self::Abort(chunk_stream) => {
                payload.put_u32(chunk_stream);
                MessageType::Abort
            }
            Self::Acknowledgement(sequence) => {
                payload.put_u32(sequence);
                MessageType::Acknowledgement
            }
            Self::WindowAckSize(window) => {
                payload.put_u32(window);
                MessageType::WindowAckSize
            }
            Self::SetPeerBandwidth(window) => {
                payload.put_u32(window);
                payload.put_u8(LIMIT_DYNAMIC);
                MessageType::SetPeerBandwidth
            }
            Self::User(event) => {
                event.encode(&mut payload);
                MessageType::UserControl
            }
        };
        Message { kind, timestamp: 0, stream_id: 0, payload: payload.freeze() }
    }

    fn parse(kind: MessageType, payload: &Bytes) -> Result<Option<Self>, TryGetError> {
        let mut payload = payload.as_ref();
        Ok(Some(match kind {
            MessageType::SetChunkSize => Self::SetChunkSize(payload.try_get_u32()?),
            MessageType::Abort => Self::Abort(payload.try_get_u32()?),
            MessageType::Acknowledgement => Self::Acknowledgement(payload.try_get_u32()?),
            MessageType::WindowAckSize => Self::WindowAckSize(payload.try_get_u32()?),
            MessageType::SetPeerBandwidth => Self::SetPeerBandwidth(payload.try_get_u32()?),
            MessageType::UserControl => Self::User(UserControl::parse(&mut payload)?),
            _ => return Ok(None),
        }))
    }
}

/// A User Control message, by its event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// 0: this message stream can be used.
    StreamBegin(u32),
    /// 1: playback of this message stream is over.
    StreamEof(u32),
    /// 2: this message stream has no more data for now.
    StreamDry(u32),
    /// 3: how much a player buffers.
    SetBufferLength {
        /// The message stream.
        stream_id: u32,
        /// Milliseconds.
        length: u32,
    },
    /// 4: this message stream is a recording.
    StreamIsRecorded(u32),
    /// 6: asks for a PingResponse with the same timestamp.
    PingRequest(u32),
    /// 7: answers a PingRequest.
    PingResponse(u32),
    /// An event type that this program has no use for, such as SWF verification.
    Other(u16),
}

impl UserControl {
    fn parse(payload: &mut &[u8]) -> Result<Self, TryGetError> {
        Ok(match payload.try_get_u16()? {
            0 => Self::StreamBegin(payload.try_get_u32()?),
            1 => Self::StreamEof(payload.try_get_u32()?),
            2 => Self::StreamDry(payload.try_get_u32()?),
            3 => Self::SetBufferLength {
                stream_id: payload.try_get_u32()?,
                length: payload.try_get_u32()?,
            },
            4 => Self::StreamIsRecorded(payload.try_get_u32()?),
            6 => Self::PingRequest(payload.try_get_u32()?),
            7 => Self::PingResponse(payload.try_get_u32()?),
            event => Self::Other(event),
        })
    }

    fn encode(self, payload: &mut BytesMut) {
        let (event, value) = match self {
            Self::StreamBegin(stream_id) => (0, stream_id),
            Self::StreamEof(stream_id) => (1, stream_id),
            Self::StreamDry(stream_id) => (2, stream_id),
            Self::SetBufferLength { stream_id, .. } => (3, stream_id),
            Self::StreamIsRecorded(stream_id) => (4, stream_id),
            Self::PingRequest(timestamp) => (6, timestamp),
            Self::PingResponse(timestamp) => (7, timestamp),
            Self::Other(event) => return payload.put_u16(event),
        };
        payload.put_u16(event);
        payload.put_u32(value);
        if let Self::SetBufferLength { length, .. } = self {
            payload.put_u32(length);
        }
    }
}

const LIMIT_DYNAMIC: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Control; 13] = [
        Control::SetChunkSize(4096),
        Control::Abort(3),
        Control::Acknowledgement(u32::MAX),
        Control::WindowAckSize(5_000_000),
        Control::SetPeerBandwidth(2_500_000),
        Control::User(UserControl::StreamBegin(1)),
        Control::User(UserControl::StreamEof(1)),
        Control::User(UserControl::StreamDry(1)),
        Control::User(UserControl::SetBufferLength { stream_id: 1, length: 3000 }),
        Control::User(UserControl::StreamIsRecorded(1)),
        Control::User(UserControl::PingRequest(77)),
        Control::User(UserControl::PingResponse(77)),
        Control::User(UserControl::Other(26)),
    ];

    #[test]
    fn every_control_message_round_trips() {
        for control in ALL {
            assert_eq!(Control::decode(&control.to_message()), Ok(Some(control)));
        }
    }

    #[test]
    fn a_payload_cut_anywhere_is_refused() {
        for control in ALL {
            let whole = control.to_message();
            // The limit type of Set Peer Bandwidth is not read.
            let needed = match control {
                Control::SetPeerBandwidth(_) => 4,
                _ => whole.payload.len(),
            };
            for length in 0..needed {
                let cut = Message { payload: whole.payload.slice(..length), ..whole.clone() };
                let error = PeerMisbehaved::ControlTruncated(whole.kind).into();
                assert_eq!(Control::decode(&cut), Err(error));
            }
        }
    }
}
