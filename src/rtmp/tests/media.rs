//! What becomes of a publisher's messages.

use super::peer::Peer;
use crate::amf0::Value;
use crate::rtmp::command;
use crate::rtmp::session::{Event, SessionConfig};
use crate::rtmp::{Error, MessageType, PeerMisbehaved};

fn media(peer: &Peer) -> Vec<(MessageType, u32, &[u8])> {
    fn parts(event: &Event) -> (MessageType, u32, &[u8]) {
        match event {
            Event::Media(message) => (message.kind, message.timestamp, &message.payload),
            other => panic!("{other:?}"),
        }
    }
    peer.events.iter().map(parts).collect()
}

#[test]
fn an_aggregate_is_taken_apart() {
    let mut peer = Peer::publishing();
    let aggregate = [
        &[8, 0, 0, 1, 0, 0, 100, 0, 0, 0, 0, 0xaa, 0, 0, 0, 12][..],
        &[18, 0, 0, 16, 0, 0, 100, 0, 0, 0, 0],
        b"\x02\x00\x0d@setDataFrame",
        &[0, 0, 0, 27],
        &[9, 0, 0, 2, 0, 0, 140, 0, 0, 0, 0, 0xbb, 0xcc, 0, 0, 0, 13],
    ]
    .concat();
    peer.send(MessageType::Aggregate, 1000, aggregate).unwrap();
    assert_eq!(
        media(&peer),
        [(MessageType::Audio, 1000, &[0xaa][..]), (MessageType::Video, 1040, &[0xbb, 0xcc])]
    );
}

#[test]
fn a_broken_aggregate_ends_the_session() {
    let mut peer = Peer::publishing();
    let broken = peer.send(MessageType::Aggregate, 0, vec![8, 0, 0, 1]);
    assert_eq!(broken, Err(Error::from(PeerMisbehaved::AggregateTruncated)));
    assert_eq!(peer.last_code(), "NetStream.Failed");
    assert!(peer.closed);
}

#[test]
fn data_comes_bare_whatever_it_was_wrapped_in() {
    let mut peer = Peer::publishing();
    let bare = b"\x02\x00\x0aonMetaData\x05";
    let wrapped = [b"\x02\x00\x0d@setDataFrame", &bare[..]].concat();
    peer.send(MessageType::DataAmf0, 1, wrapped.clone()).unwrap();
    peer.send(MessageType::DataAmf3, 2, [&[0], &wrapped[..]].concat()).unwrap();
    peer.send(MessageType::DataAmf0, 3, &bare[..]).unwrap();
    let data = MessageType::DataAmf0;
    assert_eq!(media(&peer), [(data, 1, &bare[..]), (data, 2, bare), (data, 3, bare)]);
}

#[test]
fn types_that_are_no_media_are_ignored() {
    let mut peer = Peer::publishing();
    for id in [0, 7, 10, 16, 19, 21, 23, 255] {
        peer.send(MessageType::Other(id), 0, vec![1, 2, 3]).unwrap();
    }
    assert_eq!((peer.events.len(), peer.received.len()), (0, 0));
}

#[test]
fn commands_may_come_as_amf3() {
    let mut peer = Peer::new(SessionConfig::default());
    let object =
        Value::Object(vec![("app".into(), "live".into()), ("objectEncoding".into(), 3.0.into())]);
    let connect = command::encode("connect", 1.0, &[object]);
    peer.send(MessageType::CommandAmf3, 0, [&[0], &connect[..]].concat()).unwrap();
    assert_eq!(peer.last_code(), "NetConnection.Connect.Success");
    assert_eq!(peer.session.connect().unwrap().object_encoding, 3.0);
    let publish = command::encode("publish", 2.0, &[Value::Null, "cam".into(), "record".into()]);
    peer.send(MessageType::CommandAmf3, 0, publish).unwrap();
    assert_eq!(peer.last_code(), "NetStream.Publish.Start");
}
