//! Callbacks over HTTP: what is asked and told, and what comes of the replies.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::hls::wait_playlist;
use crate::support::http_server::{Answer, FORBIDDEN, HttpServer, OK};
use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::process::{Process, command, run};
use crate::support::publisher::Publisher;
use crate::support::raw::Peer;
use crate::support::{wait_for, wait_until};

/// What a call from [`Peer`] begins with.
const CLIENT: &str =
    "app=live&flashver=&swfurl=&tcurl=rtmp://127.0.0.1/live%3Fk=v%20w&pageurl=&addr=127.0.0.1";

/// Every hook of an application, and those of the server.
fn all_hooks(server: &HttpServer) -> String {
    let hooks = ["publish", "play", "publish_done", "play_done", "done", "connect", "disconnect"];
    let url = server.url("hook?from=nginx");
    hooks.iter().map(|hook| format!("on_{hook} {url};\n")).collect()
}

#[test]
fn calls_are_byte_for_byte_those_of_the_c_module() {
    let server = HttpServer::start(|_| OK);
    let nginx = Nginx::start(&format!("{} application live {{ live on; }}", all_hooks(&server)));
    let mut publisher = Peer::open(nginx.rtmp_port(), "live?k=v w");
    publisher.ask_publish("c m?t=1&u= 2");
    publisher.wait_for("NetStream.Publish.Start");
    let mut player = Peer::open(nginx.rtmp_port(), "live?k=v w");
    player.ask_play("c m");
    player.wait_for("NetStream.Play.Start");
    drop(publisher);
    drop(player);
    let connect = server.wait("connect");
    assert_eq!(connect.line, "POST /hook?from=nginx HTTP/1.1");
    assert_eq!(connect.field("Content-Type"), Some("application/x-www-form-urlencoded"));
    let host = server.url("").replace("http://", "").replace('/', "");
    assert_eq!(connect.field("Host"), Some(host.as_str()));
    assert_eq!(connect.body_without("epoch"), format!("{CLIENT}&epoch=N&call=connect&k=v w"));
    for (call, tail) in [
        ("publish", "publish&name=c%20m&type=live&t=1&u= 2"),
        ("play", "play&name=c%20m&start=4294965296&duration=0&reset=0"),
        ("publish_done", "publish_done&name=c%20m&t=1&u= 2"),
        ("play_done", "play_done&name=c%20m"),
        ("done", "done&name=c%20m&t=1&u= 2"),
        ("disconnect", "disconnect&app=live&k=v w"),
    ] {
        let expected = format!("{CLIENT}&clientid=N&call={tail}");
        wait_until(&expected, || {
            let mut asked = server.asked().into_iter().filter(|it| it.is_about(call));
            asked.any(|it| it.body_without("clientid") == expected)
        });
    }
}

#[test]
fn who_is_denied_is_told_so_and_closed() {
    let server = HttpServer::start(|asked| match asked.body.contains("bad") {
        true => FORBIDDEN,
        false => OK,
    });
    let nginx = Nginx::start(&format!(
        "{} application live {{ live on; }} application bad {{ live on; }}",
        all_hooks(&server)
    ));
    let port = nginx.rtmp_port();
    let mut publisher = Peer::open(port, "live");
    publisher.ask_publish("bad");
    publisher.wait_for("NetStream.Publish.Denied");
    publisher.wait_closed();
    let mut player = Peer::open(port, "live");
    player.ask_play("bad");
    player.wait_for("NetStream.Play.Failed");
    player.wait_closed();
    let mut client = Peer::connect(port);
    client.command(0, &crate::support::raw::connect("bad"));
    client.wait_for("NetConnection.Connect.Rejected");
    client.wait_closed();
    nginx.wait_log(&["[error]", "refused: the callback's reply is 403", "\"live\"", "\"bad\""]);
    // Who was not let in has nothing to end; the others have.
    drop(Peer::publish(port, "live", "good"));
    server.wait("publish_done");
    let ends = server.asked().iter().filter(|it| it.is_about("done")).count();
    assert!(ends <= 1, "{:?}", server.asked());
}

#[test]
fn a_new_name_is_that_of_hls_and_players() {
    let server = HttpServer::start(|asked| match asked.is_about("publish") {
        true => Answer::Redirect("cam".into()),
        false => OK,
    });
    let nginx = Nginx::start(&format!(
        "{} application live {{ live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; }}",
        all_hooks(&server)
    ));
    let publisher = Publisher::endless(Clip::plain(), &nginx.live("secret-key?token=1"));
    wait_playlist("a segment", &nginx.http("hls/cam.m3u8"), |list| !list.segments.is_empty());
    let files = std::fs::read_dir(nginx.prefix().join("hls")).unwrap();
    let names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("cam")), "{names:?}");
    let player = Player::start(&nginx.live("cam"));
    player.wait_video(10);
    publisher.stop();
    // Callbacks know the client by what it sent.
    assert!(server.wait("publish_done").body.ends_with("&name=secret-key&token=1"));
}

