//! The JSON API: what is told of all workers and done in all of them, and who is refused.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use reqwest::Method;
use reqwest::blocking::{Body, Client, Response};
use reqwest::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, VIDEO};
use crate::support::{wait_for, wait_until};

const LIVE: &str = "application live { live on; }";

const HTTP: &str = "location /control { rtmp_control all; }";

/// So many that some are in each of four workers.
const PLAYERS: usize = 24;

fn conf(workers: u32) -> Conf {
    Conf { workers, http: HTTP.into(), ..Conf::server(LIVE) }
}

/// What a call was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    content_type: Option<String>,
    body: Value,
    allow: Option<String>,
}

/// The API of a server. In the end everything that was asked and answered must be as `docs/openapi.json`
/// says.
struct Api<'a> {
    nginx: &'a Nginx,
    exchanges: RefCell<Vec<Value>>,
}

impl<'a> Api<'a> {
    fn new(nginx: &'a Nginx) -> Self {
        Self { nginx, exchanges: RefCell::default() }
    }

    /// Makes a call, with a body of JSON if there is one.
    #[track_caller]
    fn call(&self, method: &str, path: &str, sent: Option<&str>) -> Answer {
        let url = self.nginx.http(&format!("control/api/v1{path}"));
        let mut request = Client::new().request(method.parse::<Method>().expect("a method"), url);
        if let Some(sent) = sent {
            request = request.header(CONTENT_TYPE, "application/json").body(sent.to_owned());
        }
        let answer = answer(request.send().expect("an answer"));
        self.exchanges.borrow_mut().push(json!({
            "method": method, "path": path, "sent": sent, "status": answer.status,
            "content_type": answer.content_type, "body": answer.body,
        }));
        answer
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let Answer { status, body, .. } = self.call("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Waits until there are so many clients, and gives their ids.
    #[track_caller]
    fn wait_clients(&self, count: usize) -> Vec<u64> {
        wait_for(&format!("{count} clients"), || {
            let clients = self.get("/clients");
            let clients = clients["clients"].as_array().expect("a list");
            let ids = clients.iter().map(|client| client["id"].as_u64().expect("an id"));
            (clients.len() == count).then(|| ids.collect())
        })
    }

    /// What the validator says of the exchanges.
    fn check(&self) -> (bool, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/python/bin/python");
        assert!(python.exists(), "no {}: run scripts/setup test first", python.display());
        let lines = self.exchanges.borrow().iter().map(|it| format!("{it}\n")).collect::<String>();
        let file = self.nginx.prefix().join("exchanges");
        fs::write(&file, lines).expect("to write");
        let script = root.join("tests/openapi/check.py");
        let output = Command::new(python).arg(script).arg(file).output().expect("to run it");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Api<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            let (is_right, text) = self.check();
            assert!(is_right, "not as docs/openapi.json says:\n{text}");
        }
    }
}

#[track_caller]
fn answer(response: Response) -> Answer {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
    let (content_type, allow) = (header(CONTENT_TYPE), header(ALLOW));
    assert_eq!(header(CACHE_CONTROL).as_deref(), Some("no-store"), "{status}");
    let text = response.text().expect("a body");
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
    };
    if status >= 400 {
        assert_eq!(body["status"], status);
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
    }
    Answer { status, content_type, body, allow }
}

#[test]
fn every_call_of_the_description_is_there() {
    let nginx = Nginx::start_conf(&Conf {
        workers: 4,
        http: HTTP.into(),
        ..Conf::server("application live { live on; record all manual; record_path @prefix@/rec; }")
    });
    let api = Api::new(&nginx);
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    api.wait_clients(2);
    let id = api.get("/clients?publishing=false")["clients"][0]["id"].clone();
    for path in ["", "/server", "/streams", "/recorders", "/relays", &format!("/clients/{id}")] {
        api.get(path);
    }
    for below in ["", "/recorders", "/relays"] {
        api.get(&format!("/streams/live/cam{below}"));
    }
    assert_eq!(api.call("POST", "/streams/live/cam/recorders/-/start", Some("")).status, 200);
    wait_until("a file that is stopped", || {
        api.call("POST", "/streams/live/cam/recorders/-/stop", Some("")).status == 200
    });
    let target = Some("{\"url\":\"rtmp://127.0.0.1:1/live\",\"app\":\"a\"}");
    let pushed = api.call("POST", "/streams/live/cam/relays", target);
    let relay = format!("/{}", pushed.body["href"].as_str().expect("an address"));
    api.get(&relay);
    assert_eq!(api.call("DELETE", &relay, None).status, 204);
    let redirect = format!("/clients/{id}/redirect");
    assert_eq!(api.call("POST", &redirect, Some("{\"name\":\"b\"}")).status, 204);
    assert_eq!(api.call("DELETE", &format!("/clients/{id}"), None).status, 204);
    player.wait_closed();
    assert_eq!(api.call("DELETE", "/streams/live/cam", None).status, 204);
    let (_, text) = api.check();
    assert!(!text.contains("not called"), "{text}");
}

