//! Where and how servers listen, and who the client is taken for.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::nginx::{Conf, Nginx};
use crate::support::raw::{self, Peer, closes_within, dial};
use crate::support::{PATIENCE, wait_for};

const LIVE: &str = "application live { live on; }";

fn listening(listen: &str, server: &str) -> Conf {
    Conf { listen: listen.into(), server: server.into(), ..Conf::default() }
}

#[test]
fn server_listens_on_all_its_addresses() {
    let nginx = Nginx::start_conf(&listening(
        "listen @port@; listen [::1]:@port@ ipv6only=on; listen unix:@prefix@/rtmp.sock;",
        LIVE,
    ));
    let port = nginx.rtmp_port();
    for address in
        [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}"), format!("[::1]:{port}")]
    {
        let mut peer = Peer::over(connect(&address));
        peer.enter("live");
        peer.ask_publish(&address);
        peer.wait_for("NetStream.Publish.Start");
    }
    let unix = UnixStream::connect(nginx.prefix().join("rtmp.sock")).expect("to connect");
    unix.set_read_timeout(Some(PATIENCE)).unwrap();
    Peer::over(OwnedFd::from(unix).into()).enter("live");
    nginx.wait_log(&["client: ::1,", &format!("server: [::1]:{port},"), "publishing"]);
    nginx.wait_log(&["client: unix:,", "server: unix:/", "application: \"live\""]);
}

#[test]
fn specific_address_goes_before_the_wildcard_of_its_port() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "server { listen 127.0.0.2:@port@; application two {} }".into(),
        ..listening("listen @port@;", "application any {}")
    });
    let port = nginx.rtmp_port();
    let enter = |address: &str, application: &str| {
        Peer::over(connect(&format!("{address}:{port}"))).enter(application);
    };
    enter("127.0.0.1", "any");
    enter("127.0.0.2", "two");
    enter("127.0.0.3", "any");
}

#[test]
fn servers_have_their_own_applications() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "server { listen unix:@prefix@/other; application other { live on; } }".into(),
        ..Conf::server(LIVE)
    });
    Peer::open(nginx.rtmp_port(), "live");
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.command(0, &raw::connect("other"));
    peer.wait_closed();
}

#[test]
fn keepalive_is_set_as_asked() {
    // In units of 10 ms, as /proc/net/tcp has them.
    for (option, wanted) in [("on", None), ("30m::10", Some(180_000))] {
        let nginx =
            Nginx::start_conf(&listening(&format!("listen @rtmp@ so_keepalive={option};"), LIVE));
        let mut peer = Peer::open(nginx.rtmp_port(), "live");
        let left = wait_for("a keepalive timer", || keepalive_timer(peer.stream()));
        assert!(wanted.is_none_or(|wanted| (wanted - 6000..=wanted).contains(&left)), "{left}");
    }
    let nginx = Nginx::start_conf(&listening("listen @rtmp@ so_keepalive=off;", LIVE));
    let mut peer = Peer::open(nginx.rtmp_port(), "live");
    assert_eq!(keepalive_timer(peer.stream()), None);
}

#[test]
fn client_is_whom_the_proxy_protocol_names() {
    let nginx = Nginx::start_conf(&listening("listen @rtmp@ proxy_protocol;", LIVE));
    let version_2 = |command: u8, family: u8, addresses: &[u8]| {
        let length = (addresses.len() as u16).to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, addresses].concat()
    };
    let v4 = [&[203, 0, 113, 8][..], &[10, 0, 0, 1], &[0x12, 0x34], &[0x07, 0x8f]].concat();
    let v6 = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0; 16], &[0; 4]];
    for (name, header, client) in [
        ("text4", b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 1935\r\n".to_vec(), "203.0.113.7"),
        ("text6", b"PROXY TCP6 2001:db8::7 ::1 4660 1935\r\n".to_vec(), "2001:db8::7"),
        ("unknown", b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        ("binary4", version_2(1, 0x11, &v4), "203.0.113.8"),
        ("binary6", version_2(1, 0x21, &v6.concat()), "2001:db8::9"),
        ("local", version_2(0, 0, &[]), "127.0.0.1"),
        ("extended", version_2(1, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()), "203.0.113.8"),
    ] {
        let mut stream = dial(nginx.rtmp_port());
        stream.write_all(&header).unwrap();
        let mut peer = Peer::over(stream);
        peer.enter("live");
        peer.ask_publish(name);
        peer.wait_for("NetStream.Publish.Start");
        nginx.wait_log(&["publishing", &format!("client: {client},"), &format!("\"{name}\"")]);
    }
}

#[test]
fn a_proxy_protocol_header_may_come_in_pieces() {
    let nginx = Nginx::start_conf(&listening("listen @rtmp@ proxy_protocol;", LIVE));
    let text = b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 1935\r\n".to_vec();
    let binary =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x12\x34\x07\x8f".to_vec();
    for (name, header) in [("text", text), ("binary", binary)] {
        let mut stream = dial(nginx.rtmp_port());
        stream.set_nodelay(true).unwrap();
        for byte in &header {
            stream.write_all(&[*byte]).unwrap();
            // Long enough for a worker to read some of them alone; it is right if it does not.
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut peer = Peer::over(stream);
        peer.enter("live");
        peer.ask_publish(name);
        peer.wait_for("NetStream.Publish.Start");
        nginx.wait_log(&["publishing", "client: 203.0.113.7,", &format!("\"{name}\"")]);
    }
}

#[test]
fn without_a_proper_proxy_protocol_header_there_is_no_session() {
    let conf = listening("listen @rtmp@ proxy_protocol;", &format!("timeout 1s; {LIVE}"));
    let nginx = Nginx::start_conf(&conf);
    for header in [
        &[3; 1537][..],
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
    ] {
        let mut stream = dial(nginx.rtmp_port());
        stream.write_all(header).unwrap();
        assert!(closes_within(&mut stream, Duration::from_secs(10)), "{header:?}");
    }
    nginx.wait_log(&["client sent an invalid PROXY protocol header", "client: 127.0.0.1"]);
    // Nothing at all.
    assert!(closes_within(&mut dial(nginx.rtmp_port()), Duration::from_secs(10)));
    nginx.wait_log(&["client sent no PROXY protocol header in time"]);
}

#[track_caller]
fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("to connect");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// How long the keepalive timer of the other end of `stream` runs yet, in units of 10 ms.
fn keepalive_timer(stream: &TcpStream) -> Option<u32> {
    let hex_port = |address: std::net::SocketAddr| format!(":{:04X}", address.port());
    let local = hex_port(stream.peer_addr().unwrap());
    let remote = hex_port(stream.local_addr().unwrap());
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let fields = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1].ends_with(&local) && fields[2].ends_with(&remote)).then_some(fields)
    })?;
    let (timer, left) = fields[5].split_once(':')?;
    // 2 is the timer of keepalive.
    (timer == "02").then(|| u32::from_str_radix(left, 16).expect("hexadecimal digits"))
}
