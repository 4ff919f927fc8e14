//! Stream metadata: what `onMetaData` tells players (FLV 10.1, E.5).

use bytes::{Bytes, BytesMut};

use crate::amf0::Value;
use crate::codec::{aac, avc};
use crate::flv::{AudioCodec, AudioPacket, AudioTag, VideoCodec, VideoPacket, VideoTag};
use crate::rtmp::{Message, MessageType};

/// What players get as metadata: the directive `meta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meta {
    /// `on`: the properties that players know, from the publisher's metadata and from the sequence
    /// headers, which are right where the two differ.
    #[default]
    On,
    /// `copy`: the publisher's metadata as it is.
    Copy,
    /// `off`: none.
    Off,
}

/// The metadata of one publication.
#[derive(Debug)]
pub(crate) struct Metadata {
    meta: Meta,
    /// The publisher's properties; undefined until there are any.
    published: Value,
    /// What the sequence headers tell.
    video: Properties,
    audio: Properties,
    /// What players get: the payload of an AMF0 data message.
    payload: Option<Bytes>,
}

type Properties = Vec<(&'static str, Value)>;

impl Metadata {
    pub(crate) fn new(meta: Meta) -> Self {
        Self {
            meta,
            published: Value::Undefined,
            video: Vec::new(),
            audio: Vec::new(),
            payload: None,
        }
    }

    /// What players get: the payload of an AMF0 data message.
    pub(super) fn payload(&self) -> Option<&Bytes> {
        self.payload.as_ref()
    }

    /// Whether the publisher's metadata promises video.
    pub(super) fn promises_video(&self) -> bool {
        match self.published.get("videocodecid") {
            Some(Value::Number(id)) => *id != 0.0,
            Some(Value::String(id)) => !id.is_empty(),
            _ => false,
        }
    }

    /// Takes the publisher's `onMetaData`. Returns what players get, if that changed.
    pub(crate) fn publish(&mut self, payload: &Bytes) -> Option<Bytes> {
        // Metadata that cannot be decoded is as good as none, and no reason to end a stream.
        let mut values = Value::decode_all(payload).unwrap_or_default();
        self.published = values.pop().unwrap_or(Value::Undefined);
        match self.meta {
            Meta::On => self.rebuild(),
            Meta::Copy => self.replace(payload.clone()),
            Meta::Off => None,
        }
    }

    /// Takes a sequence header. Returns what players get, if that changed.
    pub(crate) fn set_header(&mut self, message: &Message) -> Option<Bytes> {
        match message.kind {
            MessageType::Audio => self.audio = audio_properties(&message.payload),
            _ => self.video = video_properties(&message.payload),
        }
        match self.meta {
            Meta::On => self.rebuild(),
            Meta::Copy | Meta::Off => None,
        }
    }

    fn rebuild(&mut self) -> Option<Bytes> {
        let mut payload = BytesMut::from(ON_META_DATA);
        Value::EcmaArray(self.properties()).encode(&mut payload);
        self.replace(payload.freeze())
    }

    /// What players know of metadata, as far as it is known.
    pub(crate) fn properties(&self) -> Vec<(String, Value)> {
        let properties = PROPERTIES.into_iter();
        properties.filter_map(|name| Some((name.to_owned(), self.property(name)?))).collect()
    }

    fn property(&self, name: &str) -> Option<Value> {
        match name {
            "Server" => Some(SERVER.into()),
            "audiocodecid" | "videocodecid" => self.published(name).or_else(|| self.header(name)),
            "displayHeight" => self.published(name).or_else(|| self.property("height")),
            "displayWidth" => self.published(name).or_else(|| self.property("width")),
            "duration" => self.published(name).or(Some(Value::Number(0.0))),
            "fps" | "framerate" => self
                .published(name)
                .or_else(|| self.published("framerate"))
                .or_else(|| self.published("fps"))
                .or_else(|| self.header("framerate")),
            _ => self.header(name).or_else(|| self.published(name)),
        }
    }

    fn published(&self, name: &str) -> Option<Value> {
        let value = self.published.get(name)?;
        matches!(value, Value::Number(_) | Value::Boolean(_) | Value::String(_))
            .then(|| value.clone())
    }

    fn header(&self, name: &str) -> Option<Value> {
        let mut properties = self.video.iter().chain(&self.audio);
        properties.find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }

    fn replace(&mut self, payload: Bytes) -> Option<Bytes> {
        if self.payload.as_ref() == Some(&payload) {
            return None;
        }
        self.payload = Some(payload.clone());
        Some(payload)
    }
}

/// Whether the payload of an AMF0 data message is metadata.
pub(crate) fn is_metadata(payload: &[u8]) -> bool {
    payload.starts_with(ON_META_DATA)
}

/// What a video sequence header tells; nothing if it is broken or of a codec other than H.264.
fn video_properties(header: &Bytes) -> Properties {
    let Ok(VideoTag {
        codec: VideoCodec::Avc, packet: VideoPacket::SequenceHeader(record), ..
    }) = VideoTag::parse(header)
    else {
        return Vec::new();
    };
    let Ok(config) = avc::DecoderConfig::parse(&record) else { return Vec::new() };
    let mut properties = vec![
        ("videocodecid", Value::Number(7.0)),
        ("level", Value::String(format!("{}.{}", config.level / 10, config.level % 10))),
    ];
    if let Some(profile) = config.profile_name() {
        properties.push(("profile", profile.into()));
    }
    if let Ok(sps) = config.sps() {
        properties.push(("width", f64::from(sps.width).into()));
        properties.push(("height", f64::from(sps.height).into()));
        let rate = sps.frame_rate.map(|rate| ("framerate", rate.as_f64().into()));
        properties.extend(rate);
    }
    properties
}

/// What an audio sequence header tells; nothing if it is broken or of a codec other than AAC.
fn audio_properties(header: &Bytes) -> Properties {
    let Ok(AudioTag { codec: AudioCodec::Aac, packet: AudioPacket::SequenceHeader(config) }) =
        AudioTag::parse(header)
    else {
        return Vec::new();
    };
    let Ok(config) = aac::AudioSpecificConfig::parse(&config) else { return Vec::new() };
    vec![
        ("audiocodecid", Value::Number(10.0)),
        ("audiosamplerate", f64::from(config.output_sample_rate()).into()),
        ("audiochannels", f64::from(config.output_channels()).into()),
        ("stereo", (config.output_channels() > 1).into()),
    ]
}

/// The AMF0 string `onMetaData`.
const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";

const SERVER: &str = concat!("ngx-rtmp/", env!("CARGO_PKG_VERSION"));

/// The properties of rebuilt metadata: those of nginx-rtmp-module in its order, and what else
/// players know of audio.
const PROPERTIES: [&str; 18] = [
    "Server",
    "width",
    "height",
    "displayWidth",
    "displayHeight",
    "duration",
    "framerate",
    "fps",
    "videodatarate",
    "videocodecid",
    "audiodatarate",
    "audiosamplerate",
    "audiosamplesize",
    "audiochannels",
    "stereo",
    "audiocodecid",
    "profile",
    "level",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// ffmpeg 5.1, libx264 and its AAC encoder: 1920x1080 High at level 4.0; 44.1 kHz, stereo.
    const AVC_HEADER: &[u8] = b"\x17\x00\x00\x00\x00\x01\x64\x00\x28\xff\xe1\x00\x1b\x67\x64\x00\
        \x28\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\
        \xc6\x58\x01\x00\x06\x68\xea\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
    const AAC_HEADER: &[u8] = b"\xaf\x00\x12\x10";

    fn header(kind: MessageType, payload: &'static [u8]) -> Message {
        Message { kind, timestamp: 0, stream_id: 1, payload: Bytes::from_static(payload) }
    }

    fn on_meta_data(properties: &[(&str, Value)]) -> Bytes {
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut payload = BytesMut::from(ON_META_DATA);
        Value::EcmaArray(properties).encode(&mut payload);
        payload.freeze()
    }

    fn properties(payload: &[u8]) -> Value {
        match &Value::decode_all(payload).unwrap()[..] {
            [Value::String(name), properties] if name == "onMetaData" => properties.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn on_keeps_what_players_know_and_fills_it_in_from_the_headers() {
        let mut metadata = Metadata::new(Meta::On);
        let published = on_meta_data(&[
            ("framerate", Value::Number(29.97)),
            ("width", Value::Number(0.0)),
            ("videocodecid", Value::Number(7.0)),
            ("audiodatarate", Value::Number(128.5)),
            ("encoder", "mine".into()),
            ("stereo", Value::Object(vec![])),
        ]);
        let rebuilt = properties(&metadata.publish(&published).unwrap());
        assert_eq!(rebuilt.get("framerate"), Some(&Value::Number(29.97)));
        assert_eq!(rebuilt.get("fps"), Some(&Value::Number(29.97)));
        assert_eq!(rebuilt.get("audiodatarate"), Some(&Value::Number(128.5)));
        assert_eq!(rebuilt.get("duration"), Some(&Value::Number(0.0)));
        for absent in ["encoder", "stereo", "height", "audiocodecid"] {
            assert_eq!(rebuilt.get(absent), None);
        }

        let rebuilt = metadata.set_header(&header(MessageType::Video, AVC_HEADER)).unwrap();
        let rebuilt = properties(&rebuilt);
        for (name, value) in [
            ("width", 1920.0),
            ("height", 1080.0),
            ("displayWidth", 1920.0),
            ("framerate", 29.97),
            ("videocodecid", 7.0),
        ] {
            assert_eq!(rebuilt.get(name), Some(&Value::Number(value)), "{name}");
        }
        assert_eq!(rebuilt.get("profile"), Some(&"High".into()));
        assert_eq!(rebuilt.get("level"), Some(&"4.0".into()));

        let rebuilt = metadata.set_header(&header(MessageType::Audio, AAC_HEADER)).unwrap();
        let rebuilt = properties(&rebuilt);
        assert_eq!(rebuilt.get("audiosamplerate"), Some(&Value::Number(44100.0)));
        assert_eq!(rebuilt.get("audiocodecid"), Some(&Value::Number(10.0)));
        assert_eq!(rebuilt.get("stereo"), Some(&Value::Boolean(true)));
        assert_eq!(rebuilt.get("width"), Some(&Value::Number(1920.0)));
    }

    #[test]
    fn on_needs_no_metadata_from_the_publisher() {
        let mut metadata = Metadata::new(Meta::On);
        assert_eq!(metadata.payload(), None);
        let rebuilt = metadata.set_header(&header(MessageType::Video, AVC_HEADER)).unwrap();
        assert_eq!(metadata.payload(), Some(&rebuilt));
        assert_eq!(properties(&rebuilt).get("framerate"), Some(&Value::Number(30.0)));
    }

    #[test]
    fn unchanged_metadata_is_not_announced_again() {
        let published = on_meta_data(&[("framerate", Value::Number(25.0))]);
        for meta in [Meta::On, Meta::Copy] {
            let mut metadata = Metadata::new(meta);
            assert!(metadata.publish(&published).is_some());
            assert!(metadata.publish(&published).is_none());
        }
    }

    #[test]
    fn copy_is_verbatim_and_off_is_none() {
        let published = on_meta_data(&[("encoder", "mine".into()), ("fps", "30".into())]);
        let mut copy = Metadata::new(Meta::Copy);
        assert_eq!(copy.publish(&published), Some(published.clone()));
        let mut off = Metadata::new(Meta::Off);
        assert_eq!(off.publish(&published), None);
        for metadata in [&mut copy, &mut off] {
            assert_eq!(metadata.set_header(&header(MessageType::Video, AVC_HEADER)), None);
        }
        assert_eq!(off.payload(), None);
    }

    #[test]
    fn broken_metadata_and_headers_tell_nothing() {
        let mut metadata = Metadata::new(Meta::On);
        let whole = on_meta_data(&[("width", Value::Number(640.0)), ("fps", "a".into())]);
        for end in ON_META_DATA.len()..whole.len() {
            metadata.publish(&whole.slice(..end));
        }
        for end in 0..AVC_HEADER.len() {
            metadata.set_header(&header(MessageType::Video, &AVC_HEADER[..end]));
        }
        metadata.set_header(&header(MessageType::Video, b""));
        metadata.set_header(&header(MessageType::Audio, b"\xaf\x00"));
        metadata.publish(&Bytes::from_static(ON_META_DATA));
        let payload = metadata.payload().unwrap();
        assert_eq!(properties(payload).get("width"), None);
    }

    #[test]
    fn video_is_promised_by_its_codec() {
        let mut metadata = Metadata::new(Meta::Off);
        for (id, promised) in [
            (Value::Number(7.0), true),
            (Value::Number(0.0), false),
            ("avc1".into(), true),
            ("".into(), false),
            (Value::Null, false),
        ] {
            metadata.publish(&on_meta_data(&[("videocodecid", id)]));
            assert_eq!(metadata.promises_video(), promised);
        }
    }
}
