//! Commands from a client to a server (RTMP 1.0, 7.2; `releaseStream`, the `FC` commands and the
//! bandwidth checks are Flash Media Server's).

use bytes::{Bytes, BytesMut};

use super::capabilities::Capabilities;
use super::{Error, Limit, Message, MessageType, PeerMisbehaved};
use crate::amf0::Value;

/// A command and the transaction that its answer has to name.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Zero if no answer is expected.
    pub transaction: f64,
    /// What is asked for.
    pub command: Command,
}

impl Request {
    /// The command in a message of type [`MessageType::CommandAmf0`] or
    /// [`MessageType::CommandAmf3`].
    ///
    /// Arguments that no command of that name has are not looked at.
    ///
    /// # Errors
    ///
    /// [`PeerMisbehaved`] for what is not a command or lacks an argument, [`Limit::Text`] for a
    /// command, name, query or URL that is too long.
    pub fn decode(message: &Message) -> Result<Self, Error> {
        let payload = amf0_payload(message);
        if payload.len() > MAX_COMMAND {
            let (what, length, max) = ("command", payload.len(), MAX_COMMAND);
            return Err(Limit::Text { what, length, max }.into());
        }
        let mut arguments = Arguments { command: "command", rest: &payload };
        let name = arguments.string("name")?;
        let transaction = arguments.number_or(0.0)?;
        Ok(Self { transaction, command: Command::decode(&name, arguments.rest)? })
    }
}

/// A command that a client may give.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `_checkbw`, `checkBandwidth`: wants any answer.
    CheckBandwidth,
    /// `closeStream` and `deleteStream`: the end of a publish or play.
    CloseStream,
    /// `connect`.
    Connect(Box<Connect>),
    /// `createStream`: wants the id of a message stream.
    CreateStream,
    /// `FCPublish`: announces a publish.
    FcPublish,
    /// `FCSubscribe`: announces a play.
    FcSubscribe,
    /// `FCUnpublish`: the end of a publish.
    FcUnpublish,
    /// `getStreamLength`: wants the length of a recording, in seconds.
    GetStreamLength,
    /// `pause` and `pauseraw`.
    Pause {
        /// Pause or resume.
        paused: bool,
        /// Where, in milliseconds.
        position: u32,
    },
    /// `play` and `play2`.
    Play(Box<Play>),
    /// `publish`.
    Publish(Box<Publish>),
    /// `receiveAudio`.
    ReceiveAudio(bool),
    /// `receiveVideo`.
    ReceiveVideo(bool),
    /// `releaseStream`: asks to end another publisher of the name; only wants an answer.
    ReleaseStream,
    /// `_result`, `_error`, `onStatus` and the like: the client's side of no call of ours.
    Response,
    /// `seek`, to a position in milliseconds.
    Seek(u32),
    /// Any other name.
    Unknown,
}

impl Command {
    fn decode(name: &str, rest: &[u8]) -> Result<Self, Error> {
        Ok(match name {
            "connect" => Self::Connect(Box::new(Connect::decode(rest)?)),
            "createStream" => Self::CreateStream,
            "publish" => Self::Publish(Box::new(Publish::decode(rest)?)),
            "play" => Self::Play(Box::new(Play::decode(rest)?)),
            "play2" => Self::Play(Box::new(Play::decode_play2(rest)?)),
            "pause" | "pauseraw" => {
                let mut arguments = Arguments::after_command_object("pause", rest)?;
                let paused = arguments.bool_or(true)?;
                Self::Pause { paused, position: arguments.number_or(0.0)? as u32 }
            }
            "seek" => {
                let mut arguments = Arguments::after_command_object("seek", rest)?;
                Self::Seek(arguments.number_or(0.0)? as u32)
            }
            "receiveAudio" => Self::ReceiveAudio(
                Arguments::after_command_object("receiveAudio", rest)?.bool_or(true)?,
            ),
            "receiveVideo" => Self::ReceiveVideo(
                Arguments::after_command_object("receiveVideo", rest)?.bool_or(true)?,
            ),
            "closeStream" | "deleteStream" => Self::CloseStream,
            "releaseStream" => Self::ReleaseStream,
            "FCPublish" => Self::FcPublish,
            "FCUnpublish" => Self::FcUnpublish,
            "FCSubscribe" => Self::FcSubscribe,
            "getStreamLength" => Self::GetStreamLength,
            "_checkbw" | "checkBandwidth" => Self::CheckBandwidth,
            "_result" | "_error" | "onStatus" | "onBWDone" => Self::Response,
            _ => Self::Unknown,
        })
    }
}

