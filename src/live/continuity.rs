//! Timestamps when one publisher takes over from another: players are to see one stream go on.

use crate::flv::{self, AudioKind, VideoKind};
use crate::rtmp::{Message, MessageType};

/// How far the first frame of a new publisher is from the last one of the old, in milliseconds.
const STEP: u32 = 20;

/// How far apart audio and video of the same moment may come, in milliseconds. A larger step back is
/// a leap of the publisher's clock, which stays one.
const DISORDER: i32 = 10_000;

/// How long, in milliseconds, frames may be found to belong before the switch. Timestamps wrap, so
/// they cannot be compared with a time for ever.
const SWITCH: u32 = 60_000;

/// What a stream's next message is to look like to go on from those before it.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    /// The latest timestamp of audio or video so far, by the clock that the publisher has now.
    last: Option<u32>,
    /// What the current publisher's timestamps are moved by.
    offset: u32,
    /// The latest timestamp of the publisher before, while it matters.
    floor: Option<u32>,
    /// Whether the current publisher's first frame is still to come.
    awaits_frame: bool,
    /// Whether the current publisher's pictures are withheld up to a keyframe.
    awaits_keyframe: bool,
}

impl Continuity {
    /// From now on another publisher's messages come.
    pub(super) fn succeed(&mut self) {
        self.floor = self.last;
        self.awaits_frame = self.last.is_some();
        self.awaits_keyframe = true;
    }

    /// The message as players are to get it; `None` if it makes no sense without what the new
    /// publisher sent before it came.
    pub(super) fn retime(&mut self, message: Message) -> Option<Message> {
        let is_header = match message.kind {
            MessageType::Audio if self.awaits_frame => {
                flv::audio_kind(&message.payload) == AudioKind::SequenceHeader
            }
            MessageType::Video if self.awaits_keyframe => match flv::video_kind(&message.payload) {
                VideoKind::SequenceHeader => true,
                VideoKind::Keyframe => {
                    self.awaits_keyframe = false;
                    false
                }
                VideoKind::Inter => return None,
                VideoKind::Other => false,
            },
            // Nothing is to be found out of all the others, so they are not looked into.
            MessageType::Audio | MessageType::Video => false,
            _ => return Some(message),
        };
        let timestamp = self.next(message.timestamp, is_header);
        Some(Message { timestamp, ..message })
    }

    fn next(&mut self, told: u32, is_header: bool) -> u32 {
        if let (true, Some(floor)) = (self.awaits_frame, self.floor) {
            if is_header {
                return floor;
            }
            self.offset = floor.wrapping_add(STEP).wrapping_sub(told);
            self.awaits_frame = false;
        }
        let timestamp = self.not_before_the_switch(told.wrapping_add(self.offset));
        let is_newer = |last| !(-DISORDER..=0).contains(&distance(last, timestamp));
        if self.last.is_none_or(is_newer) {
            self.last = Some(timestamp);
        }
        timestamp
    }

    fn not_before_the_switch(&mut self, timestamp: u32) -> u32 {
        match self.floor {
            Some(floor) if (-DISORDER..0).contains(&distance(floor, timestamp)) => floor,
            Some(floor) if !(0..=SWITCH as i32).contains(&distance(floor, timestamp)) => {
                self.floor = None;
                timestamp
            }
            _ => timestamp,
        }
    }
}

/// From `one` timestamp to `other`; they wrap.
fn distance(one: u32, other: u32) -> i32 {
    other.wrapping_sub(one) as i32
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const KEY: &[u8] = b"\x17\x01\0\0\0a";
    const INTER: &[u8] = b"\x27\x01\0\0\0a";
    const AVC: &[u8] = b"\x17\x00\0\0\0a";

    fn video(timestamp: u32, payload: &'static [u8]) -> Message {
        let payload = Bytes::from_static(payload);
        Message { kind: MessageType::Video, timestamp, stream_id: 1, payload }
    }

    fn audio(timestamp: u32) -> Message {
        Message { kind: MessageType::Audio, ..video(timestamp, b"\xaf\x01a") }
    }

    fn times(continuity: &mut Continuity, messages: impl IntoIterator<Item = Message>) -> Vec<u32> {
        let retimed = messages.into_iter().filter_map(|message| continuity.retime(message));
        retimed.map(|message| message.timestamp).collect()
    }

    #[test]
    fn one_publisher_alone_is_not_touched() {
        let mut continuity = Continuity::default();
        let messages = [video(5000, KEY), audio(4990), video(10, INTER), video(u32::MAX, INTER)];
        assert_eq!(times(&mut continuity, messages), [5000, 4990, 10, u32::MAX]);
    }

    #[test]
    fn the_next_one_goes_on_where_the_last_one_was() {
        for start in [0, 70_000, u32::MAX - 10] {
            let mut continuity = Continuity::default();
            times(&mut continuity, [video(1000, KEY)]);
            let mut last = continuity.last.unwrap();
            continuity.succeed();
            let sound_before = audio(start.wrapping_sub(15));
            let messages = [video(0, AVC), video(start, KEY), sound_before];
            let got = times(&mut continuity, messages);
            assert_eq!(got, [last, last + STEP, last + STEP - 15]);
            for number in 1..2000 {
                let time = start.wrapping_add(number * 40);
                let got = times(&mut continuity, [video(time, INTER)]);
                assert!(got[0] > last, "{got:?} after {last}");
                last = got[0];
            }
        }
    }

    #[test]
    fn nothing_is_before_the_switch() {
        let mut continuity = Continuity::default();
        times(&mut continuity, [video(1000, KEY)]);
        continuity.succeed();
        let messages = [video(500, KEY), audio(450), video(540, INTER)];
        assert_eq!(times(&mut continuity, messages), [1020, 1000, 1060]);
    }

    #[test]
    fn a_leap_back_stays_one() {
        let mut continuity = Continuity::default();
        times(&mut continuity, [video(0, KEY), video(3_600_000, INTER), video(10, INTER)]);
        continuity.succeed();
        let messages = [video(7_200_000, KEY), video(7_200_040, INTER), video(3_600_000, INTER)];
        let leap = 30_u32.wrapping_sub(3_600_000);
        assert_eq!(times(&mut continuity, messages), [30, 70, leap]);
        let after = [video(3_600_040, INTER), video(3_600_080, INTER)];
        assert_eq!(times(&mut continuity, after), [40, 80].map(|step| leap.wrapping_add(step)));
    }

    #[test]
    fn pictures_wait_for_a_keyframe() {
        let mut continuity = Continuity::default();
        times(&mut continuity, [video(1000, KEY)]);
        continuity.succeed();
        let messages = [video(0, INTER), audio(0), video(40, INTER), video(80, KEY)];
        assert_eq!(times(&mut continuity, messages), [1020, 1100]);
    }

    #[test]
    fn a_wrap_is_no_step_back() {
        let mut continuity = Continuity::default();
        times(&mut continuity, [video(u32::MAX - 5, KEY)]);
        continuity.succeed();
        assert_eq!(times(&mut continuity, [video(0, KEY), video(40, INTER)]), [14, 54]);
    }
}
