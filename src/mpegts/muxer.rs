//! Access units of one video and one audio track into one transport stream.

use bytes::{Buf, BytesMut};

use super::audio::AudioBatch;
use super::es;
use super::packet::{Adaptation, PacketWriter};
use super::pes::{self, StreamId};
use super::psi::{self, ElementaryStream, PAT_PID, StreamType};
use crate::media::{AccessUnit, AudioConfig, TrackKind, Tracks, VideoConfig};
use crate::time::Ticks;

const PMT_PID: u16 = 0x1000;
const VIDEO_PID: u16 = 0x100;
const AUDIO_PID: u16 = 0x101;

/// By how much the clock runs behind the access units' decoding times, so that a unit has arrived
/// when it is due. The same constant that the C module adds.
const DELAY: Ticks = Ticks::from_millis(700);

/// The longest time between two clock references (ISO/IEC 13818-1, 2.7.2).
const CLOCK_INTERVAL: Ticks = Ticks::from_millis(100);

/// How much audio shares a PES packet where video carries the clock. Frame by frame the packets'
/// stuffing takes a third of the stream.
const AUDIO_SPAN: Ticks = Ticks::from_millis(200);

/// How far behind audio's times the clock is kept running where video, which carries it, has not
/// told the time: more than the two tracks are apart where a publisher interleaves them well.
const MAX_SKEW: Ticks = Ticks::from_millis(200);

/// Makes one transport stream in segments: each starts with the program tables, and continuity
/// counters and clock go on from one to the next.
///
/// Everything is written to the `out` that the caller gives; what the muxer holds back is audio, at
/// most [`AUDIO_SPAN`] of it.
#[derive(Debug)]
pub struct Muxer {
    pat: PacketWriter,
    pmt: PacketWriter,
    video: PacketWriter,
    audio: PacketWriter,
    tracks: Tracks,
    /// 5 bits, new with every change of the tracks.
    pmt_version: u8,
    /// The last clock reference.
    clock: Option<Ticks>,
    /// The next clock reference does not go on from the last.
    discontinuity: bool,
    batch: AudioBatch,
    /// The elementary stream bytes of one video access unit.
    scratch: BytesMut,
}

impl Default for Muxer {
    fn default() -> Self {
        Self {
            pat: PacketWriter::new(PAT_PID),
            pmt: PacketWriter::new(PMT_PID),
            video: PacketWriter::new(VIDEO_PID),
            audio: PacketWriter::new(AUDIO_PID),
            tracks: Tracks::default(),
            pmt_version: 0,
            clock: None,
            discontinuity: false,
            batch: AudioBatch::default(),
            scratch: BytesMut::new(),
        }
    }
}

impl Muxer {
    /// Starts a segment of `tracks`. Audio that was held back is dropped: [`end`](Self::end) the
    /// segment before to have it written.
    pub fn start(&mut self, tracks: &Tracks, discontinuity: bool, out: &mut BytesMut) {
        if self.tracks != *tracks {
            self.pmt_version = (self.pmt_version + 1) & 0x1f;
            self.tracks = tracks.clone();
        }
        if discontinuity {
            self.discontinuity = true;
            self.clock = None;
        }
        self.batch.take();
        self.write_tables(out);
    }

    /// Writes an access unit of one of the segment's tracks. Left out are units with nothing in them
    /// and audio that ADTS cannot express.
    pub fn push(&mut self, unit: &AccessUnit, out: &mut BytesMut) {
        match unit.track {
            TrackKind::Video => self.push_video(unit, out),
            TrackKind::Audio => self.push_audio(unit, out),
        }
    }

