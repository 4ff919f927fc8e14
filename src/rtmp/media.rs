//! Audio, video and data, made alike whoever sends them.

use bytes::{Bytes, BytesMut};

use super::aggregate::Parts;
use super::{Error, Message, MessageType, command};

/// The media in a message: none, one or, for an aggregate message, any number.
///
/// Data is made [`MessageType::DataAmf0`], without the wrapper `@setDataFrame`; data that one end tells
/// the other is none.
///
/// # Errors
///
/// As those of [`Parts`], after calling `each` for what comes before.
pub(super) fn for_each(message: Message, mut each: impl FnMut(Message)) -> Result<(), Error> {
    if message.kind != MessageType::Aggregate {
        normalize(message).map(each);
        return Ok(());
    }
    for part in Parts::new(message) {
        normalize(part?).map(&mut each);
    }
    Ok(())
}

/// The payload of a data message as a publisher sends it: metadata for players to come is wrapped.
pub(super) fn wrap_metadata(payload: &Bytes) -> Bytes {
    if !payload.starts_with(ON_META_DATA) {
        return payload.clone();
    }
    let mut wrapped = BytesMut::with_capacity(SET_DATA_FRAME.len() + payload.len());
    wrapped.extend_from_slice(SET_DATA_FRAME);
    wrapped.extend_from_slice(payload);
    wrapped.freeze()
}

fn normalize(message: Message) -> Option<Message> {
    match message.kind {
        MessageType::Audio | MessageType::Video => Some(message),
        MessageType::DataAmf0 | MessageType::DataAmf3 => {
            let payload = data_frame(command::amf0_payload(&message))?;
            Some(Message { kind: MessageType::DataAmf0, payload, ..message })
        }
        _ => None,
    }
}

/// The data without its wrapper, unless it is about the connection.
fn data_frame(payload: Bytes) -> Option<Bytes> {
    let wrapped = payload.strip_prefix(SET_DATA_FRAME).map(|data| payload.slice_ref(data));
    let data = wrapped.unwrap_or(payload);
    let mut not_media = [CLEAR_DATA_FRAME, SAMPLE_ACCESS, ON_STATUS].iter();
    let media = !data.is_empty() && !not_media.any(|name| data.starts_with(name));
    media.then_some(data)
}

/// The AMF0 string `@setDataFrame`.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";
/// The AMF0 string `@clearDataFrame`, which tells a server to forget.
const CLEAR_DATA_FRAME: &[u8] = b"\x02\x00\x0f@clearDataFrame";
/// The AMF0 string `|RtmpSampleAccess`, which tells a player what it may do.
const SAMPLE_ACCESS: &[u8] = b"\x02\x00\x11|RtmpSampleAccess";
/// The AMF0 string `onStatus`, which tells a player about its playback.
const ON_STATUS: &[u8] = b"\x02\x00\x08onStatus";
/// The AMF0 string `onMetaData`.
const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_survives_wrapping() {
        let metadata = Bytes::from_static(b"\x02\x00\x0aonMetaData\x05");
        assert_ne!(wrap_metadata(&metadata), metadata);
        assert_eq!(data_frame(wrap_metadata(&metadata)), Some(metadata));
        let other = Bytes::from_static(b"\x02\x00\x0aonTextData\x05");
        assert_eq!(wrap_metadata(&other), other);
    }

    fn normalized(kind: MessageType, payload: &'static [u8]) -> Option<(MessageType, Bytes)> {
        let payload = Bytes::from_static(payload);
        let message = normalize(Message { kind, timestamp: 40, stream_id: 1, payload })?;
        assert_eq!((message.timestamp, message.stream_id), (40, 1));
        Some((message.kind, message.payload))
    }

    #[test]
    fn data_loses_wrapper_and_format_selector() {
        let expected = Some((MessageType::DataAmf0, Bytes::from_static(b"\x02\x00\x01a\x05")));
        let wrapped = b"\x02\x00\x0d@setDataFrame\x02\x00\x01a\x05";
        assert_eq!(normalized(MessageType::DataAmf0, wrapped), expected);
        assert_eq!(normalized(MessageType::DataAmf0, b"\x02\x00\x01a\x05"), expected);
        assert_eq!(normalized(MessageType::DataAmf3, b"\x00\x02\x00\x01a\x05"), expected);
        assert_eq!(normalized(MessageType::DataAmf3, b"\x02\x00\x01a\x05"), expected);
    }

    #[test]
    fn data_that_is_no_media_is_dropped() {
        assert_eq!(normalized(MessageType::DataAmf0, b"\x02\x00\x0d@setDataFrame"), None);
        assert_eq!(normalized(MessageType::DataAmf0, b"\x02\x00\x0f@clearDataFrame\x05"), None);
        assert_eq!(normalized(MessageType::DataAmf0, b"\x02\x00\x11|RtmpSampleAccess"), None);
        assert_eq!(normalized(MessageType::DataAmf0, b"\x02\x00\x08onStatus\x05"), None);
        assert_eq!(normalized(MessageType::DataAmf3, b"\x00"), None);
        assert_eq!(normalized(MessageType::Other(16), b"a"), None);
    }

    #[test]
    fn audio_and_video_stay_as_they_are() {
        let bytes = Bytes::from_static(b"\x00\x01");
        for kind in [MessageType::Audio, MessageType::Video] {
            assert_eq!(normalized(kind, b"\x00\x01"), Some((kind, bytes.clone())));
        }
    }
}
