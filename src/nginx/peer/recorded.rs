//! Playing a file to a session's peer.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::event;
use super::super::log::Level;
use super::super::thread_pool;
use super::super::vod::OpenFile;
use super::super::worker::Shared;
use super::{End, Peer, Role};
use crate::file_view::ReadRequest;
use crate::rtmp::chunk::{Framing, csid};
use crate::rtmp::command::Play;
use crate::rtmp::session::PlayRefusal;
use crate::rtmp::{self, Message, MessageType};
use crate::time::Instant;
use crate::vod::{Output, Playback, Span, track_choice};

/// Bytes that wait to be sent, past which the next ones stay in the file.
const WINDOW: usize = 64 << 10;

/// A file is played.
pub(super) struct FilePlayer {
    playback: Playback,
    file: Arc<OpenFile>,
    framing: Framing,
    /// Whether sound travels with the pictures.
    interleave: bool,
    /// Whether the peer was told that playing has begun.
    accepted: bool,
    deadline: Option<Instant>,
    /// Kept alive by the role, and looked at by what comes back from a thread.
    alive: Rc<()>,
}

/// What [`Peer::feed_file`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// Nothing is due.
    Nothing,
    /// There is something to send.
    Media,
    /// The session has something to say.
    Answer,
}

impl FilePlayer {
    /// By when something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How far it has come, in milliseconds.
    pub(super) fn timestamp(&self) -> u32 {
        self.playback.timestamp()
    }

    /// Changes what is played.
    pub(super) fn playback(&mut self) -> &mut Playback {
        &mut self.playback
    }
}

impl Peer {
    /// Begins to play the file.
    pub(super) fn begin_file(&mut self, play: &Play, file: Arc<OpenFile>) {
        let Some(application) = &self.application else { return };
        // Clients that mean no duration say -1, or nothing, or 0.
        let positive = |millis: i64| u32::try_from(millis).ok().filter(|millis| *millis > 0);
        let span =
            Span { start: positive(play.start).unwrap_or(0), duration: positive(play.duration) };
        let tracks = track_choice(&play.args);
        let buffer = self.buffer.unwrap_or(self.endpoint.server.session.buflen);
        self.connection.set_action(c"playing a file");
        let path = self.masked(file.path());
        self.connection.log(Level::Info, format_args!("playing file \"{path}\""));
        self.role = Role::File(Box::new(FilePlayer {
            playback: Playback::new(file.length(), tracks, span, buffer),
            file,
            framing: application.stream.framing,
            interleave: application.stream.interleave,
            accepted: false,
            deadline: None,
            alive: Rc::new(()),
        }));
    }

    /// The client buffers so much.
    pub(super) fn set_buffer(&mut self, buffer: Duration) {
        self.buffer = Some(buffer);
        if let Role::File(player) = &mut self.role {
            player.playback.set_buffer(buffer);
        }
    }

    /// The client goes to another position, in milliseconds.
    pub(super) fn seek(&mut self, position: u32) {
        // A live stream has no other.
        if let Role::File(player) = &mut self.role {
            player.playback.seek(position);
            self.session.tell_seek_done();
        }
    }

    /// Puts what is due of a file into the outbox, as far as there is room.
    pub(super) fn feed_file(&mut self) -> Result<Fed, rtmp::Error> {
        let Role::File(player) = &mut self.role else { return Ok(Fed::Nothing) };
        let (room, now) = (WINDOW.saturating_sub(self.outbox.len()), event::now());
        let mut chunks = BytesMut::new();
        player.deadline = None;
        let mut then = None;
        while chunks.len() < room && then.is_none() {
            match player.playback.poll(now) {
                Ok(Output::Message(message)) => player.encode(&message, &mut chunks),
                other => then = Some(other),
            }
        }
        let has_media = !chunks.is_empty();
        if has_media {
            self.outbox.push_media(chunks.freeze());
        }
        match then {
            None | Some(Ok(Output::Message(_))) => {}
            Some(Ok(Output::Wait(at))) => player.deadline = at,
            Some(Ok(Output::Read(request))) => player.read(self.id.0 as usize, request),
            Some(Ok(Output::Ready)) => {
                player.accepted = true;
                self.session.accept_play_of_recording(now)?;
                return Ok(Fed::Answer);
            }
            Some(Ok(Output::Complete)) => {
                let millis = player.playback.duration();
                self.session.complete_play(millis.map(|it| Duration::from_millis(it.into())));
                return Ok(Fed::Answer);
            }
            Some(Err(error)) => {
                self.fail_file(format_args!("{error}"));
                return Ok(Fed::Answer);
            }
        }
        Ok(if has_media { Fed::Media } else { Fed::Nothing })
    }

    /// The file cannot be played, or not on.
    fn fail_file(&mut self, reason: std::fmt::Arguments<'_>) {
        let Role::File(player) = &self.role else { return };
        let path = self.masked(player.file.path());
        self.connection.log(Level::Error, format_args!("playing \"{path}\" failed: {reason}"));
        if player.accepted {
            self.session.fail_play();
        } else {
            self.session.reject_play(PlayRefusal::Failed);
        }
    }

    /// A part of the file has been read; `read` is none after a panic.
    fn on_file_read(
        &mut self,
        request: ReadRequest,
        read: Option<io::Result<Bytes>>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        let Role::File(player) = &mut self.role else { return Ok(()) };
        let was_accepted = player.accepted;
        match read {
            Some(Ok(bytes)) => player.playback.handle_read(request, bytes),
            Some(Err(error)) => {
                player.playback.handle_read_error();
                self.fail_file(format_args!("{error}"));
            }
            None => return Err(End::Bug),
        }
        if was_accepted { self.drain(shared) } else { self.go_on(Ok(()), shared) }
    }
}

impl FilePlayer {
    fn encode(&self, message: &Message, chunks: &mut BytesMut) {
        let csid = match message.kind {
            MessageType::Audio if !self.interleave => csid::AUDIO,
            MessageType::Audio | MessageType::Video => csid::VIDEO,
            _ => csid::DATA,
        };
        self.framing.encode(csid, message, chunks);
    }

    /// Has a part of the file read.
    fn read(&self, peer: usize, request: ReadRequest) {
        let (file, watch) = (Arc::clone(&self.file), Rc::downgrade(&self.alive));
        thread_pool::run_then(
            move || file.read(request),
            move |worker, read| {
                if watch.strong_count() > 0 {
                    worker.run(peer, |peer, shared| peer.on_file_read(request, read, shared));
                }
            },
        );
    }
}