/// The arguments of `connect`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connect {
    /// The application, without query, a trailing `/` or `/_definst_`; 1 to 255 bytes.
    pub app: String,
    /// The query of `app`, without the `?`; up to 2048 bytes, as all below.
    pub args: String,
    /// `tcUrl`: the URL the client connects to.
    pub tc_url: String,
    /// `flashVer`: the client's name and version.
    pub flash_ver: String,
    /// `swfUrl`: where the client's program comes from.
    pub swf_url: String,
    /// `pageUrl`: the page it is embedded in.
    pub page_url: String,
    /// 0 for AMF0, 3 for AMF3; echoed in the answer.
    pub object_encoding: f64,
    /// What the client can do beyond RTMP 1.0, if it says so.
    pub capabilities: Option<Box<Capabilities>>,
}

impl Connect {
    fn decode(rest: &[u8]) -> Result<Self, Error> {
        let mut arguments = Arguments { command: "connect", rest };
        let object = arguments.next()?.ok_or_else(|| arguments.missing("command object"))?;
        let text = |name| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let url = |name| arguments.text(name, text(name), MAX_URL);

        let (app, args) = split_query(text("app"));
        let app = app.strip_suffix('/').unwrap_or(app);
        let app = app.strip_suffix("/_definst_").unwrap_or(app);
        Ok(Self {
            app: arguments.name("application", app)?,
            args: arguments.text("application query", args, MAX_URL)?,
            tc_url: url("tcUrl")?,
            flash_ver: url("flashVer")?,
            swf_url: url("swfUrl")?,
            page_url: url("pageUrl")?,
            object_encoding: object
                .get("objectEncoding")
                .and_then(Value::as_number)
                .unwrap_or_default(),
            capabilities: Capabilities::of_client(&object).map(Box::new),
        })
    }
}

/// The arguments of `publish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The stream, without query; 1 to 255 bytes.
    pub name: String,
    /// The query of the name, without the `?`; up to 2048 bytes.
    pub args: String,
    /// What is to be done with the stream.
    pub kind: PublishKind,
}

impl Publish {
    fn decode(rest: &[u8]) -> Result<Self, Error> {
        let mut arguments = Arguments::after_command_object("publish", rest)?;
        let (name, args) = arguments.stream_name()?;
        let kind = match arguments.next()?.as_ref().and_then(Value::as_str) {
            Some("record") => PublishKind::Record,
            Some("append") => PublishKind::Append,
            _ => PublishKind::Live,
        };
        Ok(Self { name, args, kind })
    }
}

/// The publishing type (RTMP 1.0, 7.2.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishKind {
    /// Not recorded. Also stands for a missing or unknown type.
    #[default]
    Live,
    /// Recorded to a new file.
    Record,
    /// Recorded at the end of an existing file.
    Append,
}

impl PublishKind {
    /// The type as it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Record => "record",
            Self::Append => "append",
        }
    }
}

/// The arguments of `play` or `play2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// The stream, without query; 1 to 255 bytes.
    pub name: String,
    /// The query of the name, without the `?`; up to 2048 bytes.
    pub args: String,
    /// Where to start, in milliseconds; negative for live, 0 if the client does not say.
    ///
    /// The specification counts in seconds, but Flash and librtmp send milliseconds.
    pub start: i64,
    /// How much to play, in milliseconds; all if it is negative, or 0 as the client does not say.
    pub duration: i64,
    /// Whether the player's queue is to be emptied first.
    pub reset: bool,
}

impl Play {
    fn decode(rest: &[u8]) -> Result<Self, Error> {
        let mut arguments = Arguments::after_command_object("play", rest)?;
        let (name, args) = arguments.stream_name()?;
        Ok(Self {
            name,
            args,
            start: arguments.number_or(0.0)? as i64,
            duration: arguments.number_or(0.0)? as i64,
            reset: arguments.bool_or(false)?,
        })
    }

