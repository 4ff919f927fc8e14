//! Who may publish and play: `allow` and `deny`.

use std::io::Write;

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
