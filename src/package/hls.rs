//! HTTP Live Streaming (RFC 8216): one live stream as MPEG-TS segments and a media playlist.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;

use super::layout::Layout;
use super::master::{Master, Rendition, Variant};
use super::name::NameError;
use super::playlist::{Playlist, Segment};
use super::probe::Probe;
use super::segmenter::{Place, Segmenter};
use crate::file_op::FileOp;
use crate::media::{AccessUnit, MediaEvent, TrackConfig, TrackKind};
use crate::mpegts::{self, Muxer};
use crate::stat::{Failures, HlsReport, SegmentReport};
use crate::time::{Ticks, UnixMillis};

/// A segment is written in pieces of about this many bytes, while its data arrive.
const WRITE_LEN: usize = 64 << 10;

/// What the HLS directives of an application say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HlsConfig {
    /// The directory of all streams.
    pub path: PathBuf,
    /// What a segment lasts at least, if keyframes allow.
    pub fragment: Duration,
    /// What a segment lasts at most. It is cut there even without a keyframe.
    pub max_fragment: Duration,
    /// What the segments in a playlist last at least, as soon as there are enough.
    pub playlist_length: Duration,
    /// Whether each stream has a directory of its own.
    pub nested: bool,
    /// What a stream's playlist has before `.m3u8` in the stream's directory.
    pub index: String,
    /// What addresses in playlists begin with; they are relative if it is empty.
    pub base_url: String,
    /// The renditions of streams that are published in several.
    pub variants: Vec<Variant>,
}

impl HlsConfig {
    /// What no directive says anything about, in the directory `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let fragment = Duration::from_secs(5);
        Self {
            path: path.into(),
            fragment,
            max_fragment: fragment * 10,
            playlist_length: Duration::from_secs(30),
            nested: false,
            index: "index".to_owned(),
            base_url: String::new(),
            variants: Vec::new(),
        }
    }
}

/// One live stream's HLS output. Media in, file operations out: drain [`poll_op`](Self::poll_op)
/// after every other call.
///
/// A segment grows under a temporary name and is given its own when it is complete, then the
/// playlist that names it is replaced. Files are never removed but temporary ones: old segments
/// belong to whoever cleans the directory up.
///
/// Segments are numbered from the Unix time at which the output was made, and so are
/// discontinuities. So both grow however often the publisher comes back, and through whichever
/// worker or machine, without anyone reading what is on the disk, and no player or cache takes a new
/// segment for an old one.
#[derive(Debug)]
pub struct Hls {
    layout: Layout,
    segmenter: Segmenter,
    muxer: Muxer,
    playlist: Playlist,
    /// The number of its first segment.
    first_sequence: u64,
    /// Until it is known which tracks the stream has.
    probe: Option<Probe>,
    open: Option<OpenSegment>,
    /// What a time on the stream's clock was on the wall's. Renewed with every discontinuity;
    /// between them dates follow the stream, so that the network's jitter is not in them.
    anchor: Option<(Ticks, UnixMillis)>,
    /// What the open segment has and its file has not.
    buffer: BytesMut,
    /// The highest rate of a segment, in bits a second.
    bandwidth: u64,
    /// The playlist that the stream is a rendition in.
    master: Option<Master>,
    /// Whether a segment was completed since the master playlist was written.
    master_is_due: bool,
    ops: VecDeque<FileOp>,
}

/// The segment that is being written.
#[derive(Debug)]
struct OpenSegment {
    sequence: u64,
    date_time: UnixMillis,
    discontinuity: bool,
    independent: bool,
    /// Bytes of it that were written.
    length: u64,
}

impl Hls {
    /// The output of the stream `name`, which it has from `now` on.
    ///
    /// # Errors
    ///
    /// The name is no safe file name.
    pub fn new(config: &HlsConfig, name: &str, now: UnixMillis) -> Result<Self, NameError> {
        let fragment = ticks(config.fragment);
        let first_sequence = first_sequence(config, now);
        Ok(Self {
            layout: Layout::new(config, name)?,
            segmenter: Segmenter::new(fragment, ticks(config.max_fragment)),
            muxer: Muxer::default(),
            playlist: Playlist::new(fragment, ticks(config.playlist_length), first_sequence),
            first_sequence,
            probe: Some(Probe::default()),
            open: None,
            anchor: None,
            buffer: BytesMut::new(),
            bandwidth: 0,
            master: Master::new(config, name)?,
            master_is_due: false,
            ops: VecDeque::new(),
        })
    }

