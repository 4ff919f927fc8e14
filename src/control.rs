//! What an operator has the server do to clients, by the C module's URLs:
//! `.../SECTION/METHOD?ARGUMENTS`.

use serde::{Deserialize, Serialize};

use crate::percent;

/// Which sections of control are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sections {
    /// `record`.
    pub record: bool,
    /// `drop`.
    pub drop: bool,
    /// `redirect`.
    pub redirect: bool,
    /// `push`, which only the [API](crate::api) has.
    pub push: bool,
}

/// A control URL's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which of the configured servers is meant; 0 is the first.
    pub server: usize,
    /// Which application; all if none is named.
    pub application: Option<String>,
    /// What is to be done, in the applications that are still to be found.
    pub order: Order,
}

/// What is to be done to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What.
    pub verb: Verb,
    /// To whom.
    pub target: Target,
    /// The numbers of the applications in question.
    pub applications: Vec<u64>,
    /// The stream's name; all streams if there is none.
    pub name: Option<String>,
    /// The client's address; any if there is none.
    pub addr: Option<String>,
    /// nginx's number of the client's connection; any if there is none.
    pub client: Option<u64>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Something to clients.
    Do(Act),
    /// The recorder of this id starts or stops, of what they publish.
    Record(Switch, String),
    /// What they publish is pushed to where these words of the directive `push` say.
    Push(Vec<String>),
    /// The push of this number ends.
    StopPush(u64),
}

/// What is done to clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// They are disconnected.
    Drop,
    /// They go on with the stream of this name.
    Redirect(String),
}

/// What is done with a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switch {
    /// It begins a file.
    Start,
    /// It completes its file.
    Stop,
}

/// What has come of switching recorders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// The streams in question that are published.
    pub streams: u64,
    /// Those of them that have the recorder.
    pub recorders: u64,
    /// The files that were begun or completed.
    pub files: Vec<String>,
}

impl Switched {
    /// Adds what has come of it in another worker.
    pub fn merge(&mut self, other: Self) {
        self.streams += other.streams;
        self.recorders += other.recorders;
        self.files.extend(other.files);
    }
}

/// Which clients of a stream are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Its publisher.
    Publisher,
    /// Its players.
    Subscriber,
    /// Both.
    Client,
}

/// Why a URL has nothing done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not one of control's.
    #[error("not a section of control")]
    UnknownSection,
    /// The section has no such method.
    #[error("Undefined method")]
    UnknownMethod,
    /// A redirect without `newname`.
    #[error("newname not specified")]
    NoNewName,
    /// `srv` names no server.
    #[error("Server index out of range")]
    NoServer,
    /// `clientid` is no number.
    #[error("Invalid client id")]
    NotAClient,
    /// No application in question has the recorder.
    #[error("Recorder not found")]
    NoRecorder,
}

impl Request {
    /// What the URL with the path and query says.
    ///
    /// # Errors
    ///
    /// Any [`Refusal`]; an [`UnknownSection`](Refusal::UnknownSection) may be somebody else's.
    pub fn parse(path: &str, query: &str, open: Sections) -> Result<Self, Refusal> {
        let mut parts = path.rsplit('/');
        let (method, section) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let argument = |name: &str| argument(query, name);
        let verb = match section {
            "drop" if open.drop => Verb::Do(Act::Drop),
            "redirect" if open.redirect => {
                Verb::Do(Act::Redirect(argument("newname").unwrap_or_default()))
            }
            "record" if open.record => {
                Verb::Record(switch(method)?, argument("rec").unwrap_or_default())
            }
            _ => return Err(Refusal::UnknownSection),
        };
        let target = match (&verb, method) {
            (Verb::Record(..), _) | (_, "publisher") => Target::Publisher,
            (_, "subscriber") => Target::Subscriber,
            (_, "client") => Target::Client,
            _ => return Err(Refusal::UnknownMethod),
        };
        if verb == Verb::Do(Act::Redirect(String::new())) {
            return Err(Refusal::NoNewName);
        }
        let server = argument("srv").map_or(Ok(0), |srv| srv.parse());
        let client = argument("clientid").map(|id| id.parse()).transpose();
        Ok(Self {
            server: server.map_err(|_| Refusal::NoServer)?,
            application: argument("app"),
            order: Order {
                verb,
                target,
                applications: Vec::new(),
                name: argument("name"),
                addr: argument("addr"),
                client: client.map_err(|_| Refusal::NotAClient)?,
            },
        })
    }
}

impl Order {
    /// Whether the stream is one of those in question.
    pub fn is_about(&self, application: u64, name: &str) -> bool {
        self.applications.contains(&application)
            && self.name.as_ref().is_none_or(|wanted| wanted == name)
    }

    /// Whether the client is one of those in question.
    pub fn means(&self, addr: &str, client: u64) -> bool {
        self.addr.as_ref().is_none_or(|wanted| wanted == addr)
            && self.client.is_none_or(|wanted| wanted == client)
    }
}

fn switch(method: &str) -> Result<Switch, Refusal> {
    match method {
        "start" => Ok(Switch::Start),
        "stop" => Ok(Switch::Stop),
        _ => Err(Refusal::UnknownMethod),
    }
}

/// The value of a query's argument that is there and not empty, without its percent-encoding.
pub(crate) fn argument(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    (!value.is_empty()).then(|| String::from_utf8_lossy(&percent::decode(value)).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Sections = Sections { record: true, drop: true, redirect: true, push: true };

    fn parse(path: &str, query: &str) -> Result<Request, Refusal> {
        Request::parse(path, query, OPEN)
    }

    #[test]
    fn urls_say_what_is_to_be_done() {
        let request = parse("/control/drop/publisher", "srv=1&app=live&name=a%2fb%&addr=::1");
        let order = Order {
            verb: Verb::Do(Act::Drop),
            target: Target::Publisher,
            applications: Vec::new(),
            name: Some("a/b%".into()),
            addr: Some("::1".into()),
            client: None,
        };
        let application = Some("live".into());
        assert_eq!(request, Ok(Request { server: 1, application, order }));
        let request = parse("redirect/client", "newname=b&clientid=7&name=").unwrap();
        assert_eq!(request.order.verb, Verb::Do(Act::Redirect("b".into())));
        assert_eq!((request.order.client, request.order.name), (Some(7), None));
        let request = parse("/control/record/stop", "app=live&name=cam&rec=a").unwrap();
        assert_eq!(request.order.verb, Verb::Record(Switch::Stop, "a".into()));
        assert_eq!(request.order.target, Target::Publisher);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (path, query, refusal) in [
            ("/control/stat/publisher", "", Refusal::UnknownSection),
            ("drop", "", Refusal::UnknownSection),
            ("/drop/all", "", Refusal::UnknownMethod),
            ("/redirect/client", "newname=", Refusal::NoNewName),
            ("/drop/client", "srv=-1", Refusal::NoServer),
            ("/drop/client", "clientid=x", Refusal::NotAClient),
            ("/record/pause", "rec=a", Refusal::UnknownMethod),
        ] {
            assert_eq!(parse(path, query), Err(refusal), "{path}");
        }
        let closed = Request::parse("/drop/client", "", Sections::default());
        assert_eq!(closed, Err(Refusal::UnknownSection));
    }

    #[test]
    fn orders_pick_streams_and_clients() {
        let mut order = parse("/drop/client", "name=cam&addr=::1").unwrap().order;
        order.applications = vec![3];
        assert!(order.is_about(3, "cam") && !order.is_about(3, "b") && !order.is_about(4, "cam"));
        assert!(order.means("::1", 1) && !order.means("127.0.0.1", 1));
    }
}