    /// Ends the segment: writes the audio that was held back.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.flush_audio(out);
    }

    fn write_tables(&mut self, out: &mut BytesMut) {
        let video = ElementaryStream { stream_type: StreamType::Avc, pid: VIDEO_PID };
        let audio = ElementaryStream { stream_type: StreamType::AdtsAac, pid: AUDIO_PID };
        let streams: Vec<_> = [(TrackKind::Video, video), (TrackKind::Audio, audio)]
            .into_iter()
            .filter_map(|(track, stream)| self.tracks.has(track).then_some(stream))
            .collect();
        let clock_pid = if self.leads(TrackKind::Video) { VIDEO_PID } else { AUDIO_PID };

        let none = Adaptation::default();
        self.pat.write_unit(none, psi::pat(PMT_PID), out);
        self.pmt.write_unit(none, psi::pmt(self.pmt_version, clock_pid, &streams), out);
    }

    fn push_video(&mut self, unit: &AccessUnit, out: &mut BytesMut) {
        let config = self.tracks.video.clone();
        let Some(VideoConfig::Avc(config)) = config.as_deref() else {
            return;
        };
        if self.batch.is_due(unit.dts, AUDIO_SPAN) {
            self.flush_audio(out);
        }
        let mut data = std::mem::take(&mut self.scratch);
        data.clear();
        es::write_avc(config, unit, &mut data);
        self.write_pes(TrackKind::Video, (unit.pts, unit.dts), unit.keyframe, &data, out);
        self.scratch = data;
    }

    fn push_audio(&mut self, unit: &AccessUnit, out: &mut BytesMut) {
        let Some(&AudioConfig::Aac { config, .. }) = self.tracks.audio.as_deref() else {
            return;
        };
        let span = if self.leads(TrackKind::Audio) { CLOCK_INTERVAL } else { AUDIO_SPAN };
        if !self.batch.has_room(&config, unit, span) {
            self.flush_audio(out);
        }
        self.batch.push(&config, unit);
    }

    fn flush_audio(&mut self, out: &mut BytesMut) {
        if let Some((pts, data)) = self.batch.take() {
            self.write_pes(TrackKind::Audio, (pts, pts), true, &data, out);
        }
    }

    /// Writes a PES packet, if `data` is any. The leading track's carries the clock.
    fn write_pes(
        &mut self,
        track: TrackKind,
        (pts, dts): (Ticks, Ticks),
        keyframe: bool,
        data: &[u8],
        out: &mut BytesMut,
    ) {
        if data.is_empty() {
            return;
        }
        let mut adaptation = Adaptation::default();
        if self.leads(track) {
            self.run_clock(dts, out);
            adaptation = self.clock_reference(dts);
            adaptation.random_access = keyframe;
        } else {
            self.run_clock(Ticks(dts.0 - MAX_SKEW.0), out);
        }
        let (stream_id, writer) = match track {
            TrackKind::Video => (StreamId::Video, &mut self.video),
            TrackKind::Audio => (StreamId::Audio, &mut self.audio),
        };
        let mut header = BytesMut::with_capacity(pes::MAX_HEADER_LEN);
        pes::write_header(stream_id, delayed(pts), delayed(dts), data.len(), &mut header);
        writer.write_unit(adaptation, header.chain(data), out);
    }

    /// Writes packets that are only clock references, where the leading track's frames are far apart.
    fn run_clock(&mut self, until: Ticks, out: &mut BytesMut) {
        while let Some(last) = self.clock
            && last.0 + CLOCK_INTERVAL.0 < until.0
        {
            let adaptation = self.clock_reference(Ticks(last.0 + CLOCK_INTERVAL.0));
            self.clock_writer().write_adaptation(adaptation, out);
        }
    }

    /// A clock reference; the clock does not go back.
    fn clock_reference(&mut self, time: Ticks) -> Adaptation {
        let time = self.clock.map_or(time, |clock| clock.max(time));
        self.clock = Some(time);
        Adaptation {
            discontinuity: std::mem::take(&mut self.discontinuity),
            random_access: false,
            pcr: Some(time),
        }
    }

    const fn clock_writer(&mut self) -> &mut PacketWriter {
        if self.tracks.has(TrackKind::Video) { &mut self.video } else { &mut self.audio }
    }

    fn leads(&self, track: TrackKind) -> bool {
        self.tracks.lead() == Some(track)
    }
}

