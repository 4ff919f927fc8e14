use super::*;
use crate::file_view::read_from;
use crate::flv::{
    AudioCodec, AudioKind, AudioTag, FrameType, VideoCodec, VideoKind, VideoPacket, VideoTag,
    audio_kind, video_kind,
};

const FRONT: &[u8] = include_bytes!("../../../tests/fixtures/front.mp4");
const END: &[u8] = include_bytes!("../../../tests/fixtures/end.mp4");
const FRAGMENTED: &[u8] = include_bytes!("../../../tests/fixtures/fragmented.mp4");
const HEVC_OPUS: &[u8] = include_bytes!("../../../tests/fixtures/hevc-opus.mp4");

struct Player<'a> {
    file: &'a [u8],
    view: FileView,
    reader: Mp4Reader,
}

impl<'a> Player<'a> {
    fn new(file: &'a [u8], choice: TrackChoice) -> std::result::Result<Self, ReadError> {
        let view = FileView::new(file.len() as u64);
        let mut player = Self { file, view, reader: Mp4Reader::new(choice) };
        read_from(&mut player.view, file, |view| player.reader.prepare(view))?;
        Ok(player)
    }

    fn next(&mut self) -> std::result::Result<Option<Message>, ReadError> {
        read_from(&mut self.view, self.file, |view| self.reader.next(view))
    }

    fn rest(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.next().unwrap()).collect()
    }
}

fn play(file: &[u8]) -> Vec<Message> {
    Player::new(file, TrackChoice::default()).unwrap().rest()
}

fn of_kind(messages: &[Message], kind: MessageType) -> Vec<Message> {
    messages.iter().filter(|it| it.kind == kind).cloned().collect()
}

/// When pictures are decoded and presented, and whether they are keyframes.
fn pictures(messages: &[Message]) -> Vec<(u32, u32, bool)> {
    let video = of_kind(messages, MessageType::Video);
    let tags = video.iter().map(|it| (it.timestamp, VideoTag::parse(&it.payload).unwrap()));
    tags.filter_map(|(time, tag)| match tag.packet {
        VideoPacket::CodedFrames { composition_time, .. } => {
            let presented = time.wrapping_add_signed(composition_time);
            Some((time, presented, tag.frame_type == FrameType::Key))
        }
        _ => None,
    })
    .collect()
}

/// When sound is.
fn sounds(messages: &[Message]) -> Vec<u32> {
    let audio = of_kind(messages, MessageType::Audio);
    let frames = audio.iter().filter(|it| audio_kind(&it.payload) == AudioKind::Frame);
    frames.map(|it| it.timestamp).collect()
}

/// All fixtures have ten pictures a second for three seconds, and a keyframe each second.
fn assert_pictures(messages: &[Message], begin: u32) {
    let pictures = pictures(messages);
    let decoded: Vec<_> = pictures.iter().map(|(decoded, ..)| *decoded).collect();
    assert_eq!(decoded, (0..30).map(|n| n * 100).collect::<Vec<_>>());
    let mut presented: Vec<_> = pictures.iter().map(|(_, presented, _)| *presented).collect();
    presented.sort_unstable();
    assert_eq!(presented, (0..30).map(|n| n * 100 + begin).collect::<Vec<_>>());
    let keys = pictures.iter().filter(|(.., is_key)| *is_key);
    assert_eq!(keys.map(|(time, ..)| *time).collect::<Vec<_>>(), [0, 1000, 2000]);
}

