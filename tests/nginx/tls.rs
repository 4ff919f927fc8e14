//! RTMPS: `listen ... ssl`.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;

use rustix::process::Signal;

use crate::hostile::check_skips;
use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::{Conf, Nginx, test_conf};
use crate::support::player::Player;
use crate::support::process::{Process, command, run};
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, closes_within, connect_to, dial};
use crate::support::{PATIENCE, wait_for};

const LIVE: &str = "application live { live on; }";

/// The certificate of localhost and its key.
fn certificate() -> (String, String) {
    certificate_of("localhost")
}

/// Makes a host's certificate and its key once, for all tests of this run.
fn certificate_of(host: &str) -> (String, String) {
    static MADE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let pid = std::process::id();
    let [certificate, key] = ["crt", "key"].map(|kind| {
        directory.join(format!("tls-{pid}-{host}.{kind}")).to_str().expect("UTF-8").to_owned()
    });
    let mut made = MADE.lock().unwrap();
    if made.insert(host.to_owned()) {
        let mut openssl = command("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
        let subject = format!("/CN={host}");
        openssl.args(["-subj", &subject, "-keyout", &key, "-out", &certificate]);
        run(&mut openssl);
    }
    (certificate, key)
}

/// A configuration that listens with TLS, with more directives.
fn tls(more: &str) -> Conf {
    let (certificate, key) = certificate();
    Conf {
        listen: "listen @rtmp@ ssl;".into(),
        rtmp: format!("ssl_certificate {certificate}; ssl_certificate_key {key}; {more}"),
        ..Conf::server(LIVE)
    }
}

fn rtmps(nginx: &Nginx) -> String {
    nginx.live("cam").replace("rtmp://", "rtmps://")
}

/// What `openssl s_client` says of a handshake.
fn handshake(nginx: &Nginx, options: &[&str]) -> Output {
    let mut openssl = command("openssl");
    let address = format!("127.0.0.1:{}", nginx.rtmp_port());
    openssl.args(["s_client", "-connect", &address]).args(options);
    openssl.output().expect("openssl to run")
}

#[test]
fn ffmpeg_publishes_and_plays_over_tls() {
    let (nginx, clip) = (Nginx::start_conf(&tls("")), Clip::plain());
    let player = Player::start(&rtmps(&nginx));
    Publisher::once(clip, &rtmps(&nginx)).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
}

#[test]
fn frames_larger_than_a_record_arrive_whole() {
    // ffmpeg may close with an acknowledgement unread, which costs its last frames.
    let more = "send_window 350; ack_window 1000000000;";
    let listen = "listen @rtmp@; listen 127.0.0.2:@port@ ssl;".into();
    let (nginx, clip) = (Nginx::start_conf(&Conf { listen, ..tls(more) }), Clip::large());
    let url = nginx.live("cam").replace("rtmp://127.0.0.1", "rtmps://127.0.0.2");
    let players = [(); 10].map(|()| Player::start(&url));
    Publisher::once(clip, &nginx.live("cam")).finish();
    for player in players {
        assert_eq!(player.wait_video(clip.frames.video.len()).video, clip.frames.video);
    }
}

#[test]
fn plain_and_tls_share_a_server_and_workers() {
    let conf = Conf {
        listen: "listen @rtmp@ ssl; listen unix:@prefix@/plain.sock;".into(),
        workers: 3,
        ..tls("ssl_session_cache shared:RTMP:1m; ssl_session_timeout 1m; ssl_protocols TLSv1.2;")
    };
    let (nginx, clip) = (Nginx::start_conf(&conf), Clip::plain());
    let _publisher = Publisher::endless(clip, &rtmps(&nginx));
    for _ in 0..4 {
        let player = Player::start(&rtmps(&nginx));
        assert_unbroken(&player.wait_video(20).video, &clip.frames.video);
    }
}

#[test]
fn who_makes_no_handshake_is_closed() {
    let nginx = Nginx::start_conf(&tls("ssl_handshake_timeout 1s;"));
    let mut plain = dial(nginx.rtmp_port());
    plain.write_all(&crate::support::raw::hello()).unwrap();
    assert!(closes_within(&mut plain, PATIENCE));
    let mut silent = dial(nginx.rtmp_port());
    assert!(closes_within(&mut silent, PATIENCE));
    let reason = "client made no TLS handshake";
    nginx.wait_log(&["[info]", reason, "SSL handshaking", "client: 127.0.0.1"]);
    wait_for("both in the log", || (nginx.log().matches(reason).count() >= 2).then_some(()));
}

/// Servers of one address, each with a certificate of its own; the second wants to see one.
fn hosts() -> Conf {
    let server = |name: &str, more: &str| {
        let (certificate, key) = certificate_of(name);
        let pair = format!("ssl_certificate {certificate}; ssl_certificate_key {key};");
        format!("server_name {name}; {pair} {more} application {name} {{ live on; }}")
    };
    let (signer, _) = certificate();
    let verify = format!("ssl_verify_client on; ssl_client_certificate {signer};");
    let listen = "listen @rtmp@ ssl;";
    Conf {
        listen: listen.into(),
        server: server("one", ""),
        rtmp: format!("server {{ {listen} {} }}", server("two", &verify)),
        ..Conf::default()
    }
}

#[test]
fn the_host_that_a_client_names_chooses_the_certificate() {
    let nginx = Nginx::start_conf(&hosts());
    for (options, host) in [
        (&["-servername", "TWO"][..], "two"),
        (&["-servername", "one"], "one"),
        // The first one of the address.
        (&["-servername", "nobody"], "two"),
        (&["-noservername"], "two"),
    ] {
        let output = handshake(&nginx, options);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let subject = text.lines().find(|line| line.starts_with("subject=")).unwrap_or_default();
        assert!(subject.ends_with(host), "{options:?}: {text}");
    }
}

#[test]
fn a_server_that_wants_a_certificate_is_not_reached_by_way_of_another() {
    let (certificate, key) = certificate();
    let nginx = Nginx::start_conf(&hosts());
    let two = connect_to("rtmps://two/two", "two");
    let (stream, _openssl) = dial_tls(&nginx, &["-servername", "one"]);
    let mut peer = Peer::over(stream);
    peer.command(0, &two);
    assert!(peer.wait_for("NetConnection.Connect").says("NetConnection.Connect.Rejected"));
    nginx.wait_log(&["[info]", "refused: the URL's server wants to see a certificate"]);

    let shown = ["-servername", "two", "-cert", &certificate, "-key", &key];
    let (stream, _openssl) = dial_tls(&nginx, &shown);
    let mut peer = Peer::over(stream);
    peer.command(0, &two);
    assert!(peer.wait_for("NetConnection.Connect").says("NetConnection.Connect.Success"));
    handshake(&nginx, &["-tls1_2", "-servername", "two"]);
    nginx.wait_log(&["[info]", "client showed no good certificate"]);
}

#[test]
fn a_handshake_that_pends_ends_with_the_worker() {
    let conf = Conf { main: "worker_shutdown_timeout 1s;".into(), ..tls("") };
    let mut nginx = Nginx::start_conf(&conf);
    let mut silent = dial(nginx.rtmp_port());
    // Then the one before has been accepted.
    assert!(handshake(&nginx, &["-brief"]).status.success());
    nginx.signal(Signal::QUIT);
    assert!(closes_within(&mut silent, PATIENCE));
    nginx.wait_exit();
}

#[test]
fn protocols_and_ciphers_are_those_that_are_set() {
    let nginx =
        Nginx::start_conf(&tls("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;
         ssl_prefer_server_ciphers on; ssl_ecdh_curve prime256v1; ssl_session_tickets off;"));
    let text = String::from_utf8_lossy(&handshake(&nginx, &["-brief"]).stderr).into_owned();
    assert!(text.contains("TLSv1.2") && text.contains("ECDHE-RSA-AES128-GCM-SHA256"), "{text}");
    assert!(!handshake(&nginx, &["-tls1_3"]).status.success());
}

/// A connection whose bytes `openssl s_client` carries over TLS, at the speed at which they are read.
fn dial_tls(nginx: &Nginx, options: &[&str]) -> (TcpStream, Process) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = dial(listener.local_addr().unwrap().port());
    let theirs: OwnedFd = listener.accept().unwrap().0.into();
    let mut openssl = command("openssl");
    let address = format!("127.0.0.1:{}", nginx.rtmp_port());
    openssl.args(["s_client", "-quiet", "-connect", &address]).args(options);
    openssl.stdin(theirs.try_clone().unwrap()).stdout(theirs);
    let process = Process::spawn("openssl", &mut openssl, &nginx.prefix().join("openssl.log"));
    (ours, process)
}

#[test]
fn a_player_that_stalls_costs_nobody_else_and_goes_on_with_whole_frames() {
    let nginx = Nginx::start_conf(&tls("max_message 4m;"));
    let clip = Clip::large();
    let (stream, _openssl) = dial_tls(&nginx, &[]);
    let mut stalled = Peer::over(stream);
    stalled.enter("live");
    stalled.ask_play("cam");
    stalled.wait_for("NetStream.Play.Start");
    let player = Player::start(&rtmps(&nginx));
    let _publisher = Publisher::endless(clip, &rtmps(&nginx));
    // Five seconds are 25 MB, more than the kernel and the server keep for one player.
    assert_unbroken(&player.wait_video(125).video, &clip.frames.video);
    check_skips(&mut stalled, clip);
}

#[test]
fn who_is_left_at_the_end_is_told_over_tls() {
    let conf = Conf { main: "worker_shutdown_timeout 1s;".into(), ..tls("") };
    let mut nginx = Nginx::start_conf(&conf);
    let (stream, mut openssl) = dial_tls(&nginx, &[]);
    let mut peer = Peer::over(stream);
    peer.enter("live");
    nginx.signal(Signal::QUIT);
    peer.wait_for("NetConnection.Connect.AppShutdown");
    // TLS is ended in order, too.
    assert!(openssl.wait().success());
    nginx.wait_exit();
}

#[test]
fn sessions_are_resumed_from_the_cache_and_by_tickets() {
    for (more, options) in [
        ("ssl_session_cache shared:RTMP:1m; ssl_session_tickets off;", &["-no_ticket"][..]),
        ("ssl_session_cache builtin:100; ssl_session_tickets off;", &["-no_ticket"]),
        ("ssl_session_cache none;", &[]),
    ] {
        let nginx = Nginx::start_conf(&tls(more));
        let options = [&["-tls1_2", "-reconnect"], options].concat();
        let output = handshake(&nginx, &options);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.matches("Reused, TLSv1.2").count(), 5, "{more}: {text}");
    }
    let nginx = Nginx::start_conf(&tls("ssl_session_cache off; ssl_session_tickets off;"));
    let output = handshake(&nginx, &["-tls1_2", "-reconnect"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("Reused"));
}

#[test]
fn clients_may_have_to_show_a_certificate() {
    let (certificate, key) = certificate();
    let more = format!("ssl_verify_client on; ssl_client_certificate {certificate};");
    let nginx = Nginx::start_conf(&tls(&more));
    handshake(&nginx, &["-tls1_2"]);
    nginx.wait_log(&["[info]", "client showed no good certificate"]);
    let before = nginx.log().matches("no good certificate").count();
    let shown = handshake(&nginx, &["-tls1_2", "-cert", &certificate, "-key", &key]);
    assert!(shown.status.success());
    nginx.wait_log(&["client closed connection", "receiving RTMP handshake"]);
    assert_eq!(nginx.log().matches("no good certificate").count(), before);
}

#[test]
fn a_certificate_may_be_optional_and_signed_by_anyone() {
    let (certificate, key) = certificate();
    let shown = ["-cert", &certificate, "-key", &key, "-tls1_2"];
    for (verify, options, is_good) in [
        ("optional_no_ca", &shown[..], true),
        ("optional_no_ca", &["-tls1_2"], true),
        // Without it in `ssl_client_certificate`, nobody who is known has signed it.
        ("optional; ssl_client_certificate /etc/ssl/certs/ca-certificates.crt", &shown, false),
        ("optional; ssl_client_certificate /etc/ssl/certs/ca-certificates.crt", &["-tls1_2"], true),
    ] {
        let nginx = Nginx::start_conf(&tls(&format!("ssl_verify_client {verify};")));
        assert!(handshake(&nginx, options).status.success());
        nginx.wait_log(&match is_good {
            true => ["client closed connection", "receiving RTMP handshake"],
            false => ["client showed no good certificate", "SSL handshaking"],
        });
        let refused = nginx.log().contains("no good certificate");
        assert_eq!(!refused, is_good, "{verify} {options:?}");
    }
}

#[test]
fn what_cannot_work_is_refused() {
    let (certificate, key) = certificate();
    let pair = format!("ssl_certificate {certificate}; ssl_certificate_key {key};");
    for (text, reason) in [
        ("listen 1 ssl;".to_owned(), "needs \"ssl_certificate\""),
        (format!("listen 1 ssl; ssl_certificate {certificate};"), "needs \"ssl_certificate_key\""),
        (format!("listen 1 ssl; {pair} ssl_verify_client on;"), "needs \"ssl_client_certificate\""),
        (format!("{pair} ssl_protocols SSLv9;"), "must be some of TLSv1"),
        (format!("{pair} ssl_session_cache shared:a;"), "must be \"off\", \"none\""),
        (format!("{pair} ssl_session_cache shared:a:1k;"), "at least 32k"),
        (format!("{pair} ssl_verify_client maybe;"), "must be \"on\", \"off\""),
        ("listen 1 ssl; ssl_certificate a; ssl_certificate_key b;".to_owned(), "cannot load"),
    ] {
        let verdict = test_conf(&format!("events {{}}\nrtmp {{ server {{ {text} }} }}"));
        assert!(!verdict.accepted && verdict.text.contains(reason), "{text}: {}", verdict.text);
    }
}
