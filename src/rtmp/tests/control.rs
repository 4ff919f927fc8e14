//! Protocol control: chunk sizes, acknowledgements, pings.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::peer::Peer;
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::session::{Event, Output, SessionConfig};
use crate::rtmp::{Error, Limit, Message, MessageType, PeerMisbehaved};

#[test]
fn connect_is_answered_with_windows_and_chunk_size_first() {
    let mut peer = Peer::new(SessionConfig::default());
    peer.connect("live").unwrap();
    assert_eq!(
        peer.controls(),
        [
            Control::WindowAckSize(5_000_000),
            Control::SetPeerBandwidth(5_000_000),
            Control::SetChunkSize(4096),
        ]
    );
    assert_eq!(peer.last_code(), "NetConnection.Connect.Success");
}

#[test]
fn settings_may_change_until_connect_is_answered() {
    let chosen = Arc::new(SessionConfig {
        ack_window: 1000,
        chunk_size: 200,
        max_message: 300,
        ping: Duration::from_secs(5),
        ..SessionConfig::default()
    });
    let mut peer = Peer::new(SessionConfig::default());
    peer.accept = false;
    peer.connect("live").unwrap();
    peer.session.configure(&chosen, peer.now);
    peer.session.accept_connect(peer.now).unwrap();
    peer.accept = true;
    peer.drain().unwrap();
    assert_eq!(
        peer.controls(),
        [Control::WindowAckSize(1000), Control::SetPeerBandwidth(1000), Control::SetChunkSize(200),]
    );
    assert_eq!(peer.session.poll_output(), Output::Timeout(Some(peer.now + chosen.ping)));
    peer.session.configure(&Arc::new(SessionConfig::default()), peer.now);
    peer.publish("cam").unwrap();
    let error = peer.send(MessageType::Video, 0, vec![9; 301]);
    assert!(matches!(error, Err(Error::Limit(Limit::Message { .. }))), "{error:?}");
}

#[test]
fn a_publisher_may_change_its_chunk_size_at_any_time() {
    let mut peer = Peer::publishing();
    for size in [1, 4096, 65536, 10_485_760] {
        peer.control(Control::SetChunkSize(size)).unwrap();
        peer.framing.chunk_size = size;
        peer.send(MessageType::Video, size, vec![9; 10_000]).unwrap();
    }
    assert_eq!(peer.events.len(), 4);
}

#[test]
fn a_chunk_size_of_nothing_or_too_much_is_refused() {
    for (size, error) in [
        (0, PeerMisbehaved::ChunkSize(0).into()),
        (0x8000_0001, PeerMisbehaved::ChunkSize(0x8000_0001).into()),
        (10_485_761, Error::from(Limit::ChunkSize { size: 10_485_761, max: 10_485_760 })),
    ] {
        assert_eq!(Peer::publishing().control(Control::SetChunkSize(size)), Err(error));
    }
}

#[test]
fn an_aborted_message_is_forgotten() {
    let mut peer = Peer::publishing();
    let payload = vec![5; 200].into();
    let message = Message { kind: MessageType::Video, timestamp: 0, stream_id: 1, payload };
    let mut bytes = BytesMut::new();
    peer.framing.encode(6, &message, &mut bytes);
    // The header and the first chunk's payload.
    peer.input(&bytes[..12 + 128]).unwrap();
    peer.control(Control::Abort(6)).unwrap();
    peer.input(&bytes).unwrap();
    assert_eq!(peer.events, [Event::Media(message)]);
}

#[test]
fn input_is_acknowledged_by_the_smaller_window() {
    let mut peer = Peer::new(SessionConfig { ack_window: 50_000, ..SessionConfig::default() });
    peer.connect("live").unwrap();
    peer.publish("cam").unwrap();
    peer.forget();
    peer.control(Control::WindowAckSize(20_000)).unwrap();
    for _ in 0..10 {
        peer.send(MessageType::Video, 0, vec![9; 9_000]).unwrap();
    }
    let acknowledged: Vec<_> = peer
        .controls()
        .into_iter()
        .map(|control| match control {
            Control::Acknowledgement(sequence) => sequence,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(acknowledged.len(), 3);
    assert!(acknowledged.is_sorted_by(|a, b| b - a >= 20_000));
    assert!(u64::from(*acknowledged.last().unwrap()) <= peer.session.bytes_received());
}

#[test]
fn the_handshake_is_not_acknowledged() {
    let mut peer = Peer::new(SessionConfig { ack_window: 1, ..SessionConfig::default() });
    peer.connect("live").unwrap();
    assert_eq!(peer.controls()[0], Control::WindowAckSize(1));
}

#[test]
fn a_silly_window_brings_one_acknowledgement_per_input() {
    let mut peer = Peer::publishing();
    peer.control(Control::WindowAckSize(0)).unwrap();
    peer.forget();
    peer.send(MessageType::Video, 0, vec![9; 9_000]).unwrap();
    assert_eq!(peer.controls().len(), 1);
}

#[test]
fn the_peers_bandwidth_limit_is_confirmed_once() {
    let mut peer = Peer::connected();
    peer.control(Control::SetPeerBandwidth(2_500_000)).unwrap();
    peer.control(Control::SetPeerBandwidth(2_500_000)).unwrap();
    assert_eq!(peer.controls(), [Control::WindowAckSize(2_500_000)]);
}

#[test]
fn a_ping_is_answered_with_its_timestamp() {
    let mut peer = Peer::connected();
    peer.control(Control::User(UserControl::PingRequest(4711))).unwrap();
    assert_eq!(peer.controls(), [Control::User(UserControl::PingResponse(4711))]);
}

#[test]
fn events_of_no_use_are_ignored() {
    let mut peer = Peer::connected();
    for event in [
        UserControl::StreamBegin(1),
        UserControl::StreamEof(1),
        UserControl::StreamDry(1),
        UserControl::StreamIsRecorded(1),
        UserControl::PingResponse(1),
        UserControl::Other(26),
    ] {
        peer.control(Control::User(event)).unwrap();
    }
    peer.control(Control::Acknowledgement(77)).unwrap();
    assert_eq!((peer.events.len(), peer.received.len()), (0, 0));
}
