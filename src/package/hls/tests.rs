use bytes::BufMut;

use super::*;
use crate::media::samples::{aac_config, avc_config};
use crate::media::{AudioConfig, TrackConfig};

/// 2023-11-14T22:13:20Z.
const START: u64 = 1_700_000_000;

fn hls(nested: bool) -> Hls {
    let config = HlsConfig {
        path: "/hls".into(),
        fragment: Duration::from_secs(2),
        max_fragment: Duration::from_secs(20),
        playlist_length: Duration::from_secs(6),
        nested,
        ..HlsConfig::new("")
    };
    Hls::new(&config, "live", UnixMillis(START * 1000)).unwrap()
}

#[test]
fn numbers_of_a_publisher_that_comes_back_are_new() {
    for millis in [40, 250, 1000, 2000, 60_000] {
        let fragment = Duration::from_millis(millis);
        let path = "/hls".into();
        let (max_fragment, playlist_length) = (fragment * 10, fragment * 3);
        let config = HlsConfig {
            path,
            fragment,
            max_fragment,
            playlist_length,
            nested: false,
            ..HlsConfig::new("")
        };
        let first = first_sequence(&config, UnixMillis(START * 1000));
        // Segments may be a little shorter than a fragment.
        let segments = 100;
        let later = UnixMillis(START * 1000 + segments * millis * 9 / 10 + 1);
        assert!(first_sequence(&config, later) >= first + segments, "{millis} ms");
    }
}

/// An output that knows of both tracks.
fn configured() -> Hls {
    let mut hls = hls(false);
    for config in [avc_config(), aac_config()] {
        hls.push(MediaEvent::Config(config), UnixMillis(START * 1000));
    }
    hls
}

/// An output whose first segment is open: both tracks have sent something.
fn started() -> Hls {
    let mut hls = configured();
    video(&mut hls, 0);
    audio(&mut hls, 0);
    hls
}

/// Pushes an access unit `millis` into the stream, as it arrives. Video is a keyframe.
fn push(hls: &mut Hls, track: TrackKind, millis: i64) {
    push_at(hls, track, millis, START * 1000 + millis as u64, 4);
}

fn push_at(hls: &mut Hls, track: TrackKind, millis: i64, now: u64, len: usize) {
    let time = Ticks::from_millis(millis);
    let mut data = BytesMut::new();
    data.put_u32(len as u32);
    data.put_bytes(0x65, len);
    let unit = AccessUnit { track, dts: time, pts: time, keyframe: true, data: data.freeze() };
    hls.push(MediaEvent::Unit(unit), UnixMillis(now));
}

fn video(hls: &mut Hls, millis: i64) {
    push(hls, TrackKind::Video, millis);
}

fn audio(hls: &mut Hls, millis: i64) {
    push(hls, TrackKind::Audio, millis);
}

/// Drains the operations, each as a word and the file names.
fn ops(hls: &mut Hls) -> Vec<String> {
    let name = |path: PathBuf| path.strip_prefix("/hls").unwrap().display().to_string();
    std::iter::from_fn(|| hls.poll_op())
        .map(|op| match op {
            FileOp::Create { path } => format!("create {}", name(path)),
            FileOp::Write { path, .. } => format!("write {}", name(path)),
            FileOp::Rename { from, to } => format!("rename {} {}", name(from), name(to)),
            FileOp::Remove { path } => format!("remove {}", name(path)),
            FileOp::Put { temporary, path, .. } => {
                format!("put {} {}", name(temporary), name(path))
            }
            op => panic!("{op:?} is not of HLS"),
        })
        .collect()
}

/// Drains the operations and gives the last playlist that they write.
fn last_playlist(hls: &mut Hls) -> String {
    let writes = std::iter::from_fn(|| hls.poll_op()).filter_map(|op| match op {
        FileOp::Put { path, data, .. } if path.ends_with("live.m3u8") => Some(data),
        _ => None,
    });
    String::from_utf8(writes.last().expect("a playlist").to_vec()).unwrap()
}

#[test]
fn a_segment_is_complete_before_a_playlist_names_it() {
    let mut hls = started();
    assert_eq!(ops(&mut hls), ["create live-1700000000.ts.tmp"]);
    video(&mut hls, 2000);
    assert_eq!(
        ops(&mut hls),
        [
            "write live-1700000000.ts.tmp",
            "rename live-1700000000.ts.tmp live-1700000000.ts",
            "put live.m3u8.tmp live.m3u8",
            "create live-1700000001.ts.tmp",
        ]
    );
}

#[test]
fn a_nested_stream_has_its_directory() {
    let mut hls = hls(true);
    hls.push(MediaEvent::Config(aac_config()), UnixMillis(0));
    audio(&mut hls, 0);
    hls.finish();
    assert_eq!(
        ops(&mut hls)[..3],
        [
            "create live/1700000000.ts.tmp",
            "write live/1700000000.ts.tmp",
            "rename live/1700000000.ts.tmp live/1700000000.ts",
        ]
    );
}

#[test]
fn data_are_written_as_they_arrive() {
    let mut hls = started();
    for frame in 1..10 {
        push_at(&mut hls, TrackKind::Video, 40 * frame, START * 1000, 20_000);
    }
    let writes: Vec<usize> = std::iter::from_fn(|| hls.poll_op())
        .filter_map(|op| match op {
            FileOp::Write { data, .. } => Some(data.len()),
            _ => None,
        })
        .collect();
    assert_eq!(writes.len(), 2);
    assert!(writes.iter().all(|len| (WRITE_LEN..WRITE_LEN + 21_000).contains(len)));
}

