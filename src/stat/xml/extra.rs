//! What the C module does not tell. Its elements have names that the C module has not, as there are
//! readers that look for a name wherever it is.

use super::Xml;
use crate::stat::{
    ChildReport, ClientReport, Failures, HlsReport, MediaFacts, RecorderReport, RelayReport,
    StorageReport, StreamReport, Totals, WorkerReport,
};

impl Xml {
    /// What all workers have.
    pub(super) fn totals(&mut self, totals: &Totals, storage: &StorageReport) {
        self.text("npublishes", totals.publishes);
        self.text("nplays", totals.plays);
        self.text("messages", totals.messages);
        self.text("frames_sent", totals.frames_sent);
        self.text("frames_skipped", totals.frames_skipped);
        self.text("storage_queue", storage.queued);
        self.text("storage_tasks", storage.in_flight);
        self.failures("storage", &storage.errors);
    }

    pub(super) fn worker(&mut self, worker: &WorkerReport) {
        self.0 += "<worker>";
        self.text("process", worker.pid);
        self.text("running", worker.uptime);
        self.text("connections", worker.connections);
        self.text("streams", worker.streams);
        self.text("publishers", worker.publishers);
        self.text("players", worker.players);
        if worker.leaving {
            self.0 += "<leaving/>";
        }
        self.line("</worker>");
    }

    pub(super) fn client_extra(&mut self, client: &ClientReport) {
        self.text("protocol", client.protocol.name());
        if let Some(lag) = &client.lag {
            self.text("lag", lag.time);
            self.text("lag_bytes", lag.bytes);
            self.text("lag_frames", lag.frames);
        }
        self.text("outbox", client.outbox);
        if let Some(tcp) = &client.tcp {
            self.text("rtt", tcp.rtt);
            self.text("retransmissions", tcp.retransmissions);
            self.text("send_queue", tcp.send_queue);
        }
    }

    pub(super) fn stream_extra(&mut self, stream: &StreamReport) {
        self.text("fps", stream.frame_rate);
        self.text("frames", stream.frames);
        if let Some(gop) = &stream.gop {
            self.text("gop", gop.time);
            self.text("gop_frames", gop.frames);
        }
        self.optional("since_keyframe", stream.since_keyframe);
        self.optional("since_audio", stream.since_audio);
        self.text("skipped", stream.skipped);
        if let Some(media) = &stream.media {
            self.codecs(media);
        }
        self.optional("publisher", stream.publisher.as_ref().map(|it| &it.address));
        if let Some(hls) = &stream.hls {
            self.hls(hls);
        }
        stream.recorders.iter().for_each(|recorder| self.recorder(recorder));
        stream.relays.iter().for_each(|relay| self.relay(relay));
        stream.children.iter().for_each(|child| self.child(child));
    }

    fn codecs(&mut self, media: &MediaFacts) {
        self.optional("video_codec", media.video.rfc6381.as_ref());
        self.optional("audio_codec", media.audio.rfc6381.as_ref());
    }

    fn hls(&mut self, hls: &HlsReport) {
        self.0 += "<hls>";
        self.text("playlist", &hls.playlist);
        self.text("segments", hls.segments);
        if let Some(segment) = &hls.last_segment {
            self.text("segment", segment.number);
            self.text("segment_duration", segment.duration);
            self.text("segment_age", segment.age);
        }
        self.failures("hls", &hls.errors);
        self.line("</hls>");
    }

    fn recorder(&mut self, recorder: &RecorderReport) {
        self.0 += "<recording>";
        self.text("recorder", &recorder.id);
        self.text("state", recorder.state.name());
        self.optional("file", recorder.file.as_ref());
        self.text("file_bytes", recorder.bytes);
        self.text("file_time", recorder.time);
        self.text("file_frames", recorder.frames);
        self.failures("recorder", &recorder.errors);
        self.line("</recording>");
    }

    pub(super) fn relay(&mut self, relay: &RelayReport) {
        self.0 += "<relay>";
        self.text("relay_stream", &relay.stream);
        self.text("direction", relay.direction);
        self.text("url", &relay.url);
        self.text("state", relay.state.name());
        self.text("since", relay.time);
        self.text("bytes", relay.bytes);
        self.failures("relay", &relay.errors);
        self.line("</relay>");
    }

    pub(super) fn child(&mut self, child: &ChildReport) {
        self.0 += "<child>";
        self.text("program", &child.program);
        self.text("state", child.state.name());
        self.optional("process", child.pid);
        self.text("running", child.time);
        self.text("restarts", child.restarts);
        self.line("</child>");
    }

    fn failures(&mut self, of: &str, failures: &Failures) {
        self.text(&format!("{of}_errors"), failures.count);
        if let Some(last) = &failures.last {
            self.text(&format!("{of}_error"), &last.text);
            self.text(&format!("{of}_error_time"), last.at / 1000);
        }
    }
}
