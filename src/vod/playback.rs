//! One player of a file.

use std::time::Duration;

use bytes::Bytes;

use super::pacer::Pacer;
use super::{Error, Reader};
use crate::file_view::{FileView, ReadRequest, Stop};
use crate::mp4::TrackChoice;
use crate::rtmp::{Message, MessageType};
use crate::time::Instant;

/// Plays a file to one player.
///
/// It has no file and no clock. The caller
///
/// 1. [polls](Self::poll) it, and does what that says;
/// 2. reads what is asked for, and hands it [in](Self::handle_read);
/// 3. tells what the player wants.
///
/// ```text
///              ready                 end
///  Opening ───────────> Playing ───────────> Ended
///                       ^     │ pause, resume  │
///                       └─────┘<───────────────┘ seek
/// ```
#[derive(Debug)]
pub struct Playback {
    view: FileView,
    reader: Reader,
    state: State,
    pacer: Pacer,
    span: Span,
    paused: bool,
    /// Whether a range is being read.
    reading: bool,
    /// What was read and is not due.
    next: Option<Message>,
    /// The timestamp of what was sent last.
    timestamp: u32,
    audio: bool,
    video: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Playing,
    Ended,
}

/// Which part of a file is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, in milliseconds: at the keyframe at or before that.
    pub start: u32,
    /// How much is played, in milliseconds; `None` for all.
    pub duration: Option<u32>,
}

/// What [`Playback::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// This is to be read. Nothing comes before it has been.
    Read(ReadRequest),
    /// The file can be played. Given once, before all messages.
    Ready,
    /// This is to be sent now.
    Message(Message),
    /// There is nothing to do until then, or until something is handed in.
    Wait(Option<Instant>),
    /// The end is reached. The player may seek back.
    Complete,
}

impl Playback {
    /// The playback of a file of `length` bytes, to a player that buffers `buffer`.
    pub fn new(length: u64, tracks: TrackChoice, span: Span, buffer: Duration) -> Self {
        Self {
            view: FileView::new(length),
            reader: Reader::Unknown(tracks),
            state: State::Opening,
            pacer: Pacer::new(buffer),
            span,
            paused: false,
            reading: false,
            next: None,
            timestamp: 0,
            audio: true,
            video: true,
        }
    }

    /// How long the file says it is, in milliseconds.
    pub fn duration(&self) -> Option<u32> {
        self.reader.duration()
    }

    /// How far playing has come, in milliseconds of the file.
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Takes what was read for `request`.
    pub fn handle_read(&mut self, request: ReadRequest, bytes: Bytes) {
        self.view.fill(request, bytes);
        self.reading = false;
    }

    /// What was asked for cannot be read. Nothing comes any more, unless the player seeks.
    pub const fn handle_read_error(&mut self) {
        self.reading = false;
        self.state = State::Ended;
    }

    /// The player buffers this much.
    pub const fn set_buffer(&mut self, buffer: Duration) {
        self.pacer.set_buffer(buffer);
    }

    /// The player pauses, or goes on.
    pub fn pause(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        if paused {
            self.pacer.pause(now);
        } else {
            self.pacer.resume(now);
        }
    }

    /// The player goes to the keyframe at or before `position`, in milliseconds.
    pub fn seek(&mut self, position: u32) {
        if self.state == State::Opening {
            self.span.start = position;
            return;
        }
        self.state = State::Playing;
        self.next = None;
        self.reader.seek(position);
        self.pacer.restart();
    }

    /// Whether the player wants sound.
    pub const fn receive_audio(&mut self, wanted: bool) {
        self.audio = wanted;
    }

    /// Whether the player wants pictures.
    pub const fn receive_video(&mut self, wanted: bool) {
        self.video = wanted;
    }

