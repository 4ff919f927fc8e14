//! How a stream is coded, as the C module names it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::amf0::Value;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::{av1, avc, hevc, opus, vp9};
use crate::flv::{AudioCodec, AudioPacket, AudioTag, VideoCodec, VideoPacket, VideoTag};

/// How a stream is coded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaFacts {
    /// Its video.
    pub video: VideoFacts,
    /// Its audio.
    pub audio: AudioFacts,
}

/// How video is coded; what is not known is zero or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures a second.
    pub frame_rate: f64,
    /// The codec.
    pub codec: Option<String>,
    /// The profile's name.
    pub profile: Option<String>,
    /// H.264's constraint flags.
    pub compat: Option<u8>,
    /// The level, as in `4.0`.
    pub level: Option<String>,
    /// The codec as RFC 6381 names it, as in `avc1.640028`.
    pub rfc6381: Option<String>,
}

/// How audio is coded; what is not known is zero or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioFacts {
    /// The codec.
    pub codec: Option<String>,
    /// AAC's profile.
    pub profile: Option<String>,
    /// How many channels.
    pub channels: u32,
    /// In samples a second.
    pub sample_rate: u32,
    /// The codec as RFC 6381 names it, as in `mp4a.40.2`.
    pub rfc6381: Option<String>,
}

impl MediaFacts {
    /// What the sequence headers in force and the stream's metadata tell.
    pub(crate) fn new(
        video_header: Option<&Bytes>,
        audio_header: Option<&Bytes>,
        metadata: &[(String, Value)],
    ) -> Self {
        let number = |name: &str| match metadata.iter().find(|(key, _)| key == name) {
            Some((_, Value::Number(number))) => *number,
            _ => 0.0,
        };
        let mut facts = Self::default();
        // A float is cut to what the integer holds.
        facts.video.width = number("width") as u32;
        facts.video.height = number("height") as u32;
        facts.video.frame_rate = finite(number("framerate"));
        facts.audio.channels = number("audiochannels") as u32;
        facts.audio.sample_rate = number("audiosamplerate") as u32;
        match video_header.and_then(|header| VideoTag::parse(header).ok()) {
            Some(tag) => facts.video.read(&tag),
            None => facts.video.codec = legacy_video(number("videocodecid") as u8),
        }
        match audio_header.and_then(|header| AudioTag::parse(header).ok()) {
            Some(tag) => facts.audio.read(&tag),
            None => {
                facts.audio.codec = legacy_audio(number("audiocodecid") as u8);
                if facts.audio.codec.as_deref() == Some("MP3") {
                    facts.audio.rfc6381 = Some("mp4a.40.34".to_owned());
                }
            }
        }
        facts
    }
}

fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

impl VideoFacts {
    fn read(&mut self, tag: &VideoTag) {
        self.codec = Some(match tag.codec {
            VideoCodec::Avc => "H264".to_owned(),
            codec => codec.to_string(),
        });
        let VideoPacket::SequenceHeader(record) = &tag.packet else { return };
        match tag.codec {
            VideoCodec::Avc => self.read_avc(record),
            VideoCodec::Hevc => self.read_hevc(record),
            VideoCodec::Av1 => self.read_av1(record),
            VideoCodec::Vp9 => self.read_vp9(record),
            _ => {}
        }
    }

    fn read_avc(&mut self, record: &Bytes) {
        let Ok(config) = avc::DecoderConfig::parse(record) else { return };
        self.rfc6381 = Some(config.rfc6381_codec());
        self.profile = config.profile_name().map(str::to_owned);
        self.compat = Some(config.compatibility);
        self.level = Some(tenths(config.level));
        if let Ok(sps) = config.sps() {
            (self.width, self.height) = (sps.width, sps.height);
        }
    }

    fn read_hevc(&mut self, record: &Bytes) {
        let Ok(config) = hevc::DecoderConfig::parse(record) else { return };
        self.rfc6381 = Some(config.rfc6381_codec());
        self.profile = config.profile_name().map(str::to_owned);
        self.level = Some(tenths(config.level() / 3));
        if let Ok(sps) = config.sps() {
            (self.width, self.height) = (sps.width.into(), sps.height.into());
        }
    }

    fn read_av1(&mut self, record: &Bytes) {
        let Ok(config) = av1::CodecConfig::parse(record) else { return };
        self.rfc6381 = Some(config.rfc6381_codec());
        self.profile = config.profile_name().map(str::to_owned);
        self.level = Some(config.level());
        if let Some(header) = config.sequence_header {
            (self.width, self.height) = (header.width.into(), header.height.into());
        }
    }

    fn read_vp9(&mut self, record: &Bytes) {
        let Some(config) = vp9::CodecConfig::parse(record) else { return };
        self.rfc6381 = Some(config.rfc6381_codec());
        self.profile = Some(config.profile.to_string());
        self.level = Some(tenths(config.level));
    }
}

/// A level of which there are ten times as many.
fn tenths(level: u8) -> String {
    format!("{}.{}", level / 10, level % 10)
}

impl AudioFacts {
    fn read(&mut self, tag: &AudioTag) {
        self.codec = Some(tag.codec.to_string());
        self.rfc6381 = match tag.codec {
            AudioCodec::Opus => Some("opus".to_owned()),
            AudioCodec::Flac => Some("fLaC".to_owned()),
            AudioCodec::Ac3 => Some("ac-3".to_owned()),
            AudioCodec::Eac3 => Some("ec-3".to_owned()),
            _ => None,
        };
        let AudioPacket::SequenceHeader(record) = &tag.packet else { return };
        match tag.codec {
            AudioCodec::Aac => self.read_aac(record),
            AudioCodec::Opus => self.read_opus(record),
            _ => {}
        }
    }

