//! What a request wants.

use super::body::{self, Pushing, Redirection};
use super::list::{self, List};
use super::problem::Problem;
use super::resource::{Method, Resource, StreamPath, split_target};
use crate::control::{Act, Sections, Switch};

/// A request, as far as the API looks at it before its body has come.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// Its target as the client has sent it: with percent-encoding, by which a `/` in a name differs from
    /// one that ends it.
    pub target: &'a str,
    /// The type of its body, if it says one.
    pub content_type: Option<&'a str>,
    /// What may be changed.
    pub open: Sections,
}

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// To know what there is to know and to do.
    Root,
    /// To know something that workers have to be asked.
    Read(Read),
    /// To have something done.
    Change(Change),
    /// To have something done that its body says.
    Body(Unfinished),
}

/// What a request wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// All workers together.
    Server,
    /// Streams.
    Streams(List),
    /// A stream.
    Stream(StreamPath),
    /// Clients of streams.
    Clients(List),
    /// A client, by nginx's number of its connection.
    Client(u64),
    /// Recorders of streams.
    Recorders(List),
    /// Those of a stream.
    RecordersOf(StreamPath),
    /// Relays.
    Relays(List),
    /// Those of a stream.
    RelaysOf(StreamPath),
    /// The one of that id.
    Relay(StreamPath, u64),
}

/// What a request wants to have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The publisher of the stream is disconnected.
    Unpublish(StreamPath),
    /// A recorder of the stream starts or stops.
    Record(StreamPath, Switch, String),
    /// Something is done to the client of this number.
    Client(u64, Act),
    /// The stream is pushed to where these words of the directive `push` say.
    Push(StreamPath, Vec<String>),
    /// The push of this id ends.
    StopPush(StreamPath, u64),
}

/// What a request wants to have done, but for what its body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// The client of this number goes on with another stream.
    Redirect(u64),
    /// The stream is pushed to another server.
    Push(StreamPath),
}

impl Call {
    /// What the request wants, if it is one to the API.
    ///
    /// # Errors
    ///
    /// Why it does not get it.
    pub fn route(request: &Request<'_>) -> Option<Result<Self, Problem>> {
        let (path, query) = split_target(request.target)?;
        Some(Self::of(request, path, query))
    }

    fn of(request: &Request<'_>, path: &str, query: &str) -> Result<Self, Problem> {
        let server = list::server(query)?.unwrap_or(0);
        let resource = Resource::parse(path, server)?;
        let methods = resource.methods();
        match request.method {
            Method::Get => Self::get(resource, query)?,
            Method::Delete => Self::delete(resource, request.open)?,
            Method::Post => Self::post(resource, request)?,
            Method::Other => None,
        }
        .ok_or(Problem::Method(methods))
    }

    fn get(resource: Resource, query: &str) -> Result<Option<Self>, Problem> {
        let read = match resource {
            Resource::Root => return Ok(Some(Self::Root)),
            Resource::Server => Read::Server,
            Resource::Streams => Read::Streams(List::parse(query)?),
            Resource::Stream(path) => Read::Stream(path),
            Resource::Clients => Read::Clients(List::parse(query)?),
            Resource::Client(id) => Read::Client(id),
            Resource::Recorders => Read::Recorders(List::parse(query)?),
            Resource::RecordersOf(path) => Read::RecordersOf(path),
            Resource::Relays => Read::Relays(List::parse(query)?),
            Resource::RelaysOf(path) => Read::RelaysOf(path),
            Resource::Relay(path, id) => Read::Relay(path, id),
            Resource::Redirect(_) | Resource::Switch(..) => return Ok(None),
        };
        Ok(Some(Self::Read(read)))
    }

