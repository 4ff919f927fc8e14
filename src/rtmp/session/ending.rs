//! What a peer is told when its server or its stream comes to an end.

use super::{PublishRefusal, Question, STREAM_ID, Session, State};
use crate::rtmp::capabilities::Capabilities;
use crate::rtmp::command::Connect;
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::reply::{self, Level};

impl Session {
    /// The server shuts down, and goes on serving the peer until it leaves. A peer that can is asked
    /// to reconnect (Enhanced RTMP 2, "Reconnect Request"), now or once it has connected.
    ///
    /// Gives whether the peer was asked.
    pub fn request_reconnect(&mut self) -> bool {
        self.server_leaves = true;
        self.tell_reconnect()
    }

    pub(super) fn tell_reconnect(&mut self) -> bool {
        let has_connected = match self.state {
            State::Asked(question) => !matches!(question, Question::Connect { .. }),
            _ => self.is_connected(),
        };
        let asks = has_connected && self.may_move();
        if asks {
            let code = "NetConnection.Connect.ReconnectRequest";
            let text = "The server shuts down.";
            self.link.send_command(0, reply::status("onStatus", Level::Status, code, text));
        }
        asks
    }

    /// Whether the peer was asked to reconnect, and does so when it likes.
    pub fn may_move(&self) -> bool {
        self.server_leaves && self.can_reconnect()
    }

    fn can_reconnect(&self) -> bool {
        let capabilities =
            self.connect().and_then(|Connect { capabilities, .. }| capabilities.as_deref());
        capabilities.is_some_and(Capabilities::can_reconnect)
    }

    /// Tells the peer whose request is waiting for an answer to connect to `url` instead, and closes.
    pub fn redirect(&mut self, url: &str) {
        let State::Asked(question) = self.state else { return };
        let (stream, reply) = match question {
            Question::Connect { transaction, .. } => {
                (0, reply::redirect("_error", transaction, url))
            }
            Question::Publish | Question::Play { .. } => {
                (STREAM_ID, reply::redirect("onStatus", 0.0, url))
            }
        };
        self.link.send_command(stream, reply);
        self.state = State::Closing;
    }

    /// The server is gone in a moment: ends what the peer does, tells it why, and closes.
    pub fn shut_down(&mut self) {
        if self.is_connected() && self.connect.is_some() {
            self.stop_play();
            if matches!(self.state, State::Publishing) {
                let code = "NetStream.Unpublish.Success";
                self.send_status(Level::Status, code, "Stop publishing.");
            }
            let code = "NetConnection.Connect.AppShutdown";
            let text = "The server shuts down.";
            self.link.send_command(0, reply::status("onStatus", Level::Error, code, text));
        }
        if !self.is_closed() {
            self.state = State::Closing;
        }
    }

    /// Ends an accepted publish, if there is one, as another publisher has taken over, and closes.
    pub fn end_publish(&mut self) {
        if let State::Publishing = self.state {
            if self.may_move() {
                // Most likely it is the peer itself, which does what it was asked to.
                let code = "NetStream.Unpublish.Success";
                self.send_status(Level::Status, code, "The stream goes on elsewhere.");
            } else {
                let code = PublishRefusal::BadName.code();
                self.send_status(Level::Error, code, "Another publisher took over.");
            }
            self.state = State::Closing;
        }
    }

    /// Ends an accepted play, if there is one: the stream is over. The connection lives on, and the
    /// peer may play another stream.
    pub fn end_play(&mut self) {
        if self.stop_play() {
            self.state = State::Idle;
        }
    }

    fn stop_play(&mut self) -> bool {
        let plays = matches!(self.state, State::Playing);
        if plays {
            self.link.send_control(Control::User(UserControl::StreamEof(STREAM_ID)));
            self.send_status(Level::Status, "NetStream.Play.Stop", "Stop playing.");
        }
        plays
    }
}