    fn decode_play2(rest: &[u8]) -> Result<Self, Error> {
        let mut arguments = Arguments::after_command_object("play2", rest)?;
        let options = arguments.next()?.ok_or_else(|| arguments.missing("options"))?;
        let text = options.get("streamName").and_then(Value::as_str).unwrap_or_default();
        let number = |name| options.get(name).and_then(Value::as_number).unwrap_or(0.0) as i64;
        let (name, args) = arguments.split_stream_name(text)?;
        Ok(Self { name, args, start: number("start"), duration: number("len"), reset: false })
    }
}

/// The payload of a command message.
pub(super) fn encode(name: &str, transaction: f64, arguments: &[Value]) -> Bytes {
    let mut payload = BytesMut::with_capacity(256);
    Value::String(name.into()).encode(&mut payload);
    Value::Number(transaction).encode(&mut payload);
    for argument in arguments {
        argument.encode(&mut payload);
    }
    payload.freeze()
}

/// The payload of a command or data message as AMF0.
///
/// An AMF3 message is AMF0 behind one byte, the format selector 0. Some clients leave it out, and no
/// AMF0 message starts with 0, the marker of a number.
pub(super) fn amf0_payload(message: &Message) -> Bytes {
    let amf3 = matches!(message.kind, MessageType::CommandAmf3 | MessageType::DataAmf3);
    match message.payload.first() {
        Some(0) if amf3 => message.payload.slice(1..),
        _ => message.payload.clone(),
    }
}

/// A reader of a command's arguments.
struct Arguments<'a> {
    command: &'static str,
    rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    /// The arguments after the command object, which is null for all commands but `connect`.
    fn after_command_object(command: &'static str, rest: &'a [u8]) -> Result<Self, Error> {
        let mut arguments = Self { command, rest };
        arguments.next()?;
        Ok(arguments)
    }

    fn next(&mut self) -> Result<Option<Value>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        Ok(Some(Value::decode(&mut self.rest).map_err(PeerMisbehaved::from)?))
    }

    fn string(&mut self, what: &'static str) -> Result<String, Error> {
        let value = self.next()?;
        let text = value.as_ref().and_then(Value::as_str).ok_or_else(|| self.missing(what))?;
        Ok(text.to_owned())
    }

    fn number_or(&mut self, default: f64) -> Result<f64, Error> {
        Ok(self.next()?.as_ref().and_then(Value::as_number).unwrap_or(default))
    }

    /// A flag, which some clients send as a number.
    fn bool_or(&mut self, default: bool) -> Result<bool, Error> {
        Ok(match self.next()? {
            Some(Value::Boolean(flag)) => flag,
            Some(Value::Number(number)) => number != 0.0,
            _ => default,
        })
    }

    /// A stream's name and its query.
    fn stream_name(&mut self) -> Result<(String, String), Error> {
        let text = self.string("stream name")?;
        self.split_stream_name(&text)
    }

    fn split_stream_name(&self, text: &str) -> Result<(String, String), Error> {
        let (name, args) = split_query(text);
        Ok((self.name("stream name", name)?, self.text("stream query", args, MAX_URL)?))
    }

    fn name(&self, what: &'static str, text: &str) -> Result<String, Error> {
        if text.is_empty() {
            return Err(self.missing(what));
        }
        self.text(what, text, MAX_NAME)
    }

    /// A text that can be part of a path, a log line or another program's arguments.
    fn text(&self, what: &'static str, text: &str, max: usize) -> Result<String, Error> {
        let Self { command, .. } = *self;
        match text.len() {
            length if length > max => Err(Limit::Text { what, length, max }.into()),
            _ if text.contains(char::is_control) => {
                Err(PeerMisbehaved::ControlCharacter { command, what }.into())
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn missing(&self, what: &'static str) -> Error {
        PeerMisbehaved::MissingArgument { command: self.command, what }.into()
    }
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// Bytes in the name of an application or stream, as in nginx-rtmp-module.
const MAX_NAME: usize = 255;
/// Bytes in a URL or query: nginx-rtmp-module has 255 and truncates, but queries carry tokens.
const MAX_URL: usize = 2048;

/// Bytes in a command: decoded values take many times the memory of encoded ones.
const MAX_COMMAND: usize = 65536;
