//! From RTMP messages to access units.

use bytes::Bytes;

use super::sample_clock::SampleClock;
use super::{AccessUnit, Error, MediaEvent, TrackConfig, TrackKind};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::avc::DecoderConfig;
use crate::codec::nal;
use crate::flv::{AudioCodec, AudioPacket, AudioTag, FrameType, VideoCodec, VideoPacket, VideoTag};
use crate::rtmp::{Message, MessageType};
use crate::time::{Ticks, Unwrapper};

/// Turns the audio and video messages of one stream into access units on one time line.
///
/// Video carries RTMP's time, in 90 kHz. Audio counts samples and keeps to RTMP's time only
/// loosely, see [`SampleClock`]. A leap in RTMP's time is passed on.
#[derive(Clone, Debug, Default)]
pub struct Demuxer {
    time: Unwrapper,
    video: Option<DecoderConfig>,
    audio: Option<AudioTrack>,
}

#[derive(Clone, Debug)]
struct AudioTrack {
    config: AudioSpecificConfig,
    clock: SampleClock,
}

impl Demuxer {
    /// Takes the next message of the stream. Most give one event; none comes of messages of other
    /// types, of empty ones, and of a sequence header that repeats the one before.
    ///
    /// # Errors
    ///
    /// The message is of a codec that access units do not carry, malformed, or a frame that lacks
    /// its sequence header. The next message may be taken in any case.
    pub fn push(&mut self, message: &Message) -> Result<Option<MediaEvent>, Error> {
        match message.kind {
            MessageType::Audio | MessageType::Video if message.payload.is_empty() => Ok(None),
            MessageType::Audio => self.push_audio(message),
            MessageType::Video => self.push_video(message),
            _ => Ok(None),
        }
    }

    fn push_video(&mut self, message: &Message) -> Result<Option<MediaEvent>, Error> {
        let tag = VideoTag::parse(&message.payload)?;
        match (tag.codec, tag.packet) {
            (VideoCodec::Avc, VideoPacket::SequenceHeader(record)) => self.configure_video(&record),
            (VideoCodec::Avc, VideoPacket::CodedFrames { composition_time, data })
                if !data.is_empty() =>
            {
                let dts = self.time.unwrap(message.timestamp);
                self.video_unit(dts, composition_time, tag.frame_type, data)
            }
            (VideoCodec::Avc, _) => Ok(None),
            // Commands, of any codec.
            _ if tag.frame_type == FrameType::Command => Ok(None),
            (codec, _) => Err(Error::UnsupportedVideo(codec)),
        }
    }

    fn configure_video(&mut self, record: &Bytes) -> Result<Option<MediaEvent>, Error> {
        let known = self.video.take();
        let config = self.video.insert(DecoderConfig::parse(record)?);
        if known.as_ref() == Some(config) {
            return Ok(None);
        }
        Ok(Some(MediaEvent::Config(TrackConfig::Video(config.clone()))))
    }

    fn video_unit(
        &self,
        dts_millis: i64,
        composition_time: i32,
        frame_type: FrameType,
        data: Bytes,
    ) -> Result<Option<MediaEvent>, Error> {
        let config = self.video.as_ref().ok_or(Error::NoSequenceHeader(TrackKind::Video))?;
        let data = if config.nal_length_size == 4 { nal::length_prefixed(data) } else { data };
        Ok(Some(MediaEvent::Unit(AccessUnit {
            track: TrackKind::Video,
            dts: Ticks::from_millis(dts_millis),
            pts: Ticks::from_millis(dts_millis + i64::from(composition_time.max(0))),
            keyframe: frame_type.is_key(),
            data,
        })))
    }

    fn push_audio(&mut self, message: &Message) -> Result<Option<MediaEvent>, Error> {
        let tag = AudioTag::parse(&message.payload)?;
        match (tag.codec, tag.packet) {
            (AudioCodec::Aac, AudioPacket::SequenceHeader(config)) => self.configure_audio(&config),
            (AudioCodec::Aac, AudioPacket::CodedFrames(data)) if !data.is_empty() => {
                let time = self.time.unwrap(message.timestamp);
                self.audio_unit(Ticks::from_millis(time), data)
            }
            (AudioCodec::Aac, _) => Ok(None),
            (codec, _) => Err(Error::UnsupportedAudio(codec)),
        }
    }

