//! The server shuts down: who can is asked to reconnect, and who is left is told.

use super::peer::Peer;
use crate::amf0::Value;
use crate::rtmp::Message;
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::reply::Reply;
use crate::rtmp::session::SessionConfig;

const RECONNECT: &str = "NetConnection.Connect.ReconnectRequest";
const SHUTDOWN: &str = "NetConnection.Connect.AppShutdown";

/// Connects with what Enhanced RTMP adds.
fn connect(peer: &mut Peer, announced: &[(&str, Value)]) {
    let app = [("app", "live".into())];
    let properties = app.iter().chain(announced);
    let object = properties.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    peer.call("connect", 1.0, &[Value::Object(object)]).expect("connect is accepted");
}

fn connected(announced: &[(&str, Value)]) -> Peer {
    let mut peer = Peer::new(SessionConfig::default());
    connect(&mut peer, announced);
    peer.forget();
    peer
}

fn movable() -> Peer {
    connected(&[("capsEx", 1.0.into())])
}

fn codes(peer: &Peer) -> Vec<String> {
    peer.replies().into_iter().map(|(_, _, code)| code).collect()
}

fn ask_to_reconnect(peer: &mut Peer) -> bool {
    let asked = peer.session.request_reconnect();
    peer.drain().unwrap();
    asked
}

fn shut_down(peer: &mut Peer) {
    peer.session.shut_down();
    peer.drain().unwrap();
    assert!(peer.closed);
}

/// The first argument of the answer to `connect`.
fn server_properties(peer: &Peer) -> Value {
    let is_result =
        |message: &&Message| Reply::decode(message).is_ok_and(|it| it.name == "_result");
    let result = peer.received.iter().find(is_result).expect("an answer to connect");
    Value::decode_all(&result.payload).unwrap().swap_remove(2)
}

#[test]
fn a_server_says_what_it_can_to_who_says_so_too() {
    let announced = [
        [("capsEx", 0.0.into())],
        [("fourCcList", Value::StrictArray(vec!["hvc1".into()]))],
        [("videoFourCcInfoMap", Value::Object(vec![]))],
        [("audioFourCcInfoMap", Value::Null)],
    ];
    for announced in announced {
        let mut peer = Peer::new(SessionConfig::default());
        connect(&mut peer, &announced);
        let properties = server_properties(&peer);
        assert_eq!(properties.get("capsEx"), Some(&5.0.into()));
        assert_eq!(properties.get("fourCcList"), Some(&Value::StrictArray(vec!["*".into()])));
        for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
            assert_eq!(properties.get(map).unwrap().get("*"), Some(&4.0.into()), "{map}");
        }
    }
    let mut classic = Peer::new(SessionConfig::default());
    connect(&mut classic, &[]);
    let names = server_properties(&classic);
    let names: Vec<_> = names.as_properties().unwrap().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["fmsVer", "capabilities"]);
}

#[test]
fn who_can_is_asked_to_reconnect_whatever_it_does() {
    let mut publisher = movable();
    publisher.publish("cam").unwrap();
    let mut player = movable();
    player.call("play", 0.0, &[Value::Null, "cam".into()]).unwrap();
    for mut peer in [movable(), publisher, player] {
        peer.forget();
        assert!(ask_to_reconnect(&mut peer));
        assert_eq!(peer.replies(), [("onStatus".to_owned(), 0.0, RECONNECT.to_owned())]);
        // It concerns the connection, and not its stream.
        assert_eq!(peer.received[0].stream_id, 0);
        assert_eq!(Reply::decode(&peer.received[0]).unwrap().text("level"), "status");
        assert!(!peer.closed);
    }
}

#[test]
fn who_cannot_is_left_alone() {
    for announced in [&[][..], &[("capsEx", 6.0.into())], &[("fourCcList", Value::Null)]] {
        let mut peer = connected(announced);
        assert!(!ask_to_reconnect(&mut peer));
        assert!(peer.received.is_empty() && !peer.closed);
    }
}

#[test]
fn who_is_about_to_connect_is_asked_after_the_answer() {
    let mut peer = Peer::new(SessionConfig::default());
    assert!(!ask_to_reconnect(&mut peer));
    connect(&mut peer, &[("capsEx", 1.0.into())]);
    assert_eq!(codes(&peer), ["NetConnection.Connect.Success", RECONNECT]);

    let mut asked = Peer::new(SessionConfig::default());
    asked.accept = false;
    connect(&mut asked, &[("capsEx", 1.0.into())]);
    assert!(!ask_to_reconnect(&mut asked));
    assert!(asked.replies().is_empty());
    asked.session.accept_connect(asked.now).unwrap();
    asked.drain().unwrap();
    assert_eq!(codes(&asked), ["NetConnection.Connect.Success", RECONNECT]);
}

#[test]
fn a_server_that_shuts_down_says_so_and_closes() {
    let mut idle = Peer::connected();
    shut_down(&mut idle);
    assert_eq!(codes(&idle), [SHUTDOWN]);
    let mut publisher = Peer::publishing();
    shut_down(&mut publisher);
    assert_eq!(codes(&publisher), ["NetStream.Unpublish.Success", SHUTDOWN]);
    let mut player = Peer::playing();
    shut_down(&mut player);
    assert_eq!(codes(&player), ["NetStream.Play.Stop", SHUTDOWN]);
    assert_eq!(player.controls(), [Control::User(UserControl::StreamEof(1))]);
    let level = |peer: &Peer| Reply::decode(peer.received.last().unwrap()).unwrap();
    assert_eq!(level(&player).text("level"), "error");
}

#[test]
fn a_server_that_shuts_down_closes_silently_before_connect() {
    let mut peer = Peer::new(SessionConfig::default());
    peer.forget();
    shut_down(&mut peer);
    assert!(peer.received.is_empty());
}

#[test]
fn a_publisher_that_moved_is_not_refused_for_it() {
    let mut moved = movable();
    moved.publish("cam").unwrap();
    ask_to_reconnect(&mut moved);
    moved.session.end_publish();
    moved.drain().unwrap();
    assert_eq!(moved.last_code(), "NetStream.Unpublish.Success");
    assert!(moved.closed);

    let mut other = Peer::publishing();
    ask_to_reconnect(&mut other);
    other.session.end_publish();
    other.drain().unwrap();
    assert_eq!(other.last_code(), "NetStream.Publish.BadName");
}
