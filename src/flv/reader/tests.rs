use bytes::{BufMut, BytesMut};

use super::*;
use crate::amf0::Value;
use crate::file_view::read_from;
use crate::flv::file_tag::ON_META_DATA;

const VIDEO_HEADER: &[u8] = b"\x17\x00\x00\x00\x00\x01\x42\xc0";
const AUDIO_HEADER: &[u8] = b"\xaf\x00\x12\x10";
const KEYFRAME: &[u8] = b"\x17\x01\x00\x00\x00\x00\x00\x00\x01\x65";
const INTER: &[u8] = b"\x27\x01\x00\x00\x00\x00\x00\x00\x01\x41";
const SOUND: &[u8] = b"\xaf\x01\x21";

/// A file in the making.
struct File(BytesMut);

impl File {
    fn new() -> Self {
        Self(BytesMut::from(&b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"[..]))
    }

    /// Appends a tag; gives where it is.
    fn tag(&mut self, kind: u8, timestamp: u32, body: &[u8]) -> usize {
        let position = self.0.len();
        self.0.put_u8(kind);
        self.0.put_uint(body.len() as u64, 3);
        self.0.put_uint(u64::from(timestamp & 0xff_ffff), 3);
        self.0.put_u8((timestamp >> 24) as u8);
        self.0.put_uint(0, 3);
        self.0.put_slice(body);
        self.0.put_u32(11 + body.len() as u32);
        position
    }

    /// A picture every 100 ms with sound, a keyframe every second; gives where keyframes are.
    fn film(&mut self, seconds: u32) -> Vec<(u32, usize)> {
        self.tag(9, 0, VIDEO_HEADER);
        self.tag(8, 0, AUDIO_HEADER);
        let mut keyframes = Vec::new();
        for timestamp in (0..seconds * 1000).step_by(100) {
            let is_key = timestamp % 1000 == 0;
            let position = self.tag(9, timestamp, if is_key { KEYFRAME } else { INTER });
            if is_key {
                keyframes.push((timestamp, position));
            }
            self.tag(8, timestamp + 5, SOUND);
        }
        keyframes
    }
}

fn metadata(properties: Vec<(String, Value)>) -> BytesMut {
    let mut payload = BytesMut::new();
    Value::from("onMetaData").encode(&mut payload);
    Value::EcmaArray(properties).encode(&mut payload);
    payload
}

fn indexed(seconds: u32, shift: f64) -> (File, Vec<(u32, usize)>) {
    let make = |keyframes: &[(u32, usize)]| {
        let times = keyframes.iter().map(|(time, _)| (f64::from(*time) / 1000.0).into());
        let places = keyframes.iter().map(|(_, place)| (*place as f64 + shift).into());
        let arrays = vec![
            ("filepositions".to_owned(), Value::StrictArray(places.collect())),
            ("times".to_owned(), Value::StrictArray(times.collect())),
        ];
        let mut file = File::new();
        let properties = vec![
            ("duration".to_owned(), f64::from(seconds).into()),
            ("keyframes".to_owned(), Value::Object(arrays)),
            ("more".to_owned(), "text".into()),
        ];
        file.tag(18, 0, &metadata(properties));
        let keyframes = file.film(seconds);
        (file, keyframes)
    };
    let (_, draft) = make(&vec![(0, 0); seconds as usize]);
    make(&draft)
}

struct Player<'a> {
    file: &'a [u8],
    view: FileView,
    reader: FlvReader,
}

impl<'a> Player<'a> {
    fn new(file: &'a [u8]) -> Self {
        let mut player =
            Self { file, view: FileView::new(file.len() as u64), reader: FlvReader::new() };
        read_from(&mut player.view, file, |view| player.reader.prepare(view)).unwrap();
        player
    }

    fn next(&mut self) -> std::result::Result<Option<Message>, ReadError> {
        read_from(&mut self.view, self.file, |view| self.reader.next(view))
    }

    fn rest(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.next().unwrap()).collect()
    }

    /// The headers after a seek, and the first message after them.
    fn seek(&mut self, target: u32) -> (Vec<Bytes>, Message) {
        self.reader.seek(target);
        let mut headers = Vec::new();
        loop {
            let message = self.next().unwrap().unwrap();
            match TagKind::of(Some(message.kind), &message.payload) {
                TagKind::Metadata | TagKind::SequenceHeader => headers.push(message.payload),
                _ => return (headers, message),
            }
        }
    }
}

