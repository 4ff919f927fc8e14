//! How a session answers each command.

use std::sync::Arc;

use super::{Event, Question, STREAM_ID, Session, State};
use crate::amf0::Value;
use crate::rtmp::command::{Command, Connect, Play, Publish, Request};
use crate::rtmp::reply::{self, Level};
use crate::rtmp::{Error, PeerMisbehaved};

impl Session {
    pub(super) fn handle_request(&mut self, request: Request) -> Result<(), Error> {
        let Request { transaction, command } = request;
        if matches!(self.state, State::Connecting) && !matches!(command, Command::Connect(_)) {
            return Err(PeerMisbehaved::CommandBeforeConnect.into());
        }
        match command {
            Command::Connect(connect) => self.ask_connect(transaction, *connect)?,
            Command::CreateStream => self.send_result(transaction, f64::from(STREAM_ID).into()),
            Command::Publish(publish) => self.ask_publish(publish),
            Command::Play(play) => self.ask_play(play),
            Command::Pause { paused, position } => self.handle_pause(paused, position),
            Command::Seek(position) => self.handle_seek(position),
            Command::ReceiveAudio(wanted) => self.push_player_event(Event::ReceiveAudio(wanted)),
            Command::ReceiveVideo(wanted) => self.push_player_event(Event::ReceiveVideo(wanted)),
            Command::CloseStream => self.close_stream(),
            Command::FcPublish => {
                self.answer_fc(transaction, "onFCPublish", "NetStream.Publish.Start");
            }
            Command::FcUnpublish => {
                self.answer_fc(transaction, "onFCUnpublish", "NetStream.Unpublish.Success");
                if matches!(self.state, State::Publishing) {
                    self.close_stream();
                }
            }
            Command::FcSubscribe => {
                self.answer_fc(transaction, "onFCSubscribe", "NetStream.Play.Start");
            }
            Command::ReleaseStream | Command::CheckBandwidth => {
                self.answer(transaction, Value::Undefined);
            }
            // A live stream has no length.
            Command::GetStreamLength => self.answer(transaction, 0.0.into()),
            Command::Unknown => self.refuse_call(transaction),
            Command::Response => {}
        }
        Ok(())
    }

    fn ask_connect(&mut self, transaction: f64, connect: Connect) -> Result<(), Error> {
        if !matches!(self.state, State::Connecting) {
            return Err(PeerMisbehaved::SecondConnect.into());
        }
        let object_encoding = connect.object_encoding;
        self.state = State::Asked(Question::Connect { transaction, object_encoding });
        let connect = Arc::new(connect);
        self.connect = Some(connect.clone());
        self.events.push_back(Event::Connect(connect));
        Ok(())
    }

    fn ask_publish(&mut self, publish: Box<Publish>) {
        if !matches!(self.state, State::Idle) {
            let code = "NetStream.Publish.BadName";
            return self.send_status(Level::Error, code, "The stream is in use.");
        }
        self.state = State::Asked(Question::Publish);
        self.events.push_back(Event::Publish(publish));
    }

    fn ask_play(&mut self, play: Box<Play>) {
        match self.state {
            State::Publishing => {
                let code = "NetStream.Play.Failed";
                return self.send_status(Level::Error, code, "The stream is in use.");
            }
            // Flash players switch to another stream by playing it.
            State::Playing => self.events.push_back(Event::StreamClosed),
            _ => {}
        }
        self.state = State::Asked(Question::Play { reset: play.reset });
        self.events.push_back(Event::Play(play));
    }

    fn handle_pause(&mut self, paused: bool, position: u32) {
        if !matches!(self.state, State::Playing) {
            return;
        }
        let (code, description) = match paused {
            true => ("NetStream.Pause.Notify", "Paused."),
            false => ("NetStream.Unpause.Notify", "Resumed."),
        };
        self.send_status(Level::Status, code, description);
        self.events.push_back(Event::Pause { paused, position });
    }

    fn handle_seek(&mut self, position: u32) {
        if matches!(self.state, State::Playing) {
            self.send_status(Level::Status, "NetStream.Seek.Notify", "Seeking.");
            self.events.push_back(Event::Seek(position));
        }
    }

    fn push_player_event(&mut self, event: Event) {
        if matches!(self.state, State::Playing) {
            self.events.push_back(event);
        }
    }

    fn close_stream(&mut self) {
        let (code, description) = match self.state {
            State::Publishing => ("NetStream.Unpublish.Success", "Stop publishing."),
            State::Playing => ("NetStream.Play.Stop", "Stop playing."),
            _ => return,
        };
        self.send_status(Level::Status, code, description);
        self.state = State::Idle;
        self.events.push_back(Event::StreamClosed);
    }

    /// Answers a call, unless it wants no answer.
    fn answer(&mut self, transaction: f64, value: Value) {
        if transaction != 0.0 {
            self.send_result(transaction, value);
        }
    }

    fn refuse_call(&mut self, transaction: f64) {
        if transaction != 0.0 {
            let code = "NetConnection.Call.Failed";
            let payload = reply::error(transaction, code, "Method not found.");
            self.link.send_command(0, payload);
        }
    }

    fn answer_fc(&mut self, transaction: f64, name: &str, code: &str) {
        self.link.send_command(0, reply::status(name, Level::Status, code, ""));
        self.answer(transaction, Value::Undefined);
    }
}
