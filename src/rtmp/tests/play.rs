//! Playing, and what a player may ask meanwhile.

use std::time::Duration;

use super::pair::{Pair, client_config};
use super::peer::Peer;
use crate::amf0::Value;
use crate::rtmp::MessageType;
use crate::rtmp::client::{self, LIVE, Role};
use crate::rtmp::command::Play;
use crate::rtmp::control::{Control, UserControl};
use crate::rtmp::session::{Event, PlayRefusal, SessionConfig};

fn play(name: &str) -> Event {
    let name = name.into();
    let (start, duration) = (0, 0);
    Event::Play(Play { name, args: String::new(), start, duration, reset: false }.into())
}

#[test]
fn a_player_is_told_that_its_stream_begins() {
    let mut peer = Peer::connected();
    peer.call("play", 0.0, &[Value::Null, "cam".into()]).unwrap();
    assert_eq!(peer.events, [play("cam")]);
    assert_eq!(peer.controls(), [Control::User(UserControl::StreamBegin(1))]);
    assert_eq!(peer.last_code(), "NetStream.Play.Start");
    let last = peer.received.last().unwrap();
    assert_eq!((last.kind, last.stream_id), (MessageType::DataAmf0, 1));
    assert_eq!(last.payload[..], b"\x02\x00\x11|RtmpSampleAccess\x01\x01\x01\x01"[..]);
}

#[test]
fn a_reset_is_told_if_it_was_asked_for() {
    let mut peer = Peer::connected();
    let arguments = [Value::Null, "cam?a=b".into(), (-1000.0).into(), 5000.0.into(), true.into()];
    peer.call("play", 0.0, &arguments).unwrap();
    let (name, args) = ("cam".into(), "a=b".into());
    let expected = Play { name, args, start: -1000, duration: 5000, reset: true };
    assert_eq!(peer.events, [Event::Play(expected.into())]);
    let codes: Vec<_> = peer.replies().into_iter().map(|(_, _, code)| code).collect();
    assert_eq!(codes, ["NetStream.Play.Reset", "NetStream.Play.Start"]);
}

#[test]
fn a_client_plays_however_its_bytes_are_split() {
    for piece in [1, 13, usize::MAX] {
        let mut pair =
            Pair::with(client_config(Role::Play { start: LIVE }), SessionConfig::default(), piece);
        pair.run();
        assert_eq!(pair.client_events, [client::Event::PlayStarted]);
        assert!(pair.session_events.contains(&Event::SetBufferLength(Duration::from_secs(3))));
        pair.session.end_play();
        pair.run();
        assert_eq!(pair.client_events.last(), Some(&client::Event::Ended));
        assert!(pair.client_closed && !pair.session_closed);
    }
}

#[test]
fn another_play_switches_streams() {
    let mut peer = Peer::playing();
    peer.call("play", 0.0, &[Value::Null, "other".into()]).unwrap();
    assert_eq!(peer.events, [Event::StreamClosed, play("other")]);
    let options = Value::Object(vec![
        ("streamName".into(), "third".into()),
        ("oldStreamName".into(), "other".into()),
        ("start".into(), 0.0.into()),
    ]);
    peer.call("play2", 0.0, &[Value::Null, options]).unwrap();
    assert!(matches!(&peer.events[2..], [Event::StreamClosed, Event::Play(play)]
        if play.name == "third" && play.start == 0 && play.duration == 0));
}

#[test]
fn a_player_can_pause_seek_and_mute() {
    let mut peer = Peer::playing();
    peer.call("pause", 0.0, &[Value::Null, true.into(), 500.0.into()]).unwrap();
    peer.call("pauseraw", 0.0, &[Value::Null, false.into(), 700.0.into()]).unwrap();
    peer.call("seek", 0.0, &[Value::Null, 1500.0.into()]).unwrap();
    peer.call("receiveAudio", 0.0, &[Value::Null, false.into()]).unwrap();
    peer.call("receiveVideo", 0.0, &[Value::Null, 1.0.into()]).unwrap();
    assert_eq!(
        peer.events,
        [
            Event::Pause { paused: true, position: 500 },
            Event::Pause { paused: false, position: 700 },
            Event::Seek(1500),
            Event::ReceiveAudio(false),
            Event::ReceiveVideo(true),
        ]
    );
    let codes: Vec<_> = peer.replies().into_iter().map(|(_, _, code)| code).collect();
    assert_eq!(
        codes,
        ["NetStream.Pause.Notify", "NetStream.Unpause.Notify", "NetStream.Seek.Notify"]
    );
}

