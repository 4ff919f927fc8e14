//! Publishing, from connect to closeStream.

use bytes::Bytes;

use super::pair::{Pair, client_config};
use super::peer::Peer;
use crate::amf0::Value;
use crate::rtmp::capabilities::{Capabilities, CodecName};
use crate::rtmp::client::{self, Role};
use crate::rtmp::command::{Connect, Publish, PublishKind};
use crate::rtmp::session::{Event, PublishRefusal, SessionConfig};
use crate::rtmp::{Message, MessageType};

fn message(kind: MessageType, timestamp: u32, payload: Vec<u8>) -> Message {
    Message { kind, timestamp, stream_id: 1, payload: payload.into() }
}

fn metadata() -> Message {
    message(MessageType::DataAmf0, 0, b"\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09".to_vec())
}

/// A stream that has messages of no, one and many chunks, and timestamps of all sizes.
fn stream() -> Vec<Message> {
    vec![
        metadata(),
        message(MessageType::Audio, 0, vec![]),
        message(MessageType::Audio, 5, vec![0xaf, 1, 2]),
        message(MessageType::Video, 0x00ff_ffff, vec![0x17; 9000]),
        message(MessageType::Video, 0xffff_fff0, vec![0x27; 4096]),
        message(MessageType::Audio, 16, vec![0xaf; 4097]),
    ]
}

fn publish_in_pieces_of(piece: usize) {
    let mut pair = Pair::with(client_config(Role::Publish), SessionConfig::default(), piece);
    pair.run();
    assert_eq!(pair.client_events, [client::Event::PublishStarted { stream_id: 1 }]);
    let connect = Connect {
        app: "live".into(),
        tc_url: "rtmp://localhost/live".into(),
        flash_ver: "LNX 9,0,124,2".into(),
        capabilities: Some(
            Capabilities { codecs: vec![CodecName::Any], ..Capabilities::default() }.into(),
        ),
        ..Connect::default()
    };
    assert_eq!(pair.session.connect(), Some(&connect));
    let publish = Publish { name: "cam".into(), args: "token=1".into(), kind: PublishKind::Live };
    assert_eq!(
        std::mem::take(&mut pair.session_events),
        [Event::Connect(connect.into()), Event::Publish(publish.into())]
    );

    stream().iter().for_each(|message| pair.client.send(message));
    pair.run();
    let expected: Vec<_> = stream().into_iter().map(Event::Media).collect();
    assert_eq!(std::mem::take(&mut pair.session_events), expected);

    pair.client.close();
    pair.run();
    assert_eq!(pair.session_events, [Event::StreamClosed]);
    assert!(pair.client_closed && !pair.session_closed);
}

#[test]
fn a_stream_arrives_as_it_was_sent() {
    publish_in_pieces_of(usize::MAX);
}

#[test]
fn a_stream_arrives_however_its_bytes_are_split() {
    for piece in [1, 2, 3, 7, 11, 1536, 4095] {
        publish_in_pieces_of(piece);
    }
}

#[test]
fn commands_are_answered_as_encoders_expect() {
    let mut peer = Peer::connected();
    let name = [Value::Null, "cam".into()];
    peer.call("releaseStream", 2.0, &name).unwrap();
    peer.call("FCPublish", 3.0, &name).unwrap();
    peer.call("createStream", 4.0, &[Value::Null]).unwrap();
    peer.publish("cam").unwrap();
    peer.call("FCUnpublish", 0.0, &name).unwrap();
    let reply = |name: &str, transaction, code: &str| (name.to_owned(), transaction, code.into());
    assert_eq!(
        peer.replies(),
        [
            reply("_result", 2.0, ""),
            reply("onFCPublish", 0.0, "NetStream.Publish.Start"),
            reply("_result", 3.0, ""),
            reply("_result", 4.0, ""),
            reply("onStatus", 0.0, "NetStream.Publish.Start"),
            reply("onFCUnpublish", 0.0, "NetStream.Unpublish.Success"),
            reply("onStatus", 0.0, "NetStream.Unpublish.Success"),
        ]
    );
}

