//! What a request is answered that wants to know something.

use std::collections::HashMap;

use serde::Serialize;

use super::call::Read;
use super::list::{Filter, List, Page};
use super::problem::Problem;
use super::resource::{StreamPath, element_of};
use crate::control::Sections;
use crate::live::ApplicationId;
use crate::package::percent_encode;
use crate::stat::{
    self, Application, ClientReport, Document, RecorderReport, RelayReport, StreamReport,
};

/// Counts up when something is told in another way; not when more is told.
const VERSION: u32 = 1;

/// The lists that there are, by their addresses below the API's root.
const LISTS: [&str; 5] = ["server", "streams", "clients", "recorders", "relays"];

#[derive(Serialize)]
struct Root {
    version: u32,
    sections: Sections,
    links: HashMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Server<'a> {
    #[serde(flatten)]
    global: stat::Global<'a>,
    nstreams: usize,
    nclients: usize,
    servers: Vec<ServerApplications<'a>>,
}

#[derive(Serialize)]
struct ServerApplications<'a> {
    applications: Vec<ServerApplication<'a>>,
}

#[derive(Serialize)]
struct ServerApplication<'a> {
    name: &'a str,
    live: bool,
    play: bool,
}

impl<'a> ServerApplication<'a> {
    fn new(application: &'a Application) -> Self {
        Self { name: &application.name, live: application.live, play: application.play }
    }
}

#[derive(Serialize)]
struct Streams<'a> {
    #[serde(flatten)]
    part: Part,
    streams: Vec<Stream<'a>>,
}

#[derive(Serialize)]
struct Stream<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    href: Option<String>,
    #[serde(flatten)]
    stream: stat::Stream<'a>,
}

#[derive(Serialize)]
struct Clients<'a> {
    #[serde(flatten)]
    part: Part,
    clients: Vec<Client<'a>>,
}

#[derive(Clone, Serialize)]
struct Client<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    stream: &'a str,
    /// Whether the stream is a recorded file.
    file: bool,
    #[serde(flatten)]
    client: &'a ClientReport,
}

/// The relays of one stream, or a part of all.
#[derive(Serialize)]
struct Relays<'a> {
    #[serde(flatten)]
    part: Option<Part>,
    relays: Vec<Relay<'a>>,
}

#[derive(Serialize)]
struct Relay<'a> {
    server: Option<usize>,
    href: Option<String>,
    #[serde(flatten)]
    relay: stat::Relay<'a>,
}

/// The recorders of one stream, or a part of all.
#[derive(Serialize)]
struct Recorders<'a> {
    #[serde(flatten)]
    part: Option<Part>,
    recorders: Vec<Recorder<'a>>,
}

#[derive(Serialize)]
struct Recorder<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    stream: &'a str,
    href: Option<String>,
    #[serde(flatten)]
    recorder: &'a RecorderReport,
}

/// Which part of a list is told.
#[derive(Serialize)]
struct Part {
    total: usize,
    offset: usize,
    limit: usize,
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Place<'a> {
    /// None if only older configurations have its application.
    server: Option<usize>,
    application: &'a str,
}

/// What can be told without asking anybody.
pub fn root(open: Sections) -> String {
    let links = LISTS.iter().map(|&list| (list, list)).collect();
    to_json(&Root { version: VERSION, sections: open, links })
}

impl Read {
    /// What all workers together answer.
    ///
    /// # Errors
    ///
    /// They do not have what is wanted.
    pub fn answer(&self, document: &Document) -> Result<String, Problem> {
        match self {
            Self::Server => Ok(server(document)),
            Self::Streams(list) => Ok(streams(list, document)),
            Self::Stream(path) => Ok(to_json(&tell(path.place(), path.stream(document)?))),
            Self::Clients(list) => Ok(clients(list, document)),
            Self::Client(id) => client(*id, document),
            Self::Recorders(list) => Ok(recorders(list, document)),
            Self::RecordersOf(path) => {
                let stream = path.stream(document)?;
                let recorders = recorders_of(path.place(), stream).collect();
                Ok(to_json(&Recorders { part: None, recorders }))
            }
            Self::Relays(list) => Ok(relays(list, document)),
            Self::RelaysOf(path) => {
                let stream = path.stream(document)?;
                let relays = stream.relays.iter().map(|it| Relay::new(path.place(), it)).collect();
                Ok(to_json(&Relays { part: None, relays }))
            }
            Self::Relay(path, id) => {
                let stream = path.stream(document)?;
                let relay = stream.relays.iter().find(|it| it.id == *id);
                let relay = relay.map(|it| to_json(&Relay::new(path.place(), it)));
                relay.ok_or(Problem::NoRelay(*id))
            }
        }
    }
}