#[test]
fn what_all_workers_have_is_told() {
    let nginx = Nginx::start_conf(&conf(4));
    let api = Api::new(&nginx);
    let name = "a/b ä%";
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", name);
    let _players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", name)).collect();
    let ids = api.wait_clients(PLAYERS + 1);
    assert!(ids.is_sorted(), "{ids:?}");

    let root = api.get("");
    assert_eq!(root["version"], 1);
    for section in ["drop", "record", "redirect", "push"] {
        assert_eq!(root["sections"][section], true);
    }
    let server = api.get(&format!("/{}", root["links"]["server"].as_str().unwrap()));
    assert_eq!(server["workers"], 4);
    assert_eq!((&server["nstreams"], &server["nclients"]), (&json!(1), &json!(PLAYERS + 1)));

    let streams = api.get("/streams?application=live&publishing=true");
    let stream = &streams["streams"][0];
    assert_eq!((&streams["total"], &stream["name"]), (&json!(1), &json!(name)));
    assert_eq!(stream["href"], "streams/live/a%2Fb%20%C3%A4%25");
    let same = api.get(&format!("/{}", stream["href"].as_str().unwrap()));
    assert_eq!(same["nclients"], PLAYERS + 1);

    let page = api.get("/clients?publishing=false&offset=20&limit=10");
    assert_eq!((&page["total"], &page["limit"]), (&json!(PLAYERS), &json!(10)));
    assert_eq!(page["clients"].as_array().unwrap().len(), 4);
    let client = api.get(&format!("/clients/{}", ids[7]));
    assert_eq!((&client["id"], &client["stream"]), (&json!(ids[7]), &json!(name)));
}

#[test]
fn clients_and_publishers_are_dropped_whichever_worker_has_them() {
    let nginx = Nginx::start_conf(&conf(4));
    let api = Api::new(&nginx);
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut players: Vec<_> =
        (0..PLAYERS).map(|_| Peer::play(nginx.rtmp_port(), "live", "cam")).collect();
    api.wait_clients(PLAYERS + 1);
    let playing = api.get("/clients?publishing=false");
    for player in playing["clients"].as_array().unwrap() {
        let path = format!("/clients/{}", player["id"]);
        assert_eq!(api.call("DELETE", &path, None).status, 204);
        assert_eq!(api.call("DELETE", &path, None).status, 404);
    }
    players.iter_mut().for_each(|player| drop(player.wait_closed()));
    assert_eq!(api.call("DELETE", "/streams/live/cam", None).status, 204);
    publisher.wait_closed();
    wait_until("the stream to be gone", || {
        api.call("DELETE", "/streams/live/cam", None).status == 404
    });
    assert_eq!(api.get("/clients")["total"], 0);
}

#[test]
fn a_client_goes_on_with_another_stream_however_the_body_comes() {
    // Bodies come in pieces and by way of a file.
    let http = "location /control { rtmp_control redirect; client_body_in_file_only clean; }";
    let nginx = Nginx::start_conf(&Conf { workers: 4, http: http.into(), ..Conf::server(LIVE) });
    let api = Api::new(&nginx);
    let mut second = Peer::publish(nginx.rtmp_port(), "live", "b \"c\"");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "a");
    let id = api.wait_clients(2)[1];
    let url = nginx.http(&format!("control/api/v1/clients/{id}/redirect"));
    let body = Body::new("{\"name\": \"b \\\"c\\\"\"}".as_bytes());
    let request = Client::new().post(url).header(CONTENT_TYPE, "application/json").body(body);
    assert_eq!(answer(request.send().expect("an answer")).status, 204);
    let keyframe = [0x17, 1, 0, 0, 0, 9];
    second.send(6, VIDEO, 1, 40, &keyframe);
    while player.receive().expect("a picture of the other").payload != keyframe {}
    let gone = api.call("POST", "/clients/999999/redirect", Some("{\"name\":\"a\"}"));
    assert_eq!(gone.status, 404);
}