#[test]
fn every_tag_is_a_message() {
    let mut file = File::new();
    file.tag(18, 0, &metadata(vec![("duration".to_owned(), 1.5.into())]));
    file.tag(9, 0, VIDEO_HEADER);
    file.tag(9, 0, b"");
    file.tag(9, 0x1234_5678, KEYFRAME);
    file.tag(0x29, 0, b"encrypted");
    file.tag(8, 0x1234_5679, SOUND);
    let mut player = Player::new(&file.0);
    assert_eq!(player.reader.duration(), Some(1500));
    let messages = player.rest();
    let told: Vec<_> = messages.iter().map(|it| (it.kind, it.timestamp)).collect();
    let expected = [
        (MessageType::DataAmf0, 0),
        (MessageType::Video, 0),
        (MessageType::Video, 0x1234_5678),
        (MessageType::Audio, 0x1234_5679),
    ];
    assert_eq!(told, expected);
    assert_eq!(messages[2].payload, KEYFRAME);
}

#[test]
fn a_file_cut_anywhere_plays_up_to_there() {
    let mut file = File::new();
    file.film(2);
    let whole = Player::new(&file.0).rest();
    assert_eq!(whole.len(), 42);
    for length in 13..file.0.len() {
        let cut = Player::new(&file.0[..length]).rest();
        assert_eq!(cut[..], whole[..cut.len()]);
    }
    for length in 0..9 {
        let mut view = FileView::new(length);
        let result = read_from(&mut view, &file.0, |view| FlvReader::new().prepare(view));
        assert_eq!(result, Err(ReadError::NoHeader));
    }
}

#[test]
fn what_is_no_tag_is_said_where_it_is() {
    let mut file = File::new();
    file.tag(9, 0, VIDEO_HEADER);
    let place = file.tag(7, 0, KEYFRAME);
    file.tag(9, 0, KEYFRAME);
    let mut view = FileView::new(file.0.len() as u64);
    let mut reader = FlvReader::new();
    let result = read_from(&mut view, &file.0, |view| reader.next(view));
    assert_eq!(result, Err(ReadError::NoTag(place as u64, 7)));
}

#[test]
fn seeks_go_to_the_keyframe_before() {
    let mut plain = File::new();
    let of_plain = plain.film(5);
    let (file, of_indexed) = indexed(5, 0.0);
    let (wrong, of_wrong) = indexed(5, 1.0);
    for (file, keyframes) in [(plain, of_plain), (file, of_indexed), (wrong, of_wrong)] {
        let mut player = Player::new(&file.0);
        for target in [3500, 3000, 2999, 0, 4999, 100_000, 1001, 1000] {
            let (headers, first) = player.seek(target);
            let expected = target.min(4999) / 1000 * 1000;
            assert_eq!((first.timestamp, &first.payload[..]), (expected, KEYFRAME), "{target}");
            let headers = &headers[headers.len() - 2..];
            assert_eq!(headers, [VIDEO_HEADER, AUDIO_HEADER]);
            let passed = player.reader.passed.unwrap();
            assert!(keyframes.contains(&(passed.timestamp, passed.position as usize)));
            player.next().unwrap();
        }
        player.seek(0);
        assert_eq!(player.rest().len(), 99);
    }
}

#[test]
fn an_index_is_used() {
    let (file, _) = indexed(5, 0.0);
    let mut player = Player::new(&file.0);
    assert!(player.reader.index.is_some());
    let (headers, _) = player.seek(4000);
    assert!(headers[0].starts_with(ON_META_DATA));
    assert!(player.reader.index.is_some());
    let (wrong, _) = indexed(5, 1.0);
    let mut player = Player::new(&wrong.0);
    player.seek(4000);
    assert!(player.reader.index.is_none(), "it was found wrong");
}

#[test]
fn headers_that_change_are_those_of_the_place() {
    let mut file = File::new();
    file.film(2);
    let changed = b"\x17\x00\x00\x00\x00\x01\x42\xff";
    file.tag(9, 2000, changed);
    file.tag(9, 2000, KEYFRAME);
    file.tag(9, 2040, INTER);
    let mut player = Player::new(&file.0);
    assert_eq!(player.seek(2040).0, [&changed[..], AUDIO_HEADER]);
    assert_eq!(player.seek(500).0, [VIDEO_HEADER, AUDIO_HEADER]);
    player.rest();
    assert_eq!(player.seek(1999).0, [VIDEO_HEADER, AUDIO_HEADER]);
}

#[test]
fn sound_alone_is_sought_too() {
    let mut file = File::new();
    file.tag(8, 0, AUDIO_HEADER);
    for timestamp in (0..2000).step_by(20) {
        file.tag(8, timestamp, SOUND);
    }
    let mut player = Player::new(&file.0);
    assert_eq!(player.seek(1010).1.timestamp, 1000);
    assert_eq!(player.seek(19).1.timestamp, 0);
}
