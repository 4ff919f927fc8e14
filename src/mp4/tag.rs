//! Samples as the bodies of FLV tags: the legacy ones for what these know, else those of Enhanced
//! RTMP.

use bytes::{BufMut, Bytes, BytesMut};

use super::FourCc;
use super::sample_entry::{AudioCodec, AudioEntry, VideoCodec, VideoEntry};

/// Packet types of Enhanced tags.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
/// Coded frames whose composition time is zero.
const CODED_FRAMES_X: u8 = 3;

/// Codecs of legacy tags.
const AVC: u8 = 7;
const AAC: u8 = 10;
const MP3: u8 = 2;

const KEY: u8 = 1;
const INTER: u8 = 2;

/// The most bytes before a sample.
pub(super) const MAX_HEADER: usize = 8;

impl VideoCodec {
    /// As metadata names it, too.
    pub(super) const fn id(self) -> f64 {
        match self.four_cc() {
            None => AVC as f64,
            Some(name) => u32::from_be_bytes(name) as f64,
        }
    }

    /// None of a codec that legacy tags have.
    const fn four_cc(self) -> Option<FourCc> {
        match self {
            Self::Avc => None,
            Self::Hevc => Some(*b"hvc1"),
            Self::Av1 => Some(*b"av01"),
            Self::Vp9 => Some(*b"vp09"),
        }
    }
}

impl VideoEntry {
    pub(super) fn sequence_header(&self) -> Bytes {
        let mut tag = BytesMut::with_capacity(MAX_HEADER + self.config.len());
        match self.codec.four_cc() {
            None => tag.put_slice(&[KEY << 4 | AVC, 0, 0, 0, 0]),
            Some(name) => {
                tag.put_u8(0x80 | KEY << 4 | SEQUENCE_START);
                tag.put_slice(&name);
            }
        }
        tag.put_slice(&self.config);
        tag.freeze()
    }

    /// A picture that is presented `composition_time` milliseconds after it is decoded.
    pub(super) fn frame(&self, is_key: bool, composition_time: i64, data: &[u8]) -> Bytes {
        let mut tag = BytesMut::with_capacity(MAX_HEADER + data.len());
        let frame_type = if is_key { KEY } else { INTER } << 4;
        let composition_time = composition_time.clamp(-(1 << 23), (1 << 23) - 1);
        match self.codec.four_cc() {
            None => {
                tag.put_slice(&[frame_type | AVC, 1]);
                tag.put_int(composition_time, 3);
            }
            Some(name) => {
                let is_late = self.codec == VideoCodec::Hevc && composition_time != 0;
                let packet_type = match self.codec {
                    VideoCodec::Hevc if !is_late => CODED_FRAMES_X,
                    _ => CODED_FRAMES,
                };
                tag.put_u8(0x80 | frame_type | packet_type);
                tag.put_slice(&name);
                if is_late {
                    tag.put_int(composition_time, 3);
                }
            }
        }
        tag.put_slice(data);
        tag.freeze()
    }
}

impl AudioCodec {
    /// As metadata names it, too.
    pub(super) const fn id(self) -> f64 {
        match self {
            Self::Aac => AAC as f64,
            Self::Mp3 => MP3 as f64,
            _ => u32::from_be_bytes(self.four_cc()) as f64,
        }
    }

    const fn four_cc(self) -> FourCc {
        match self {
            Self::Aac => *b"mp4a",
            Self::Mp3 => *b".mp3",
            Self::Opus => *b"Opus",
            Self::Flac => *b"fLaC",
            Self::Ac3 => *b"ac-3",
            Self::Eac3 => *b"ec-3",
        }
    }
}

impl AudioEntry {
    /// None if the codec has none.
    pub(super) fn sequence_header(&self) -> Option<Bytes> {
        let config = self.config.as_ref()?;
        Some(self.tag(SEQUENCE_START, config))
    }

    pub(super) fn frame(&self, data: &[u8]) -> Bytes {
        self.tag(CODED_FRAMES, data)
    }