#[test]
fn recorders_are_started_and_stopped_whichever_worker_has_the_stream() {
    let nginx = Nginx::start_conf(&Conf {
        workers: 4,
        http: HTTP.into(),
        ..Conf::server(
            "application live { live on;
                 record all manual; record_path @prefix@/rec;
                 recorder tape { record all manual; record_suffix -tape.flv; } }",
        )
    });
    let api = Api::new(&nginx);
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    nginx.wait_log(&["publishing"]);
    for (id, file) in [("tape", "/rec/cam-tape.flv"), ("-", "/rec/cam.flv")] {
        let switch = |what: &str| {
            let path = format!("/streams/live/cam/recorders/{id}/{what}");
            api.call("POST", &path, Some(""))
        };
        assert_eq!(switch("stop").status, 409);
        let started = switch("start");
        let path = started.body["path"].as_str().unwrap_or_else(|| panic!("{started:?}"));
        assert!(path.ends_with(file), "{path}");
        assert_eq!(switch("start").status, 409);
        wait_until("a recording", || fs::metadata(path).is_ok_and(|file| file.len() > 100_000));
        assert_eq!(switch("stop").body["path"], path);
    }
    let recorders = api.get("/recorders?application=live");
    assert_eq!(
        (&recorders["total"], &recorders["recorders"][1]["id"]),
        (&json!(2), &json!("tape"))
    );
    let href = "streams/live/cam/recorders/-";
    let of_stream = api.get("/streams/live/cam/recorders");
    assert_eq!(
        (&of_stream["recorders"][0]["href"], &recorders["offset"]),
        (&json!(href), &json!(0))
    );
    for nothing in ["/streams/live/cam/recorders/vcr", "/streams/live/nope/recorders/tape"] {
        let path = format!("{nothing}/start");
        assert_eq!(api.call("POST", &path, Some("")).status, 404, "{path}");
    }
}

#[test]
fn a_push_is_added_and_ended_whichever_worker_has_the_stream() {
    let origin = Nginx::start(LIVE);
    let nginx = Nginx::start_conf(&conf(4));
    let api = Api::new(&nginx);
    let body = json!({ "url": origin.rtmp("live"), "playPath": "key-of-$name" }).to_string();
    let absent = api.call("POST", "/streams/live/cam/relays", Some(&body));
    assert_eq!(absent.status, 404);
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    nginx.wait_log(&["publishing"]);
    let added = api.call("POST", "/streams/live/cam/relays", Some(&body));
    assert_eq!(added.status, 201, "{}", added.body);
    Player::start(&origin.live("key-of-cam")).wait_more(5);

    let href = format!("/{}", added.body["href"].as_str().expect("an address"));
    let relay = api.get(&href);
    assert_eq!((&relay["id"], &relay["direction"]), (&added.body["id"], &json!("push")));
    assert_eq!(relay["url"], format!("{}/***", origin.rtmp("live")));
    assert_eq!(api.get("/relays?stream=cam")["relays"][0]["href"], relay["href"]);
    assert_eq!(api.get("/streams/live/cam/relays")["relays"][0]["id"], relay["id"]);

    assert_eq!(api.call("DELETE", &href, None).status, 204);
    assert_eq!(api.call("DELETE", &href, None).status, 404);
    wait_until("the end of the push", || origin.log().contains("client closed connection"));
    drop(Peer::publish(origin.rtmp_port(), "live", "key-of-cam"));
    assert_eq!(api.get("/relays")["total"], 0);
}

#[test]
fn a_push_ends_with_the_publish_and_one_of_the_configuration_comes_back_with_the_next() {
    let origin = Nginx::start(LIVE);
    let live = format!("application live {{ live on; push {}; }}", origin.rtmp("live"));
    let nginx = Nginx::start_conf(&Conf { workers: 2, http: HTTP.into(), ..Conf::server(&live) });
    let api = Api::new(&nginx);
    let publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    wait_until("the push", || origin.log().matches("publishing").count() == 1);
    let body = json!({ "url": origin.rtmp("live/other") }).to_string();
    let added = api.call("POST", "/streams/live/cam/relays", Some(&body));
    wait_until("the other push", || origin.log().matches("publishing").count() == 2);
    let relays = api.get("/streams/live/cam/relays");
    let ids = relays["relays"].as_array().expect("a list").iter().map(|it| &it["id"]);
    let configured = ids.filter(|&id| *id != added.body["id"]).collect::<Vec<_>>()[0];
    let path = format!("/streams/live/cam/relays/{configured}");
    assert_eq!(api.call("DELETE", &path, None).status, 204);
    drop(publisher);
    wait_until("no relay", || api.get("/relays")["total"] == 0);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    wait_until("the push", || origin.log().matches("publishing").count() == 3);
    assert_eq!(api.get("/relays")["total"], 1);
}