    fn configure_audio(&mut self, config: &[u8]) -> Result<Option<MediaEvent>, Error> {
        let known = self.audio.take();
        let config = AudioSpecificConfig::parse(config)?;
        if let Some(track) = known.filter(|track| track.config == config) {
            self.audio = Some(track);
            return Ok(None);
        }
        let clock = SampleClock::new(config.sample_rate, config.frame_length);
        self.audio = Some(AudioTrack { config, clock });
        Ok(Some(MediaEvent::Config(TrackConfig::Audio(config))))
    }

    fn audio_unit(&mut self, told: Ticks, data: Bytes) -> Result<Option<MediaEvent>, Error> {
        let track = self.audio.as_mut().ok_or(Error::NoSequenceHeader(TrackKind::Audio))?;
        let time = track.clock.stamp(told);
        Ok(Some(MediaEvent::Unit(AccessUnit {
            track: TrackKind::Audio,
            dts: time,
            pts: time,
            keyframe: true,
            data,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{aac, avc};
    use crate::flv;

    /// From ffmpeg 5.1, libx264 and aac.
    const VIDEO_HEADER: &[u8] = b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00\x19\x67\x42\xc0\
        \x1e\xd9\x00\xa0\x2f\xf9\x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2e\x48\
        \x01\x00\x05\x68\xcb\x83\xcb\x20";
    const AUDIO_HEADER: &[u8] = b"\xaf\x00\x12\x10\x56\xe5\x00";

    fn message(kind: MessageType, timestamp: u32, payload: &[u8]) -> Message {
        Message { kind, timestamp, stream_id: 1, payload: Bytes::copy_from_slice(payload) }
    }

    fn video(timestamp: u32, payload: &[u8]) -> Message {
        message(MessageType::Video, timestamp, payload)
    }

    fn audio(timestamp: u32, payload: &[u8]) -> Message {
        message(MessageType::Audio, timestamp, payload)
    }

    /// A demuxer that had both sequence headers.
    fn configured() -> Demuxer {
        let mut demuxer = Demuxer::default();
        for header in [video(0, VIDEO_HEADER), audio(0, AUDIO_HEADER)] {
            assert!(matches!(demuxer.push(&header), Ok(Some(MediaEvent::Config(_)))));
        }
        demuxer
    }

    fn unit(demuxer: &mut Demuxer, message: &Message) -> AccessUnit {
        match demuxer.push(message) {
            Ok(Some(MediaEvent::Unit(unit))) => unit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn units_of_both_tracks() {
        let mut demuxer = configured();
        let keyframe = b"\x17\x01\x00\x00\x50\x00\x00\x00\x02\x65\x88";
        let expected = AccessUnit {
            track: TrackKind::Video,
            dts: Ticks(3600),
            pts: Ticks(10_800),
            keyframe: true,
            data: Bytes::from_static(b"\x00\x00\x00\x02\x65\x88"),
        };
        assert_eq!(unit(&mut demuxer, &video(40, keyframe)), expected);
        let inter = unit(&mut demuxer, &video(80, b"\x27\x01\x00\x00\x00\x00\x00\x00\x01\x41"));
        assert_eq!((inter.keyframe, inter.dts, inter.pts), (false, Ticks(7200), Ticks(7200)));
        let expected = AccessUnit {
            track: TrackKind::Audio,
            dts: Ticks(3690),
            pts: Ticks(3690),
            keyframe: true,
            data: Bytes::from_static(b"\x21\x4c"),
        };
        assert_eq!(unit(&mut demuxer, &audio(41, b"\xaf\x01\x21\x4c")), expected);
        assert_eq!(unit(&mut demuxer, &audio(64, b"\xaf\x01\x21")).dts, Ticks(3690 + 2089));
    }

    #[test]
    fn enhanced_tags_of_the_same_codecs() {
        let mut demuxer = Demuxer::default();
        demuxer.push(&video(0, &[b"\x90avc1", &VIDEO_HEADER[5..]].concat())).unwrap().unwrap();
        demuxer.push(&audio(0, b"\x90mp4a\x12\x10")).unwrap().unwrap();
        let coded = unit(&mut demuxer, &video(9, b"\xa1avc1\x00\x00\x01\x00\x00\x00\x01\x41"));
        assert_eq!((coded.dts, coded.pts), (Ticks(810), Ticks(900)));
        assert_eq!(unit(&mut demuxer, &audio(9, b"\x91mp4a\x21")).data, b"\x21"[..]);
    }

    #[test]
    fn a_configuration_is_told_once_until_it_changes() {
        let mut demuxer = configured();
        assert_eq!(demuxer.push(&video(5, VIDEO_HEADER)), Ok(None));
        assert_eq!(demuxer.push(&audio(5, AUDIO_HEADER)), Ok(None));
        unit(&mut demuxer, &audio(5, b"\xaf\x01\x21"));
        let changed = demuxer.push(&audio(5, b"\xaf\x00\x11\x90"));
        assert!(matches!(changed, Ok(Some(MediaEvent::Config(TrackConfig::Audio(_))))));
    }

    #[test]
    fn presentation_is_not_before_decoding() {
        let mut demuxer = configured();
        let early = unit(&mut demuxer, &video(40, b"\x27\x01\xff\xff\xf0\x00\x00\x00\x01\x41"));
        assert_eq!(early.pts, early.dts);
    }

    #[test]
    fn tracks_share_one_time_line_past_the_wrap() {
        let mut demuxer = configured();
        let wrap = 1 << 32;
        let frame = b"\x27\x01\x00\x00\x00\x00\x00\x00\x01\x41";
        let unit = |demuxer: &mut Demuxer, message| unit(demuxer, &message).dts.as_millis();
        assert_eq!(unit(&mut demuxer, video(u32::MAX - 9, frame)), wrap - 10);
        assert_eq!(unit(&mut demuxer, audio(5, b"\xaf\x01\x21")), wrap + 5);
        assert_eq!(unit(&mut demuxer, video(u32::MAX, frame)), wrap - 1);
        assert_eq!(unit(&mut demuxer, video(30, frame)), wrap + 30);
        // An encoder that starts over.
        assert_eq!(unit(&mut demuxer, video(0, frame)), wrap);
    }

    #[test]
    fn annex_b_is_given_lengths() {
        let mut demuxer = configured();
        let frame = video(0, b"\x17\x01\x00\x00\x00\x00\x00\x00\x01\x65\x88\x00\x00\x01\x65\x80");
        let data = unit(&mut demuxer, &frame).data;
        assert_eq!(data, b"\x00\x00\x00\x02\x65\x88\x00\x00\x00\x02\x65\x80"[..]);
    }

    #[test]
    fn messages_that_hold_nothing() {
        let mut demuxer = configured();
        for message in [
            message(MessageType::DataAmf0, 0, b"\x02"),
            video(0, b""),
            audio(0, b""),
            video(0, b"\x17\x01\x00\x00\x00"),
            video(0, b"\x17\x02\x00\x00\x00"),
            video(0, b"\x52\x00"),
            video(0, b"\xd1\x00"),
            audio(0, b"\xaf\x01"),
        ] {
            assert_eq!(demuxer.push(&message), Ok(None), "{message:?}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let mut demuxer = Demuxer::default();
        let mut error = |message| demuxer.push(&message).unwrap_err();
        let frame = b"\x27\x01\x00\x00\x00\x00\x00\x00\x01\x41";
        assert_eq!(error(video(0, frame)), Error::NoSequenceHeader(TrackKind::Video));
        assert_eq!(error(audio(0, b"\xaf\x01!")), Error::NoSequenceHeader(TrackKind::Audio));
        assert_eq!(error(video(0, b"\x22\x00")), Error::UnsupportedVideo(VideoCodec::Other(2)));
        assert_eq!(error(video(0, b"\x90hvc1\x01")), Error::UnsupportedVideo(VideoCodec::Hevc));
        assert_eq!(error(audio(0, b"\x2f\xff")), Error::UnsupportedAudio(AudioCodec::Mp3));
        assert_eq!(error(video(0, b"\x17")), Error::Flv(flv::Error::Truncated));
        assert_eq!(error(video(0, &VIDEO_HEADER[..9])), Error::Avc(avc::Error::Truncated));
        let reserved = Error::Aac(aac::Error::Reserved("sample rate"));
        assert_eq!(error(audio(0, b"\xaf\x00\x16\x90")), reserved);
    }

    #[test]
    fn a_broken_header_ends_what_the_one_before_told() {
        let mut demuxer = configured();
        demuxer.push(&video(0, b"\x17\x00\x00\x00\x00\x01")).unwrap_err();
        let frame = video(0, b"\x27\x01\x00\x00\x00\x00\x00\x00\x01\x41");
        assert_eq!(demuxer.push(&frame), Err(Error::NoSequenceHeader(TrackKind::Video)));
    }
}
