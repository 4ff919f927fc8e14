//! A player: a cursor into a stream's frame log.

use std::iter;

use bytes::{Buf, Bytes};

use super::frame::FrameKind;
use super::frame_log::{EntryPoint, FrameLog};
use crate::stat::Lag;
use crate::time::Instant;

/// One player of a live stream: its position in the stream's [`FrameLog`], and the rest of a frame
/// that its connection took only in part.
///
/// A player has no queue. Whenever its connection can take bytes, send it, in this order and best
/// in one call to the system,
///
/// 1. [`partial`](Self::partial), the rest of a frame;
/// 2. whatever else is due on the connection, such as replies to commands;
/// 3. what [`gather`](Self::gather) gives,
///
/// and tell [`advance`](Self::advance) how many bytes of 1 and 3 went out, even if there were none.
///
/// ```text
///                    entry point in the log
///        ┌─────────┐ ──────────────────────> ┌─────────┐
///  new ─>│ Waiting │                         │ Playing │
///        └─────────┘ <────────────────────── └─────────┘
///             ^       lags; a publisher came      │ ^
///             │                              pause│ │no newer entry point
///             │      a newer entry point          v │
///             └───────────────────────────  Resuming
/// ```
///
/// A player's memory is its own fixed size and, while a frame is partly sent, a reference that
/// keeps this one frame alive even after the log has dropped it.
#[derive(Debug)]
pub struct Player {
    partial: Bytes,
    cursor: Cursor,
    sent: u64,
    frames: u64,
}

impl Player {
    /// A player that wants audio and video, starting from the log's entry point when there is one.
    /// The log has to be served ([`FrameLog::begin_serving`]) from now on.
    pub fn new(log: &FrameLog) -> Self {
        let cursor = Cursor {
            next: log.end(),
            state: State::Waiting { known: 0, lagged: false },
            needs_keyframe: true,
            audio: true,
            video: true,
            paused: false,
            skipped: 0,
        };
        Self { partial: Bytes::new(), cursor, sent: 0, frames: 0 }
    }

    /// The rest of a frame that was sent in part. It must be the next thing on the connection.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// The frames this player lacks, in order, without the partly sent one; take as many as the
    /// connection may. None is empty.
    pub fn gather<'a>(&self, log: &'a FrameLog) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = self.cursor;
        iter::from_fn(move || cursor.step(log).map(|(_, bytes)| bytes.as_ref()))
    }

    /// Moves on by `sent` bytes of [`partial`](Self::partial) and of what
    /// [`gather`](Self::gather) gave, since when `log` must not have changed.
    pub fn advance(&mut self, log: &FrameLog, mut sent: usize) {
        self.sent += sent as u64;
        let finished = sent.min(self.partial.len());
        self.partial.advance(finished);
        sent -= finished;
        while sent > 0 {
            let Some((_, bytes)) = self.cursor.step(log) else {
                debug_assert!(false, "more bytes sent than were gathered");
                return;
            };
            self.frames += 1;
            if sent < bytes.len() {
                self.partial = bytes.slice(sent..);
                return;
            }
            sent -= bytes.len();
        }
        self.pass_unwanted(log);
    }

    /// The next frame this player lacks, which counts as sent from then on: for a connection that
    /// keeps what it could not send, and then instead of [`gather`](Self::gather) and
    /// [`advance`](Self::advance). A preamble is a [`FrameKind::Header`].
    pub fn take<'a>(&mut self, log: &'a FrameLog) -> Option<(FrameKind, &'a Bytes)> {
        let (kind, bytes) = self.cursor.step(log)?;
        self.sent += bytes.len() as u64;
        Some((kind, bytes))
    }

    /// Pauses or resumes. A paused player gets nothing but the rest of a partly sent frame; on
    /// resuming it goes on from the newest keyframe.
    pub fn set_paused(&mut self, paused: bool) {
        if self.cursor.paused && !paused && self.cursor.state == State::Playing {
            self.cursor.state = State::Resuming;
        }
        self.cursor.paused = paused;
    }

    /// Whether the player wants audio (RTMP 1.0, 7.2.2.4).
    pub fn receive_audio(&mut self, wanted: bool) {
        self.cursor.audio = wanted;
    }

    /// Whether the player wants video (RTMP 1.0, 7.2.2.5). Wanted again, it resumes at a keyframe.
    pub fn receive_video(&mut self, wanted: bool) {
        self.cursor.video = wanted;
    }

    /// How many frames the player did not get because it was too slow.
    pub fn skipped_frames(&self) -> u64 {
        self.cursor.skipped
    }

    /// How many frames the player has been sent, the last one perhaps in part.
    pub fn frames_sent(&self) -> u64 {
        self.frames
    }

    /// How far the player is behind its stream's newest frame; not at all while it is paused.
    pub fn lag(&self, log: &FrameLog, now: Instant) -> Lag {
        if self.cursor.paused {
            return Lag::default();
        }
        let mut lag = log.lag(self.cursor.next, now);
        if !self.partial.is_empty() {
            lag.bytes += self.partial.len() as u64;
            lag.frames += 1;
        }
        lag
    }

    /// How many bytes of the stream the player has been sent.
    pub fn bytes_sent(&self) -> u64 {
        self.sent
    }

    /// Passes the frames up to the log's end if the player wants none of them: they are not owed
    /// to it, so they must not make it lag.
    fn pass_unwanted(&mut self, log: &FrameLog) {
        let mut ahead = self.cursor;
        if ahead.step(log).is_none() {
            self.cursor = ahead;
        }
    }
}

