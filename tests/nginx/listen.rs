//! The ways to listen.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use crate::support::PATIENCE;
use crate::support::nginx::{Conf, Nginx};
use crate::support::raw::{Peer, closes_within, connect, dial, hello};

const LIVE: &str = "application live { live on; }";

#[test]
fn unix_sockets() {
    let nginx = Nginx::start(&format!("listen unix:@prefix@/rtmp.sock; {LIVE}"));
    let mut stream = UnixStream::connect(nginx.prefix().join("rtmp.sock")).expect("to connect");
    shakes_hands(&mut stream);
}

#[test]
fn ipv6_addresses() {
    let nginx = Nginx::start_conf(&Conf {
        listen: "listen @rtmp@; listen [::1]:@port@ ipv6only=on;".into(),
        ..Conf::server(LIVE)
    });
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, nginx.rtmp_port()));
    shakes_hands(&mut TcpStream::connect(address).expect("to connect"));
}

#[test]
fn wildcard_and_address_of_one_port() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "server { listen @port@; application other { live on; } }".into(),
        ..Conf::server(LIVE)
    });
    Peer::publish(nginx.rtmp_port(), "live", "cam");
}

#[test]
fn servers_have_their_own_applications() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "server { listen unix:@prefix@/other; application other { live on; } }".into(),
        ..Conf::server(LIVE)
    });
    Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.command(0, &connect("other"));
    peer.wait_closed();
}

#[test]
fn options_of_sockets() {
    for options in ["bind", "so_keepalive=on", "so_keepalive=off", "so_keepalive=30m::10"] {
        let nginx = Nginx::start_conf(&Conf {
            listen: format!("listen @rtmp@ {options};"),
            ..Conf::server(LIVE)
        });
        Peer::publish(nginx.rtmp_port(), "live", "cam");
    }
}

#[test]
fn proxy_protocol_names_the_client() {
    let nginx = proxied();
    let mut stream = dial(nginx.rtmp_port());
    stream.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 1935\r\n").unwrap();
    shakes_hands(&mut stream);
    drop(stream);
    nginx.wait_log(&["client: 192.0.2.7"]);
}

#[test]
fn proxy_protocol_must_be_there() {
    let nginx = proxied();
    for start in [&hello()[..], b"PROXY NONSENSE\r\n", b"PROXY TCP4 x y 1 2\r\n", &[b'P'; 200]] {
        let mut stream = dial(nginx.rtmp_port());
        let _ = stream.write_all(start);
        assert!(closes_within(&mut stream, PATIENCE));
    }
    nginx.wait_log(&["PROXY"]);
}

fn proxied() -> Nginx {
    Nginx::start_conf(&Conf {
        listen: "listen @rtmp@ proxy_protocol;".into(),
        ..Conf::server("timeout 2s; application live { live on; }")
    })
}

fn shakes_hands(stream: &mut (impl Read + Write)) {
    stream.write_all(&hello()).expect("to send C0 and C1");
    let mut answer = vec![0; 3073];
    stream.read_exact(&mut answer).expect("S0, S1 and S2");
    assert_eq!(answer[0], 3);
}