    /// Takes what comes next in the stream, and the time at which it came.
    pub fn push(&mut self, event: MediaEvent, now: UnixMillis) {
        match event {
            MediaEvent::Config(config) => self.configure(config),
            MediaEvent::Unit(unit) => self.hold_or_push_unit(unit, now),
        }
    }

    /// The stream ended: completes the last segment and the playlist.
    pub fn finish(&mut self) {
        self.end_probe();
        self.playlist.end();
        self.complete();
    }

    /// The stream goes on in another output: completes the last segment, and leaves the playlist to
    /// the other one.
    pub fn hand_over(&mut self) {
        self.end_probe();
        self.complete();
    }

    fn complete(&mut self) {
        match self.segmenter.finish() {
            Some(duration) => self.close_segment(duration),
            None if self.playlist.is_empty() => {}
            None => self.write_playlist(),
        }
    }

    /// File operations failed or were dropped, and `lost` are the files that did not get their final
    /// names: drops the open segment, and forgets those that were lost. The next keyframe starts a
    /// new one.
    pub fn storage_failed(&mut self, lost: &[PathBuf]) {
        let layout = &self.layout;
        self.playlist.retract(|sequence| lost.contains(&layout.segment(sequence)));
        self.segmenter.abandon();
        self.buffer.clear();
        if let Some(open) = self.open.take() {
            let path = self.layout.temporary_segment(open.sequence);
            self.ops.push_back(FileOp::Remove { path });
        }
    }

    /// The next file operation.
    pub fn poll_op(&mut self) -> Option<FileOp> {
        self.ops.pop_front()
    }

    fn configure(&mut self, config: TrackConfig) {
        match config {
            config if mpegts::carries(&config) => self.segmenter.configure(config),
            TrackConfig::Video(_) => self.segmenter.remove(TrackKind::Video),
            TrackConfig::Audio(_) => self.segmenter.remove(TrackKind::Audio),
        }
    }

    fn hold_or_push_unit(&mut self, unit: AccessUnit, now: UnixMillis) {
        match &mut self.probe {
            None => self.push_unit(unit, now),
            Some(probe) => {
                let enough = probe.push(unit, now);
                if enough {
                    self.end_probe();
                }
            }
        }
    }

    fn end_probe(&mut self) {
        let Some(probe) = self.probe.take() else {
            return;
        };
        if let Some(track) = probe.lone_track() {
            self.segmenter.presume_lone(track);
        }
        for (unit, now) in probe.into_units() {
            self.push_unit(unit, now);
        }
    }

    fn push_unit(&mut self, mut unit: AccessUnit, now: UnixMillis) {
        let step = self.segmenter.push(&mut unit);
        if let Some(duration) = step.ended {
            self.close_segment(duration);
        }
        match step.place {
            Place::Nowhere => return,
            Place::Open => {}
            Place::New { discontinuity, independent } => {
                if discontinuity {
                    self.anchor = None;
                }
                let date_time = self.date_time(unit.dts, now);
                self.open_segment(date_time, discontinuity, independent);
            }
        }
        self.muxer.push(&unit, &mut self.buffer);
        if self.buffer.len() >= WRITE_LEN {
            self.write_buffer();
        }
    }

    fn date_time(&mut self, time: Ticks, now: UnixMillis) -> UnixMillis {
        let (anchor, date_time) = *self.anchor.get_or_insert((time, now));
        UnixMillis(date_time.0.saturating_add_signed(Ticks(time.0 - anchor.0).as_millis()))
    }

    fn open_segment(&mut self, date_time: UnixMillis, discontinuity: bool, independent: bool) {
        let sequence = self.playlist.next_sequence();
        self.ops.push_back(FileOp::Create { path: self.layout.temporary_segment(sequence) });
        self.muxer.start(self.segmenter.tracks(), discontinuity, &mut self.buffer);
        self.open =
            Some(OpenSegment { sequence, date_time, discontinuity, independent, length: 0 });
    }

