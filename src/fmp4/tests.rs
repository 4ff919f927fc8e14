use bytes::{Buf, Bytes, BytesMut};

use super::*;
use crate::codec::{av1, hevc, mp3, opus};
use crate::media::samples::{aac_config, avc_config};
use crate::media::{AccessUnit, AudioConfig, TrackConfig, VideoConfig};

/// Boxes that hold boxes, and what is in them before these.
const CONTAINERS: [(&str, usize); 13] = [
    ("moov", 0),
    ("trak", 0),
    ("mdia", 0),
    ("minf", 0),
    ("dinf", 0),
    ("stbl", 0),
    ("mvex", 0),
    ("moof", 0),
    ("traf", 0),
    ("stsd", 8),
    ("dref", 8),
    ("avc1", 78),
    ("mp4a", 28),
];

/// All boxes of `data` in order: each one's path, and its contents.
fn boxes(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![];
    walk("", data, &mut found);
    found
}

fn walk(parent: &str, mut data: &[u8], found: &mut Vec<(String, Vec<u8>)>) {
    while !data.is_empty() {
        let size = data.get_u32() as usize;
        let name = String::from_utf8(data.copy_to_bytes(4).to_vec()).unwrap();
        let contents = data.copy_to_bytes(size - 8);
        let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
        found.push((path.clone(), contents.to_vec()));
        if let Some((_, before)) = CONTAINERS.iter().find(|(container, _)| *container == name) {
            walk(&path, &contents[*before..], found);
        }
    }
}

fn paths(data: &[u8]) -> Vec<String> {
    boxes(data).into_iter().map(|(path, _)| path).collect()
}

/// The contents of the boxes of that path.
fn contents(data: &[u8], path: &str) -> Vec<Vec<u8>> {
    boxes(data).into_iter().filter(|(at, _)| at == path).map(|(_, contents)| contents).collect()
}

fn tracks(configs: impl IntoIterator<Item = TrackConfig>) -> Tracks {
    let mut tracks = Tracks::default();
    configs.into_iter().for_each(|config| tracks.configure(config));
    tracks
}

fn muxer() -> Muxer {
    Muxer::new(tracks([avc_config(), aac_config()]))
}

fn init(configs: impl IntoIterator<Item = TrackConfig>) -> BytesMut {
    let mut out = BytesMut::new();
    Muxer::new(tracks(configs)).write_init(&mut out);
    out
}

fn push_picture(muxer: &mut Muxer, dts: i64, pts: i64, keyframe: bool, data: &'static [u8]) {
    let data = Bytes::from_static(data);
    let (dts, pts) = (Ticks(dts), Ticks(pts));
    muxer.push(&AccessUnit { track: TrackKind::Video, dts, pts, keyframe, data });
}

/// A frame of 1024 samples at 44.1 kHz, at `time` ticks.
fn push_audio(muxer: &mut Muxer, time: i64, data: &'static [u8]) {
    let (time, data) = (Ticks(time), Bytes::from_static(data));
    muxer.push(&AccessUnit { track: TrackKind::Audio, dts: time, pts: time, keyframe: true, data });
}

fn end_fragment(muxer: &mut Muxer) -> BytesMut {
    let mut out = BytesMut::new();
    muxer.end_fragment(&mut out);
    out
}

