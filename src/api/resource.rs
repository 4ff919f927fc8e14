//! What an address names.

use super::problem::Problem;
use crate::control::Switch;
use crate::package::percent_encode;
use crate::percent;

/// What the part of a path is called in which the API begins.
const ROOT: &str = "/api/v1";

/// What stands in an address for the recorder of an application itself, which has no name.
const UNNAMED: &str = "-";

/// What a request does to what its address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads it. `HEAD` is the same, with an answer that ends earlier.
    Get,
    /// Has something done with it.
    Post,
    /// Ends it.
    Delete,
    /// Nothing that the API knows.
    Other,
}

/// A stream, as addresses name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPath {
    /// Which of the configured servers has the application; 0 is the first.
    pub server: usize,
    /// The application's name.
    pub application: String,
    /// The stream's name, without arguments.
    pub name: String,
}

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Root,
    Server,
    Streams,
    Stream(StreamPath),
    Clients,
    Client(u64),
    Redirect(u64),
    Switch(StreamPath, Switch, String),
    Recorders,
    RecordersOf(StreamPath),
    Relays,
    RelaysOf(StreamPath),
    Relay(StreamPath, u64),
}

/// What stands in an address for the recorder of that name.
pub(super) fn element_of(recorder: &str) -> String {
    if recorder.is_empty() { UNNAMED.to_owned() } else { percent_encode(recorder) }
}

/// The path below the API's root, and the query, of a request's target (RFC 9112, 3.2.1) if it is the
/// API's.
pub(super) fn split_target(target: &str) -> Option<(&str, &str)> {
    let target = target.split('#').next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut tails = path.match_indices(ROOT).map(|(at, _)| &path[at + ROOT.len()..]);
    let tail = tails.find(|tail| tail.is_empty() || tail.starts_with('/'))?;
    Some((tail.strip_prefix('/').unwrap_or(tail), query))
}

impl Resource {
    /// What the path below the API's root names; `server` is where its streams are.
    ///
    /// # Errors
    ///
    /// Nothing has this address.
    pub(super) fn parse(path: &str, server: usize) -> Result<Self, Problem> {
        if path.is_empty() {
            return Ok(Self::Root);
        }
        let parts = path.split('/').map(|part| String::from_utf8(percent::decode(part)));
        let parts: Vec<_> = parts.collect::<Result<_, _>>().map_err(|_| Problem::NotUtf8)?;
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["server"] => Ok(Self::Server),
            ["clients"] => Ok(Self::Clients),
            ["clients", id, rest @ ..] => Self::client(number(id)?, rest),
            ["recorders"] => Ok(Self::Recorders),
            ["relays"] => Ok(Self::Relays),
            ["streams"] => Ok(Self::Streams),
            ["streams", application, name, rest @ ..] => {
                let (application, name) = ((*application).to_owned(), (*name).to_owned());
                Self::stream(StreamPath { server, application, name }, rest)
            }
            _ => Err(Problem::NoResource),
        }
    }

    fn client(id: u64, rest: &[&str]) -> Result<Self, Problem> {
        match rest {
            [] => Ok(Self::Client(id)),
            ["redirect"] => Ok(Self::Redirect(id)),
            _ => Err(Problem::NoResource),
        }
    }

    fn stream(path: StreamPath, rest: &[&str]) -> Result<Self, Problem> {
        let recorder = |id: &str| if id == UNNAMED { String::new() } else { id.to_owned() };
        match rest {
            [] => Ok(Self::Stream(path)),
            ["relays"] => Ok(Self::RelaysOf(path)),
            ["relays", id] => Ok(Self::Relay(path, number(id)?)),
            ["recorders"] => Ok(Self::RecordersOf(path)),
            ["recorders", id, "start"] => Ok(Self::Switch(path, Switch::Start, recorder(id))),
            ["recorders", id, "stop"] => Ok(Self::Switch(path, Switch::Stop, recorder(id))),
            _ => Err(Problem::NoResource),
        }
    }

    /// The methods that it has, as the header `Allow` lists them.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Root
            | Self::Server
            | Self::Streams
            | Self::Clients
            | Self::Recorders
            | Self::RecordersOf(_)
            | Self::Relays => "GET, HEAD",
            Self::Stream(_) | Self::Client(_) | Self::Relay(..) => "GET, HEAD, DELETE",
            Self::RelaysOf(_) => "GET, HEAD, POST",
            Self::Redirect(_) | Self::Switch(..) => "POST",
        }
    }
}

/// An id; what is no number names nothing.
fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::NoResource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(application: &str, name: &str) -> StreamPath {
        StreamPath { server: 0, application: application.into(), name: name.into() }
    }

    #[test]
    fn the_api_begins_at_its_first_root() {
        for (target, split) in [
            ("/control/api/v1", Some(("", ""))),
            ("/api/v1/?a=/b", Some(("", "a=/b"))),
            ("/x/api/v1/streams/api/v1?q#f", Some(("streams/api/v1", "q"))),
            ("/api/v10/api/v1/server#f?q", Some(("server", ""))),
            ("/api/v1x", None),
            ("/control/drop/client?/api/v1/", None),
            ("/%61pi/v1", None),
        ] {
            assert_eq!(split_target(target), split, "{target}");
        }
    }

    #[test]
    fn addresses_name_what_there_is() {
        for (path, resource) in [
            ("", Resource::Root),
            ("server", Resource::Server),
            ("clients/7", Resource::Client(7)),
            ("clients/7/redirect", Resource::Redirect(7)),
            ("recorders", Resource::Recorders),
            ("relays", Resource::Relays),
            ("streams/live/relays", Resource::Stream(stream("live", "relays"))),
            ("streams/live/cam/recorders", Resource::RecordersOf(stream("live", "cam"))),
            ("streams/live/cam/relays", Resource::RelaysOf(stream("live", "cam"))),
            ("streams/live/cam/relays/7", Resource::Relay(stream("live", "cam"), 7)),
            ("streams/live/cam", Resource::Stream(stream("live", "cam"))),
            ("streams//", Resource::Stream(stream("", ""))),
            ("streams/a%2fb/%2e%2e%2Fc%20%25d+", Resource::Stream(stream("a/b", "../c %d+"))),
            (
                "streams/live/start/recorders/-/start",
                Resource::Switch(stream("live", "start"), Switch::Start, String::new()),
            ),
        ] {
            assert_eq!(Resource::parse(path, 0), Ok(resource), "{path}");
        }
        for path in
            ["serverx", "server/", "clients/x", "clients/-1", "clients/1/2", "streams/live", "x"]
        {
            assert_eq!(Resource::parse(path, 0), Err(Problem::NoResource), "{path}");
        }
        assert_eq!(Resource::parse("streams/live/%ff", 0), Err(Problem::NotUtf8));
    }
}
