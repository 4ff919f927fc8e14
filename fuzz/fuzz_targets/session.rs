//! What a peer sends after its handshake, all the way: a publish ends in the frame log and in HLS,
//! and a session that fails is closed.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::live::{Stream, StreamConfig};
use ngx_rtmp_module::media::{Container, Demuxer};
use ngx_rtmp_module::package::{Hls, HlsConfig};
use ngx_rtmp_module::rtmp::chunk::Framing;
use ngx_rtmp_module::rtmp::session::{Event, Output, SessionConfig};
use ngx_rtmp_module::rtmp::{Error, Message, Session};
use ngx_rtmp_module::time::{Instant, UnixMillis};

/// C0, C1 and C2 of a client without digests.
const HANDSHAKE: [u8; 3073] = {
    let mut bytes = [0; 3073];
    bytes[0] = 3;
    bytes
};

fuzz_target!(|data: &[u8]| {
    let piece = usize::from(*data.last().unwrap_or(&0)) + 1;
    let mut session = Session::new(Arc::new(SessionConfig::default()), Instant::default(), 1);
    let mut application = Application::new();
    for (turn, input) in [&HANDSHAKE[..]].into_iter().chain(data.chunks(piece)).enumerate() {
        let now = Instant::from_millis(turn as u64);
        let handled = session.handle_input(now, input);
        let answered = application.answer(&mut session, now);
        if handled.is_err() || answered.is_err() {
            while application.answer(&mut session, now).is_err() {}
            assert!(application.closed);
            return;
        }
    }
});

/// Grants everything.
struct Application {
    stream: Stream,
    demuxer: Demuxer,
    hls: Hls,
    closed: bool,
}

impl Application {
    fn new() -> Self {
        let framing = Framing { chunk_size: 4096, repeat_extended_timestamp: true };
        let hls = HlsConfig {
            path: "/".into(),
            fragment: Duration::from_secs(1),
            max_fragment: Duration::from_secs(10),
            playlist_length: Duration::from_secs(3),
            nested: false,
            ..HlsConfig::new("")
        };
        Self {
            stream: Stream::new(Arc::new(StreamConfig::new(framing))),
            demuxer: Demuxer::new(Container::MpegTs),
            hls: Hls::new(&hls, "stream", UnixMillis(0)).expect("the name is safe"),
            closed: false,
        }
    }

    fn answer(&mut self, session: &mut Session, now: Instant) -> Result<(), Error> {
        loop {
            match session.poll_output() {
                Output::Event(event) => self.grant(session, event, now)?,
                Output::Close => self.closed = true,
                Output::Send(_) => {}
                Output::Timeout(_) => return Ok(()),
            }
        }
    }

    fn grant(&mut self, session: &mut Session, event: Event, now: Instant) -> Result<(), Error> {
        match event {
            Event::Connect(_) => session.accept_connect(now),
            Event::Publish(_) => {
                let _ = self.stream.publish(now);
                session.accept_publish(now)
            }
            Event::Play(_) => session.accept_play(now),
            Event::Media(message) => {
                self.package(message, now);
                Ok(())
            }
            Event::StreamClosed => {
                self.stream.unpublish();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn package(&mut self, message: Message, now: Instant) {
        let _ = self.demuxer.push(&message);
        self.stream.push(now, message);
        while let Some(event) = self.demuxer.poll_event() {
            self.hls.push(event, UnixMillis(now.as_millis()));
            while self.hls.poll_op().is_some() {}
        }
    }
}
