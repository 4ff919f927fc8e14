//! AAC frames that share a PES packet.

use bytes::{BufMut, Bytes, BytesMut};

use super::pes::MAX_BOUNDED_LEN;
use crate::codec::aac::{ADTS_HEADER_SIZE, AudioSpecificConfig};
use crate::media::AccessUnit;
use crate::time::Ticks;

/// How far a frame's time may be from where the frames before it end. Time that RTMP has rounded to
/// milliseconds is off by up to one at both ends.
const TOLERANCE: i64 = Ticks::from_millis(2).0;

/// Consecutive AAC frames as ADTS, waiting to be one PES packet. Only the first one's time is
/// written; a player counts the others' from it.
#[derive(Debug, Default)]
pub struct AudioBatch {
    /// The time of the first frame, if there is one.
    start: Ticks,
    frames: i64,
    data: BytesMut,
}

impl AudioBatch {
    /// Whether `unit` may follow: on time, and without making the batch last longer than `span` or
    /// too large for a PES packet. There is always room for the first.
    pub fn has_room(&self, config: &AudioSpecificConfig, unit: &AccessUnit, span: Ticks) -> bool {
        let size = self.data.len() + ADTS_HEADER_SIZE + unit.data.len();
        let lasting = frames_last(config, self.frames);
        self.frames == 0
            || size <= MAX_BOUNDED_LEN
                && (unit.pts.0 - self.start.0 - lasting).abs() <= TOLERANCE
                && frames_last(config, self.frames + 1) <= span.0
    }

    /// Whether the first frame has waited for `span`.
    pub const fn is_due(&self, now: Ticks, span: Ticks) -> bool {
        self.frames > 0 && now.0 - self.start.0 >= span.0
    }

    /// Appends a frame; not one that ADTS cannot express.
    pub fn push(&mut self, config: &AudioSpecificConfig, unit: &AccessUnit) {
        let Ok(header) = config.adts_header(unit.data.len()) else {
            return;
        };
        if self.frames == 0 {
            self.start = unit.pts;
        }
        self.frames += 1;
        self.data.put_slice(&header);
        self.data.put_slice(&unit.data);
    }

    /// Takes the time of the first frame and the bytes of all; none if it is empty.
    pub fn take(&mut self) -> Option<(Ticks, Bytes)> {
        let frames = std::mem::take(&mut self.frames);
        (frames > 0).then(|| (self.start, self.data.split().freeze()))
    }
}

/// How many ticks so many frames last, rounded down.
fn frames_last(config: &AudioSpecificConfig, frames: i64) -> i64 {
    let samples = frames * i64::from(config.frame_length);
    samples * Ticks::PER_SECOND / i64::from(config.sample_rate)
}
