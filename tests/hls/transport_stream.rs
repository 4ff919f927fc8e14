//! A checker of transport streams (ISO/IEC 13818-1), independent of the muxer.

use std::collections::{BTreeSet, HashMap};

use ngx_rtmp_module::media::TrackKind;

const PAT: u16 = 0;
const PMT: u16 = 0x1000;

/// 100 ms of 90 kHz.
const MAX_CLOCK_INTERVAL: i64 = 9000;

/// What the checker has seen so far.
#[derive(Default)]
pub(crate) struct Checker {
    /// The last continuity counter of each PID.
    continuity: HashMap<u16, u8>,
    /// The streams of the program: PID and type.
    program: HashMap<u16, u8>,
    clock_pid: u16,
    clock: Option<i64>,
    /// The PES packets that are being received, by PID: bytes still expected, if they are told.
    expected: HashMap<u16, Option<usize>>,
    types_seen: BTreeSet<u8>,
}

/// Checks consecutive segments of one stream.
pub(crate) fn check(segments: &[Vec<u8>]) -> Checker {
    let mut checker = Checker::default();
    for segment in segments {
        checker.check_segment(segment);
    }
    checker
}

impl Checker {
    /// Whether there was a PES packet of that kind.
    pub(crate) fn has(&self, kind: TrackKind) -> bool {
        self.types_seen.contains(match kind {
            TrackKind::Video => &0x1b,
            TrackKind::Audio => &0x0f,
        })
    }

    fn check_segment(&mut self, segment: &[u8]) {
        assert_eq!(segment.len() % 188, 0, "whole packets");
        let pids: Vec<u16> = segment.chunks(188).map(pid).collect();
        assert_eq!(pids[..2], [PAT, PMT], "tables first");
        segment.chunks(188).for_each(|packet| self.check_packet(packet));
        let carried: BTreeSet<u16> =
            pids.into_iter().filter(|pid| ![PAT, PMT].contains(pid)).collect();
        assert_eq!(carried, self.program.keys().copied().collect(), "the tables tell the truth");
        for (pid, expected) in self.expected.drain() {
            assert!(matches!(expected, None | Some(0)), "PES packet on {pid:#x} ends early");
        }
    }

    fn check_packet(&mut self, packet: &[u8]) {
        let pid = pid(packet);
        let (adaptation, payload) = split(packet);
        self.check_continuity(pid, packet[3] & 0x0f, !payload.is_empty());
        let unit_start = packet[1] & 0x40 != 0;
        match pid {
            PAT => assert_eq!(
                payload[..17],
                *b"\0\0\xb0\x0d\0\x01\xc1\0\0\0\x01\xf0\0\x2a\xb1\x04\xb2"
            ),
            PMT => self.read_program(payload),
            _ => {
                self.check_clock(pid, adaptation);
                self.check_pes(pid, unit_start, payload);
            }
        }
    }

    fn check_continuity(&mut self, pid: u16, counter: u8, has_payload: bool) {
        let next = self.continuity.get(&pid).map(|last| (last + u8::from(has_payload)) & 0x0f);
        assert!(next.is_none_or(|next| next == counter), "continuity of {pid:#x}");
        self.continuity.insert(pid, counter);
    }

    fn read_program(&mut self, payload: &[u8]) {
        let length = usize::from(payload[3]);
        self.clock_pid = u16::from_be_bytes([payload[9], payload[10]]) & 0x1fff;
        self.program = payload[13..4 + length - 4]
            .chunks(5)
            .map(|stream| (u16::from_be_bytes([stream[1], stream[2]]) & 0x1fff, stream[0]))
            .collect();
        assert!(self.program.contains_key(&self.clock_pid));
    }

    fn check_clock(&mut self, pid: u16, adaptation: &[u8]) {
        let &[flags, ref fields @ ..] = adaptation else { return };
        if flags & 0x10 == 0 {
            return;
        }
        assert_eq!(pid, self.clock_pid);
        let base = fields[..5].iter().fold(0, |base, byte| base << 8 | i64::from(*byte)) >> 7;
        if let Some(last) = self.clock.filter(|_| flags & 0x80 == 0) {
            assert!((last..=last + MAX_CLOCK_INTERVAL).contains(&base), "{last} to {base}");
        }
        self.clock = Some(base);
    }

    fn check_pes(&mut self, pid: u16, unit_start: bool, payload: &[u8]) {
        if unit_start {
            assert!(matches!(self.expected.get(&pid), None | Some(None | Some(0))));
            assert_eq!(payload[..3], [0, 0, 1]);
            self.types_seen.insert(self.program[&pid]);
            self.check_times(payload);
            let length = usize::from(u16::from_be_bytes([payload[4], payload[5]]));
            assert!(length > 0 || payload[3] == 0xe0, "only video may be unbounded");
            self.expected.insert(pid, (length > 0).then_some(6 + length));
        }
        if let Some(Some(expected)) = self.expected.get_mut(&pid) {
            *expected = expected.checked_sub(payload.len()).expect("no more than was told");
        }
    }

    /// Data arrive before they are due, and by less than a second.
    fn check_times(&self, payload: &[u8]) {
        let has_dts = payload[7] & 0x40 != 0;
        let pts = timestamp(&payload[9..14]);
        let dts = if has_dts { timestamp(&payload[14..19]) } else { pts };
        assert!(dts <= pts);
        if let Some(clock) = self.clock {
            assert!((1..=90_000).contains(&(dts - clock)), "due at {dts}, clock at {clock}");
        }
    }
}

fn pid(packet: &[u8]) -> u16 {
    assert_eq!(packet[0], 0x47, "sync_byte");
    u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff
}

/// The adaptation field without its length, and the payload.
fn split(packet: &[u8]) -> (&[u8], &[u8]) {
    match packet[3] >> 4 {
        0b01 => (&[], &packet[4..]),
        _ => packet[5..].split_at(usize::from(packet[4])),
    }
}

fn timestamp(bytes: &[u8]) -> i64 {
    assert!(bytes[0] & bytes[2] & bytes[4] & 1 == 1, "marker bits");
    let value = bytes.iter().fold(0, |value, byte| value << 8 | i64::from(*byte));
    (value >> 33 & 0x7) << 30 | (value >> 17 & 0x7fff) << 15 | value >> 1 & 0x7fff
}
