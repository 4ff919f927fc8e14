//! What a peer can do beyond RTMP 1.0, as both sides say at `connect` (Enhanced RTMP 2, "Enhancing
//! NetConnection connect Command").

use crate::amf0::Value;

/// What a client announces. Only clients that announce anything have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `capsEx`: a union of `CAPS_` bits. Bits that are not known here are kept.
    pub caps_ex: u32,
    /// `fourCcList`: the codecs that it supports.
    pub codecs: Vec<CodecName>,
    /// `videoFourCcInfoMap`: what it can do with each video codec, as a union of `CAN_` bits.
    pub video: Vec<(CodecName, u32)>,
    /// `audioFourCcInfoMap`: the same of audio.
    pub audio: Vec<(CodecName, u32)>,
}

/// The peer moves to another connection when it is asked to.
pub const CAPS_RECONNECT: u32 = 1;
/// The peer handles messages of several tracks.
pub const CAPS_MULTITRACK: u32 = 2;
/// The peer handles packets with modifiers in front (ModEx).
pub const CAPS_MOD_EX: u32 = 4;

/// The peer decodes the codec.
pub const CAN_DECODE: u32 = 1;
/// The peer encodes the codec.
pub const CAN_ENCODE: u32 = 2;
/// The peer passes the codec on.
pub const CAN_FORWARD: u32 = 4;

/// A codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecName {
    /// `*`: any codec.
    Any,
    /// Four bytes, mostly ASCII.
    FourCc([u8; 4]),
}

/// Codecs that are kept of each list; the specification has twelve in all.
const MAX_CODECS: usize = 32;

/// Modifiers are passed on. Multitrack is not among these: new players get the sequence headers of
/// the first track only.
const OF_SERVER: u32 = CAPS_RECONNECT | CAPS_MOD_EX;

impl Capabilities {
    /// What the command object of `connect` announces. What is not of the right type counts as
    /// absent, and so do codecs past the 32nd of a list and those that have no four bytes.
    pub(super) fn of_client(object: &Value) -> Option<Self> {
        let [caps_ex, codecs, video, audio] =
            ["capsEx", "fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap"]
                .map(|name| object.get(name));
        caps_ex.or(codecs).or(video).or(audio)?;
        Some(Self {
            caps_ex: caps_ex.and_then(Value::as_number).unwrap_or_default() as u32,
            codecs: codecs.map(codec_list).unwrap_or_default(),
            video: video.map(codec_map).unwrap_or_default(),
            audio: audio.map(codec_map).unwrap_or_default(),
        })
    }

    /// Whether the client may be asked to reconnect.
    pub const fn can_reconnect(&self) -> bool {
        self.caps_ex & CAPS_RECONNECT != 0
    }
}

/// What the server announces to a client that announced anything: it forwards every codec.
pub(super) fn of_server() -> [(String, Value); 4] {
    let forwards_all = || Value::Object(vec![("*".into(), f64::from(CAN_FORWARD).into())]);
    [
        ("capsEx".into(), f64::from(OF_SERVER).into()),
        ("fourCcList".into(), Value::StrictArray(vec!["*".into()])),
        ("videoFourCcInfoMap".into(), forwards_all()),
        ("audioFourCcInfoMap".into(), forwards_all()),
    ]
}

fn codec_list(value: &Value) -> Vec<CodecName> {
    let Value::StrictArray(names) = value else { return Vec::new() };
    let names = names.iter().filter_map(|name| CodecName::parse(name.as_str()?));
    names.take(MAX_CODECS).collect()
}

fn codec_map(value: &Value) -> Vec<(CodecName, u32)> {
    let properties = value.as_properties().unwrap_or_default().iter();
    let codecs = properties
        .filter_map(|(name, mask)| Some((CodecName::parse(name)?, mask.as_number()? as u32)));
    codecs.take(MAX_CODECS).collect()
}

impl CodecName {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "*" => Some(Self::Any),
            name => name.as_bytes().try_into().ok().map(Self::FourCc),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(properties: &[(&str, Value)]) -> Value {
        let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
        Value::Object(properties.iter().map(owned).collect())
    }

    #[test]
    fn who_announces_nothing_has_none() {
        let classic = object(&[("app", "live".into()), ("capabilities", 15.0.into())]);
        assert_eq!(Capabilities::of_client(&classic), None);
    }

    #[test]
    fn everything_is_read() {
        let announced = object(&[
            ("capsEx", 11.0.into()),
            ("fourCcList", Value::StrictArray(vec!["av01".into(), "*".into(), "Opus".into()])),
            ("videoFourCcInfoMap", object(&[("*", 4.0.into()), ("hvc1", 3.0.into())])),
            ("audioFourCcInfoMap", object(&[(".mp3", 1.0.into())])),
        ]);
        let capabilities = Capabilities::of_client(&announced).unwrap();
        assert!(capabilities.can_reconnect());
        let four_cc = |name: &[u8; 4]| CodecName::FourCc(*name);
        let expected = Capabilities {
            caps_ex: CAPS_RECONNECT | CAPS_MULTITRACK | 8,
            codecs: vec![four_cc(b"av01"), CodecName::Any, four_cc(b"Opus")],
            video: vec![(CodecName::Any, CAN_FORWARD), (four_cc(b"hvc1"), CAN_DECODE | CAN_ENCODE)],
            audio: vec![(four_cc(b".mp3"), CAN_DECODE)],
        };
        assert_eq!(capabilities, expected);
    }

    #[test]
    fn what_makes_no_sense_counts_as_absent() {
        let codecs = vec!["".into(), "H.264".into(), 4.0.into(), Value::Null, "vp09".into()];
        let announced = object(&[
            ("capsEx", "1".into()),
            ("fourCcList", Value::StrictArray(codecs)),
            ("videoFourCcInfoMap", object(&[("avc1", "all".into()), ("HEVC ", 1.0.into())])),
            ("audioFourCcInfoMap", Value::StrictArray(vec![1.0.into()])),
        ]);
        let capabilities = Capabilities::of_client(&announced).unwrap();
        let codecs = vec![CodecName::FourCc(*b"vp09")];
        assert_eq!(capabilities, Capabilities { codecs, ..Capabilities::default() });
        for caps_ex in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            let announced = object(&[("capsEx", caps_ex.into())]);
            assert!(!Capabilities::of_client(&announced).unwrap().can_reconnect());
        }
    }

    #[test]
    fn so_many_codecs_are_kept() {
        let codecs = vec!["av01".into(); MAX_CODECS + 1];
        let announced = object(&[("fourCcList", Value::StrictArray(codecs))]);
        assert_eq!(Capabilities::of_client(&announced).unwrap().codecs.len(), MAX_CODECS);
    }
}
