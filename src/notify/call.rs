//! What can be told, and in which fields.

use crate::client::ClientInfo;
use crate::rtmp::command::PublishKind;

/// An event at which a server may be asked or told: the directives `on_connect` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their directives say what they are")]
pub enum Hook {
    Connect,
    Disconnect,
    Publish,
    Play,
    PublishDone,
    PlayDone,
    Done,
    Update,
    RecordStarted,
    RecordDone,
    Playlist,
}

/// What a server is asked or told.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who it is about.
    pub client: &'a ClientInfo,
    /// What the client publishes or plays, if anything.
    pub stream: Option<Subject<'a>>,
    /// What has happened or is to happen.
    pub event: Event<'a>,
}

/// A stream that a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Its name, without its query.
    pub name: &'a str,
    /// The query, without the `?`.
    pub args: &'a str,
}

/// What has happened or is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A client wants to use an application.
    Connect {
        /// When its connection began, in milliseconds of nginx's clock, which wraps.
        epoch: u32,
    },
    /// It has gone.
    Disconnect,
    /// It wants to publish.
    Publish(PublishKind),
    /// It wants to play.
    Play {
        /// Where to start, in milliseconds; negative for live.
        start: i64,
        /// How much to play, in milliseconds; negative for all.
        duration: i64,
        /// Whether its queue is to be emptied first.
        reset: bool,
    },
    /// It publishes no more.
    PublishDone,
    /// It plays no more.
    PlayDone,
    /// It neither publishes nor plays any more.
    Done,
    /// It still does.
    Update {
        /// What it does.
        what: Updated,
        /// For how long, in seconds.
        time: u64,
        /// How far it has come, in milliseconds of RTMP's clock, which wraps.
        timestamp: u32,
    },
    /// A file of the stream was begun.
    RecordStarted {
        /// The recorder's name; empty for that of the application itself.
        recorder: &'a str,
        /// The file.
        path: &'a str,
    },
    /// A file of the stream was finished.
    RecordDone {
        /// The recorder's name; empty for that of the application itself.
        recorder: &'a str,
        /// The file.
        path: &'a str,
    },
    /// A playlist of the stream was written.
    Playlist {
        /// `hls` or `dash`.
        module: &'a str,
        /// The file.
        path: &'a str,
    },
}

/// What a client that is told of regularly does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub enum Updated {
    Publish,
    Play,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
    /// A time that may be negative, which a form has as its low 32 bits.
    Time(i64),
    Flag(bool),
}

impl Event<'_> {
    /// The hook that is called.
    pub const fn hook(&self) -> Hook {
        match self {
            Self::Connect { .. } => Hook::Connect,
            Self::Disconnect => Hook::Disconnect,
            Self::Publish(_) => Hook::Publish,
            Self::Play { .. } => Hook::Play,
            Self::PublishDone => Hook::PublishDone,
            Self::PlayDone => Hook::PlayDone,
            Self::Done => Hook::Done,
            Self::Update { .. } => Hook::Update,
            Self::RecordStarted { .. } => Hook::RecordStarted,
            Self::RecordDone { .. } => Hook::RecordDone,
            Self::Playlist { .. } => Hook::Playlist,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Disconnect => "disconnect",
            Self::Publish(_) => "publish",
            Self::Play { .. } => "play",
            Self::PublishDone => "publish_done",
            Self::PlayDone => "play_done",
            Self::Done => "done",
            Self::Update { what: Updated::Publish, .. } => "update_publish",
            Self::Update { what: Updated::Play, .. } => "update_play",
            Self::RecordStarted { .. } => "record_started",
            Self::RecordDone { .. } => "record_done",
            Self::Playlist { .. } => "playlist",
        }
    }
}

impl<'a> Call<'a> {
    /// The fields in their order, without the query.
    pub(super) fn fields(&self) -> Vec<(&'static str, Value<'a>)> {
        let client = self.client;
        let mut fields = vec![
            ("app", Value::Text(&client.app)),
            ("flashver", Value::Text(&client.flash_ver)),
            ("swfurl", Value::Text(&client.swf_url)),
            ("tcurl", Value::Text(&client.tc_url)),
            ("pageurl", Value::Text(&client.page_url)),
            ("addr", Value::Text(&client.addr)),
            match self.event {
                Event::Connect { epoch } => ("epoch", Value::Number(epoch.into())),
                _ => ("clientid", Value::Number(client.id)),
            },
            ("call", Value::Text(self.event.name())),
        ];
        let name = self.stream.map(|stream| ("name", Value::Text(stream.name)));
        match self.event {
            Event::Connect { .. } => {}
            Event::Disconnect => fields.push(("app", Value::Text(&client.app))),
            Event::Publish(kind) => {
                fields.extend(name);
                fields.push(("type", Value::Text(kind.as_str())));
            }
            Event::Play { start, duration, reset } => {
                fields.extend(name);
                fields.push(("start", Value::Time(start)));
                fields.push(("duration", Value::Time(duration)));
                fields.push(("reset", Value::Flag(reset)));
            }
            Event::PublishDone | Event::PlayDone | Event::Done => fields.extend(name),
            Event::Update { time, timestamp, .. } => {
                fields.push(("time", Value::Number(time)));
                fields.push(("timestamp", Value::Number(timestamp.into())));
                fields.extend(name);
            }
            Event::RecordStarted { recorder, path } | Event::RecordDone { recorder, path } => {
                fields.push(("recorder", Value::Text(recorder)));
                fields.extend(name);
                fields.push(("path", Value::Text(path)));
            }
            Event::Playlist { module, path } => {
                fields.push(("module", Value::Text(module)));
                fields.extend(name);
                fields.push(("path", Value::Text(path)));
            }
        }
        fields
    }

    /// The query of the stream's name, or of the application's if there is no stream.
    pub(super) fn args(&self) -> &'a str {
        match self.event {
            Event::Playlist { .. } => "",
            _ => self.stream.map_or(&self.client.app_args, |stream| stream.args),
        }
    }
}