impl StreamPath {
    /// The application that the path names.
    ///
    /// # Errors
    ///
    /// The configuration has none of that name.
    pub fn application(&self, servers: &[Vec<Application>]) -> Result<ApplicationId, Problem> {
        let applications = servers.get(self.server).ok_or(Problem::NoServer(self.server))?;
        let application = applications.iter().find(|it| it.name == self.application);
        let application = application.map(|it| it.id);
        application.ok_or_else(|| Problem::NoApplication(self.application.clone()))
    }
}

impl StreamPath {
    /// The address of a relay of the stream, below the API's root.
    pub(super) fn relay(&self, id: u64) -> String {
        self.place().href(&self.name, &format!("/relays/{id}")).unwrap_or_default()
    }

    fn place(&self) -> Place<'_> {
        Place { server: Some(self.server), application: &self.application }
    }

    fn stream<'a>(&self, document: &'a Document) -> Result<&'a StreamReport, Problem> {
        let application = self.application(&document.servers)?.0;
        let mut streams = document.report.streams.iter();
        let stream = streams.find(|it| (it.application, &it.name) == (application, &self.name));
        stream.ok_or_else(|| Problem::NoStream(self.name.clone()))
    }
}

fn server(document: &Document) -> String {
    let streams = &document.report.streams;
    let files = document.report.files.iter().map(|file| file.clients.len());
    let servers = document.servers.iter();
    to_json(&Server {
        global: document.global(),
        nstreams: streams.len(),
        nclients: streams.iter().map(|it| it.clients.len()).chain(files).sum(),
        servers: servers
            .map(|it| ServerApplications {
                applications: it.iter().map(ServerApplication::new).collect(),
            })
            .collect(),
    })
}

fn streams(list: &List, document: &Document) -> String {
    let places = Places::new(document);
    let streams = document.report.streams.iter();
    let streams = streams.map(|it| (places.of(it.application, &it.application_name), it));
    let mut streams: Vec<_> =
        streams.filter(|(place, it)| takes(&list.filter, *place, it)).collect();
    streams.sort_unstable_by_key(|(place, it)| (place.server.is_none(), *place, it.name.as_str()));
    let (part, streams) = list.page.part(streams);
    let streams = streams.into_iter().map(|(place, it)| tell(place, it)).collect();
    to_json(&Streams { part, streams })
}

fn takes(filter: &Filter, place: Place<'_>, stream: &StreamReport) -> bool {
    filter.takes(place, &stream.name)
        && filter.publishing.is_none_or(|wanted| wanted == stream.publishing)
}

fn tell<'a>(place: Place<'a>, stream: &'a StreamReport) -> Stream<'a> {
    Stream { place, href: place.href(&stream.name, ""), stream: stat::Stream::new(stream, false) }
}

fn clients(list: &List, document: &Document) -> String {
    let places = Places::new(document);
    let filter = &list.filter;
    let mut clients: Vec<_> = all_clients(document, &places)
        .filter(|it| filter.takes(it.place, it.stream) && filter.takes_client(it.client))
        .collect();
    clients.sort_by_key(|it| it.client.id);
    let (part, clients) = list.page.part(clients);
    to_json(&Clients { part, clients })
}

fn client(id: u64, document: &Document) -> Result<String, Problem> {
    let places = Places::new(document);
    let client = all_clients(document, &places).find(|it| it.client.id == id);
    client.map(|it| to_json(&it)).ok_or(Problem::NoClient(id))
}

fn all_clients<'a>(
    document: &'a Document,
    places: &Places<'a>,
) -> impl Iterator<Item = Client<'a>> {
    let report = &document.report;
    let streams = report.streams.iter().map(|it| {
        let place = places.of(it.application, &it.application_name);
        (place, it.name.as_str(), false, &it.clients)
    });
    let files = report.files.iter().map(|it| {
        let place = places.of(it.application, &it.application_name);
        (place, it.name.as_str(), true, &it.clients)
    });
    streams.chain(files).flat_map(|(place, stream, file, clients)| {
        clients.iter().map(move |client| Client { place, stream, file, client })
    })
}