#[test]
fn another_application_may_be_given() {
    let server = HttpServer::start(|_| Answer::Redirect("live".into()));
    let nginx = Nginx::start(&format!(
        "on_connect {}; on_disconnect {0}; application live {{ live on; }}",
        server.url("")
    ));
    let _publisher = Peer::publish(nginx.rtmp_port(), "no-such-application", "cam");
    nginx.wait_log(&["publishing", "application: \"live\""]);
    drop(_publisher);
    assert!(server.wait("disconnect").body.starts_with("app=live&"));
}

#[test]
fn a_publish_may_be_sent_on_to_another_server() {
    let (origin, clip) = (Nginx::start("application live { live on; }"), Clip::plain());
    let url = origin.live("pushed");
    let server = HttpServer::start(move |_| Answer::Redirect(url.clone()));
    let edge =
        Nginx::start(&format!("application live {{ live on; on_publish {}; }}", server.url("")));
    let (here, there) = (Player::start(&edge.live("cam")), Player::start(&origin.live("pushed")));
    Publisher::once(clip, &edge.live("cam")).finish();
    assert_eq!(there.wait_all(&clip.frames), clip.frames);
    assert_eq!(here.wait_all(&clip.frames), clip.frames);
    // The push ends with the publish.
    drop(Peer::publish(origin.rtmp_port(), "live", "pushed"));
}

#[test]
fn a_play_may_be_served_by_another_server() {
    let origin = Nginx::start("application live { live on; }");
    let _publisher = Publisher::endless(Clip::plain(), &origin.live("secret-key"));
    let url = origin.live("secret-key");
    let server = HttpServer::start(move |_| Answer::Redirect(url.clone()));
    let edge = Nginx::start(&format!(
        "on_play {}; idle_streams off;
         application live {{ live on; }}
         application hidden {{ live on; notify_relay_redirect on; }}",
        server.url("")
    ));
    Player::start(&edge.live("cam")).wait_video(20);
    // Whoever is sent to the same place gets the same stream.
    let players = ["one", "two"].map(|name| Player::start(&edge.rtmp(&format!("hidden/{name}"))));
    for player in &players {
        player.wait_video(20);
    }
    assert_eq!(edge.log().matches("pulling").count(), 2, "{}", edge.log());
    assert!(!edge.log().contains("secret-key"), "a key is in the log");
}

#[test]
fn clients_can_be_sent_to_another_server() {
    const URL: &str = "rtmp://192.0.2.1/live/cam";
    let server = HttpServer::start(|asked| match asked.is_about("connect") {
        true if asked.body.contains("app=live&") => OK,
        _ => Answer::Redirect(URL.into()),
    });
    let nginx = Nginx::start(&format!(
        "{} notify_send_redirect on; application live {{ live on; }}",
        all_hooks(&server)
    ));
    let check = |mut client: Peer| {
        let message = client.wait_for("NetConnection.Connect.Rejected");
        assert!(message.holds("redirect") && message.holds(URL), "{message:?}");
        client.wait_closed();
    };
    let mut client = Peer::connect(nginx.rtmp_port());
    client.command(0, &crate::support::raw::connect("other"));
    check(client);
    let mut publisher = Peer::open(nginx.rtmp_port(), "live");
    publisher.ask_publish("cam");
    check(publisher);
    let mut player = Peer::open(nginx.rtmp_port(), "live");
    player.ask_play("cam");
    check(player);
    server.wait("disconnect");
    assert!(!server.asked().iter().any(|it| it.is_about("done")), "{:?}", server.asked());
}

#[test]
fn redirects_to_names_can_be_forbidden() {
    let server = HttpServer::start(|_| Answer::Redirect("rtmp://localhost/live/cam".into()));
    let nginx = Nginx::start(&format!(
        "application live {{ live on; on_publish {}; notify_no_resolve on; }}",
        server.url("")
    ));
    let mut refused = Peer::open(nginx.rtmp_port(), "live");
    refused.ask_publish("cam");
    refused.wait_for("NetStream.Publish.Failed");
    nginx.wait_log(&["[error]", "Location is no URL that can be relayed"]);
}