    /// What there is to do next.
    ///
    /// # Errors
    ///
    /// The file is damaged. Nothing comes of it any more, unless the player seeks.
    pub fn poll(&mut self, now: Instant) -> Result<Output, Error> {
        let output = match self.state {
            _ if self.reading => Ok(Output::Wait(None)),
            State::Opening => self.open(),
            State::Playing if self.paused => Ok(Output::Wait(None)),
            State::Playing => self.play(now),
            State::Ended => Ok(Output::Wait(None)),
        };
        match output {
            Ok(output) => Ok(output),
            Err(Stop::Unread(request)) => {
                self.reading = true;
                Ok(Output::Read(request))
            }
            Err(Stop::Failed(error)) => {
                self.state = State::Ended;
                Err(error)
            }
        }
    }

    fn open(&mut self) -> super::Result<Output> {
        self.reader.prepare(&mut self.view)?;
        if self.span.start > 0 {
            self.reader.seek(self.span.start);
        }
        self.state = State::Playing;
        Ok(Output::Ready)
    }

    fn play(&mut self, now: Instant) -> super::Result<Output> {
        loop {
            let message = match self.next.take() {
                Some(message) => Some(message),
                None => self.reader.next(&mut self.view)?,
            };
            let Some(message) = message.filter(|message| !self.is_past(message)) else {
                self.state = State::Ended;
                return Ok(Output::Complete);
            };
            if !self.is_wanted(message.kind) {
                continue;
            }
            if let Some(at) = self.pacer.wait(now, message.timestamp) {
                self.next = Some(message);
                return Ok(Output::Wait(Some(at)));
            }
            self.timestamp = message.timestamp;
            return Ok(Output::Message(message));
        }
    }

    const fn is_wanted(&self, kind: MessageType) -> bool {
        match kind {
            MessageType::Audio => self.audio,
            MessageType::Video => self.video,
            _ => true,
        }
    }