const fn delayed(time: Ticks) -> Ticks {
    Ticks(time.0 + DELAY.0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::samples::{aac_config, avc_config};
    use crate::mpegts::packet::PACKET_LEN;

    fn tracks(configs: &[crate::media::TrackConfig]) -> Tracks {
        let mut tracks = Tracks::default();
        configs.iter().cloned().for_each(|config| tracks.configure(config));
        tracks
    }

    fn unit(track: TrackKind, time: Ticks, data: &'static [u8]) -> AccessUnit {
        AccessUnit { track, dts: time, pts: time, keyframe: true, data: Bytes::from_static(data) }
    }

    fn video(time: Ticks) -> AccessUnit {
        unit(TrackKind::Video, time, &[0, 0, 0, 2, 0x65, 0x88])
    }

    fn audio(index: i64) -> AccessUnit {
        unit(TrackKind::Audio, Ticks(index * 1024 * 90_000 / 44_100), &[0x21, 0x10])
    }

    fn start(muxer: &mut Muxer, tracks: &Tracks, discontinuity: bool) -> BytesMut {
        let mut out = BytesMut::new();
        muxer.start(tracks, discontinuity, &mut out);
        out
    }

    fn push(muxer: &mut Muxer, unit: &AccessUnit) -> BytesMut {
        let mut out = BytesMut::new();
        muxer.push(unit, &mut out);
        out
    }

    #[test]
    fn a_picture() {
        let mut muxer = Muxer::default();
        start(&mut muxer, &tracks(&[avc_config()]), false);
        let packet = push(&mut muxer, &video(Ticks(90_000)));
        let expected = [
            // Its sync byte, start and PID; adaptation field and payload; counter.
            &[0x47, 0x41, 0x00, 0x30][..],
            // Random access and PCR: 90,000.
            &[0x91, 0x50, 0x00, 0x00, 0xaf, 0xc8, 0x7e, 0x00],
            &[0xff; 138],
            // PTS: 153,000.
            &[0, 0, 1, 0xe0, 0, 32, 0x84, 0x80, 5, 0x21, 0x00, 0x09, 0xab, 0x51],
            &[0, 0, 0, 1, 0x09, 0xf0],
            &[0, 0, 0, 1, 0x67, 0x42],
            &[0, 0, 0, 1, 0x68, 0xce],
            &[0, 0, 0, 1, 0x65, 0x88],
        ]
        .concat();
        assert_eq!(packet[..], expected);
    }

    #[test]
    fn audio_is_held_back_for_its_span() {
        let mut muxer = Muxer::default();
        start(&mut muxer, &tracks(&[avc_config(), aac_config()]), false);
        push(&mut muxer, &video(Ticks(0)));
        // Eight frames last 186 ms, nine 209 ms.
        assert!((0..8).all(|index| push(&mut muxer, &audio(index)).is_empty()));
        let packet = push(&mut muxer, &audio(8));
        assert_eq!(packet.len(), PACKET_LEN);
        assert_eq!(packet.windows(2).filter(|two| *two == [0xff, 0xf1]).count(), 8);
        // A gap in the audio does not hold it back for longer.
        assert_eq!(push(&mut muxer, &video(Ticks::from_millis(380))).len(), 4 * PACKET_LEN);
        let mut out = BytesMut::new();
        muxer.end(&mut out);
        assert_eq!(out.len(), PACKET_LEN);
        muxer.end(&mut out);
        assert_eq!(out.len(), PACKET_LEN);
    }

    #[test]
    fn a_gap_in_the_audio_starts_a_packet() {
        let mut muxer = Muxer::default();
        start(&mut muxer, &tracks(&[aac_config()]), false);
        assert!(push(&mut muxer, &audio(0)).is_empty());
        assert!(push(&mut muxer, &audio(1)).is_empty());
        assert_eq!(push(&mut muxer, &audio(3)).len(), PACKET_LEN);
    }

    #[test]
    fn tables_follow_the_tracks() {
        let mut muxer = Muxer::default();
        let both = tracks(&[avc_config(), aac_config()]);
        let version = |out: &BytesMut| out[PACKET_LEN + 10] >> 1 & 0x1f;
        let streams = |out: &BytesMut| (out[PACKET_LEN + 7] - 13) / 5;
        let first = start(&mut muxer, &tracks(&[aac_config()]), false);
        assert_eq!((version(&first), streams(&first)), (1, 1));
        let second = start(&mut muxer, &both, true);
        assert_eq!((version(&second), streams(&second)), (2, 2));
        let third = start(&mut muxer, &both, false);
        assert_eq!((version(&third), streams(&third)), (2, 2));
    }

    #[test]
    fn the_clock_runs_between_pictures_and_not_over_a_discontinuity() {
        let mut muxer = Muxer::default();
        let tracks = tracks(&[avc_config()]);
        start(&mut muxer, &tracks, false);
        push(&mut muxer, &video(Ticks(0)));
        let packets = push(&mut muxer, &video(Ticks::from_millis(1000)));
        assert_eq!(packets.len(), 10 * PACKET_LEN);
        start(&mut muxer, &tracks, true);
        let packets = push(&mut muxer, &video(Ticks::from_millis(9000)));
        assert_eq!(packets.len(), PACKET_LEN);
        assert_eq!(packets[5], 0xd0);
        assert_eq!(push(&mut muxer, &video(Ticks::from_millis(9040)))[5], 0x50);
    }
}
