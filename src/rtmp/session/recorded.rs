//! What a player of a recording is told besides what one of a live stream is.

use std::time::Duration;

use super::{STREAM_ID, Session, State};
use crate::rtmp::chunk::csid;
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::reply::{self, Level};
use crate::rtmp::{Error, Message, MessageType};
use crate::time::Instant;

impl Session {
    /// Accepts the `play` that is waiting for an answer, if one is, of a recording. From now on its
    /// messages may be sent.
    ///
    /// # Errors
    ///
    /// As [`handle_input`](Self::handle_input), for input that was held.
    pub fn accept_play_of_recording(&mut self, now: Instant) -> Result<(), Error> {
        self.link.send_control(Control::User(UserControl::StreamIsRecorded(STREAM_ID)));
        self.accept_play(now)
    }

    /// The recording goes on from where the player wanted it to.
    pub fn tell_seek_done(&mut self) {
        if let State::Playing = self.state {
            self.link.send_control(Control::User(UserControl::StreamIsRecorded(STREAM_ID)));
            self.link.send_control(Control::User(UserControl::StreamBegin(STREAM_ID)));
        }
    }

    /// The recording, which lasts so long, has been sent up to its end, or as far as the player wants
    /// it. The player may still go back.
    pub fn complete_play(&mut self, duration: Option<Duration>) {
        if let State::Playing = self.state {
            let message = Message {
                kind: MessageType::DataAmf0,
                timestamp: 0,
                stream_id: STREAM_ID,
                payload: reply::play_complete(duration),
            };
            self.link.send(csid::DATA, &message);
            self.link.send_control(Control::User(UserControl::StreamEof(STREAM_ID)));
            self.send_status(Level::Status, "NetStream.Play.Stop", "Stop playing.");
        }
    }

    /// The recording cannot be sent on.
    pub fn fail_play(&mut self) {
        if let State::Playing = self.state {
            self.send_status(Level::Error, "NetStream.Play.Failed", "The file is damaged.");
            self.link.send_control(Control::User(UserControl::StreamEof(STREAM_ID)));
            self.send_status(Level::Status, "NetStream.Play.Stop", "Stop playing.");
        }
    }
}