#[test]
fn a_stream_of_one_track_waits_a_second_for_another() {
    let mut hls = hls(false);
    hls.push(MediaEvent::Config(avc_config()), UnixMillis(START * 1000));
    video(&mut hls, 0);
    video(&mut hls, 960);
    assert!(ops(&mut hls).is_empty());
    video(&mut hls, 1000);
    assert_eq!(ops(&mut hls), ["create live-1700000000.ts.tmp"]);
    assert!(!hls.segmenter.tracks().has(TrackKind::Audio));
}

#[test]
fn the_second_track_ends_the_wait() {
    let mut hls = configured();
    video(&mut hls, 0);
    assert!(ops(&mut hls).is_empty());
    audio(&mut hls, 0);
    assert_eq!(ops(&mut hls), ["create live-1700000000.ts.tmp"]);
    assert!(hls.segmenter.tracks().has(TrackKind::Audio));
}

#[test]
fn a_track_that_is_announced_and_silent_is_left_out_until_it_sends() {
    let mut hls = configured();
    video(&mut hls, 0);
    video(&mut hls, 1000);
    assert!(!hls.segmenter.tracks().has(TrackKind::Audio));
    audio(&mut hls, 1010);
    video(&mut hls, 1040);
    assert!(hls.segmenter.tracks().has(TrackKind::Audio));
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut hls = hls(false);
    hls.push(MediaEvent::Config(avc_config()), UnixMillis(START * 1000));
    for _ in 0..511 {
        video(&mut hls, 0);
    }
    assert!(ops(&mut hls).is_empty());
    video(&mut hls, 0);
    assert!(!ops(&mut hls).is_empty());
}

#[test]
fn a_stream_too_short_to_be_told_has_its_segment() {
    let mut hls = hls(false);
    hls.push(MediaEvent::Config(avc_config()), UnixMillis(START * 1000));
    video(&mut hls, 0);
    video(&mut hls, 40);
    hls.finish();
    assert!(last_playlist(&mut hls).contains("#EXTINF:0.080000,\n"));
}

#[test]
fn a_stream_without_media_leaves_nothing() {
    let mut hls = configured();
    hls.finish();
    assert!(ops(&mut hls).is_empty());
}

#[test]
fn audio_that_adts_cannot_express_is_no_track() {
    let mut hls = configured();
    let mut config = aac_config();
    let TrackConfig::Audio(AudioConfig::Aac { config: aac, .. }) = &mut config else {
        unreachable!()
    };
    aac.frame_length = 960;
    hls.push(MediaEvent::Config(config), UnixMillis(0));
    video(&mut hls, 0);
    audio(&mut hls, 0);
    assert_eq!(ops(&mut hls), ["create live-1700000000.ts.tmp"]);
    assert!(!hls.segmenter.tracks().has(TrackKind::Audio));
}

#[test]
fn dates_follow_the_stream_until_a_discontinuity() {
    let mut hls = configured();
    let start = START * 1000;
    push_at(&mut hls, TrackKind::Video, 0, start + 5, 4);
    push_at(&mut hls, TrackKind::Audio, 0, start + 7, 4);
    push_at(&mut hls, TrackKind::Video, 2000, start + 2700, 4);
    push_at(&mut hls, TrackKind::Video, 50_000, start + 9999, 4);
    hls.finish();
    assert_eq!(
        last_playlist(&mut hls),
        "#EXTM3U\n\
         #EXT-X-VERSION:3\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-MEDIA-SEQUENCE:1700000000\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:61696\n\
         #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.005Z\n\
         #EXTINF:2.000000,\n\
         live-1700000000.ts\n\
         #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.005Z\n\
         #EXTINF:2.000000,\n\
         live-1700000001.ts\n\
         #EXT-X-DISCONTINUITY\n\
         #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:29.999Z\n\
         #EXTINF:2.000000,\n\
         live-1700000002.ts\n\
         #EXT-X-ENDLIST\n"
    );
}

#[test]
fn a_storage_failure_drops_the_open_segment() {
    let mut hls = started();
    video(&mut hls, 2000);
    ops(&mut hls);
    hls.storage_failed(&[]);
    assert_eq!(ops(&mut hls), ["remove live-1700000001.ts.tmp"]);
    audio(&mut hls, 2100);
    assert!(ops(&mut hls).is_empty());
    video(&mut hls, 2500);
    assert_eq!(ops(&mut hls), ["create live-1700000001.ts.tmp"]);
    hls.finish();
    let playlist = last_playlist(&mut hls);
    assert!(playlist.contains("live-1700000000.ts\n#EXT-X-DISCONTINUITY\n"));
}

#[test]
fn a_lost_segment_is_in_no_playlist() {
    let mut hls = started();
    for millis in [2000, 4000] {
        video(&mut hls, millis);
    }
    ops(&mut hls);
    hls.storage_failed(&["/hls/live-1700000001.ts".into(), "/hls/live.m3u8".into()]);
    assert_eq!(ops(&mut hls), ["remove live-1700000002.ts.tmp"]);
    video(&mut hls, 4500);
    assert_eq!(ops(&mut hls), ["create live-1700000001.ts.tmp"]);
}