    /// No page of another site can have a browser send this: it would ask the server first, by OPTIONS.
    fn delete(resource: Resource, open: Sections) -> Result<Option<Self>, Problem> {
        let (change, section, is_open) = match resource {
            Resource::Stream(path) => (Change::Unpublish(path), "drop", open.drop),
            Resource::Client(id) => (Change::Client(id, Act::Drop), "drop", open.drop),
            Resource::Relay(path, id) => (Change::StopPush(path, id), "push", open.push),
            _ => return Ok(None),
        };
        need(section, is_open)?;
        Ok(Some(Self::Change(change)))
    }

    fn post(resource: Resource, request: &Request<'_>) -> Result<Option<Self>, Problem> {
        let open = request.open;
        let (call, section, is_open) = match resource {
            Resource::Redirect(id) => {
                (Self::Body(Unfinished::Redirect(id)), "redirect", open.redirect)
            }
            Resource::RelaysOf(path) => (Self::Body(Unfinished::Push(path)), "push", open.push),
            Resource::Switch(path, switch, recorder) => {
                (Self::Change(Change::Record(path, switch, recorder)), "record", open.record)
            }
            _ => return Ok(None),
        };
        need(section, is_open)?;
        // A page of another site can have a browser send forms and texts, and nothing of this type.
        match request.content_type.is_some_and(is_json) {
            true => Ok(Some(call)),
            false => Err(Problem::NotJson),
        }
    }
}

impl Unfinished {
    /// The change, now that the body has come.
    ///
    /// # Errors
    ///
    /// What is wrong with the body.
    pub fn finish(self, body: &[u8]) -> Result<Change, Problem> {
        match self {
            Self::Redirect(id) => {
                let Redirection { name } = body::parse(body)?;
                Ok(Change::Client(id, Act::Redirect(name)))
            }
            Self::Push(path) => {
                let pushing: Pushing = body::parse(body)?;
                Ok(Change::Push(path, pushing.words()?))
            }
        }
    }
}

fn need(section: &'static str, is_open: bool) -> Result<(), Problem> {
    if is_open { Ok(()) } else { Err(Problem::Closed(section)) }
}

