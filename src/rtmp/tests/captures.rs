//! What real clients sent (`tests/fixtures/README.md`), replayed.

use std::sync::Arc;

use super::pair;
use crate::rtmp::session::{Event, Output, Session};
use crate::rtmp::{Error, MessageType};
use crate::time::Instant;

macro_rules! capture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/", $name)).as_slice()
    };
}

/// The events that a capture brings forth when it comes in pieces.
fn replay(capture: &[u8], piece: usize) -> Result<Vec<Event>, Error> {
    let now = Instant::default();
    let mut session = Session::new(Arc::default(), now, 1);
    let mut events = Vec::new();
    for piece in capture.chunks(piece) {
        session.handle_input(now, piece)?;
        loop {
            match session.poll_output() {
                Output::Send(_) | Output::Close => {}
                Output::Event(event) => {
                    pair::accept(&mut session, now, &event)?;
                    events.push(event);
                }
                Output::Timeout(_) => break,
            }
        }
    }
    Ok(events)
}

/// The events of a client that keeps to the protocol: the same however its bytes are split.
fn events(capture: &[u8]) -> Vec<Event> {
    let whole = replay(capture, usize::MAX);
    for piece in [1, 2, 13, 1537] {
        assert!(replay(capture, piece) == whole, "in pieces of {piece}");
    }
    whole.expect("the client keeps to the protocol")
}

/// How many messages there are of a type.
fn count(events: &[Event], kind: MessageType) -> usize {
    events.iter().filter(|event| matches!(event, Event::Media(media) if media.kind == kind)).count()
}

/// `counts` are of video, audio and data messages.
fn assert_publish(capture: &[u8], name: &str, counts: [usize; 3]) {
    let events = events(capture);
    let mut rest = events.iter().skip_while(|event| matches!(event, Event::SetBufferLength(_)));
    assert!(matches!(rest.next(), Some(Event::Connect(connect)) if connect.app == "live"));
    assert!(matches!(rest.next(), Some(Event::Publish(publish)) if publish.name == name));
    assert_eq!(events.last(), Some(&Event::StreamClosed));
    let kinds = [MessageType::Video, MessageType::Audio, MessageType::DataAmf0];
    assert_eq!(kinds.map(|kind| count(&events, kind)), counts);
}

fn assert_play(capture: &[u8]) {
    let events = events(capture);
    assert!(matches!(&events[0], Event::Connect(connect) if connect.app == "live"));
    assert!(events.iter().any(|event| matches!(event, Event::Play(play) if play.name == "cam")));
    assert!(events.iter().any(|event| matches!(event, Event::SetBufferLength(_))));
}

#[test]
fn ffmpeg_publishes() {
    assert_publish(capture!("ffmpeg-publish.bin"), "cam", [22, 89, 1]);
}

#[test]
fn ffmpeg_publishes_enhanced() {
    assert_publish(capture!("ffmpeg9-hevc-publish.bin"), "cam", [22, 89, 1]);
}

#[test]
fn gstreamer_publishes() {
    assert_publish(capture!("gst-publish.bin"), "cam", [22, 88, 21]);
}

#[test]
fn ffmpeg_plays() {
    assert_play(capture!("ffmpeg-play.bin"));
}

#[test]
fn gstreamer_plays() {
    assert_play(capture!("gst-play.bin"));
}

#[test]
fn rtmpdump_plays() {
    assert_play(capture!("rtmpdump-play.bin"));
    assert_play(capture!("rtmpdump-digest-play.bin"));
}

#[test]
fn damaged_input_never_panics() {
    const HANDSHAKE: usize = 1 + 2 * 1536;
    let captures = [
        capture!("ffmpeg-publish.bin"),
        capture!("gst-publish.bin"),
        capture!("ffmpeg-play.bin"),
        capture!("rtmpdump-play.bin"),
    ];
    let mut random = 1_u32;
    let mut below = |bound: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % bound
    };
    let mut failed = 0;
    for capture in captures.repeat(100) {
        let mut damaged = capture.to_vec();
        for _ in 0..=below(4) {
            // Most of what can be broken is in the commands at the beginning.
            let position = HANDSHAKE + below((damaged.len() - HANDSHAKE).min(1000));
            damaged[position] = below(256) as u8;
        }
        failed += usize::from(replay(&damaged, 1 + below(2000)).is_err());
    }
    assert!(failed > 100, "{failed} of 400 were noticed");
}