#[test]
fn on_status_travels_on_the_message_stream() {
    let mut peer = Peer::connected();
    peer.publish("cam").unwrap();
    assert_eq!(peer.received.iter().map(|message| message.stream_id).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_stream_can_be_closed_and_another_published() {
    let mut peer = Peer::publishing();
    peer.call("closeStream", 0.0, &[Value::Null]).unwrap();
    assert_eq!(peer.last_code(), "NetStream.Unpublish.Success");
    peer.call("deleteStream", 0.0, &[Value::Null, 1.0.into()]).unwrap();
    peer.publish("other").unwrap();
    assert_eq!(peer.last_code(), "NetStream.Publish.Start");
    assert!(matches!(&peer.events[..], [Event::StreamClosed, Event::Publish(publish)]
        if publish.name == "other"));
}

#[test]
fn a_second_publish_on_the_stream_is_an_error_and_changes_nothing() {
    let mut peer = Peer::publishing();
    peer.publish("other").unwrap();
    assert_eq!(peer.last_code(), "NetStream.Publish.BadName");
    peer.call("play", 0.0, &[Value::Null, "cam".into()]).unwrap();
    assert_eq!(peer.last_code(), "NetStream.Play.Failed");
    peer.send(MessageType::Audio, 0, vec![1]).unwrap();
    assert_eq!(peer.events, [Event::Media(message(MessageType::Audio, 0, vec![1]))]);
    assert!(!peer.closed);
}

#[test]
fn a_refusal_is_told_and_closes() {
    let codes = [
        (PublishRefusal::BadName, "NetStream.Publish.BadName"),
        (PublishRefusal::Denied, "NetStream.Publish.Denied"),
        (PublishRefusal::Failed, "NetStream.Publish.Failed"),
    ];
    for (refusal, code) in codes {
        let mut pair = Pair::new(Role::Publish);
        pair.try_run(|session, now, event| match event {
            Event::Connect(_) => session.accept_connect(now),
            _ => {
                session.reject_publish(refusal);
                Ok(())
            }
        })
        .unwrap();
        assert!(matches!(&pair.client_events[..], [client::Event::Failed { code: found, .. }]
            if found == code));
        assert!(pair.session_closed && pair.client_closed);
    }
}

#[test]
fn a_publisher_that_is_displaced_is_told_and_closed() {
    let mut pair = Pair::new(Role::Publish);
    pair.run();
    pair.session.end_publish();
    pair.run();
    assert!(matches!(&pair.client_events[..], [.., client::Event::Failed { code, .. }]
        if code == "NetStream.Publish.BadName"));
    assert!(pair.session_closed && pair.client_closed);
}

#[test]
fn an_unknown_application_is_told_and_closes() {
    let mut pair = Pair::new(Role::Publish);
    pair.try_run(|session, _, _| {
        session.reject_connect("no application live");
        Ok(())
    })
    .unwrap();
    let failed = client::Event::Failed {
        code: "NetConnection.Connect.Rejected".into(),
        description: "no application live".into(),
    };
    assert_eq!(pair.client_events, [failed]);
    assert!(pair.session_closed);
}

#[test]
fn input_waits_for_the_answer() {
    let mut peer = Peer::connected();
    peer.accept = false;
    peer.publish("cam").unwrap();
    assert!(!peer.session.wants_input());
    peer.send(MessageType::Video, 40, vec![7; 300]).unwrap();
    peer.call("createStream", 4.0, &[]).unwrap();
    assert_eq!(peer.events.len(), 1);
    assert_eq!(peer.received, []);

    peer.session.accept_publish(peer.now).unwrap();
    peer.drain().unwrap();
    assert!(peer.session.wants_input());
    assert_eq!(peer.events[1..], [Event::Media(message(MessageType::Video, 40, vec![7; 300]))]);
    assert_eq!(peer.replies().len(), 2);
}

#[test]
fn input_held_may_hold_the_next_request() {
    let mut peer = Peer::connected();
    peer.accept = false;
    peer.publish("cam").unwrap();
    peer.call("closeStream", 0.0, &[]).unwrap();
    peer.publish("other").unwrap();
    peer.send(MessageType::Audio, 0, vec![1]).unwrap();
    peer.session.accept_publish(peer.now).unwrap();
    peer.drain().unwrap();
    assert!(matches!(&peer.events[1..], [Event::StreamClosed, Event::Publish(_)]));
    assert!(!peer.session.wants_input());
    peer.session.accept_publish(peer.now).unwrap();
    peer.drain().unwrap();
    assert!(matches!(&peer.events[3..], [Event::Media(_)]));
}

#[test]
fn media_outside_a_publish_is_dropped() {
    let mut peer = Peer::connected();
    peer.send(MessageType::Audio, 0, vec![1]).unwrap();
    peer.send(MessageType::DataAmf0, 0, metadata().payload).unwrap();
    peer.send(MessageType::Aggregate, 0, vec![1]).unwrap();
    assert_eq!(peer.events, []);
    let mut peer = Peer::playing();
    peer.send(MessageType::Video, 0, Bytes::from_static(&[1])).unwrap();
    assert_eq!(peer.events, []);
}