    /// Whether the message is past what is to be played.
    fn is_past(&self, message: &Message) -> bool {
        let Span { start, duration } = self.span;
        duration.is_some_and(|duration| message.timestamp >= start.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::{FrameType, VideoPacket, VideoTag};

    const MP4: &[u8] = include_bytes!("../../tests/fixtures/front.mp4");
    const BUFFER: Duration = Duration::from_secs(1);

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn playback(file: &[u8], span: Span) -> Playback {
        Playback::new(file.len() as u64, TrackChoice::default(), span, BUFFER)
    }

    /// Polls, and reads whatever is asked for.
    fn poll(playback: &mut Playback, file: &[u8], now: u64) -> Result<Output, Error> {
        loop {
            match playback.poll(at(now)) {
                Ok(Output::Read(request)) => {
                    assert_eq!(playback.poll(at(now)), Ok(Output::Wait(None)), "reading");
                    let start = request.offset as usize;
                    let bytes = &file[start..start + request.length];
                    playback.handle_read(request, Bytes::copy_from_slice(bytes));
                }
                output => return output,
            }
        }
    }

    /// The messages that are due, and what comes then.
    fn due(playback: &mut Playback, now: u64) -> (Vec<Message>, Output) {
        let mut messages = Vec::new();
        loop {
            match poll(playback, MP4, now).unwrap() {
                Output::Message(message) => messages.push(message),
                output => return (messages, output),
            }
        }
    }

    fn ready(span: Span) -> Playback {
        let mut playback = playback(MP4, span);
        assert_eq!(poll(&mut playback, MP4, 0), Ok(Output::Ready));
        playback
    }

    fn is_keyframe(message: &Message) -> bool {
        let Ok(tag) = VideoTag::parse(&message.payload) else { return false };
        let is_frame = matches!(tag.packet, VideoPacket::CodedFrames { .. });
        message.kind == MessageType::Video && is_frame && tag.frame_type == FrameType::Key
    }

    #[test]
    fn a_file_plays_in_its_own_time() {
        let mut playback = ready(Span::default());
        assert_eq!(playback.duration(), Some(3000));
        let (mut messages, mut now) = (Vec::new(), 7);
        let end = loop {
            let (more, then) = due(&mut playback, now);
            assert!(more.iter().all(|it| u64::from(it.timestamp) <= now - 7 + 1000));
            messages.extend(more);
            match then {
                Output::Wait(Some(later)) => {
                    assert!(later > at(now) && later <= at(now + 375));
                    now = later.as_millis();
                }
                other => break other,
            }
        };
        assert_eq!(end, Output::Complete);
        assert_eq!(messages.len(), 3 + 30 + 25);
        assert_eq!(Some(playback.timestamp()), messages.last().map(|it| it.timestamp));
        assert!((1900..2300).contains(&now), "the last second is buffered: {now}");
        assert_eq!(due(&mut playback, now), (Vec::new(), Output::Wait(None)));
    }

    #[test]
    fn a_seek_goes_to_a_keyframe_at_any_time() {
        let mut playback = ready(Span::default());
        due(&mut playback, 0);
        for now in [10, 90_000] {
            playback.seek(2500);
            let (messages, _) = due(&mut playback, now);
            assert!(messages[..3].iter().all(|it| it.timestamp == 2000));
            let pictures = messages[3..].iter().filter(|it| it.kind == MessageType::Video);
            let pictures: Vec<_> = pictures.map(|it| (it.timestamp, is_keyframe(it))).collect();
            assert_eq!(pictures[0], (2000, true));
            assert_eq!(pictures.len(), 10);
        }
        playback.seek(0);
        assert!(matches!(due(&mut playback, 90_000).1, Output::Wait(Some(_))));
    }

    #[test]
    fn nothing_comes_in_a_pause() {
        let mut playback = ready(Span::default());
        let (before, _) = due(&mut playback, 0);
        playback.pause(at(100), true);
        assert_eq!(due(&mut playback, 5000), (Vec::new(), Output::Wait(None)));
        playback.pause(at(5000), false);
        let (after, then) = due(&mut playback, 5100);
        let first = after.first().map(|it| it.timestamp);
        assert!(first >= before.last().map(|it| it.timestamp));
        assert!(after.iter().all(|it| it.timestamp <= 1200));
        assert!(matches!(then, Output::Wait(Some(_))));
    }

    #[test]
    fn a_part_is_played() {
        let mut playback = ready(Span { start: 1200, duration: Some(700) });
        let (messages, then) = due(&mut playback, 0);
        assert_eq!(messages[0].timestamp, 1000);
        assert!(messages.iter().all(|it| it.timestamp < 1900));
        assert_eq!(then, Output::Complete);
    }

    #[test]
    fn tracks_may_be_declined() {
        let mut playback = ready(Span::default());
        playback.receive_audio(false);
        let (messages, _) = due(&mut playback, 0);
        assert!(messages.iter().all(|it| it.kind != MessageType::Audio));
        playback.receive_video(false);
        playback.receive_audio(true);
        let (messages, _) = due(&mut playback, 500);
        assert!(!messages.is_empty());
        assert!(messages.iter().all(|it| it.kind == MessageType::Audio));
    }

    #[test]
    fn a_player_may_go_on_elsewhere_when_something_cannot_be_read() {
        let mut playback = ready(Span::default());
        playback.view = FileView::new(MP4.len() as u64);
        let mut outputs = std::iter::repeat_with(|| playback.poll(at(0)).unwrap());
        assert!(outputs.any(|output| matches!(output, Output::Read(_))));
        playback.handle_read_error();
        assert_eq!(playback.poll(at(0)), Ok(Output::Wait(None)));
        playback.seek(0);
        assert!(!due(&mut playback, 0).0.is_empty());
    }

    #[test]
    fn a_bad_file_is_told_once() {
        let file = b"neither of them";
        let mut playback = playback(file, Span::default());
        assert_eq!(poll(&mut playback, file, 0), Err(Error::Mp4(crate::mp4::ReadError::NoMovie)));
        assert_eq!(poll(&mut playback, file, 0), Ok(Output::Wait(None)));
        let file = b"FLV";
        let mut playback = Playback::new(3, TrackChoice::default(), Span::default(), BUFFER);
        assert_eq!(poll(&mut playback, file, 0), Err(Error::Flv(crate::flv::ReadError::NoHeader)));
    }
}