    fn write_buffer(&mut self) {
        if let Some(open) = &mut self.open {
            open.length += self.buffer.len() as u64;
            self.ops.push_back(FileOp::Write {
                path: self.layout.temporary_segment(open.sequence),
                data: self.buffer.split().freeze(),
            });
        }
    }

    fn close_segment(&mut self, duration: Ticks) {
        self.muxer.end(&mut self.buffer);
        self.write_buffer();
        let Some(open) = self.open.take() else {
            return;
        };
        self.ops.push_back(FileOp::Rename {
            from: self.layout.temporary_segment(open.sequence),
            to: self.layout.segment(open.sequence),
        });
        self.bandwidth = self.bandwidth.max(bit_rate(open.length, duration));
        self.master_is_due = true;
        self.playlist.push(Segment {
            uri: self.layout.segment_uri(open.sequence),
            duration,
            date_time: open.date_time,
            discontinuity: open.discontinuity,
            independent: open.independent,
        });
        self.write_playlist();
    }

    fn write_playlist(&mut self) {
        self.ops.push_back(FileOp::Put {
            temporary: self.layout.temporary_playlist(),
            path: self.layout.playlist(),
            data: self.playlist.to_string().into(),
        });
    }

    /// Whether there is a master playlist and it is to be [written](Self::write_master), as the
    /// stream has come on by a segment. That keeps it from growing old, too.
    pub fn take_master_due(&mut self) -> bool {
        mem::take(&mut self.master_is_due) && self.master.is_some()
    }

    /// The names of all renditions that the master playlist may have, in its order; the stream is one
    /// of them.
    pub fn renditions(&self) -> Vec<String> {
        self.master.as_ref().map(|master| master.renditions().collect()).unwrap_or_default()
    }

    /// What a master playlist says of the stream, once there is a segment.
    pub fn rendition(&self) -> Option<Rendition> {
        let tracks = self.segmenter.tracks();
        let size = tracks.video.as_ref().and_then(|it| it.size());
        (!self.playlist.is_empty()).then(|| Rendition {
            bandwidth: self.bandwidth,
            codecs: Some(tracks.rfc6381_codecs()),
            resolution: size.map(|(width, height)| (width.into(), height.into())),
        })
    }

    /// What there is to tell of the output, but for what the storage knows.
    pub fn report(&self, now: UnixMillis) -> HlsReport {
        let last_segment = self.playlist.last().map(|(number, segment)| {
            let duration = u64::try_from(segment.duration.as_millis()).unwrap_or_default();
            let age = now.0.saturating_sub(segment.date_time.0.saturating_add(duration));
            SegmentReport { number, duration, age }
        });
        HlsReport {
            playlist: self.layout.playlist().display().to_string(),
            segments: self.playlist.next_sequence() - self.first_sequence,
            last_segment,
            errors: Failures::default(),
        }
    }

    /// Writes the master playlist, with what is known of those [renditions](Self::renditions) that
    /// are published.
    pub fn write_master(&mut self, renditions: &[Option<Rendition>]) {
        if let Some(master) = &self.master {
            self.ops.push_back(FileOp::Put {
                temporary: master.temporary().clone(),
                path: master.playlist().clone(),
                data: master.text(renditions).into(),
            });
        }
    }
}

/// Bits a second.
fn bit_rate(bytes: u64, duration: Ticks) -> u64 {
    let ticks = u64::try_from(duration.0).unwrap_or_default().max(1);
    bytes.saturating_mul(8 * Ticks::PER_SECOND as u64) / ticks
}

/// The Unix time in seconds, or in a unit so short that segments do not overtake it: half of what
/// they last.
fn first_sequence(config: &HlsConfig, now: UnixMillis) -> u64 {
    let unit = u64::try_from(config.fragment.as_millis() / 2).unwrap_or(u64::MAX);
    now.0 / unit.clamp(1, 1000)
}

fn ticks(duration: Duration) -> Ticks {
    // A configuration that spans centuries is no more than one that spans a year.
    const YEAR: i64 = 365 * 24 * 3600 * 1000;
    Ticks::from_millis(i64::try_from(duration.as_millis()).unwrap_or(YEAR).min(YEAR))
}

#[cfg(test)]
mod tests;
