//! Commands from a server to a client: `_result`, `_error`, `onStatus` (RTMP 1.0, 7.2).

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::session::STREAM_ID;
use super::{Error, Message, MessageType, PeerMisbehaved, capabilities, command};
use crate::amf0::Value;

/// Whether an information object tells of success.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    /// All is well.
    Status,
    /// Something failed.
    Error,
}

/// `_result` of a command that has no more to say than `value`.
pub(super) fn result(transaction: f64, value: Value) -> Bytes {
    command::encode("_result", transaction, &[Value::Null, value])
}

/// `_result` of `connect`. Only a client that is `enhanced` is told what Enhanced RTMP adds.
pub(super) fn connect_result(transaction: f64, object_encoding: f64, enhanced: bool) -> Bytes {
    let mut properties =
        vec![("fmsVer".into(), "FMS/3,0,1,123".into()), ("capabilities".into(), 31.0.into())];
    if enhanced {
        properties.extend(capabilities::of_server());
    }
    let mut information =
        information(Level::Status, "NetConnection.Connect.Success", "Connection succeeded.");
    information.push(("objectEncoding".into(), object_encoding.into()));
    let arguments = [Value::Object(properties), Value::Object(information)];
    command::encode("_result", transaction, &arguments)
}

/// `_error` of a command.
pub(super) fn error(transaction: f64, code: &str, description: &str) -> Bytes {
    let information = information(Level::Error, code, description);
    command::encode("_error", transaction, &[Value::Null, Value::Object(information)])
}

/// `_error` or `onStatus` by which a peer is told to connect to `url` instead, as Flash Media Server does.
pub(super) fn redirect(name: &str, transaction: f64, url: &str) -> Bytes {
    let code = "NetConnection.Connect.Rejected";
    let mut information = information(Level::Error, code, "Connect to another server.");
    let redirect = vec![("code".into(), 302.0.into()), ("redirect".into(), url.into())];
    information.push(("ex".into(), Value::Object(redirect)));
    command::encode(name, transaction, &[Value::Null, Value::Object(information)])
}

/// `onStatus`, or one of its kind such as `onFCPublish`.
pub(super) fn status(name: &str, level: Level, code: &str, description: &str) -> Bytes {
    let information = information(level, code, description);
    command::encode(name, 0.0, &[Value::Null, Value::Object(information)])
}

/// `onStatus` that tells a player what has become of its stream.
pub fn play_status(code: &str, description: &str) -> Message {
    Message {
        kind: MessageType::CommandAmf0,
        timestamp: 0,
        stream_id: STREAM_ID,
        payload: status("onStatus", Level::Status, code, description),
    }
}

/// The data message that lets a Flash player read what it plays, for snapshots and sound spectra.
pub(super) fn sample_access() -> Bytes {
    let mut payload = BytesMut::new();
    for value in ["|RtmpSampleAccess".into(), Value::Boolean(true), Value::Boolean(true)] {
        value.encode(&mut payload);
    }
    payload.freeze()
}

/// The data message that tells a player that its recording has come to an end.
pub(super) fn play_complete(duration: Option<Duration>) -> Bytes {
    let code = "NetStream.Play.Complete";
    let mut information = information(Level::Status, code, "Playing is complete.");
    if let Some(duration) = duration {
        information.push(("duration".into(), duration.as_secs_f64().into()));
    }
    let mut payload = BytesMut::new();
    for value in ["onPlayStatus".into(), Value::Object(information)] {
        value.encode(&mut payload);
    }
    payload.freeze()
}

/// A command that a client received.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    /// `_result`, `_error`, `onStatus` or another.
    pub(super) name: String,
    /// The client's transaction that it answers, or 0.
    pub(super) transaction: f64,
    /// The last argument: what was asked for, or an information object.
    pub(super) value: Value,
}

impl Reply {
    pub(super) fn decode(message: &Message) -> Result<Self, Error> {
        let command = "reply";
        let mut values = Value::decode_all(&command::amf0_payload(message))
            .map_err(PeerMisbehaved::from)?
            .into_iter();
        let (Some(Value::String(name)), Some(Value::Number(transaction))) =
            (values.next(), values.next())
        else {
            return Err(PeerMisbehaved::MissingArgument { command, what: "name" }.into());
        };
        Ok(Self { name, transaction, value: values.next_back().unwrap_or(Value::Undefined) })
    }

    /// A text of the information object, empty if it has none of that name.
    pub(super) fn text(&self, name: &str) -> &str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn information(level: Level, code: &str, description: &str) -> Vec<(String, Value)> {
    let level = match level {
        Level::Status => "status",
        Level::Error => "error",
    };
    vec![
        ("level".into(), level.into()),
        ("code".into(), code.into()),
        ("description".into(), description.into()),
    ]
}
