//! From RTMP messages to access units.

use std::collections::VecDeque;

use bytes::Bytes;

use super::sample_clock::SampleClock;
use super::{
    AccessUnit, AudioConfig, Container, Error, MediaEvent, TrackConfig, TrackKind, VideoConfig,
};
use crate::codec::{av1, mp3, nal, opus};
use crate::flv::{AudioCodec, AudioPacket, AudioTag, FrameType, VideoCodec, VideoPacket, VideoTag};
use crate::rtmp::{Message, MessageType};
use crate::time::{Ticks, Unwrapper};

/// Turns the audio and video messages of one stream into access units on one time line. Drain
/// [`poll_event`](Self::poll_event) after every message.
///
/// Video carries RTMP's time, in 90 kHz. Audio counts samples and keeps to RTMP's time only
/// loosely, see [`SampleClock`]. A leap in RTMP's time is passed on.
#[derive(Clone, Debug)]
pub struct Demuxer {
    container: Container,
    time: Unwrapper,
    video: Option<VideoConfig>,
    audio: Option<AudioTrack>,
    events: VecDeque<MediaEvent>,
}

#[derive(Clone, Debug)]
struct AudioTrack {
    config: AudioConfig,
    clock: SampleClock,
}

impl Demuxer {
    /// A demuxer for what `container` can carry.
    pub fn new(container: Container) -> Self {
        Self {
            container,
            time: Unwrapper::default(),
            video: None,
            audio: None,
            events: VecDeque::new(),
        }
    }

    /// Takes the next message of the stream. Most give one event; none comes of messages of other
    /// types, of empty ones, and of a sequence header that repeats the one before.
    ///
    /// # Errors
    ///
    /// The message is of a codec that the container does not carry, malformed, or a frame that lacks
    /// its sequence header. The next message may be taken in any case.
    pub fn push(&mut self, message: &Message) -> Result<(), Error> {
        match message.kind {
            MessageType::Audio | MessageType::Video if message.payload.is_empty() => Ok(()),
            MessageType::Audio => self.push_audio(message),
            MessageType::Video => self.push_video(message),
            _ => Ok(()),
        }
    }

