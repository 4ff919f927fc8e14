//! How the pictures of a stream follow each other.

use crate::stat::Gop;
use crate::time::Instant;

/// Counts of a publisher's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pictures {
    /// How many have come.
    pub count: u64,
    /// When the newest keyframe came.
    pub last_keyframe: Option<Instant>,
    /// The last complete group of pictures.
    pub gop: Option<Gop>,
    /// The timestamp of the keyframe with which the present group begins, and how many pictures came
    /// before it.
    group: Option<(u32, u64)>,
}

impl Pictures {
    /// A keyframe has come.
    pub(super) fn count_keyframe(&mut self, timestamp: u32, now: Instant) {
        if let Some((begin, before)) = self.group.replace((timestamp, self.count)) {
            // Timestamps wrap, and may go back.
            let time = i64::from(timestamp.wrapping_sub(begin) as i32).max(0) as u64;
            self.gop = Some(Gop { time, frames: self.count - before });
        }
        self.last_keyframe = Some(now);
        self.count += 1;
    }

    /// A picture has come that needs those before it.
    pub(super) fn count_inter(&mut self) {
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_known_when_the_next_begins() {
        let mut pictures = Pictures::default();
        pictures.count_inter();
        for (timestamp, gop) in [
            (u32::MAX - 999, None),
            (1000, Some(Gop { time: 2000, frames: 3 })),
            (500, Some(Gop { time: 0, frames: 3 })),
        ] {
            let now = Instant::from_millis(u64::from(timestamp));
            pictures.count_keyframe(timestamp, now);
            assert_eq!((pictures.gop, pictures.last_keyframe), (gop, Some(now)));
            pictures.count_inter();
            pictures.count_inter();
        }
        assert_eq!(pictures.count, 10);
    }
}