    fn tag(&self, packet_type: u8, data: &[u8]) -> Bytes {
        let mut tag = BytesMut::with_capacity(MAX_HEADER + data.len());
        match self.codec {
            // 44 kHz, 16 bits, stereo, whatever it is (E.4.2.1).
            AudioCodec::Aac => tag.put_slice(&[AAC << 4 | 0xf, packet_type]),
            AudioCodec::Mp3 => tag.put_u8(self.mp3_header()),
            codec => {
                tag.put_u8(0x90 | packet_type);
                tag.put_slice(&codec.four_cc());
            }
        }
        tag.put_slice(data);
        tag.freeze()
    }

    fn mp3_header(&self) -> u8 {
        let rate = match self.sample_rate {
            ..11_026 => 1,
            11_026..22_051 => 2,
            _ => 3,
        };
        MP3 << 4 | rate << 2 | 0x2 | u8::from(self.channels != 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::{self, AudioPacket, AudioTag, FrameType, VideoPacket, VideoTag};

    #[test]
    fn pictures_of_every_codec_are_read_back() {
        for (codec, expected, time) in [
            (VideoCodec::Avc, flv::VideoCodec::Avc, -40),
            (VideoCodec::Hevc, flv::VideoCodec::Hevc, 80),
            (VideoCodec::Hevc, flv::VideoCodec::Hevc, 0),
            (VideoCodec::Av1, flv::VideoCodec::Av1, 0),
            (VideoCodec::Vp9, flv::VideoCodec::Vp9, 0),
        ] {
            let config = Bytes::from_static(b"config");
            let entry = VideoEntry { codec, config: config.clone(), width: 2, height: 2 };
            let header = VideoTag::parse(&entry.sequence_header()).unwrap();
            assert_eq!(
                (header.codec, header.packet),
                (expected, VideoPacket::SequenceHeader(config))
            );
            let frame = VideoTag::parse(&entry.frame(true, time, b"data")).unwrap();
            let data = Bytes::from_static(b"data");
            let packet = VideoPacket::CodedFrames { composition_time: time as i32, data };
            assert_eq!((frame.frame_type, frame.packet), (FrameType::Key, packet));
            let inter = VideoTag::parse(&entry.frame(false, time, b"data")).unwrap();
            assert_eq!(inter.frame_type, FrameType::Inter);
        }
    }

    #[test]
    fn sound_of_every_codec_is_read_back() {
        for (codec, expected, has_header) in [
            (AudioCodec::Aac, flv::AudioCodec::Aac, true),
            (AudioCodec::Mp3, flv::AudioCodec::Mp3, false),
            (AudioCodec::Opus, flv::AudioCodec::Opus, true),
            (AudioCodec::Flac, flv::AudioCodec::Flac, true),
            (AudioCodec::Ac3, flv::AudioCodec::Ac3, false),
            (AudioCodec::Eac3, flv::AudioCodec::Eac3, false),
        ] {
            let config = has_header.then(|| Bytes::from_static(b"config"));
            let entry = AudioEntry { codec, config, channels: 2, sample_rate: 44_100 };
            if let Some(header) = entry.sequence_header() {
                let header = AudioTag::parse(&header).unwrap().packet;
                assert_eq!(header, AudioPacket::SequenceHeader(Bytes::from_static(b"config")));
            }
            let tag = AudioTag::parse(&entry.frame(b"data")).unwrap();
            let data = AudioPacket::CodedFrames(Bytes::from_static(b"data"));
            assert_eq!((tag.codec, tag.packet), (expected, data));
        }
        let mp3 = |channels, sample_rate| AudioEntry {
            codec: AudioCodec::Mp3,
            config: None,
            channels,
            sample_rate,
        };
        assert_eq!(mp3(2, 44_100).frame(b"")[0], 0x2f);
        assert_eq!(mp3(1, 22_050).frame(b"")[0], 0x2a);
    }
}
