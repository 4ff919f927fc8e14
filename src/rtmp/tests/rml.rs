//! `rml_rtmp`, written by others, as the peer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
    PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;

use super::pair;
use crate::rtmp::chunk::{Framing, csid};
use crate::rtmp::session::{Event, Output, Session, SessionConfig};
use crate::rtmp::{Message, MessageType};
use crate::time::Instant;

/// A client of `rml_rtmp` and the session it talks to.
struct Rml {
    client: ClientSession,
    session: Session,
    client_events: Vec<ClientSessionEvent>,
    session_events: Vec<Event>,
}

impl Rml {
    fn connected() -> Self {
        let mut session = Session::new(Arc::default(), NOW, 1);
        shake_hands(&mut session);
        let (client, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let (client_events, session_events) = (Vec::new(), Vec::new());
        let mut rml = Self { client, session, client_events, session_events };
        rml.handle(results);
        let result = rml.client.request_connection("live".into()).unwrap();
        rml.handle(vec![result]);
        assert_eq!(rml.client_events, [ClientSessionEvent::ConnectionRequestAccepted]);
        rml.client_events.clear();
        rml
    }

    /// Passes on what the client wants sent, then what the session answers.
    fn handle(&mut self, results: Vec<ClientSessionResult>) {
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    self.session.handle_input(NOW, &packet.bytes).unwrap();
                    self.drain();
                }
                ClientSessionResult::RaisedEvent(event) => self.client_events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }

    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Send(bytes) => self.give_to_client(&bytes),
                Output::Event(event) => {
                    pair::accept(&mut self.session, NOW, &event).unwrap();
                    self.session_events.push(event);
                }
                Output::Close => panic!("closed"),
                Output::Timeout(_) => return,
            }
        }
    }

    fn give_to_client(&mut self, bytes: &[u8]) {
        let results = self.client.handle_input(bytes).unwrap();
        self.handle(results);
    }
}

fn shake_hands(session: &mut Session) {
    let mut handshake = Handshake::new(PeerType::Client);
    let mut to_session = handshake.generate_outbound_p0_and_p1().unwrap();
    loop {
        session.handle_input(NOW, &to_session).unwrap();
        let Output::Send(answer) = session.poll_output() else { panic!("no answer") };
        match handshake.process_bytes(&answer).unwrap() {
            HandshakeProcessResult::InProgress { response_bytes } => to_session = response_bytes,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                assert!(remaining_bytes.is_empty());
                return session.handle_input(NOW, &response_bytes).unwrap();
            }
        }
    }
}

fn message(kind: MessageType, timestamp: u32, payload: Vec<u8>) -> Message {
    Message { kind, timestamp, stream_id: 1, payload: payload.into() }
}

#[test]
fn rml_publishes() {
    let mut rml = Rml::connected();
    let result = rml.client.request_publishing("cam".into(), PublishRequestType::Live).unwrap();
    rml.handle(vec![result]);
    assert_eq!(rml.client_events, [ClientSessionEvent::PublishRequestAccepted]);
    assert!(matches!(&rml.session_events[..], [Event::Connect(_), Event::Publish(publish)]
        if publish.name == "cam"));
    rml.session_events.clear();

    let metadata = StreamMetadata { video_width: Some(640), ..StreamMetadata::new() };
    let video = Bytes::from(vec![0x17; 10_000]);
    let results = vec![
        rml.client.publish_metadata(&metadata).unwrap(),
        rml.client.publish_video_data(video.clone(), RtmpTimestamp::new(40), false).unwrap(),
        rml.client.publish_audio_data(vec![0xaf].into(), RtmpTimestamp::new(45), false).unwrap(),
        rml.client.publish_video_data(video, RtmpTimestamp::new(80), false).unwrap(),
    ];
    rml.handle(results);
    let [Event::Media(metadata), media @ ..] = &rml.session_events[..] else { panic!("nothing") };
    assert!(metadata.payload.starts_with(b"\x02\x00\x0aonMetaData"));
    assert_eq!(
        media,
        [
            message(MessageType::Video, 40, vec![0x17; 10_000]),
            message(MessageType::Audio, 45, vec![0xaf]),
            message(MessageType::Video, 80, vec![0x17; 10_000]),
        ]
        .map(Event::Media)
    );

    let results = rml.client.stop_publishing().unwrap();
    rml.handle(results);
    assert_eq!(rml.session_events.last(), Some(&Event::StreamClosed));
}

#[test]
fn rml_plays() {
    let mut rml = Rml::connected();
    let result = rml.client.request_playback("cam".into()).unwrap();
    rml.handle(vec![result]);
    assert!(rml.client_events.contains(&ClientSessionEvent::PlaybackRequestAccepted));
    rml.client_events.clear();

    let chunk_size = SessionConfig::default().chunk_size;
    let framing = Framing { chunk_size, repeat_extended_timestamp: true };
    let mut frames = BytesMut::new();
    framing.encode(csid::VIDEO, &message(MessageType::Video, 40, vec![7; 9_000]), &mut frames);
    framing.encode(csid::AUDIO, &message(MessageType::Audio, 45, vec![8; 100]), &mut frames);
    rml.give_to_client(&frames);
    assert_eq!(
        rml.client_events,
        [
            ClientSessionEvent::VideoDataReceived {
                timestamp: RtmpTimestamp::new(40),
                data: vec![7; 9_000].into(),
            },
            ClientSessionEvent::AudioDataReceived {
                timestamp: RtmpTimestamp::new(45),
                data: vec![8; 100].into(),
            },
        ]
    );

    let results = rml.client.stop_playback().unwrap();
    rml.handle(results);
    assert_eq!(rml.session_events.last(), Some(&Event::StreamClosed));
}

const NOW: Instant = Instant::from_millis(1_000_000);