#[test]
fn headers_come_first() {
    for (file, video, audio) in [
        (FRONT, VideoCodec::Avc, AudioCodec::Aac),
        (END, VideoCodec::Avc, AudioCodec::Aac),
        (FRAGMENTED, VideoCodec::Avc, AudioCodec::Aac),
        (HEVC_OPUS, VideoCodec::Hevc, AudioCodec::Opus),
    ] {
        let messages = play(file);
        let [metadata, video_header, audio_header, ..] = &messages[..] else { panic!() };
        let values = Value::decode_all(&metadata.payload).unwrap();
        assert_eq!(values[0].as_str(), Some("onMetaData"));
        let duration = values[1].get("duration").and_then(Value::as_number).unwrap();
        assert!((3.0..3.21).contains(&duration), "{duration}");
        assert_eq!(video_kind(&video_header.payload), VideoKind::SequenceHeader);
        assert_eq!(VideoTag::parse(&video_header.payload).unwrap().codec, video);
        assert_eq!(audio_kind(&audio_header.payload), AudioKind::SequenceHeader);
        assert_eq!(AudioTag::parse(&audio_header.payload).unwrap().codec, audio);
        assert!(messages.is_sorted_by_key(|it| it.timestamp));
    }
}

#[test]
fn every_sample_comes_at_its_time() {
    for (file, samples) in [(FRONT, 25), (END, 25), (HEVC_OPUS, 151)] {
        let messages = play(file);
        // Pictures are decoded 200 ms before they are presented, and so everything is later.
        assert_pictures(&messages, 200);
        let sounds = sounds(&messages);
        assert_eq!(sounds.len(), samples);
        let first = if samples == 25 { 200 - 128 } else { 200 - 7 };
        assert_eq!(sounds[0], first);
    }
    let messages = play(FRAGMENTED);
    assert_pictures(&messages, 200);
    assert_eq!(sounds(&messages).len(), 25);
}

#[test]
fn where_the_movie_box_is_makes_no_difference() {
    let without_metadata = |file| play(file).split_off(1);
    assert_eq!(without_metadata(FRONT), without_metadata(END));
    let payloads = |file| {
        let messages = play(file);
        [MessageType::Video, MessageType::Audio]
            .map(|kind| of_kind(&messages, kind).into_iter().map(|it| it.payload).collect())
    };
    let (whole, fragmented): ([Vec<_>; 2], [Vec<_>; 2]) = (payloads(FRONT), payloads(FRAGMENTED));
    assert_eq!(whole, fragmented);
}

#[test]
fn seeks_go_to_the_keyframe_before() {
    for file in [FRONT, END, FRAGMENTED, HEVC_OPUS] {
        let whole = play(file);
        let mut player = Player::new(file, TrackChoice::default()).unwrap();
        for target in [2500, 0, 1000, 999, 2000, 1999, 100_000, 1] {
            player.reader.seek(target);
            let time = target.min(2999) / 1000 * 1000;
            let messages = player.rest();
            let [metadata, video, audio, ..] = &messages[..] else { panic!() };
            assert_eq!(metadata.kind, MessageType::DataAmf0);
            for header in [metadata, video, audio] {
                assert_eq!(header.timestamp, time, "{target}");
            }
            let wanted: Vec<_> = pictures(&whole).into_iter().filter(|it| it.0 >= time).collect();
            assert_eq!(pictures(&messages), wanted, "{target}");
            let missing = sounds(&whole).len() - sounds(&messages).len();
            let before = sounds(&whole).iter().filter(|it| **it < time).count();
            assert!(before.abs_diff(missing) <= 1, "{target}: {before} {missing}");
        }
    }
}

/// Where the boxes of a kind begin that are in no other.
fn positions(file: &[u8], kind: &[u8; 4]) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some((header, _)) = file[at..].split_at_checked(8) {
        if header[4..] == *kind {
            found.push(at);
        }
        at += u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
    }
    found
}

#[test]
fn a_seek_by_the_index_passes_fragments() {
    let fragments = positions(FRAGMENTED, b"moof");
    let mut file = FRAGMENTED.to_vec();
    file[fragments[0]..*fragments.last().unwrap()].fill(0xff);
    let mut player = Player::new(&file, TrackChoice::default()).unwrap();
    player.reader.seek(2500);
    let expected: Vec<_> =
        pictures(&play(FRAGMENTED)).into_iter().filter(|it| it.0 >= 2000).collect();
    assert_eq!(pictures(&player.rest()), expected);
}