#[test]
fn a_stream_is_in_the_server_that_the_query_names() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "server { listen unix:@prefix@/rtmp.sock; application live { live on; } }".into(),
        ..conf(2)
    });
    let api = Api::new(&nginx);
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    api.wait_clients(1);
    assert_eq!(api.get("/streams")["streams"][0]["href"], "streams/live/cam?server=1");
    assert_eq!(api.get("/streams?server=0")["total"], 0);
    for elsewhere in ["", "?server=0", "?server=2"] {
        let path = format!("/streams/live/cam{elsewhere}");
        assert_eq!(api.call("GET", &path, None).status, 404, "{path}");
        assert_eq!(api.call("DELETE", &path, None).status, 404, "{path}");
    }
    assert_eq!(api.get("/streams/live/cam?server=1")["name"], "cam");
    assert_eq!(api.call("DELETE", "/streams/live/cam?server=1", None).status, 204);
    publisher.wait_closed();
}

#[test]
fn wrong_requests_are_told_what_would_be_right() {
    let nginx = Nginx::start_conf(&conf(2));
    let api = Api::new(&nginx);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let id = api.wait_clients(1)[0];
    let redirect = format!("/clients/{id}/redirect");
    let long = format!("{{\"name\":\"{}\"}}", "a".repeat(16 << 10));
    for (method, path, body, status) in [
        ("GET", "/nothing", None, 404),
        ("GET", "/streams/live", None, 404),
        ("GET", "/streams/live/other", None, 404),
        ("GET", "/streams/other/cam", None, 404),
        ("GET", "/streams/live/%ff", None, 400),
        ("GET", "/clients/x", None, 404),
        ("GET", "/clients/999999", None, 404),
        ("GET", "/clients?limit=0", None, 400),
        ("GET", "/streams?server=x", None, 400),
        ("DELETE", "/streams/live/other", None, 404),
        ("POST", &redirect, None, 415),
        ("POST", &redirect, Some(""), 400),
        ("POST", &redirect, Some("{\"name\":"), 400),
        ("POST", &redirect, Some("{\"newname\":\"a\"}"), 400),
        ("POST", &redirect, Some(&long), 413),
        ("GET", "/streams/live/other/relays", None, 404),
        ("GET", "/streams/live/cam/relays/1", None, 404),
        ("DELETE", "/streams/live/cam/relays/1", None, 404),
        ("POST", "/streams/live/cam/relays", Some("{\"url\":\"http://host\"}"), 400),
        ("POST", "/streams/live/cam/relays", None, 415),
    ] {
        let answer = api.call(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
    for (method, path, allowed) in [
        ("POST", "", "GET, HEAD"),
        ("DELETE", "/streams", "GET, HEAD"),
        ("PUT", "/streams/live/cam", "GET, HEAD, DELETE"),
        ("GET", &redirect, "POST"),
        ("OPTIONS", "/clients/1", "GET, HEAD, DELETE"),
    ] {
        let answer = api.call(method, path, None);
        assert_eq!((answer.status, answer.allow.as_deref()), (405, Some(allowed)), "{path}");
    }
    api.wait_clients(1);
}

#[test]
fn a_closed_section_can_be_read_only() {
    let http = "location /control { rtmp_control record; }".into();
    let nginx = Nginx::start_conf(&Conf { workers: 2, http, ..Conf::server(LIVE) });
    let api = Api::new(&nginx);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "drop");
    let id = api.wait_clients(1)[0];
    assert_eq!(api.get("")["sections"]["drop"], false);
    for (method, path) in [
        ("DELETE", "/streams/live/drop"),
        ("DELETE", &format!("/clients/{id}")),
        ("POST", "/streams/live/drop/relays"),
        ("DELETE", "/streams/live/drop/relays/1"),
        ("POST", &format!("/clients/{id}/redirect")),
    ] {
        let answer = api.call(method, path, Some("{\"name\":\"a\"}"));
        assert_eq!(answer.status, 403, "{path}");
    }
    api.wait_clients(1);
}

#[test]
fn who_may_call_it_is_up_to_nginx() {
    let http =
        "location /control { rtmp_control all; auth_basic ops; auth_basic_user_file users; }";
    let nginx = Nginx::start_conf(&Conf { workers: 2, http: http.into(), ..Conf::server(LIVE) });
    fs::write(nginx.prefix().join("users"), "ops:{PLAIN}secret\n").expect("to write");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let url = nginx.http("control/api/v1/streams/live/cam");
    let send = |method: Method, password: &str| {
        let request = Client::new().request(method, &url);
        request.header(AUTHORIZATION, password).send().expect("an answer")
    };
    for method in [Method::GET, Method::DELETE, Method::POST] {
        assert_eq!(send(method, "Basic b3BzOndyb25n").status(), 401);
    }
    let head = wait_for("the stream", || {
        let response = send(Method::HEAD, "Basic b3BzOnNlY3JldA==");
        response.status().is_success().then_some(response)
    });
    assert_eq!(head.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(head.text().expect("no body"), "");
    assert_eq!(send(Method::DELETE, "Basic b3BzOnNlY3JldA==").status(), 204);
    publisher.wait_closed();
}