    /// What comes next in the stream.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    fn push_video(&mut self, message: &Message) -> Result<(), Error> {
        let tag = VideoTag::parse(&message.payload)?;
        if tag.frame_type == FrameType::Command {
            return Ok(());
        }
        if !self.container.carries_video(tag.codec) {
            return Err(Error::UnsupportedVideo(tag.codec));
        }
        match tag.packet {
            VideoPacket::SequenceHeader(record) => self.configure_video(tag.codec, &record),
            VideoPacket::CodedFrames { composition_time, data } if !data.is_empty() => {
                let dts = self.time.unwrap(message.timestamp);
                let unit = AccessUnit {
                    track: TrackKind::Video,
                    dts: Ticks::from_millis(dts),
                    pts: Ticks::from_millis(dts + i64::from(composition_time.max(0))),
                    keyframe: tag.frame_type.is_key(),
                    data: self.video_data(tag.codec, data)?,
                };
                self.push_unit(unit);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn configure_video(&mut self, codec: VideoCodec, record: &Bytes) -> Result<(), Error> {
        let known = self.video.take();
        let config = self.video.insert(VideoConfig::parse(codec, record)?);
        if known.as_ref() != Some(config) {
            self.events.push_back(MediaEvent::Config(TrackConfig::Video(config.clone())));
        }
        Ok(())
    }

    /// The data of a frame as access units have it.
    fn video_data(&self, codec: VideoCodec, data: Bytes) -> Result<Bytes, Error> {
        let config = self.video.as_ref().filter(|config| config.codec() == codec);
        let nal_length_size = match config.ok_or(Error::NoSequenceHeader(TrackKind::Video))? {
            VideoConfig::Avc(config) => config.nal_length_size,
            VideoConfig::Hevc(config) => config.nal_length_size,
            VideoConfig::Av1(_) => return Ok(av1::without_delimiter(data)),
        };
        Ok(if nal_length_size == 4 { nal::length_prefixed(data) } else { data })
    }

    fn push_audio(&mut self, message: &Message) -> Result<(), Error> {
        let tag = AudioTag::parse(&message.payload)?;
        if !self.container.carries_audio(tag.codec) {
            return Err(Error::UnsupportedAudio(tag.codec));
        }
        match tag.packet {
            AudioPacket::SequenceHeader(header) => self.push_audio_header(tag.codec, &header),
            AudioPacket::CodedFrames(data) if !data.is_empty() => {
                let told = Ticks::from_millis(self.time.unwrap(message.timestamp));
                self.push_audio_frames(tag.codec, told, data)
            }
            _ => Ok(()),
        }
    }

    fn push_audio_header(&mut self, codec: AudioCodec, header: &Bytes) -> Result<(), Error> {
        match AudioConfig::parse(codec, header) {
            Ok(config) => {
                config.into_iter().for_each(|config| self.configure_audio(config));
                Ok(())
            }
            Err(error) => {
                self.audio = None;
                Err(error)
            }
        }
    }

    fn configure_audio(&mut self, config: AudioConfig) {
        if self.audio.as_ref().is_none_or(|track| track.config != config) {
            let clock = SampleClock::new(config.sample_rate());
            self.events.push_back(MediaEvent::Config(TrackConfig::Audio(config.clone())));
            self.audio = Some(AudioTrack { config, clock });
        }
    }

    fn push_audio_frames(
        &mut self,
        codec: AudioCodec,
        told: Ticks,
        data: Bytes,
    ) -> Result<(), Error> {
        match codec {
            AudioCodec::Mp3 => return self.push_mp3_frames(told, data),
            AudioCodec::Opus if self.audio.as_ref().is_none_or(|track| track.codec() != codec) => {
                // Its header may be left out.
                let channels = opus::packet_channels(&data);
                self.configure_audio(AudioConfig::Opus(opus::IdHeader::of_channels(channels)));
            }
            _ => {}
        }
        self.push_audio_frame(codec, told, data)?;
        Ok(())
    }

    /// MP3 has no sequence header: each frame tells.
    fn push_mp3_frames(&mut self, mut told: Ticks, data: Bytes) -> Result<(), Error> {
        for frame in mp3::frames(data) {
            let header = mp3::FrameHeader::parse(&frame)?;
            self.configure_audio(AudioConfig::Mp3(header.config));
            told = self.push_audio_frame(AudioCodec::Mp3, told, frame)?;
        }
        Ok(())
    }

    /// Stamps a frame at about the time `told`: the time at which it ends.
    fn push_audio_frame(
        &mut self,
        codec: AudioCodec,
        told: Ticks,
        data: Bytes,
    ) -> Result<Ticks, Error> {
        let track = self.audio.as_mut().filter(|track| track.codec() == codec);
        let track = track.ok_or(Error::NoSequenceHeader(TrackKind::Audio))?;
        let samples = track.config.samples(&data)?;
        let time = track.clock.stamp(told, samples);
        let end =
            told.0 + i64::from(samples) * Ticks::PER_SECOND / i64::from(track.config.sample_rate());
        self.push_unit(AccessUnit {
            track: TrackKind::Audio,
            dts: time,
            pts: time,
            keyframe: true,
            data,
        });
        Ok(Ticks(end))
    }

    fn push_unit(&mut self, unit: AccessUnit) {
        // Nothing is left of a picture that was only framing.
        if !unit.data.is_empty() {
            self.events.push_back(MediaEvent::Unit(unit));
        }
    }
}

impl AudioTrack {
    const fn codec(&self) -> AudioCodec {
        self.config.codec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{aac, avc, hevc};
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

    fn push(demuxer: &mut Demuxer, message: &Message) -> Result<Vec<MediaEvent>, Error> {
        demuxer.push(message)?;
        Ok(std::iter::from_fn(|| demuxer.poll_event()).collect())
    }

    /// A demuxer that had both sequence headers.
    fn configured() -> Demuxer {
        let mut demuxer = Demuxer::new(Container::MpegTs);
        for header in [video(0, VIDEO_HEADER), audio(0, AUDIO_HEADER)] {
            assert!(matches!(push(&mut demuxer, &header).as_deref(), Ok([MediaEvent::Config(_)])));
        }
        demuxer
    }

    fn unit(demuxer: &mut Demuxer, message: &Message) -> AccessUnit {
        match push(demuxer, message).as_deref() {
            Ok([MediaEvent::Unit(unit)]) => unit.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The configuration that a message brings, and the times and data of its frames.
    fn audio_of(
        demuxer: &mut Demuxer,
        message: &Message,
    ) -> (Option<AudioConfig>, Vec<(i64, Vec<u8>)>) {
        let mut config = None;
        let mut frames = vec![];
        for event in push(demuxer, message).unwrap() {
            match event {
                MediaEvent::Config(TrackConfig::Audio(told)) => config = Some(told),
                MediaEvent::Unit(unit) => frames.push((unit.pts.0, unit.data.to_vec())),
                other => panic!("{other:?}"),
            }
        }
        (config, frames)
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
        let mut demuxer = Demuxer::new(Container::MpegTs);
        demuxer.push(&video(0, &[b"\x90avc1", &VIDEO_HEADER[5..]].concat())).unwrap();
        demuxer.push(&audio(0, b"\x90mp4a\x12\x10")).unwrap();
        while demuxer.poll_event().is_some() {}
        let coded = unit(&mut demuxer, &video(9, b"\xa1avc1\x00\x00\x01\x00\x00\x00\x01\x41"));
        assert_eq!((coded.dts, coded.pts), (Ticks(810), Ticks(900)));
        assert_eq!(unit(&mut demuxer, &audio(9, b"\x91mp4a\x21")).data, b"\x21"[..]);
    }

    #[test]
    fn a_configuration_is_told_once_until_it_changes() {
        let mut demuxer = configured();
        assert_eq!(push(&mut demuxer, &video(5, VIDEO_HEADER)), Ok(vec![]));
        assert_eq!(push(&mut demuxer, &audio(5, AUDIO_HEADER)), Ok(vec![]));
        unit(&mut demuxer, &audio(5, b"\xaf\x01\x21"));
        let changed = push(&mut demuxer, &audio(5, b"\xaf\x00\x11\x90"));
        assert!(matches!(changed.as_deref(), Ok([MediaEvent::Config(TrackConfig::Audio(_))])));
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
            video(0, b"\x17\x01\x00\x00\x00\x00\x00\x01\x00\x00\x01"),
        ] {
            assert_eq!(push(&mut demuxer, &message), Ok(vec![]), "{message:?}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let mut demuxer = Demuxer::new(Container::MpegTs);
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
    fn hevc_and_av1_for_a_container_that_carries_them() {
        let mut demuxer = Demuxer::new(Container::Mp4);
        for (header, size) in [
            ([b"\x90hvc1", hevc::tests::RECORD].concat(), (320, 180)),
            ([b"\x1c\0\0\0\0", hevc::tests::RECORD].concat(), (320, 180)),
            ([b"\x90av01", av1::tests::RECORD].concat(), (320, 180)),
        ] {
            let events = push(&mut demuxer, &video(0, &header));
            match events.as_deref() {
                Ok([MediaEvent::Config(TrackConfig::Video(config))]) => {
                    assert_eq!(config.size(), Some(size));
                }
                Ok([]) if header[0] == 0x1c => {}
                other => panic!("{other:?}"),
            }
        }
        let coded = unit(&mut demuxer, &video(40, b"\x91av01\x12\x00\x32\x01\x10"));
        assert_eq!((coded.dts, coded.keyframe), (Ticks(3600), true));
        assert_eq!(coded.data, b"\x32\x01\x10"[..]);
        // Frames of another codec than the header's.
        let frame = video(80, b"\xa1hvc1\0\0\x28\0\0\0\x01\x02");
        assert_eq!(demuxer.push(&frame), Err(Error::NoSequenceHeader(TrackKind::Video)));
        demuxer.push(&video(0, &[b"\x90hvc1", hevc::tests::RECORD].concat())).unwrap();
        demuxer.poll_event().unwrap();
        let coded = unit(&mut demuxer, &frame);
        assert_eq!((coded.pts.0 - coded.dts.0, coded.keyframe), (3600, false));
    }

    #[test]
    fn mp3_tells_in_each_frame() {
        let mut demuxer = Demuxer::new(Container::Mp4);
        let mut frame = b"\xff\xfb\x50\xc4".to_vec();
        frame.resize(208, 0);
        let (config, frames) =
            audio_of(&mut demuxer, &audio(10, &[b"\x2f", &frame[..], &frame].concat()));
        let mono = mp3::Config { sample_rate: 44_100, channels: 1 };
        assert_eq!(config, Some(AudioConfig::Mp3(mono)));
        assert_eq!(frames, [(900, frame.clone()), (900 + 2351, frame.clone())]);
        let (config, frames) =
            audio_of(&mut demuxer, &audio(62, &[b"\x91.mp3", &frame[..]].concat()));
        assert_eq!((config, frames), (None, vec![(900 + 4702, frame.clone())]));
        frame[2] = 0x54;
        let (config, _) = audio_of(&mut demuxer, &audio(88, &[b"\x2f", &frame[..]].concat()));
        assert!(matches!(config, Some(AudioConfig::Mp3(config)) if config.sample_rate == 48_000));
        assert_eq!(demuxer.push(&audio(99, b"\x2fTAG")), Err(Error::Mp3(mp3::Error::Sync)));
    }

    #[test]
    fn opus_with_and_without_a_header() {
        let mut demuxer = Demuxer::new(Container::Mp4);
        let (config, frames) = audio_of(&mut demuxer, &audio(0, b"\x91Opus\xfc\x01"));
        let stereo = opus::IdHeader::of_channels(2);
        assert_eq!(config, Some(AudioConfig::Opus(stereo)));
        assert_eq!(frames, [(0, b"\xfc\x01".to_vec())]);
        let header = b"\x90OpusOpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
        let (config, _) = audio_of(&mut demuxer, &audio(20, header));
        assert!(matches!(config, Some(AudioConfig::Opus(header)) if header.pre_skip == 312));
        // Packets of 20 and 60 ms.
        for (millis, packet) in [(20, b"\x91Opus\x0b\x03"), (80, b"\x91Opus\x08\x03")] {
            let (config, frames) = audio_of(&mut demuxer, &audio(millis, packet));
            assert_eq!((config, frames[0].0), (None, i64::from(millis) * 90));
        }
        let no_duration = Err(Error::Opus(opus::Error::Duration));
        assert_eq!(demuxer.push(&audio(99, b"\x91Opus\xfb\0")), no_duration);
    }

    #[test]
    fn a_broken_header_ends_what_the_one_before_told() {
        let mut demuxer = configured();
        demuxer.push(&video(0, b"\x17\x00\x00\x00\x00\x01")).unwrap_err();
        let frame = video(0, b"\x27\x01\x00\x00\x00\x00\x00\x00\x01\x41");
        assert_eq!(demuxer.push(&frame), Err(Error::NoSequenceHeader(TrackKind::Video)));
    }
}
