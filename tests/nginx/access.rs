//! Who may publish and play: `allow` and `deny`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::nginx::{Conf, Nginx};
use crate::support::raw::{Peer, dial};

#[test]
fn rules_are_about_publishing_playing_or_both() {
    let nginx = Nginx::start(
        "deny play 10.0.0.0/8;
         application live { live on; allow publish 127.0.0.1; deny publish all; }
         application closed { live on; deny all; }
         application shown { live on; deny publish 127.0.0.0/8; }",
    );
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let _player = Peer::play(nginx.rtmp_port(), "live", "cam");
    for application in ["closed", "shown"] {
        let mut publisher = Peer::open(nginx.rtmp_port(), application);
        publisher.ask_publish("cam");
        publisher.wait_for("NetStream.Publish.Denied");
        publisher.wait_closed();
    }
    nginx.wait_log(&["[error]", "publishing forbidden by rule", "\"shown\"", "\"cam\""]);
    let mut player = Peer::open(nginx.rtmp_port(), "closed");
    player.ask_play("cam");
    player.wait_for("NetStream.Play.Failed");
    nginx.wait_log(&["[error]", "playing forbidden by rule", "\"closed\"", "\"cam\""]);
    let _player = Peer::play(nginx.rtmp_port(), "shown", "cam");
}

#[test]
fn behind_a_proxy_the_address_is_the_one_it_tells() {
    let nginx = Nginx::start_conf(&Conf {
        listen: "listen @rtmp@ proxy_protocol;".into(),
        ..Conf::server("application live { live on; deny publish 192.0.2.0/24; }")
    });
    for (address, answer) in
        [("192.0.2.7", "NetStream.Publish.Denied"), ("192.0.3.7", "NetStream.Publish.Start")]
    {
        let mut stream = dial(nginx.rtmp_port());
        let header = format!("PROXY TCP4 {address} 198.51.100.1 40000 1935\r\n");
        stream.write_all(header.as_bytes()).unwrap();
        let mut peer = Peer::over(stream);
        peer.enter("live");
        peer.ask_publish("cam");
        peer.wait_for(answer);
    }
}

/// The query with a token for `text`, made as `docs/directives.md` says.
fn token(key: &str, action: &str, expiry: u64, address: Option<&str>, stream: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", key, "-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl to run");
    let text = format!("{action} {expiry} {} {stream}", address.unwrap_or("-"));
    openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    let bound = address.map_or("", |_| "&a=1");
    format!("e={expiry}&st={}{bound}", output.split(' ').next().unwrap())
}

#[test]
fn tokens_let_in_whom_they_are_for() {
    const FUTURE: u64 = 4_000_000_000;
    let nginx = Nginx::start(
        "publish_secret for-publishers;
         application live { live on; play_secret for-players; }
         application open { live on; publish_secret off; }",
    );
    let port = nginx.rtmp_port();
    let refused = |name: &str, reason: &str| {
        let mut peer = Peer::open(port, "live");
        peer.ask_publish(name);
        peer.wait_for("NetStream.Publish.Denied");
        peer.wait_closed();
        nginx.wait_log(&["[error]", &format!("publishing forbidden: {reason}"), "\"live\""]);
    };
    refused("cam", "no token");
    let good = token("for-publishers", "publish", FUTURE, None, "live/cam");
    refused(&format!("other?{good}"), "wrong token");
    let old = token("for-publishers", "publish", 1_000_000_000, None, "live/cam");
    refused(&format!("cam?{old}"), "expired token");
    let _publisher = Peer::publish(port, "live", &format!("cam?{good}"));
    let _open = Peer::publish(port, "open", "cam");

    for (address, answer) in
        [("127.0.0.2", "NetStream.Play.Failed"), ("127.0.0.1", "NetStream.Play.Start")]
    {
        let token = token("for-players", "play", FUTURE, Some(address), "live/cam");
        let mut player = Peer::open(port, "live");
        player.ask_play(&format!("cam?{token}"));
        player.wait_for(answer);
    }
    nginx.wait_log(&["[error]", "playing forbidden: wrong token", "\"cam\""]);
}