/// Where in the log a player is, and what it wants from there on.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The position of the frame to look at next.
    next: u64,
    state: State,
    /// Whether video is withheld until the next keyframe.
    needs_keyframe: bool,
    audio: bool,
    video: bool,
    paused: bool,
    skipped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Gets its next media at the log's entry point; it has all headers from before `known`.
    /// Frames until then are counted as skipped if it `lagged`.
    Waiting { known: u64, lagged: bool },
    /// Gets frame after frame.
    Playing,
    /// Was paused while playing.
    Resuming,
}

impl Cursor {
    /// The next thing to send; moves past it.
    fn step<'a>(&mut self, log: &'a FrameLog) -> Option<(FrameKind, &'a Bytes)> {
        if self.paused {
            return None;
        }
        self.catch_up(log);
        loop {
            if let State::Waiting { known, lagged } = self.state
                && let Some(entry) = self.start(log, lagged)
                && entry.headers_end > known
            {
                return Some((FrameKind::Header, &entry.preamble));
            }
            let frame = log.frame(self.next)?;
            self.next += 1;
            if self.takes(frame.kind) {
                return frame.chunks().map(|chunks| (frame.kind, chunks));
            }
        }
    }

    /// Starts, if there is something to start from.
    fn start<'a>(&mut self, log: &'a FrameLog, lagged: bool) -> Option<&'a EntryPoint> {
        let at_edge = || log.edge().filter(|edge| edge.position <= self.next && !lagged);
        let (entry, needs_keyframe) = match log.entry_for(self.next) {
            Some(entry) => (entry, true),
            None => (at_edge()?, false),
        };
        self.next = entry.position;
        self.state = State::Playing;
        self.needs_keyframe = needs_keyframe;
        Some(entry)
    }

    /// Gives up the frames before the newest entry point, if the player is too far behind.
    fn catch_up(&mut self, log: &FrameLog) {
        let newest = log.entry().map_or_else(|| log.start(), |entry| entry.position);
        let known = self.next;
        match self.state {
            State::Resuming if known < newest => {
                self.state = State::Waiting { known, lagged: false };
            }
            State::Resuming => self.state = State::Playing,
            State::Playing if known < newest && log.is_behind(known) => {
                self.state = State::Waiting { known, lagged: true };
            }
            State::Playing | State::Waiting { .. } => {}
        }
        let evicted = log.start().saturating_sub(self.next);
        self.next += evicted;
        self.count_skipped(evicted);
    }

    /// Whether the frame just passed is for this player.
    fn takes(&mut self, kind: FrameKind) -> bool {
        match kind {
            FrameKind::Begin => {
                self.state = State::Waiting { known: self.next, lagged: false };
                true
            }
            FrameKind::Dry => true,
            _ if self.state != State::Playing => {
                self.count_skipped(1);
                false
            }
            FrameKind::Header | FrameKind::Data => true,
            FrameKind::Audio => self.audio,
            FrameKind::Keyframe => {
                self.needs_keyframe = !self.video;
                self.video
            }
            FrameKind::Inter => {
                self.needs_keyframe |= !self.video;
                !self.needs_keyframe
            }
        }
    }

    fn count_skipped(&mut self, frames: u64) {
        if let State::Waiting { lagged: true, .. } = self.state {
            self.skipped += frames;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::frame_log::{GopLimits, LagLimits, LogLimits};
    use super::*;
    use crate::rtmp::chunk::Framing;
    use crate::time::Instant;

    const NOW: Instant = Instant::from_millis(0);

    /// A log of frames named by letters, each 10 bytes long, with a preamble "h".
    fn log_of(frames: &str) -> FrameLog {
        log_within(Some(GopLimits { frames: 16, ..GopLimits::default() }), frames)
    }

    fn log_within(gop: Option<GopLimits>, frames: &str) -> FrameLog {
        let lag = LagLimits { frames: 8, bytes: 1_000_000, age: Duration::ZERO };
        let framing = Framing { chunk_size: 4096, repeat_extended_timestamp: true };
        let mut log = FrameLog::new(LogLimits { lag, gop }, framing);
        log.begin_serving();
        append(&mut log, frames);
        log
    }

    /// B: Stream Begin, D: Stream Dry, H: header, T: text data, A: audio, K: keyframe, other
    /// capitals: audio from which to start, x: an inter frame from which to start, other letters:
    /// inter frames.
    fn append(log: &mut FrameLog, frames: &str) {
        for name in frames.bytes() {
            let bytes = Bytes::from(vec![name; 10]);
            match name {
                b'B' => log.append(NOW, FrameKind::Begin, bytes),
                b'D' => {
                    log.forget_entry();
                    log.append(NOW, FrameKind::Dry, bytes);
                }
                b'H' => log.append(NOW, FrameKind::Header, bytes),
                b'T' => log.append(NOW, FrameKind::Data, bytes),
                b'A' => log.append(NOW, FrameKind::Audio, bytes),
                b'K' => {
                    log.append_entry(NOW, FrameKind::Keyframe, bytes, Bytes::from("hhhhhhhhhh"))
                }
                b'x' => log.append_edge(NOW, FrameKind::Inter, bytes, Bytes::from("hhhhhhhhhh")),
                b'S' => log.append_entry(NOW, FrameKind::Audio, bytes, Bytes::from("hhhhhhhhhh")),
                _ => log.append(NOW, FrameKind::Inter, bytes),
            }
        }
    }

    /// Sends all there is; the first byte of each frame.
    fn play(player: &mut Player, log: &FrameLog) -> String {
        assert!(player.partial().is_empty());
        let frames: Vec<&[u8]> = player.gather(log).collect();
        player.advance(log, frames.iter().map(|frame| frame.len()).sum());
        assert_eq!(player.gather(log).count(), 0);
        frames.iter().map(|frame| char::from(frame[0])).collect()
    }

    #[test]
    fn what_is_taken_is_what_is_gathered() {
        let mut log = log_of("BHKabKcAd");
        let (mut gathering, mut taking) = (Player::new(&log), Player::new(&log));
        let mut take = |log: &FrameLog| {
            let taken = iter::from_fn(|| taking.take(log)).map(|(_, bytes)| char::from(bytes[0]));
            taken.collect::<String>()
        };
        assert_eq!(take(&log), play(&mut gathering, &log));
        append(&mut log, "eTKf");
        assert_eq!(take(&log), play(&mut gathering, &log));
        assert_eq!(taking.bytes_sent(), gathering.bytes_sent());
    }

    #[test]
    fn starts_with_headers_and_the_newest_keyframe() {
        let mut log = log_of("BHKabKcAd");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hKcAd");
        append(&mut log, "eTKf");
        assert_eq!(play(&mut player, &log), "eTKf");
        assert_eq!(player.skipped_frames(), 0);
    }

    #[test]
    fn without_a_cache_it_waits_for_the_next_keyframe() {
        let mut log = log_within(None, "BHKa");
        let mut player = Player::new(&log);
        let mut idle = Player::new(&log);
        assert_eq!(play(&mut player, &log), "");
        append(&mut log, "bA");
        assert_eq!(play(&mut player, &log), "");
        append(&mut log, "Kc");
        assert_eq!(play(&mut player, &log), "hKc");
        append(&mut log, "de");
        assert_eq!(play(&mut player, &log), "de");
        assert_eq!(play(&mut idle, &log), "hKcde", "it was not served before");
        append(&mut log, "bcdKefghi");
        assert_eq!(play(&mut player, &log), "Kefghi", "one that lags skips as ever");
        assert_eq!(player.skipped_frames(), 3);
    }

    #[test]
    fn starts_without_a_keyframe_where_that_is_allowed() {
        let mut log = log_within(None, "BHKaxx");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hx");
        append(&mut log, "xx");
        assert_eq!(play(&mut player, &log), "xx");
        append(&mut log, "xxxKxxxxxx");
        assert_eq!(play(&mut player, &log), "Kxxxxxx", "one that lags needs a keyframe");
        append(&mut log, "xxxxxxxxxxxxx");
        assert_eq!(play(&mut player, &log), "");
        append(&mut log, "xKx");
        assert_eq!(play(&mut player, &log), "Kx");
    }

    #[test]
    fn waits_for_an_entry_point_and_gets_stream_begin_meanwhile() {
        let mut log = log_of("");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "");
        append(&mut log, "BHAaT");
        assert_eq!(play(&mut player, &log), "B");
        append(&mut log, "Ka");
        assert_eq!(play(&mut player, &log), "hKa");
    }

    #[test]
    fn an_audio_start_holds_video_until_a_keyframe() {
        let mut log = log_of("BHSS");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hS");
        append(&mut log, "aAHKb");
        assert_eq!(play(&mut player, &log), "AHKb");
    }

    #[test]
    fn a_partly_sent_frame_outlives_its_eviction() {
        let mut log = log_of("BHKabcdef");
        for sent in 0..=80 {
            let mut player = Player::new(&log);
            let whole: Vec<u8> = player.gather(&log).flatten().copied().collect();
            player.advance(&log, sent);
            let mut got = whole[..sent].to_vec();
            got.extend(player.partial());
            assert_eq!(got.len() % 10, 0);
            player.gather(&log).for_each(|frame| got.extend(frame));
            assert_eq!(got, whole);
        }

        let mut player = Player::new(&log);
        player.advance(&log, 25);
        append(&mut log, "ghKabcdefghi");
        assert!(log.start() > 3);
        assert_eq!(player.partial(), b"aaaaa");
        player.advance(&log, 5);
        assert_eq!(play(&mut player, &log), "Kabcdefghi", "the headers did not change");
        assert_eq!(player.skipped_frames(), 7);
    }

    #[test]
    fn a_slow_player_skips_to_the_newest_keyframe() {
        let mut log = log_of("BHKa");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hKa");
        append(&mut log, "bcdKefgh");
        assert_eq!(play(&mut player, &log), "bcdKefgh", "8 frames are within its bound");
        append(&mut log, "bcdKefghi");
        assert_eq!(play(&mut player, &log), "Kefghi");
        assert_eq!(player.skipped_frames(), 3);
        append(&mut log, "bHcKefghijk");
        assert_eq!(play(&mut player, &log), "hKefghijk", "new headers are not skipped");
        append(&mut log, "K");
        assert_eq!(play(&mut player, &log), "K");
        append(&mut log, "abcdefghi");
        assert_eq!(play(&mut player, &log), "abcdefghi", "no newer keyframe to skip to");
    }

    #[test]
    fn an_evicted_player_without_a_keyframe_waits_for_the_next() {
        let mut log = log_of("BHKa");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hKa");
        append(&mut log, "abcdefghijklmnopqrstuvw");
        assert!(log.entry().is_none());
        assert_eq!(play(&mut player, &log), "");
        assert_eq!(player.skipped_frames(), 23);
        append(&mut log, "aAKb");
        assert_eq!(play(&mut player, &log), "Kb");
        assert_eq!(player.skipped_frames(), 25);
    }

    #[test]
    fn pause_resumes_at_a_newer_keyframe_but_never_goes_back() {
        let mut log = log_of("BHKa");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hKa");
        player.set_paused(true);
        append(&mut log, "b");
        assert_eq!(play(&mut player, &log), "");
        player.set_paused(false);
        assert_eq!(play(&mut player, &log), "b");

        player.set_paused(true);
        append(&mut log, "cHKd");
        player.set_paused(true);
        assert_eq!(play(&mut player, &log), "");
        player.set_paused(false);
        player.set_paused(false);
        assert_eq!(play(&mut player, &log), "hKd");
        assert_eq!(player.skipped_frames(), 0);

        let mut waiting = Player::new(&log);
        waiting.set_paused(true);
        assert_eq!(play(&mut waiting, &log), "");
        waiting.set_paused(false);
        assert_eq!(play(&mut waiting, &log), "hKd");
    }

    #[test]
    fn unwanted_frames_are_withheld_and_do_not_make_the_player_lag() {
        let mut log = log_of("BHKaAb");
        let mut player = Player::new(&log);
        player.receive_video(false);
        assert_eq!(play(&mut player, &log), "hA");
        for _ in 0..5 {
            append(&mut log, "abKcde");
            assert_eq!(play(&mut player, &log), "");
        }
        assert_eq!(player.skipped_frames(), 0);
        append(&mut log, "aHA");
        assert_eq!(play(&mut player, &log), "HA", "headers always pass");

        player.receive_video(true);
        player.receive_audio(false);
        append(&mut log, "aAbKcAd");
        assert_eq!(play(&mut player, &log), "Kcd");

        player.receive_video(false);
        append(&mut log, "e");
        assert_eq!(play(&mut player, &log), "");
        player.receive_video(true);
        append(&mut log, "fKg");
        assert_eq!(play(&mut player, &log), "Kg", "f may need e");
    }

    #[test]
    fn the_next_publisher_starts_afresh() {
        let mut log = log_of("BHKa");
        let mut player = Player::new(&log);
        assert_eq!(play(&mut player, &log), "hKa");
        append(&mut log, "bD");
        let mut late = Player::new(&log);
        assert_eq!(play(&mut late, &log), "", "not from the publisher that left");
        append(&mut log, "BHaA");
        assert_eq!(play(&mut player, &log), "bDB", "nothing before the new keyframe");
        assert_eq!(play(&mut late, &log), "B");
        append(&mut log, "Kb");
        assert_eq!(play(&mut player, &log), "hKb");
        assert_eq!(play(&mut late, &log), "hKb");
    }
}