#[test]
fn files_are_told_of_once_they_are_there() {
    let server = HttpServer::start(|asked| match asked.is_about("publish") {
        true => Answer::Redirect("cam".into()),
        false => OK,
    });
    let url = server.url("");
    let nginx = Nginx::start(&format!(
        "application live {{
            live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; on_publish {url};
            record all; record_path @prefix@/rec; on_record_done {url}; on_playlist {url};
            recorder sound {{ record audio; record_suffix -sound.flv; on_record_started {url}; }}
         }}"
    ));
    Publisher::once(Clip::plain(), &nginx.live("key?t=1")).finish();
    let path = |name: &str| nginx.prefix().join(name).display().to_string();
    for (call, tail) in [
        (
            "record_started",
            format!("recorder=sound&name=cam&path={}&t=1", path("rec/cam-sound.flv")),
        ),
        ("record_done", format!("recorder=&name=cam&path={}&t=1", path("rec/cam.flv"))),
        ("record_done", format!("recorder=sound&name=cam&path={}&t=1", path("rec/cam-sound.flv"))),
        ("playlist", format!("module=hls&name=cam&path={}", path("hls/cam.m3u8"))),
    ] {
        wait_until(&tail, || {
            let asked = server.asked();
            asked.iter().filter(|it| it.is_about(call)).any(|it| it.body.ends_with(&tail))
        });
    }
    let asked = server.asked();
    let count = |call: &str| asked.iter().filter(|it| it.is_about(call)).count();
    assert_eq!((count("record_started"), count("record_done")), (1, 2), "{asked:?}");
    assert!(count("playlist") >= 2, "{asked:?}");
}