#[test]
fn an_index_may_be_wrong() {
    let mut file = FRAGMENTED.to_vec();
    let index = positions(FRAGMENTED, b"mfra")[0];
    let tfra = index + 8;
    assert_eq!(file[tfra + 4..tfra + 8], *b"tfra");
    let is_long = file[tfra + 8] == 1;
    let (head, width) = (24, if is_long { 8 } else { 4 });
    let end = tfra + u32::from_be_bytes(file[tfra..tfra + 4].try_into().unwrap()) as usize;
    let entry = 2 * width + 3;
    assert_eq!((end - tfra - head) % entry, 0);
    // The last fragment is said to be at the beginning, too.
    for at in (tfra + head..end).step_by(entry) {
        file[at..at + width].fill(0);
    }
    let mut player = Player::new(&file, TrackChoice::default()).unwrap();
    player.reader.seek(1500);
    assert_eq!(pictures(&player.rest())[0].0, 1000);
    // It is somewhere else altogether.
    file[tfra + head..end].fill(0);
    player = Player::new(&file, TrackChoice::default()).unwrap();
    player.reader.seek(1500);
    assert_eq!(pictures(&player.rest())[0].0, 1000);
}

#[test]
fn tracks_are_chosen() {
    for choice in [
        TrackChoice { video: Some(1), audio: None },
        TrackChoice { video: Some(0), audio: Some(7) },
    ] {
        let messages = Player::new(FRONT, choice).unwrap().rest();
        assert_eq!(pictures(&messages).is_empty(), choice.video == Some(1));
        assert_eq!(sounds(&messages).is_empty(), choice.audio == Some(7));
    }
    let neither = TrackChoice { video: Some(1), audio: Some(1) };
    assert_eq!(Player::new(FRONT, neither).err(), Some(ReadError::NoTracks));
}

#[test]
fn sound_alone_is_sought_too() {
    let mut player = Player::new(FRONT, TrackChoice { video: Some(1), audio: None }).unwrap();
    let whole = player.rest();
    player.reader.seek(1500);
    let messages = player.rest();
    let first = sounds(&messages)[0];
    assert_eq!(sounds(&whole).iter().rfind(|it| **it <= 1500), Some(&first));
}

#[test]
fn a_file_cut_anywhere_ends_or_is_told() {
    for file in [FRONT, END, FRAGMENTED] {
        let whole = play(file).split_off(1);
        for length in (0..file.len()).step_by(3) {
            let Ok(mut player) = Player::new(&file[..length], TrackChoice::default()) else {
                continue;
            };
            player.next().unwrap();
            for expected in &whole {
                match player.next() {
                    Ok(Some(message)) => assert_eq!(&message, expected),
                    Ok(None) => break,
                    Err(error) => {
                        assert!(matches!(error, ReadError::NoSample(_)), "{error}");
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (file, error) in [
        (&b""[..], ReadError::NoMovie),
        (b"This is no movie, whatever its name says.", ReadError::NoMovie),
        (b"\0\0\0\x04moov", ReadError::Box { kind: *b"moov", position: 0 }),
        (b"\0\0\x01\0moov", ReadError::Truncated(0)),
        (b"\0\0\0\x08moov", ReadError::NoTracks),
        (b"\0\0\0\x10moov\0\0\0\x10trak", ReadError::Box { kind: *b"trak", position: 16 }),
    ] {
        let told = Player::new(file, TrackChoice::default()).err();
        assert_eq!(told, Some(error));
    }
}

#[test]
fn a_byte_changed_anywhere_does_no_harm() {
    for file in [FRONT, FRAGMENTED] {
        for place in (0..file.len()).step_by(5) {
            let mut changed = file.to_vec();
            changed[place] ^= 0x81;
            let Ok(mut player) = Player::new(&changed, TrackChoice::default()) else { continue };
            player.reader.seek(1500);
            for _ in 0..200 {
                if !matches!(player.next(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
