//! Peers that break the protocol or a limit.

use std::sync::Arc;

use super::peer::Peer;
use crate::amf0::{self, Value};
use crate::rtmp::control::Control;
use crate::rtmp::session::{Output, Session, SessionConfig};
use crate::rtmp::{Error, Limit, MessageType, PeerMisbehaved, Unsupported, command};
use crate::time::Instant;

fn too_long(what: &'static str, length: usize, max: usize) -> Error {
    Limit::Text { what, length, max }.into()
}

fn missing(command: &'static str, what: &'static str) -> Error {
    PeerMisbehaved::MissingArgument { command, what }.into()
}

#[test]
fn another_protocol_is_refused_at_once() {
    let refused =
        [(b'G', PeerMisbehaved::Version(b'G').into()), (6, Unsupported::Encryption(6).into())];
    for (version, error) in refused {
        let mut session = Session::new(Arc::default(), Instant::default(), 1);
        assert_eq!(session.handle_input(Instant::default(), &[version]), Err(error));
        assert_eq!(session.poll_output(), Output::Close);
        assert_eq!(session.handle_input(Instant::default(), &[3]), Ok(()));
        assert_eq!(session.poll_output(), Output::Timeout(None));
    }
}

#[test]
fn connect_comes_first_and_once() {
    let mut peer = Peer::new(SessionConfig::default());
    assert_eq!(peer.publish("cam"), Err(PeerMisbehaved::CommandBeforeConnect.into()));
    assert!(peer.closed && peer.received.is_empty());

    let mut peer = Peer::connected();
    assert_eq!(peer.connect("live"), Err(PeerMisbehaved::SecondConnect.into()));
    assert_eq!(peer.last_code(), "NetStream.Failed");
    assert!(peer.closed);
}

#[test]
fn an_error_is_told_in_words() {
    let mut peer = Peer::new(SessionConfig { max_message: 1000, ..SessionConfig::default() });
    peer.connect("live").unwrap();
    peer.publish("cam").unwrap();
    let error = Limit::Message { length: 1001, max: 1000 };
    assert_eq!(peer.send(MessageType::Video, 0, vec![0; 1001]), Err(error.clone().into()));
    let told = String::from_utf8_lossy(&peer.received.last().unwrap().payload).into_owned();
    assert!(told.contains(&error.to_string()), "{told}");
}

#[test]
fn an_application_is_named_without_its_trimmings() {
    for (sent, app, args) in [
        ("live", "live", ""),
        ("live/", "live", ""),
        ("live/_definst_", "live", ""),
        ("live/_definst_/", "live", ""),
        ("live?key=a/b?c", "live", "key=a/b?c"),
        ("live/?key=", "live", "key="),
        ("live/room", "live/room", ""),
    ] {
        let mut peer = Peer::new(SessionConfig::default());
        peer.connect(sent).unwrap();
        let connect = peer.session.connect().unwrap();
        assert_eq!((connect.app.as_str(), connect.args.as_str()), (app, args));
    }
}

#[test]
fn names_have_limits() {
    let connect = |app: &str| Peer::new(SessionConfig::default()).connect(app);
    let publish = |name: &str| Peer::connected().publish(name);
    let play = |name: &str| Peer::connected().call("play", 0.0, &[Value::Null, name.into()]);
    let long = "n".repeat(256);
    assert_eq!(connect(&long[1..]), Ok(()));
    assert_eq!(connect(&long), Err(too_long("application", 256, 255)));
    assert_eq!(connect(""), Err(missing("connect", "application")));
    assert_eq!(publish(&long[1..]), Ok(()));
    assert_eq!(publish(&long), Err(too_long("stream name", 256, 255)));
    assert_eq!(publish("?token"), Err(missing("publish", "stream name")));
    assert_eq!(play(&long), Err(too_long("stream name", 256, 255)));
    assert_eq!(play(""), Err(missing("play", "stream name")));

    let query = format!("cam?{}", "q".repeat(2048));
    assert_eq!(publish(&query), Ok(()));
    assert_eq!(publish(&(query + "q")), Err(too_long("stream query", 2049, 2048)));
}

#[test]
fn a_command_has_a_limit() {
    let long = [Value::Null, "cam".into(), "x".repeat(65_536).as_str().into()];
    let refused = Peer::connected().call("publish", 0.0, &long);
    assert!(matches!(refused, Err(Error::Limit(Limit::Text { what: "command", .. }))));
}

#[test]
fn text_has_no_control_characters() {
    for name in ["a\nb", "a\0", "cam?a=\r\n"] {
        let error = Peer::connected().publish(name);
        assert!(
            matches!(error, Err(Error::PeerMisbehaved(PeerMisbehaved::ControlCharacter { .. }))),
            "{error:?}"
        );
    }
}

#[test]
fn arguments_may_be_missing_or_of_another_type() {
    let call = |name: &str, arguments: &[Value]| Peer::connected().call(name, 0.0, arguments);
    assert_eq!(call("publish", &[]), Err(missing("publish", "stream name")));
    assert_eq!(call("publish", &[Value::Null, 1.0.into()]), Err(missing("publish", "stream name")));
    assert_eq!(call("play2", &[Value::Null]), Err(missing("play2", "options")));
    assert_eq!(call("publish", &[Value::Null, "cam".into(), 5.0.into()]), Ok(()));
    assert_eq!(call("pause", &[]), Ok(()));
    assert_eq!(call("seek", &[Value::Null, "far".into()]), Ok(()));
    let mut peer = Peer::new(SessionConfig::default());
    assert_eq!(peer.call("connect", 1.0, &[]), Err(missing("connect", "command object")));
}

#[test]
fn a_command_cut_anywhere_never_panics() {
    let arguments = [Value::Null, "cam".into(), (-1000.0).into(), 5.0.into(), true.into()];
    let whole = command::encode("play", 3.0, &arguments);
    for length in 0..=whole.len() {
        let mut peer = Peer::connected();
        let result = peer.send(MessageType::CommandAmf0, 0, whole.slice(..length));
        assert_eq!(peer.closed, result.is_err());
    }
    let garbage = Peer::connected().send(MessageType::CommandAmf0, 0, vec![0xff]);
    assert_eq!(garbage, Err(PeerMisbehaved::from(amf0::Error::Marker(0xff)).into()));
}

#[test]
fn a_broken_control_message_is_refused() {
    let mut peer = Peer::connected();
    let broken = peer.send(MessageType::SetChunkSize, 0, vec![0, 0]);
    let error = PeerMisbehaved::ControlTruncated(MessageType::SetChunkSize);
    assert_eq!(broken, Err(error.into()));
}

#[test]
fn a_flood_in_one_read_yields_no_more_than_its_size_allows() {
    let mut peer = Peer::publishing();
    peer.control(Control::SetChunkSize(65_536)).unwrap();
    // Messages without payload, one byte each after the first: format 3 on chunk stream 3.
    peer.send(MessageType::Audio, 0, vec![]).unwrap();
    peer.input(&[0xc3; 10_000]).unwrap();
    assert_eq!(peer.events.len(), 10_001);
}

#[test]
fn nothing_is_processed_after_an_error() {
    let mut peer = Peer::publishing();
    assert!(peer.connect("live").is_err());
    peer.forget();
    assert_eq!(peer.send(MessageType::Video, 0, vec![1]), Ok(()));
    peer.session.end_play();
    peer.session.accept_publish(peer.now).unwrap();
    peer.session.handle_timeout(Instant::from_millis(u64::MAX)).unwrap();
    peer.drain().unwrap();
    assert_eq!((peer.events.len(), peer.received.len()), (0, 0));
}
