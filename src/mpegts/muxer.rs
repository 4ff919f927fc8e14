//! Access units of one video and one audio track into one transport stream.

use bytes::{Buf, BytesMut};

use super::audio::AudioBatch;
use super::es;
use super::packet::{Adaptation, PacketWriter};
use super::pes::{self, StreamId};
use super::psi::{self, ElementaryStream, PAT_PID, StreamType};
use crate::media::{AccessUnit, TrackKind, Tracks};
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

    /// Writes an access unit of one of the segment's tracks. Nothing comes of one that no player
    /// could decode: without slices, or too long for an ADTS frame.
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
            .filter_map(|(kind, stream)| self.tracks.has(kind).then_some(stream))
            .collect();
        let clock_pid = if self.leads(TrackKind::Video) { VIDEO_PID } else { AUDIO_PID };

        let none = Adaptation::default();
        self.pat.write_unit(none, psi::pat(PMT_PID), out);
        self.pmt.write_unit(none, psi::pmt(self.pmt_version, clock_pid, &streams), out);
    }

    fn push_video(&mut self, unit: &AccessUnit, out: &mut BytesMut) {
        let Some(config) = self.tracks.video.clone() else {
            return;
        };
        if self.batch.is_due(unit.dts, AUDIO_SPAN) {
            self.flush_audio(out);
        }
        let mut data = std::mem::take(&mut self.scratch);
        data.clear();
        es::write_avc(&config, unit, &mut data);
        self.write_pes(TrackKind::Video, (unit.pts, unit.dts), unit.keyframe, &data, out);
        self.scratch = data;
    }

    fn push_audio(&mut self, unit: &AccessUnit, out: &mut BytesMut) {
        let Some(config) = self.tracks.audio else {
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