fn relays(list: &List, document: &Document) -> String {
    let places = Places::new(document);
    let report = &document.report;
    let relays = report.streams.iter().flat_map(|it| &it.relays).chain(&report.relays);
    let relays = relays.map(|it| (places.of(it.application, &it.application_name), it));
    let relays = relays.filter(|(place, it)| list.filter.takes(*place, &it.stream));
    let mut relays: Vec<_> = relays.collect();
    relays.sort_by_key(|(_, it)| it.id);
    let (part, relays) = list.page.part(relays);
    let relays = relays.into_iter().map(|(place, it)| Relay::new(place, it)).collect();
    to_json(&Relays { part: Some(part), relays })
}

impl<'a> Relay<'a> {
    fn new(place: Place<'_>, relay: &'a RelayReport) -> Self {
        let below = format!("/relays/{}", relay.id);
        let href = place.href(&relay.stream, &below);
        Self { server: place.server, href, relay: stat::Relay::new(relay) }
    }
}

fn recorders(list: &List, document: &Document) -> String {
    let places = Places::new(document);
    let streams = document.report.streams.iter();
    let streams = streams.map(|it| (places.of(it.application, &it.application_name), it));
    let mut streams: Vec<_> =
        streams.filter(|(place, it)| takes(&list.filter, *place, it)).collect();
    streams.sort_by_key(|(place, it)| (place.server.is_none(), *place, it.name.as_str()));
    let recorders = streams.into_iter().flat_map(|(place, it)| recorders_of(place, it)).collect();
    let (part, recorders) = list.page.part(recorders);
    to_json(&Recorders { part: Some(part), recorders })
}

fn recorders_of<'a>(
    place: Place<'a>,
    stream: &'a StreamReport,
) -> impl Iterator<Item = Recorder<'a>> {
    stream.recorders.iter().map(move |recorder| Recorder {
        place,
        stream: &stream.name,
        href: place.href(&stream.name, &format!("/recorders/{}", element_of(&recorder.id))),
        recorder,
    })
}

impl Page {
    /// That part of a list, and what part it is.
    fn part<T>(self, all: Vec<T>) -> (Part, Vec<T>) {
        let Self { offset, limit } = self;
        (Part { total: all.len(), offset, limit }, self.of(all))
    }
}

impl Filter {
    fn takes(&self, place: Place<'_>, stream: &str) -> bool {
        self.server.is_none_or(|wanted| place.server == Some(wanted))
            && self.application.as_ref().is_none_or(|wanted| wanted == place.application)
            && self.stream.as_ref().is_none_or(|wanted| wanted == stream)
    }

    fn takes_client(&self, client: &ClientReport) -> bool {
        self.address.as_ref().is_none_or(|wanted| *wanted == client.address)
            && self.publishing.is_none_or(|wanted| wanted == client.publishing)
    }
}

impl Place<'_> {
    /// The address of a stream here, or of what is `below` it, below the API's root.
    fn href(self, name: &str, below: &str) -> Option<String> {
        let server = match self.server? {
            0 => String::new(),
            server => format!("?server={server}"),
        };
        let (application, name) = (percent_encode(self.application), percent_encode(name));
        Some(format!("streams/{application}/{name}{below}{server}"))
    }
}

/// Where the applications of the configuration are, by their ids.
struct Places<'a>(HashMap<u64, Place<'a>>);

impl<'a> Places<'a> {
    fn new(document: &'a Document) -> Self {
        let servers = document.servers.iter().enumerate();
        Self(
            servers
                .flat_map(|(server, applications)| {
                    applications.iter().map(move |it| {
                        (it.id.0, Place { server: Some(server), application: &it.name })
                    })
                })
                .collect(),
        )
    }