#[test]
fn a_server_that_is_away_delays_nobody_else() {
    let silent = HttpServer::start(|_| Answer::Silence);
    let closed = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let nginx = Nginx::start(&format!(
        "netcall_timeout 1s;
         application silent {{ live on; on_publish {}; }}
         application closed {{ live on; on_publish http://{closed}/; }}
         application unknown {{ live on; on_play http://no-such-host.invalid/; }}
         application live {{ live on; }}",
        silent.url("publish"),
    ));
    let port = nginx.rtmp_port();
    let waiting: Vec<_> = (0..70)
        .map(|number| {
            let mut peer = Peer::open(port, "silent");
            peer.ask_publish(&format!("cam{number}"));
            peer
        })
        .collect();
    let _publisher = Peer::publish(port, "live", "cam");
    let _player = Peer::play(port, "live", "cam");
    let mut refused = Peer::open(port, "closed");
    refused.ask_publish("cam");
    refused.wait_for("NetStream.Publish.Failed");
    nginx.wait_log(&["[error]", "refused: callback", "Connection refused", "\"closed\""]);
    let mut refused = Peer::open(port, "unknown");
    refused.ask_play("cam");
    refused.wait_for("NetStream.Play.Failed");
    for mut peer in waiting {
        peer.wait_for("NetStream.Publish.Failed");
        peer.wait_closed();
    }
    nginx.wait_log(&["[error]", "/publish: no reply in time", "\"silent\""]);
}

#[test]
fn connections_are_used_again_and_made_anew_when_they_are_lost() {
    let count = Arc::new(Mutex::new(0));
    let server = HttpServer::start(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count {
            10 => Answer::ReplyAndClose("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            _ => Answer::Reply("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        }
    });
    let nginx =
        Nginx::start(&format!("application live {{ live on; on_publish {}; }}", server.url("")));
    for number in 0..20 {
        Peer::publish(nginx.rtmp_port(), "live", &format!("cam{number}"));
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 20);
    assert!(asked[..10].iter().all(|it| it.connection == 0), "{asked:?}");
    assert!(asked[10..].iter().all(|it| it.connection == 1), "{asked:?}");
}

#[test]
fn a_slow_server_gets_so_many_requests_at_a_time() {
    let server = HttpServer::start(|_| {
        thread::sleep(Duration::from_millis(100));
        OK
    });
    let nginx = Nginx::start(&format!(
        "netcall_timeout 60s; application live {{ live on; on_publish {}; }}",
        server.url("")
    ));
    let mut peers: Vec<_> = (0..200).map(|_| Peer::open(nginx.rtmp_port(), "live")).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.ask_publish(&format!("cam{number}"));
    }
    for peer in &mut peers {
        peer.wait_for("NetStream.Publish.Start");
    }
    assert_eq!(server.asked().len(), 200);
    assert!(server.connections() <= 64, "{}", server.connections());
}

#[test]
fn json_headers_signatures_and_get() {
    let server = HttpServer::start(|_| OK);
    let url = server.url("p?a=1");
    let nginx = Nginx::start(&format!(
        "notify_secret \"open sesame\"; notify_header X-Key \"a b\"; notify_header Host cb.example;
         application json {{ live on; on_publish {url}; notify_format json; }}
         application get {{ live on; on_play {url}; notify_method GET; notify_header X-Other 1; }}"
    ));
    drop(Peer::publish(nginx.rtmp_port(), "json", "cam?t=\"1\""));
    let asked = server.wait("publish");
    assert_eq!(asked.field("Content-Type"), Some("application/json"));
    assert_eq!(asked.field("X-Key"), Some("a b"));
    assert_eq!(asked.field("Host"), Some("cb.example"));
    let body = &asked.body;
    assert!(
        body.starts_with(r#"{"app":"json","flashver":"","swfurl":"","tcurl":"rtmp://"#),
        "{body}"
    );
    assert!(
        body.ends_with(r#""call":"publish","name":"cam","type":"live","args":"t=\"1\""}"#),
        "{body}"
    );
    assert_eq!(asked.field("X-Signature"), Some(signature(body).as_str()));

    drop(Peer::play(nginx.rtmp_port(), "get", "cam?t=1 2"));
    let asked = server.wait("play");
    let query = asked.line.strip_prefix("GET /p?a=1&").expect("a query");
    let query = query.strip_suffix(" HTTP/1.1").expect("a version");
    assert!(query.starts_with("app=get&") && query.ends_with("&reset=0&t=1%202"), "{query}");
    assert_eq!((asked.field("X-Key"), asked.field("X-Other")), (None, Some("1")));
    assert_eq!(asked.field("Content-Length"), None);
}

/// As openssl makes it.
fn signature(body: &str) -> String {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("body");
    std::fs::write(&file, body).unwrap();
    let mut openssl = command("openssl");
    openssl.args(["dgst", "-sha256", "-hmac", "open sesame", "-r"]).arg(&file);
    let output = String::from_utf8(openssl.output().unwrap().stdout).unwrap();
    format!("sha256={}", output.split(' ').next().unwrap())
}

#[test]
fn updates_are_told_until_one_is_refused() {
    let updates = Arc::new(Mutex::new(0));
    let server = HttpServer::start(move |asked| {
        let mut updates = updates.lock().unwrap();
        *updates += i32::from(asked.is_about("update_publish"));
        if *updates >= 3 && asked.is_about("update_publish") { FORBIDDEN } else { OK }
    });
    let nginx = Nginx::start(&format!(
        "application live {{ live on; on_update {}; on_done {0}; notify_update_timeout 100ms; }}",
        server.url("")
    ));
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam?t=1");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    publisher.send(6, 9, 1, 5000, &[0x17, 1, 0, 0, 0, 0]);
    publisher.wait_closed();
    nginx.wait_log(&["the callback of on_update does not let it go on"]);
    assert!(server.wait("done").body.ends_with("&call=done&name=cam&t=1"));
    let asked = server.asked();
    let publish: Vec<_> = asked.iter().filter(|it| it.is_about("update_publish")).collect();
    assert_eq!(publish.len(), 3, "{asked:?}");
    let body = publish[2].body_without("clientid");
    assert!(body.contains("&clientid=N&call=update_publish&time="), "{body}");
    assert!(body.ends_with("&timestamp=5000&name=cam&t=1"), "{body}");
    assert!(server.wait("update_play").body.ends_with("&name=cam"));
    assert!(!player.is_closed());
}

#[test]
fn that_the_server_of_updates_is_away_matters_only_to_the_strict() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let nginx = Nginx::start(&format!(
        "on_update http://{closed}/; notify_update_timeout 100ms;
         application live {{ live on; }}
         application strict {{ live on; notify_update_strict on; }}"
    ));
    let mut lenient = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut strict = Peer::publish(nginx.rtmp_port(), "strict", "cam");
    strict.wait_closed();
    wait_until("two failed updates", || {
        nginx
            .log()
            .lines()
            .filter(|it| it.contains("Connection refused") && it.contains("\"live\""))
            .count()
            >= 2
    });
    assert!(!lenient.is_closed());
}

#[test]
fn who_leaves_before_the_answer_is_forgotten() {
    let (answer, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = HttpServer::start(move |asked| {
        if asked.is_about("publish") {
            let _ = wait.lock().unwrap().recv();
        }
        OK
    });
    let nginx = Nginx::start(&format!(
        "application live {{ live on; on_publish {0}; on_publish_done {0}; }}",
        server.url("")
    ));
    let mut leaver = Peer::open(nginx.rtmp_port(), "live");
    leaver.ask_publish("first");
    server.wait("publish");
    drop(leaver);
    // Who was asked about may have been counted.
    assert!(server.wait("publish_done").body.ends_with("&name=first"));
    let mut second = Peer::open(nginx.rtmp_port(), "live");
    second.ask_publish("second");
    answer.send(()).unwrap();
    answer.send(()).unwrap();
    second.wait_for("NetStream.Publish.Start");
}

#[test]
fn a_worker_that_shuts_down_tells_what_there_is_to_tell() {
    let server = HttpServer::start(|asked| {
        thread::sleep(Duration::from_millis(if asked.is_about("disconnect") { 500 } else { 0 }));
        OK
    });
    let mut nginx =
        Nginx::start(&format!("{} application live {{ live on; }}", all_hooks(&server)));
    let publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    nginx.signal(Signal::QUIT);
    nginx.wait_log(&["gracefully shutting down"]);
    drop(publisher);
    nginx.wait_exit();
    for call in ["publish_done", "done", "disconnect"] {
        assert!(server.asked().iter().any(|it| it.is_about(call)), "{call}");
    }
    assert!(!nginx.log().contains("callback http"), "{}", nginx.log());
}

#[test]
fn a_recording_that_ends_with_its_worker_is_told_of() {
    let server = HttpServer::start(|_| OK);
    let mut nginx = Nginx::start(&format!(
        "application live {{ live on; record all; record_path @prefix@/rec; on_record_done {}; }}",
        server.url("")
    ));
    let publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    wait_until("a file", || nginx.prefix().join("rec/cam.flv").exists());
    nginx.signal(Signal::QUIT);
    nginx.wait_log(&["gracefully shutting down"]);
    publisher.stop();
    nginx.wait_exit();
    assert_eq!(server.asked().iter().filter(|it| it.is_about("record_done")).count(), 1);
}

#[test]
fn pythons_server_is_understood() {
    let directory = TempDir::new().unwrap();
    let server = python(directory.path(), &[]);
    let nginx = Nginx::start(&format!(
        "application live {{ live on; on_publish http://localhost:{}/a; }}",
        server.port
    ));
    for name in ["one", "two", "three"] {
        drop(Peer::publish(nginx.rtmp_port(), "live", name));
    }
    let mut refused = Peer::open(nginx.rtmp_port(), "live");
    refused.ask_publish("bad");
    refused.wait_for("NetStream.Publish.Denied");
}

#[test]
fn certificates_are_verified() {
    let directory = TempDir::new().unwrap();
    let (certificate, key) = certificate(directory.path());
    let server = python(directory.path(), &[&certificate, &key]);
    let url = format!("https://localhost:{}/", server.port);
    let nginx = Nginx::start_conf(&Conf {
        rtmp: format!("on_publish {url};"),
        ..Conf::server(&format!(
            "application trusting {{ live on; notify_ssl_trusted_certificate {}; }}
             application wrong {{ live on; on_publish https://127.0.0.1:{}/;
                                  notify_ssl_trusted_certificate {0}; }}
             application careless {{ live on; notify_ssl_verify off; }}
             application default {{ live on; }}",
            certificate.display(),
            server.port
        ))
    });
    for application in ["trusting", "careless"] {
        drop(Peer::publish(nginx.rtmp_port(), application, "cam"));
    }
    for application in ["default", "wrong"] {
        let mut refused = Peer::open(nginx.rtmp_port(), application);
        refused.ask_publish("cam");
        refused.wait_for("NetStream.Publish.Failed");
        let place = format!("\"{application}\"");
        nginx.wait_log(&["[error]", "has no good certificate for", &place]);
    }
}

struct Python {
    port: u16,
    _process: Process,
}

/// Python's HTTP server, with TLS if there are a certificate and a key.
fn python(directory: &Path, tls: &[&PathBuf]) -> Python {
    const SERVER: &str = "
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(403 if b'bad' in body else 200)
        self.end_headers()
        self.wfile.write(b'x' * 5000)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
open(sys.argv[1] + '.new', 'w').write(str(server.server_port))
import os
os.rename(sys.argv[1] + '.new', sys.argv[1])
server.serve_forever()
";
    let file = directory.join("port");
    let mut python = command("python3");
    python.args(["-c", SERVER]).arg(&file).args(tls);
    let process = Process::spawn("python", &mut python, &directory.join("stderr"));
    let port = wait_for("Python's server", || std::fs::read_to_string(&file).ok()?.parse().ok());
    Python { port, _process: process }
}

/// A certificate of `localhost`, which signs itself.
fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join("crt"), directory.join("key"));
    let mut openssl = command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    run(&mut openssl);
    (certificate, key)
}