    fn read_aac(&mut self, record: &Bytes) {
        let Ok(config) = AudioSpecificConfig::parse(record) else { return };
        self.rfc6381 = Some(config.rfc6381_codec());
        self.profile = aac_profile(&config).map(str::to_owned);
        self.channels = u32::from(config.output_channels());
        self.sample_rate = config.output_sample_rate();
    }

    fn read_opus(&mut self, record: &Bytes) {
        let Ok(header) = opus::IdHeader::parse(record) else { return };
        self.channels = u32::from(header.channels);
        self.sample_rate = opus::SAMPLE_RATE;
    }
}

/// ISO/IEC 14496-3, table 1.17.
fn aac_profile(config: &AudioSpecificConfig) -> Option<&'static str> {
    Some(match config.object_type {
        1 => "Main",
        2 if config.parametric_stereo => "HEv2",
        2 if config.sbr_sample_rate.is_some() => "HE",
        2 => "LC",
        3 => "SSR",
        4 => "LTP",
        5 => "SBR",
        _ => return None,
    })
}

/// FLV 10.1, E.4.3.1, in the C module's words.
fn legacy_video(id: u8) -> Option<String> {
    let name = match id {
        1 => "Jpeg",
        2 => "Sorenson-H263",
        3 => "ScreenVideo",
        4 => "On2-VP6",
        5 => "On2-VP6-Alpha",
        6 => "ScreenVideo2",
        7 => "H264",
        _ => return None,
    };
    Some(name.to_owned())
}

/// FLV 10.1, E.4.2.1, in the C module's words.
fn legacy_audio(id: u8) -> Option<String> {
    let name = match id {
        1 => "ADPCM",
        2 => "MP3",
        3 => "LinearLE",
        4 => "Nellymoser16",
        5 => "Nellymoser8",
        6 => "Nellymoser",
        7 => "G711A",
        8 => "G711U",
        10 => "AAC",
        11 => "Speex",
        14 => "MP3-8K",
        15 => "DeviceSpecific",
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_before_metadata() {
        let metadata = [
            ("width".to_owned(), Value::Number(10.0)),
            ("framerate".to_owned(), Value::Number(f64::NAN)),
            ("audiocodecid".to_owned(), Value::Number(2.0)),
        ];
        let avc = Bytes::from_static(
            b"\x17\x00\x00\x00\x00\x01\x64\x00\x28\xff\xe1\x00\x1b\x67\x64\x00\x28\xac\xd9\x40\x78\
            \x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x58\x01\x00\
            \x06\x68\xea\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00",
        );
        let facts = MediaFacts::new(Some(&avc), None, &metadata);
        let video = VideoFacts {
            width: 1920,
            height: 1080,
            frame_rate: 0.0,
            codec: Some("H264".into()),
            profile: Some("High".into()),
            compat: Some(0),
            level: Some("4.0".into()),
            rfc6381: Some("avc1.640028".into()),
        };
        let audio = AudioFacts {
            codec: Some("MP3".into()),
            rfc6381: Some("mp4a.40.34".into()),
            ..AudioFacts::default()
        };
        assert_eq!(facts, MediaFacts { video, audio });

        let aac = Bytes::from_static(b"\xaf\x00\x12\x10");
        let facts = MediaFacts::new(None, Some(&aac), &metadata);
        assert_eq!(facts.video.width, 10);
        let audio = AudioFacts {
            codec: Some("AAC".into()),
            profile: Some("LC".into()),
            channels: 2,
            sample_rate: 44_100,
            rfc6381: Some("mp4a.40.2".into()),
        };
        assert_eq!(facts.audio, audio);
    }

    #[test]
    fn enhanced_codecs() {
        let header = |four_cc: &[u8], record: &[u8]| [b"\x90", four_cc, record].concat().into();
        for (four_cc, record, size, profile, level, rfc6381) in [
            (b"hvc1", hevc::tests::RECORD, (320, 180), "Main", "2.0", "hvc1.1.6.L60.90"),
            (b"av01", av1::tests::RECORD, (320, 180), "Main", "2.0", "av01.0.00M.08"),
            (b"vp09", b"\0\x15\x82\x01", (0, 0), "0", "2.1", "vp09.00.21.08"),
        ] {
            let video = MediaFacts::new(Some(&header(four_cc, record)), None, &[]).video;
            assert_eq!((video.width, video.height), size);
            assert_eq!(video.profile.as_deref(), Some(profile));
            assert_eq!(video.level.as_deref(), Some(level));
            assert_eq!(video.rfc6381.as_deref(), Some(rfc6381));
        }
        let opus = b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
        let audio = MediaFacts::new(None, Some(&Bytes::from_static(opus)), &[]).audio;
        assert_eq!((audio.channels, audio.sample_rate), (2, 48_000));
        assert_eq!(audio.rfc6381.as_deref(), Some("opus"));
    }

    #[test]
    fn broken_headers_tell_nothing() {
        let broken = Bytes::from_static(b"\x17");
        assert_eq!(MediaFacts::new(Some(&broken), Some(&Bytes::new()), &[]), MediaFacts::default());
    }
}
