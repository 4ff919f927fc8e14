//! Deadlines: connect, ping, pong.

use std::sync::Arc;
use std::time::Duration;

use super::pair::{Pair, client_config};
use super::peer::Peer;
use crate::rtmp::client::{LIVE, Role};
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::session::{Output, Session, SessionConfig};
use crate::rtmp::{Error, Limit, MessageType};
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn timeout(session: &mut Session) -> Option<Instant> {
    match session.poll_output() {
        Output::Timeout(at) => at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_must_connect_in_time() {
    let now = Instant::from_millis(5);
    let mut silent = Session::new(Arc::default(), now, 1);
    let mut greeted = Peer::new(SessionConfig::default());
    let error = Err(Error::from(Limit::ConnectTimeout(60 * SECOND)));
    for (session, now) in [(&mut silent, now), (&mut greeted.session, greeted.now)] {
        assert_eq!(timeout(session), Some(now + 60 * SECOND));
        assert_eq!(session.handle_timeout(now + 59 * SECOND), Ok(()));
        assert_eq!(session.handle_timeout(now + 60 * SECOND), error);
        assert_eq!(session.poll_output(), Output::Close);
        assert_eq!(timeout(session), None);
    }
}

#[test]
fn a_slow_handshake_does_not_put_off_the_deadline() {
    let start = Instant::from_millis(0);
    let mut session = Session::new(Arc::default(), start, 1);
    session.handle_input(start + 59 * SECOND, &[3]).unwrap();
    assert_eq!(timeout(&mut session), Some(start + 60 * SECOND));
}

#[test]
fn a_client_gives_up_on_a_server_that_does_not_answer() {
    let mut pair = Pair::new(Role::Play { start: LIVE });
    pair.try_run(|_, _, _| Ok(())).unwrap();
    let given_up = pair.pass(10 * SECOND);
    assert_eq!(given_up, Err(Error::from(Limit::StartTimeout(10 * SECOND))));
}

#[test]
fn a_silent_peer_is_pinged_then_dropped() {
    let mut peer = Peer::publishing();
    let pinged = peer.now + 60 * SECOND;
    assert_eq!(timeout(&mut peer.session), Some(pinged));
    peer.session.handle_timeout(pinged).unwrap();
    peer.drain().unwrap();
    let timestamp = pinged.as_millis() as u32;
    assert_eq!(peer.controls(), [Control::User(UserControl::PingRequest(timestamp))]);
    assert_eq!(timeout(&mut peer.session), Some(pinged + 30 * SECOND));
    let dropped = peer.session.handle_timeout(pinged + 30 * SECOND);
    assert_eq!(dropped, Err(Error::from(Limit::PingTimeout(30 * SECOND))));
    peer.drain().unwrap();
    assert!(peer.closed);
}

#[test]
fn a_client_answers_pings_and_stays() {
    let mut pair =
        Pair::with(client_config(Role::Play { start: LIVE }), SessionConfig::default(), usize::MAX);
    pair.run();
    for _ in 0..10 {
        pair.pass(60 * SECOND).unwrap();
        pair.run();
    }
    assert!(!pair.session_closed);
}

#[test]
fn anything_received_is_a_sign_of_life() {
    let mut peer = Peer::publishing();
    let start = peer.now;
    peer.now = start + 59 * SECOND;
    peer.send(MessageType::Audio, 0, vec![1]).unwrap();
    assert_eq!(timeout(&mut peer.session), Some(start + 119 * SECOND));
    peer.session.handle_timeout(start + 119 * SECOND).unwrap();
    peer.drain().unwrap();
    peer.now = start + 120 * SECOND;
    peer.send(MessageType::Audio, 0, vec![1]).unwrap();
    assert_eq!(timeout(&mut peer.session), Some(start + 180 * SECOND));
}

#[test]
fn time_for_an_answer_is_not_the_peers() {
    let mut peer = Peer::connected();
    peer.accept = false;
    peer.publish("cam").unwrap();
    assert_eq!(timeout(&mut peer.session), None);
    let answered = peer.now + 300 * SECOND;
    peer.session.handle_timeout(answered).unwrap();
    peer.session.accept_publish(answered).unwrap();
    peer.drain().unwrap();
    assert_eq!(timeout(&mut peer.session), Some(answered + 60 * SECOND));
}

#[test]
fn ping_zero_is_never() {
    let mut peer = Peer::new(SessionConfig { ping: Duration::ZERO, ..SessionConfig::default() });
    peer.connect("live").unwrap();
    assert_eq!(timeout(&mut peer.session), None);
}

#[test]
fn busy_drops_instead_of_pinging() {
    let mut peer = Peer::new(SessionConfig { busy: true, ..SessionConfig::default() });
    peer.connect("live").unwrap();
    let dropped = peer.session.handle_timeout(peer.now + 60 * SECOND);
    assert_eq!(dropped, Err(Error::from(Limit::Busy(60 * SECOND))));
}