    fn of(&self, application: u64, name: &'a str) -> Place<'a> {
        let place = self.0.get(&application).copied();
        place.unwrap_or(Place { server: None, application: name })
    }
}

fn to_json(value: &impl Serialize) -> String {
    // No map has anything but strings for keys, so nothing can fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::stat::{FileReport, Report};

    fn client(id: u64, publishing: bool) -> ClientReport {
        ClientReport { id, address: format!("10.0.0.{id}"), publishing, ..ClientReport::default() }
    }

    fn stream(application: u64, name: &str, clients: Vec<ClientReport>) -> StreamReport {
        StreamReport {
            application,
            application_name: "gone".into(),
            name: name.into(),
            publishing: clients.iter().any(|client| client.publishing),
            clients,
            ..StreamReport::default()
        }
    }

    /// Two servers have an application of the same name, an older configuration had another.
    fn document() -> Document {
        let application =
            |id| Application { id: ApplicationId(id), name: "live".into(), live: true, play: true };
        let streams = vec![
            stream(9, "old", vec![client(5, true)]),
            stream(2, "a/b", vec![client(4, true), client(1, false)]),
            stream(1, "b", vec![client(3, false)]),
            stream(1, "a", vec![]),
        ];
        let film = FileReport {
            application: 1,
            application_name: "live".into(),
            name: "film".into(),
            clients: vec![client(2, false)],
        };
        Document {
            servers: vec![vec![application(1)], vec![application(2)]],
            report: Report { streams, files: vec![film], ..Report::default() },
            ..Document::default()
        }
    }

    fn ask(read: &Read) -> Result<Value, Problem> {
        read.answer(&document()).map(|json| serde_json::from_str(&json).unwrap())
    }

    fn list(query: &str) -> List {
        List::parse(query).unwrap()
    }

    /// A field of all in a list.
    fn all(answer: &Value, list: &str, field: &str) -> Vec<Value> {
        answer[list].as_array().unwrap().iter().map(|it| it[field].clone()).collect()
    }

    #[test]
    fn streams_are_in_order_and_those_of_older_configurations_last() {
        let answer = ask(&Read::Streams(list(""))).unwrap();
        assert_eq!(all(&answer, "streams", "name"), ["a", "b", "a/b", "old"]);
        assert_eq!(all(&answer, "streams", "server"), [json!(0), json!(0), json!(1), Value::Null]);
        let hrefs = ["streams/live/a", "streams/live/b", "streams/live/a%2Fb?server=1"];
        assert_eq!(all(&answer, "streams", "href")[..3], hrefs);
        assert_eq!(answer["streams"][3]["href"], Value::Null);
        assert_eq!(answer["streams"][3]["application"], "gone");
        assert_eq!((&answer["total"], &answer["offset"]), (&json!(4), &json!(0)));
    }

    #[test]
    fn lists_are_filtered_before_they_are_paged() {
        let names = |query: &str| {
            let answer = ask(&Read::Streams(list(query))).unwrap();
            (answer["total"].as_u64().unwrap(), all(&answer, "streams", "name"))
        };
        assert_eq!(names("server=0&limit=1&offset=1"), (2, vec![json!("b")]));
        assert_eq!(names("application=gone"), (1, vec![json!("old")]));
        assert_eq!(names("publishing=true"), (2, vec![json!("a/b"), json!("old")]));
        let ids = |query: &str| {
            let answer = ask(&Read::Clients(list(query))).unwrap();
            all(&answer, "clients", "id")
        };
        assert_eq!(ids(""), [1, 2, 3, 4, 5]);
        assert_eq!(ids("stream=a/b"), [1, 4]);
        assert_eq!(ids("publishing=false&server=0"), [2, 3]);
        assert_eq!(ids("address=10.0.0.5"), [5]);
        assert_eq!(ids("limit=2&offset=1"), [2, 3]);
    }

    #[test]
    fn one_of_many_is_found_or_not() {
        let path = |server, application: &str, name: &str| {
            let (application, name) = (application.to_owned(), name.to_owned());
            Read::Stream(StreamPath { server, application, name })
        };
        let stream = ask(&path(1, "live", "a/b")).unwrap();
        assert_eq!((&stream["nclients"], &stream["clients"]), (&json!(2), &Value::Null));
        for (read, problem) in [
            (path(0, "live", "a/b"), Problem::NoStream("a/b".into())),
            (path(0, "gone", "old"), Problem::NoApplication("gone".into())),
            (path(2, "live", "a"), Problem::NoServer(2)),
            (Read::Client(6), Problem::NoClient(6)),
        ] {
            assert_eq!(ask(&read), Err(problem));
        }
        let client = ask(&Read::Client(2)).unwrap();
        assert_eq!((&client["stream"], &client["file"]), (&json!("film"), &json!(true)));
    }

    #[test]
    fn the_server_tells_what_it_is_and_the_root_what_can_be_done() {
        let server = ask(&Read::Server).unwrap();
        assert_eq!((&server["nstreams"], &server["nclients"]), (&json!(4), &json!(5)));
        assert_eq!(server["servers"][1]["applications"][0]["name"], "live");
        let root: Value =
            serde_json::from_str(&root(Sections { drop: true, ..Sections::default() })).unwrap();
        assert_eq!(root["version"], 1);
        assert_eq!(
            (&root["sections"]["drop"], &root["sections"]["push"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(root["links"]["streams"], "streams");
    }
}