#[test]
fn what_only_a_player_may_ask_is_ignored_from_others() {
    let mut peer = Peer::publishing();
    peer.call("pause", 0.0, &[Value::Null, true.into(), 500.0.into()]).unwrap();
    peer.call("seek", 0.0, &[Value::Null, 1500.0.into()]).unwrap();
    peer.call("receiveAudio", 0.0, &[Value::Null, false.into()]).unwrap();
    assert_eq!((peer.events.len(), peer.received.len()), (0, 0));
}

#[test]
fn a_player_can_close_its_stream() {
    let mut peer = Peer::playing();
    peer.call("closeStream", 0.0, &[Value::Null]).unwrap();
    assert_eq!(peer.events, [Event::StreamClosed]);
    assert_eq!(peer.last_code(), "NetStream.Play.Stop");
    peer.session.end_play();
    peer.forget();
    peer.drain().unwrap();
    assert_eq!(peer.received, []);
}

#[test]
fn a_refusal_is_told_and_closes() {
    for (refusal, code) in [
        (PlayRefusal::StreamNotFound, "NetStream.Play.StreamNotFound"),
        (PlayRefusal::Denied, "NetStream.Play.Failed"),
        (PlayRefusal::Failed, "NetStream.Play.Failed"),
    ] {
        let mut peer = Peer::connected();
        peer.accept = false;
        peer.call("play", 0.0, &[Value::Null, "cam".into()]).unwrap();
        peer.session.reject_play(refusal);
        peer.drain().unwrap();
        assert_eq!(peer.last_code(), code);
        assert!(peer.closed);
    }
}

#[test]
fn calls_of_players_are_answered() {
    let mut peer = Peer::connected();
    let name = [Value::Null, "cam".into()];
    peer.call("_checkbw", 5.0, &[Value::Null]).unwrap();
    peer.call("getStreamLength", 6.0, &name).unwrap();
    peer.call("FCSubscribe", 0.0, &name).unwrap();
    peer.call("noSuchCall", 7.0, &name).unwrap();
    peer.call("noSuchCall", 0.0, &name).unwrap();
    peer.call("onBWDone", 0.0, &[]).unwrap();
    let reply = |name: &str, transaction, code: &str| (name.to_owned(), transaction, code.into());
    assert_eq!(
        peer.replies(),
        [
            reply("_result", 5.0, ""),
            reply("_result", 6.0, ""),
            reply("onFCSubscribe", 0.0, "NetStream.Play.Start"),
            reply("_error", 7.0, "NetConnection.Call.Failed"),
        ]
    );
}

#[test]
fn a_player_of_a_recording_is_told_so_and_when_it_ends() {
    let recorded = Control::User(UserControl::StreamIsRecorded(1));
    let begin = Control::User(UserControl::StreamBegin(1));
    let eof = Control::User(UserControl::StreamEof(1));
    let mut peer = Peer::connected();
    peer.accept = false;
    peer.call("play", 0.0, &[Value::Null, "mp4:film".into()]).unwrap();
    peer.session.accept_play_of_recording(peer.now).unwrap();
    peer.drain().unwrap();
    assert_eq!(peer.controls(), [recorded, begin]);
    assert_eq!(peer.last_code(), "NetStream.Play.Start");
    peer.received.clear();
    peer.session.complete_play(Some(Duration::from_millis(2500)));
    peer.drain().unwrap();
    let status = Value::decode_all(&peer.received[0].payload).unwrap();
    assert_eq!(status[0].as_str(), Some("onPlayStatus"));
    assert_eq!(status[1].get("code"), Some(&"NetStream.Play.Complete".into()));
    assert_eq!(status[1].get("duration"), Some(&2.5.into()));
    assert_eq!(peer.controls(), [eof]);
    assert_eq!(peer.last_code(), "NetStream.Play.Stop");
    peer.received.clear();
    peer.call("seek", 0.0, &[Value::Null, 1000.0.into()]).unwrap();
    assert_eq!(peer.last_code(), "NetStream.Seek.Notify");
    peer.session.tell_seek_done();
    peer.drain().unwrap();
    assert_eq!(peer.controls(), [recorded, begin]);
    peer.session.fail_play();
    peer.drain().unwrap();
    let codes: Vec<_> = peer.replies().into_iter().map(|(_, _, code)| code).collect();
    assert_eq!(codes[1..], ["NetStream.Play.Failed", "NetStream.Play.Stop"]);
}
