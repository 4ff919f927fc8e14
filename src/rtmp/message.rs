//! RTMP messages: what chunks assemble to (RTMP 1.0, 4 and 7.1).

use bytes::Bytes;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What the payload is.
    pub kind: MessageType,
    /// Milliseconds, wrapping at 2^32.
    pub timestamp: u32,
    /// The message stream, 0 for the control stream.
    pub stream_id: u32,
    /// The payload; its length is at most 2^24 - 1.
    pub payload: Bytes,
}

/// The type of a message, by its one-byte id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageType {
    /// 1: Set Chunk Size (5.4.1).
    SetChunkSize,
    /// 2: Abort Message (5.4.2).
    Abort,
    /// 3: Acknowledgement (5.4.3).
    Acknowledgement,
    /// 4: User Control (6.2).
    UserControl,
    /// 5: Window Acknowledgement Size (5.4.4).
    WindowAckSize,
    /// 6: Set Peer Bandwidth (5.4.5).
    SetPeerBandwidth,
    /// 8: audio, an FLV audio tag body.
    Audio,
    /// 9: video, an FLV video tag body.
    Video,
    /// 15: data in AMF3.
    DataAmf3,
    /// 17: a command in AMF3.
    CommandAmf3,
    /// 18: data in AMF0, such as `onMetaData`.
    DataAmf0,
    /// 20: a command in AMF0.
    CommandAmf0,
    /// 22: several messages in one, each framed as an FLV tag (7.1.6).
    Aggregate,
    /// Any other id, shared objects (16, 19) among them; receivers ignore these.
    Other(u8),
}

impl MessageType {
    /// The id on the wire.
    pub const fn id(self) -> u8 {
        match self {
            Self::SetChunkSize => 1,
            Self::Abort => 2,
            Self::Acknowledgement => 3,
            Self::UserControl => 4,
            Self::WindowAckSize => 5,
            Self::SetPeerBandwidth => 6,
            Self::Audio => 8,
            Self::Video => 9,
            Self::DataAmf3 => 15,
            Self::CommandAmf3 => 17,
            Self::DataAmf0 => 18,
            Self::CommandAmf0 => 20,
            Self::Aggregate => 22,
            Self::Other(id) => id,
        }
    }
}

impl From<u8> for MessageType {
    fn from(id: u8) -> Self {
        match id {
            1 => Self::SetChunkSize,
            2 => Self::Abort,
            3 => Self::Acknowledgement,
            4 => Self::UserControl,
            5 => Self::WindowAckSize,
            6 => Self::SetPeerBandwidth,
            8 => Self::Audio,
            9 => Self::Video,
            15 => Self::DataAmf3,
            17 => Self::CommandAmf3,
            18 => Self::DataAmf0,
            20 => Self::CommandAmf0,
            22 => Self::Aggregate,
            id => Self::Other(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_round_trips() {
        for id in 0..=u8::MAX {
            assert_eq!(MessageType::from(id).id(), id);
        }
    }
}
