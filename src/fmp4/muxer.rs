//! Access units of one video and one audio track into fragments.

use bytes::{Bytes, BytesMut};

use super::fragment::{self, Run, Sample};
use super::random_access::SyncPoint;
use super::{init, timescale};
use crate::media::{AccessUnit, AudioConfig, PerTrack, TrackKind, Tracks};
use crate::time::Ticks;

/// How long a picture is shown that is the only one, in ticks.
const DEFAULT_PICTURE: u64 = Ticks::from_millis(40).0 as u64;

/// Makes an initialisation segment, and fragments that go on from one another.
///
/// Access units wait until the caller ends the fragment. The last picture stays for the next one,
/// since only its successor tells how long it is shown.
#[derive(Debug)]
pub struct Muxer {
    tracks: Tracks,
    sequence_number: u32,
    queues: PerTrack<Queue>,
    pending_bytes: usize,
}

/// The samples of a track that wait for their fragment, with times in its timescale.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Where the last sample ends, or is thought to.
    end: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    start: u64,
    composition_offset: i32,
    keyframe: bool,
    data: Bytes,
}

impl Muxer {
    /// A muxer for access units of `tracks`.
    pub fn new(tracks: Tracks) -> Self {
        Self { tracks, sequence_number: 0, queues: PerTrack::default(), pending_bytes: 0 }
    }

    /// The tracks.
    pub const fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// Writes the initialisation segment: where in it [`duration`](Self::duration) may be written
    /// over what is there.
    pub fn write_init(&self, out: &mut BytesMut) -> usize {
        let start = out.len();
        init::write(&self.tracks, out) - start
    }

    /// How long the file is, so far, for those who do not want to read all of it to find out.
    pub fn duration(&self) -> Bytes {
        let seconds = |kind| {
            let end = self.queues[kind].end.unwrap_or(0);
            end as f64 / f64::from(timescale(kind, &self.tracks))
        };
        let mut out = BytesMut::new();
        init::put_duration(seconds(TrackKind::Video).max(seconds(TrackKind::Audio)), &mut out);
        out.freeze()
    }

    /// Takes an access unit. Times count from the start of the file, and do not decrease in a track.
    /// Left out are units of other tracks, and audio that is malformed.
    pub fn push(&mut self, unit: &AccessUnit) {
        let composition_offset = i32::try_from(unit.pts.0 - unit.dts.0).unwrap_or(0);
        let placed = match unit.track {
            TrackKind::Video if self.tracks.has(unit.track) => self.place_picture(unit.dts),
            TrackKind::Audio => match self.tracks.audio.as_deref() {
                Some(config) => place_audio(config, unit, self.queues.audio.end),
                None => None,
            },
            TrackKind::Video => None,
        };
        let Some((start, end)) = placed else {
            return;
        };
        self.pending_bytes += cost(&unit.data);
        let queue = &mut self.queues[unit.track];
        queue.end = Some(end);
        let (keyframe, data) = (unit.keyframe, unit.data.clone());
        queue.waiting.push(Waiting { start, composition_offset, keyframe, data });
    }

    /// Bytes of memory that the waiting samples take.
    pub const fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Ends the fragment: writes all samples that came, but the last picture. If that is none,
    /// nothing. Gives where in it decoding can start.
    pub fn end_fragment(&mut self, out: &mut BytesMut) -> Option<SyncPoint> {
        let pictures = self.queues.video.waiting.len().saturating_sub(1);
        self.write_fragment(pictures, out)
    }

    /// Ends the last fragment: writes all samples. Gives where in it decoding can start.
    pub fn finish(&mut self, out: &mut BytesMut) -> Option<SyncPoint> {
        self.write_fragment(self.queues.video.waiting.len(), out)
    }

    fn write_fragment(&mut self, pictures: usize, out: &mut BytesMut) -> Option<SyncPoint> {
        let frames = self.queues.audio.waiting.len();
        let counts = [(TrackKind::Video, pictures), (TrackKind::Audio, frames)];
        let runs: Vec<Run> = counts
            .into_iter()
            .filter_map(|(kind, count)| self.queues[kind].take(kind, count))
            .collect();
        if runs.is_empty() {
            return None;
        }
        let samples = runs.iter().flat_map(|run| &run.samples);
        self.pending_bytes -= samples.map(|sample| cost(&sample.data)).sum::<usize>();
        self.sequence_number = self.sequence_number.wrapping_add(1);
        fragment::write(self.sequence_number, &runs, out);
        self.sync_point(&runs)
    }

    /// Where in a fragment decoding can start: at a picture, if there are any in the file.
    fn sync_point(&self, runs: &[Run]) -> Option<SyncPoint> {
        let track = match self.tracks.has(TrackKind::Video) {
            true => TrackKind::Video,
            false => TrackKind::Audio,
        };
        let (number, run) = (1..).zip(runs).find(|(_, run)| run.kind == track)?;
        let (index, time) = run.first_sync()?;
        Some(SyncPoint { track, time, track_fragment: number, sample: index + 1 })
    }

    /// Where a picture starts, and where it ends if it is shown as long as the one before it.
    fn place_picture(&self, dts: Ticks) -> Option<(u64, u64)> {
        let start = u64::try_from(dts.0).ok()?;
        let previous = self.queues.video.waiting.last().map(|picture| picture.start);
        let start = previous.map_or(start, |previous| start.max(previous));
        let duration = previous.map_or(DEFAULT_PICTURE, |previous| start - previous);
        Some((start, start + duration))
    }
}

/// Bytes of memory that a sample takes.
const fn cost(data: &Bytes) -> usize {
    data.len() + size_of::<Waiting>()
}

/// Where audio starts and ends. Times that were counted in samples are so again: what rounding them
/// to [`Ticks`] has taken is not made a gap.
fn place_audio(config: &AudioConfig, unit: &AccessUnit, end: Option<u64>) -> Option<(u64, u64)> {
    let samples = config.samples(&unit.data).ok()?;
    let rate = u64::from(config.sample_rate());
    let start = in_timescale(unit.dts, rate)?;
    let rounding = rate / 45_000 + 1;
    let start = end.filter(|end| end.abs_diff(start) <= rounding).unwrap_or(start);
    Some((start, start + u64::from(samples)))
}

/// The nearest time in a timescale; none if it is negative.
fn in_timescale(time: Ticks, timescale: u64) -> Option<u64> {
    let per_second = Ticks::PER_SECOND as u128;
    let time = u128::try_from(time.0).ok()? * u128::from(timescale);
    u64::try_from((time + per_second / 2) / per_second).ok()
}

impl Queue {
    /// Takes the first `count` samples.
    fn take(&mut self, kind: TrackKind, count: usize) -> Option<Run> {
        let decode_time = self.waiting.first().filter(|_| count > 0)?.start;
        let following = self.waiting.iter().skip(1).map(|sample| sample.start);
        let ends: Vec<u64> = following.chain(self.end).take(count).collect();
        let samples = self
            .waiting
            .drain(..count)
            .zip(ends)
            .map(|(sample, end)| Sample {
                duration: u32::try_from(end.saturating_sub(sample.start)).unwrap_or(u32::MAX),
                composition_offset: sample.composition_offset,
                keyframe: sample.keyframe,
                data: sample.data,
            })
            .collect();
        Some(Run { kind, decode_time, samples })
    }
}
