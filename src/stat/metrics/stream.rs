//! Metrics of streams.

use std::collections::BTreeMap;

use super::super::exposition::{Exposition, Family, Kind, Labels};
use super::super::{ClientReport, StreamReport};
use super::{bytes, gauge, seconds};

type Streams<'a> = BTreeMap<Labels, &'a StreamReport>;

type Gauge = fn(&StreamReport) -> Option<f64>;
type Count = fn(&StreamReport) -> Option<u64>;

/// The gauges, of those streams of which there is something to tell.
const GAUGES: [(&str, &str, Gauge); 11] = [
    ("up_seconds", "For how long the stream has been published.", |it| Some(seconds(it.time))),
    ("players", "Clients that play the stream.", |it| Some(players(it).count() as f64)),
    ("hls_viewers", "Who watches the stream by HLS.", |it| Some(it.hls_viewers as f64)),
    ("send_bytes_per_second", "What goes to players, over the last 10 seconds.", |it| {
        Some(bytes(it.traffic.bw_out))
    }),
    ("frames_per_second", "Pictures that come, over the last 10 seconds.", |it| {
        Some(it.frame_rate)
    }),
    ("gop_seconds", "How long the last complete group of pictures was.", |it| {
        it.gop.map(|gop| seconds(gop.time))
    }),
    ("gop_frames", "How many pictures the last complete group of pictures had.", |it| {
        it.gop.map(|gop| gop.frames as f64)
    }),
    ("keyframe_age_seconds", "How long ago the last keyframe came.", |it| {
        it.since_keyframe.map(seconds)
    }),
    ("audio_age_seconds", "How long ago audio came last.", |it| it.since_audio.map(seconds)),
    ("player_lag_seconds", "How far the slowest player is behind.", |it| {
        Some(seconds(players(it).filter_map(|it| it.lag).map(|lag| lag.time).max().unwrap_or(0)))
    }),
    ("player_skipped_frames", "Frames that the present players were too slow for.", |it| {
        Some(players(it).map(|player| player.dropped).sum::<u64>() as f64)
    }),
];

/// The counters, which begin with the publisher or the output.
const COUNTERS: [(&str, &str, Count); 4] = [
    ("received_bytes", "Audio, video and data that came.", |it| Some(it.traffic.bytes_in)),
    ("frames", "Pictures that came.", |it| Some(it.frames)),
    ("hls_segments", "HLS segments that were completed.", |it| {
        it.hls.as_ref().map(|hls| hls.segments)
    }),
    ("hls_errors", "What of the HLS output could not be written.", |it| {
        it.hls.as_ref().map(|hls| hls.errors.count)
    }),
];

/// Adds them. So many streams are omitted.
pub(super) fn write(streams: &Streams<'_>, omitted: usize, exposition: &mut Exposition) {
    let help = "Published streams that have no metrics, as there are too many.";
    gauge(exposition, "nginx_rtmp_streams_omitted", help, [(Labels::default(), omitted)]);
    for (name, help, value) in GAUGES {
        let name = format!("nginx_rtmp_stream_{name}");
        let values = streams.iter().filter_map(|(labels, it)| Some((labels.clone(), value(it)?)));
        gauge(exposition, &name, help, values);
    }
    for (name, help, count) in COUNTERS {
        let name = format!("nginx_rtmp_stream_{name}");
        let counts = streams.iter().filter_map(|(labels, it)| Some((labels.clone(), count(it)?)));
        let kind = Kind::Counter { since: None };
        exposition.family(&Family { name: &name, kind, help }, counts);
    }
    write_rates(streams, exposition);
    write_media(streams, exposition);
}

fn write_rates(streams: &Streams<'_>, exposition: &mut Exposition) {
    let rates = streams.iter().flat_map(|(labels, stream)| {
        let StreamReport { bw_audio, bw_video, .. } = stream;
        [("audio", *bw_audio), ("video", *bw_video)]
            .map(|(media, bits)| (labels.with("media", media), bytes(bits)))
    });
    let name = "nginx_rtmp_stream_receive_bytes_per_second";
    let help = "What comes of the publisher, over the last 10 seconds.";
    gauge(exposition, name, help, rates);
}

fn write_media(streams: &Streams<'_>, exposition: &mut Exposition) {
    let media = streams.iter().filter_map(|(labels, stream)| {
        let media = stream.media.as_ref()?;
        let (video, audio) = (&media.video, &media.audio);
        let labels = labels
            .with("video_codec", video.codec.as_deref().unwrap_or_default())
            .with("width", &video.width.to_string())
            .with("height", &video.height.to_string())
            .with("audio_codec", audio.codec.as_deref().unwrap_or_default())
            .with("sample_rate", &audio.sample_rate.to_string());
        Some((labels, 1))
    });
    let family = Family {
        name: "nginx_rtmp_stream_media",
        kind: Kind::Info,
        help: "How the stream is coded; empty or 0 is what is not known.",
    };
    exposition.family(&family, media);
}

fn players(stream: &StreamReport) -> impl Iterator<Item = &ClientReport> {
    stream.clients.iter().filter(|client| !client.publishing)
}