/// The numbers of 32 bits that `data` is made of.
fn numbers(data: &[u8]) -> Vec<u32> {
    data.chunks(4).map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn initialisation_segment() {
    let out = init([avc_config(), aac_config()]);
    let track = |kind: &str, entry: &str, config: &str| -> Vec<String> {
        [
            "",
            ".tkhd",
            ".mdia",
            ".mdia.mdhd",
            ".mdia.hdlr",
            ".mdia.minf",
            &format!(".mdia.minf.{kind}"),
            ".mdia.minf.dinf",
            ".mdia.minf.dinf.dref",
            ".mdia.minf.dinf.dref.url ",
            ".mdia.minf.stbl",
            ".mdia.minf.stbl.stsd",
            &format!(".mdia.minf.stbl.stsd.{entry}"),
            &format!(".mdia.minf.stbl.stsd.{entry}.{config}"),
            ".mdia.minf.stbl.stts",
            ".mdia.minf.stbl.stsc",
            ".mdia.minf.stbl.stco",
            ".mdia.minf.stbl.stsz",
        ]
        .iter()
        .map(|path| format!("moov.trak{path}"))
        .collect()
    };
    let around = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let expected = [
        around(&["ftyp", "moov", "moov.mvhd"]),
        track("vmhd", "avc1", "avcC"),
        track("smhd", "mp4a", "esds"),
        around(&["moov.mvex", "moov.mvex.free", "moov.mvex.trex", "moov.mvex.trex"]),
    ];
    assert_eq!(paths(&out), expected.concat());
    assert_eq!(contents(&out, "ftyp"), [b"iso6\0\0\0\0iso6iso5mp41avc1"]);
    let timescales: Vec<u32> =
        contents(&out, "moov.trak.mdia.mdhd").iter().map(|contents| numbers(contents)[3]).collect();
    assert_eq!(timescales, [90_000, 44_100]);
    let extends = contents(&out, "moov.mvex.trex");
    assert_eq!(
        extends.iter().map(|contents| numbers(contents)).collect::<Vec<_>>(),
        [[0, 1, 1, 0, 0, 0], [0, 2, 1, 0, 0, 0],]
    );
}

#[test]
fn one_track_is_enough() {
    for (config, id) in [(avc_config(), 1), (aac_config(), 2)] {
        let headers = contents(&init([config]), "moov.trak.tkhd");
        assert_eq!(headers.iter().map(|header| numbers(header)[3]).collect::<Vec<_>>(), [id]);
    }
}

#[test]
fn the_duration_takes_the_place_kept_for_it() {
    let mut muxer = muxer();
    let mut out = BytesMut::new();
    let at = muxer.write_init(&mut out);
    push_picture(&mut muxer, 0, 0, true, b"key");
    push_picture(&mut muxer, 90_000, 90_000, false, b"inter");
    let duration = muxer.duration();
    out[at..at + duration.len()].copy_from_slice(&duration);
    assert_eq!(contents(&out, "moov.mvex.mehd"), [b"\x01\0\0\0\0\0\0\0\0\0\x07\xd0"]);
    assert_eq!(paths(&out).len(), 43);
}

/// The sample entry of the only track.
fn sample_entry(config: TrackConfig) -> Vec<u8> {
    contents(&init([config]), "moov.trak.mdia.minf.stbl.stsd")[0][8..].to_vec()
}

#[test]
fn visual_sample_entries() {
    let hevc = hevc::DecoderConfig::parse(&Bytes::from_static(hevc::tests::RECORD)).unwrap();
    let av1 = av1::CodecConfig::parse(&Bytes::from_static(av1::tests::RECORD)).unwrap();
    for (config, entry, record_box, record) in [
        (VideoConfig::Hevc(hevc), b"hvc1", b"hvcC", hevc::tests::RECORD),
        (VideoConfig::Av1(av1), b"av01", b"av1C", av1::tests::RECORD),
    ] {
        let size = 86 + 8 + record.len();
        let expected = [
            &(size as u32).to_be_bytes()[..],
            entry,
            b"\0\0\0\0\0\0\0\x01",
            &[0; 16],
            // 320 by 180.
            b"\x01\x40\0\xb4\0\x48\0\0\0\x48\0\0\0\0\0\0\0\x01",
            &[0; 32],
            b"\0\x18\xff\xff",
            &(8 + record.len() as u32).to_be_bytes(),
            record_box,
            record,
        ];
        assert_eq!(sample_entry(TrackConfig::Video(config)), expected.concat());
    }
    // Parameter sets that cannot be read tell no size.
    assert_eq!(sample_entry(avc_config())[32..36], [0; 4]);
}

#[test]
fn aac_sample_entry() {
    let expected =
        b"\0\0\0\x53mp4a\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0\0\0\0\xac\x44\0\0\
        \0\0\0\x2fesds\0\0\0\0\x03\x80\x80\x1f\0\0\0\x04\x80\x80\x13\x40\x15\0\0\0\0\0\0\0\0\0\0\0\
        \x05\x80\x80\x02\x12\x10\x06\x80\x80\x01\x02";
    assert_eq!(sample_entry(aac_config()), expected[..]);
}

#[test]
fn mp3_sample_entries() {
    for (sample_rate, object_type) in [(44_100, 0x6b), (22_050, 0x69)] {
        let config = AudioConfig::Mp3(mp3::Config { sample_rate, channels: 2 });
        let entry = sample_entry(TrackConfig::Audio(config));
        assert_eq!(entry[32..34], (sample_rate as u16).to_be_bytes());
        let descriptors = b"\x03\x80\x80\x19\0\0\0\x04\x80\x80\x0d";
        assert_eq!(
            entry[48..],
            [&descriptors[..], &[object_type], b"\x15\0\0\0\0\0\0\0\0\0\0\0\x06\x80\x80\x01\x02",]
                .concat()[..]
        );
    }
}

#[test]
fn opus_sample_entries() {
    let mono = opus::IdHeader { pre_skip: 312, ..opus::IdHeader::of_channels(1) };
    let expected =
        b"\0\0\0\x37Opus\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\x01\0\x10\0\0\0\0\xbb\x80\0\0\
        \0\0\0\x13dOps\0\x01\x01\x38\0\0\xbb\x80\0\0\0";
    assert_eq!(sample_entry(TrackConfig::Audio(AudioConfig::Opus(mono.clone()))), expected[..]);
    let mapping =
        opus::ChannelMapping::Table { family: 1, streams: 2, coupled: 1, channels: vec![0, 2, 1] };
    let surround = opus::IdHeader { channels: 3, mapping, ..mono };
    let entry = sample_entry(TrackConfig::Audio(AudioConfig::Opus(surround)));
    assert_eq!(
        entry[36..],
        b"\0\0\0\x18dOps\0\x03\x01\x38\0\0\xbb\x80\0\0\x01\x02\x01\0\x02\x01"[..]
    );
}

#[test]
fn a_long_configuration_is_padding() {
    let TrackConfig::Audio(AudioConfig::Aac { config, .. }) = aac_config() else { unreachable!() };
    let record = Bytes::from(vec![0x12; 100_000]);
    let entry = sample_entry(TrackConfig::Audio(AudioConfig::Aac { config, record }));
    assert_eq!(entry.len(), 0x53 - 2 + 512);
    assert_eq!(entry[48..52], *b"\x03\x80\x84\x1d");
}

#[test]
fn a_fragment_of_both_tracks() {
    let mut muxer = muxer();
    push_picture(&mut muxer, 0, 3600, true, b"keyframe");
    push_audio(&mut muxer, 0, b"one");
    push_picture(&mut muxer, 3600, 10_800, false, b"inter");
    push_audio(&mut muxer, 2089, b"two");
    push_picture(&mut muxer, 7200, 7200, false, b"waits");
    let out = end_fragment(&mut muxer);

    assert_eq!(
        paths(&out),
        [
            "moof",
            "moof.mfhd",
            "moof.traf",
            "moof.traf.tfhd",
            "moof.traf.tfdt",
            "moof.traf.trun",
            "moof.traf",
            "moof.traf.tfhd",
            "moof.traf.tfdt",
            "moof.traf.trun",
            "mdat",
        ]
    );
    assert_eq!(contents(&out, "moof.mfhd"), [b"\0\0\0\0\0\0\0\x01"]);
    assert_eq!(
        contents(&out, "moof.traf.tfhd"),
        [b"\0\x02\0\x20\0\0\0\x01\x02\0\0\0", b"\0\x02\0\x20\0\0\0\x02\x02\0\0\0",]
    );
    assert_eq!(contents(&out, "moof.traf.tfdt"), [b"\x01\0\0\0\0\0\0\0\0\0\0\0"; 2]);
    let moof = out.len() - (8 + 8 + 5 + 3 + 3);
    let video_data = moof as u32 + 8;
    let runs = contents(&out, "moof.traf.trun");
    assert_eq!(
        numbers(&runs[0]),
        [0x0100_0f01, 2, video_data, 3600, 8, 0x0200_0000, 3600, 3600, 5, 0x0101_0000, 7200,]
    );
    assert_eq!(numbers(&runs[1]), [0x0100_0301, 2, video_data + 13, 1024, 3, 1024, 3]);
    assert_eq!(contents(&out, "mdat"), [b"keyframeinteronetwo"]);
}

/// Each track's decoding time and durations in the fragment.
fn times(fragment: &[u8]) -> Vec<(u64, Vec<u32>)> {
    let starts = contents(fragment, "moof.traf.tfdt");
    let runs = contents(fragment, "moof.traf.trun");
    let time = |(start, run): (&Vec<u8>, &Vec<u8>)| {
        let numbers = numbers(run);
        let step = (numbers.len() - 3) / numbers[1] as usize;
        let durations = numbers[3..].iter().step_by(step).copied().collect();
        (u64::from_be_bytes(start[4..].try_into().unwrap()), durations)
    };
    starts.iter().zip(&runs).map(time).collect()
}

#[test]
fn fragments_go_on_from_one_another() {
    let mut muxer = muxer();
    push_picture(&mut muxer, 0, 0, true, b"0");
    push_audio(&mut muxer, 0, b"a");
    push_picture(&mut muxer, 3000, 3000, false, b"1");
    assert_eq!(times(&end_fragment(&mut muxer)), [(0, vec![3000]), (0, vec![1024])]);
    assert_eq!(end_fragment(&mut muxer), b""[..]);
    push_audio(&mut muxer, 2090, b"b");
    assert_eq!(times(&end_fragment(&mut muxer)), [(1024, vec![1024])]);
    push_picture(&mut muxer, 9000, 9000, false, b"2");
    push_picture(&mut muxer, 10_000, 10_000, false, b"3");
    let mut out = BytesMut::new();
    muxer.finish(&mut out);
    // The last one is shown as long as the one before it.
    assert_eq!(times(&out), [(3000, vec![6000, 1000, 1000])]);
    assert_eq!(contents(&out, "moof.mfhd"), [b"\0\0\0\0\0\0\0\x03"]);
    assert_eq!(muxer.pending_bytes(), 0);
}

#[test]
fn audio_is_without_gaps_until_there_is_one() {
    let mut muxer = Muxer::new(tracks([aac_config()]));
    // Rounded to ticks, and a gap of 100 ms.
    for index in 0..100 {
        let gap = if index < 50 { 0 } else { 9000 };
        push_audio(&mut muxer, index * 1024 * 90_000 / 44_100 + gap, b"a");
    }
    let times = times(&end_fragment(&mut muxer));
    let expected: Vec<u32> =
        (0..100).map(|index| if index == 49 { 1024 + 4410 } else { 1024 }).collect();
    assert_eq!(times, [(0, expected)]);
}

#[test]
fn a_picture_alone_has_a_duration() {
    let mut muxer = muxer();
    push_picture(&mut muxer, 90_000, 90_000, true, b"only");
    let mut out = BytesMut::new();
    muxer.finish(&mut out);
    assert_eq!(times(&out), [(90_000, vec![3600])]);
}

#[test]
fn what_has_no_place_is_left_out() {
    let mut video_only = Muxer::new(tracks([avc_config()]));
    push_audio(&mut video_only, 0, b"a");
    push_picture(&mut video_only, -1, 0, true, b"0");
    let mut audio_only = Muxer::new(tracks([aac_config()]));
    push_picture(&mut audio_only, 0, 0, true, b"0");
    push_audio(&mut audio_only, -1, b"a");
    for mut muxer in [video_only, audio_only] {
        let mut out = BytesMut::new();
        muxer.finish(&mut out);
        assert!(out.is_empty());
        assert_eq!(muxer.pending_bytes(), 0);
    }
}

#[test]
fn extreme_times() {
    let mut muxer = muxer();
    push_picture(&mut muxer, 0, 0, true, b"0");
    push_picture(&mut muxer, i64::MAX / 2, i64::MAX, false, b"1");
    push_picture(&mut muxer, 5, 5, false, b"2");
    push_audio(&mut muxer, 0, b"a");
    push_audio(&mut muxer, 1 << 60, b"b");
    push_audio(&mut muxer, 0, b"c");
    let mut out = BytesMut::new();
    muxer.finish(&mut out);
    assert_eq!(times(&out)[0], (0, vec![u32::MAX, 0, 0]));
}