/// Whether a media type (RFC 9110, 8.3.1) is that of JSON.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Filter, Page};

    const OPEN: Sections = Sections { record: true, drop: true, redirect: true, push: true };

    fn route(method: Method, path: &str) -> Result<Call, Problem> {
        let target = format!("/control/api/v1{path}");
        let content_type = Some("Application/JSON; charset=utf-8");
        Call::route(&Request { method, target: &target, content_type, open: OPEN }).unwrap()
    }

    fn cam(server: usize) -> StreamPath {
        StreamPath { server, application: "live".into(), name: "cam".into() }
    }

    #[test]
    fn requests_are_calls() {
        let page = Page { offset: 3, limit: 2 };
        let filter = Filter { server: Some(1), ..Filter::default() };
        let list = List { filter, page };
        for (method, path, call) in [
            (Method::Get, "", Call::Root),
            (Method::Get, "/", Call::Root),
            (Method::Get, "/server", Call::Read(Read::Server)),
            (
                Method::Get,
                "/clients?limit=2&offset=3&server=1",
                Call::Read(Read::Clients(list.clone())),
            ),
            (Method::Get, "/streams?limit=2&offset=3&server=1", Call::Read(Read::Streams(list))),
            (Method::Get, "/streams/live/cam?server=2", Call::Read(Read::Stream(cam(2)))),
            (Method::Delete, "/streams/live/cam", Call::Change(Change::Unpublish(cam(0)))),
            (Method::Get, "/clients/7", Call::Read(Read::Client(7))),
            (Method::Delete, "/clients/7", Call::Change(Change::Client(7, Act::Drop))),
            (Method::Post, "/clients/7/redirect", Call::Body(Unfinished::Redirect(7))),
            (Method::Post, "/streams/live/cam/relays", Call::Body(Unfinished::Push(cam(0)))),
            (
                Method::Delete,
                "/streams/live/cam/relays/7",
                Call::Change(Change::StopPush(cam(0), 7)),
            ),
            (
                Method::Post,
                "/streams/live/cam/recorders/a%20b/stop",
                Call::Change(Change::Record(cam(0), Switch::Stop, "a b".into())),
            ),
        ] {
            assert_eq!(route(method, path), Ok(call), "{path}");
        }
    }

    #[test]
    fn other_methods_are_told_which_there_are() {
        for (method, path, allowed) in [
            (Method::Post, "", "GET, HEAD"),
            (Method::Other, "/streams", "GET, HEAD"),
            (Method::Post, "/streams/live/cam", "GET, HEAD, DELETE"),
            (Method::Get, "/clients/7/redirect", "POST"),
            (Method::Delete, "/streams/live/cam/recorders/-/start", "POST"),
        ] {
            assert_eq!(route(method, path), Err(Problem::Method(allowed)), "{path}");
        }
        assert_eq!(route(Method::Get, "/streams/"), Err(Problem::NoResource));
        let wrong = route(Method::Delete, "/streams/live/cam?server=x");
        assert!(matches!(wrong, Err(Problem::Argument { name: "server", .. })));
    }

    #[test]
    fn a_closed_section_changes_nothing_and_can_be_read() {
        let closed = |method, target| {
            let request = Request { method, target, content_type: None, open: Sections::default() };
            Call::route(&request).unwrap()
        };
        let cases = [
            (Method::Delete, "/api/v1/clients/7", "drop"),
            (Method::Delete, "/api/v1/streams/live/cam", "drop"),
            (Method::Post, "/api/v1/clients/7/redirect", "redirect"),
            (Method::Post, "/api/v1/streams/live/cam/recorders/-/start", "record"),
            (Method::Post, "/api/v1/streams/live/cam/relays", "push"),
            (Method::Delete, "/api/v1/streams/live/cam/relays/7", "push"),
        ];
        for (method, target, section) in cases {
            assert_eq!(closed(method, target), Err(Problem::Closed(section)), "{target}");
        }
        assert_eq!(closed(Method::Get, "/api/v1/clients/7"), Ok(Call::Read(Read::Client(7))));
    }

    #[test]
    fn what_a_form_of_another_site_can_send_is_refused() {
        for content_type in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("text/plain; application/json"),
            Some("application/json-seq"),
        ] {
            let target = "/api/v1/streams/live/cam/recorders/-/start";
            let request = Request { method: Method::Post, target, content_type, open: OPEN };
            assert_eq!(Call::route(&request), Some(Err(Problem::NotJson)), "{content_type:?}");
        }
    }

    #[test]
    fn bodies_say_what_is_to_be_done() {
        let finish = |body: &str| Unfinished::Redirect(7).finish(body.as_bytes());
        let act = Act::Redirect("b\"".into());
        assert_eq!(finish("{\"name\": \"b\\\"\"}"), Ok(Change::Client(7, act)));
        for body in ["", "{", "[]", "{}", "{\"name\":1}", "{\"name\":\"b\",\"nam\":1}", "\"b\""] {
            assert!(matches!(finish(body), Err(Problem::Body(_))), "{body}");
        }
    }

    #[test]
    fn a_push_has_the_words_of_the_directive() {
        let finish = |body: &str| Unfinished::Push(cam(0)).finish(body.as_bytes());
        let words = ["rtmp://host/live/$name", "playPath=a b", "flashVer=x=y"];
        let words = words.map(str::to_owned).to_vec();
        let body = "{\"url\":\"rtmp://host/live/$name\",\"flashVer\":\"x=y\",\"playPath\":\"a b\"}";
        assert_eq!(finish(body), Ok(Change::Push(cam(0), words)));
        for (body, wrong) in [
            ("{}", "missing field `url`"),
            ("{\"url\":\"http://host\"}", "it must be \"rtmp://\""),
            ("{\"url\":\"rtmp://host:x/\"}", "a port from 1 to 65535"),
            ("{\"url\":\"rtmp://host\",\"static\":\"1\"}", "unknown field `static`"),
        ] {
            let problem = finish(body).unwrap_err();
            assert!(problem.to_string().contains(wrong), "{body}: {problem}");
        }
    }
}
