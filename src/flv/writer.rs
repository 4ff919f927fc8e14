//! FLV files (Adobe FLV 10.1, annex E) as they are written: from front to back, and then once more
//! over the header and the metadata.

use bytes::{BufMut, Bytes, BytesMut};

use super::keyframe_index::KeyframeIndex;
use super::survey::Survey;
use super::video::{VideoKind, video_kind};
use crate::amf0::Value;

/// The type of a tag (E.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagType {
    /// 8: audio.
    Audio,
    /// 9: video.
    Video,
    /// 18: data, such as metadata.
    Script,
}

impl TagType {
    /// The number in the file.
    pub const fn id(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

/// Which kinds of tags a file has (E.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Whether it has audio tags.
    pub audio: bool,
    /// Whether it has video tags.
    pub video: bool,
}

impl Contents {
    const fn flags(self) -> u8 {
        (self.audio as u8) << 2 | self.video as u8
    }
}

/// Bytes that replace others of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Where the first of them is, counted from the beginning of the file.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
}

/// An FLV file that is being written.
///
/// The first tag is `onMetaData`, with room for an index of keyframes. What is in it at first is
/// true of a file whose end is not known: a file that is cut off anywhere is a valid one.
/// [`finish`](Self::finish) says what to write there in the end.
#[derive(Clone, Debug)]
pub struct FlvWriter {
    /// The properties of the metadata besides those that the file tells itself.
    properties: Vec<(String, Value)>,
    /// The length of the metadata's tag without its header.
    metadata_len: usize,
    contents: Contents,
    index: KeyframeIndex,
    /// How many bytes have been written.
    len: u64,
    /// The latest time of a tag, in milliseconds.
    duration: u32,
}

/// The header of a file, and the size of the tag that is not before the first one.
pub(super) const FILE_HEADER_LEN: usize = 9 + 4;
/// Where the flags are in the header.
const FLAGS_OFFSET: u64 = 4;
pub(super) const TAG_HEADER_LEN: usize = 11;
/// What a tag's size takes after it.
pub(super) const SIZE_LEN: usize = 4;

/// The longest text that is taken into metadata, so that it stays small.
const MAX_TEXT: usize = 256;

/// Properties that the file tells itself.
const OWN: [&str; 5] = ["duration", "filesize", "hasKeyframes", "keyframes", "padding"];

impl FlvWriter {
    /// Begins a file of which nothing more is known than that it may have `contents`, and these
    /// `properties` of its metadata.
    pub fn begin(
        contents: Contents,
        mut properties: Vec<(String, Value)>,
        out: &mut BytesMut,
    ) -> Self {
        properties.retain(|(name, value)| is_fit(name, value));
        let mut writer = Self {
            properties,
            metadata_len: 0,
            contents: Contents::default(),
            index: KeyframeIndex::new(),
            len: 0,
            duration: 0,
        };
        writer.metadata_len = writer.metadata().len() + KeyframeIndex::CAPACITY * ENTRY_LEN;
        out.put_slice(b"FLV\x01");
        out.put_u8(contents.flags());
        out.put_u32(9);
        out.put_u32(0);
        writer.len = FILE_HEADER_LEN as u64;
        // It fits, as room was made for it.
        let metadata = writer.fitted_metadata().unwrap_or_default();
        writer.put_tag(TagType::Script, 0, &metadata, out);
        writer
    }

    /// Goes on with a file that ends where `survey` says.
    pub fn resume(survey: Survey) -> Self {
        let Survey { end, duration, contents, index, metadata } = survey;
        let (metadata_len, mut properties) =
            metadata.map_or_else(Default::default, |it| (it.len, it.properties));
        properties.retain(|(name, value)| is_fit(name, value));
        Self { properties, metadata_len, contents, index, len: end, duration }
    }

    /// Appends a tag; `time` is in milliseconds from the file's beginning, and no `body` is longer
    /// than 2^24 - 1 bytes.
    pub fn write(&mut self, kind: TagType, time: u32, body: &[u8], out: &mut BytesMut) {
        match kind {
            TagType::Audio => self.contents.audio = true,
            TagType::Video => {
                self.contents.video = true;
                if video_kind(body) == VideoKind::Keyframe {
                    self.index.push(self.len, time);
                }
            }
            TagType::Script => {}
        }
        self.duration = self.duration.max(time);
        self.put_tag(kind, time, body, out);
    }

    /// How many bytes have been written: where the next tag begins.
    pub fn position(&self) -> u64 {
        self.len
    }

    /// What is to be written over the beginning now that the file has its end.
    pub fn finish(&self) -> Vec<Patch> {
        let flags = Bytes::copy_from_slice(&[self.contents.flags()]);
        let mut patches = vec![Patch { offset: FLAGS_OFFSET, data: flags }];
        if let Some(metadata) = self.fitted_metadata() {
            let offset = (FILE_HEADER_LEN + TAG_HEADER_LEN) as u64;
            patches.push(Patch { offset, data: metadata.freeze() });
        }
        patches
    }

    fn put_tag(&mut self, kind: TagType, time: u32, body: &[u8], out: &mut BytesMut) {
        out.reserve(TAG_HEADER_LEN + body.len() + SIZE_LEN);
        out.put_u8(kind.id());
        out.put_uint(body.len() as u64, 3);
        out.put_uint(u64::from(time & 0x00ff_ffff), 3);
        out.put_u8((time >> 24) as u8);
        out.put_uint(0, 3);
        out.put_slice(body);
        out.put_u32((TAG_HEADER_LEN + body.len()) as u32);
        self.len += (TAG_HEADER_LEN + body.len() + SIZE_LEN) as u64;
    }

    /// The metadata, made as long as it was in the beginning, if it can be.
    fn fitted_metadata(&self) -> Option<BytesMut> {
        let mut metadata = self.metadata();
        let free = self.metadata_len.checked_sub(metadata.len())?;
        if free > 0 {
            let count = free.checked_sub(PADDING.len() + 4)?;
            // Before the end of the array. Readers skip nulls, of which each takes one byte; of the
            // texts, some take none that is as long.
            metadata.truncate(metadata.len() - ARRAY_END.len());
            metadata.put_slice(PADDING);
            metadata.put_u32(count as u32);
            metadata.put_bytes(NULL, count);
            metadata.put_slice(&ARRAY_END);
        }
        Some(metadata)
    }

    fn metadata(&self) -> BytesMut {
        let mut properties = self.properties.clone();
        properties.push(("duration".to_owned(), (f64::from(self.duration) / 1000.0).into()));
        properties.push(("filesize".to_owned(), (self.len as f64).into()));
        properties.push(("hasKeyframes".to_owned(), (self.index.len() > 0).into()));
        properties.push(("keyframes".to_owned(), self.index.to_value()));
        let mut metadata = BytesMut::new();
        Value::from("onMetaData").encode(&mut metadata);
        Value::EcmaArray(properties).encode(&mut metadata);
        metadata
    }
}

/// What an entry of the index takes: two numbers.
const ENTRY_LEN: usize = 2 * 9;

/// A property named `padding`, up to where the length of the array follows.
const PADDING: &[u8] = b"\0\x07padding\x0a";
const NULL: u8 = 5;
const ARRAY_END: [u8; 3] = [0, 0, 9];

/// Whether a property may stand in the metadata.
fn is_fit(name: &str, value: &Value) -> bool {
    let is_short = match value {
        Value::Number(_) | Value::Boolean(_) => true,
        Value::String(text) => text.len() <= MAX_TEXT,
        _ => false,
    };
    is_short && name.len() <= MAX_TEXT && !OWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYFRAME: &[u8] = b"\x17\x01\0\0\0key";
    const INTER: &[u8] = b"\x27\x01\0\0\0p";
    const BOTH: Contents = Contents { audio: true, video: true };

    /// The tags of a file, each with its offset: type, time, body. Checks the sizes between them.
    fn tags(file: &[u8]) -> Vec<(usize, u8, u32, &[u8])> {
        let (mut at, mut tags) = (FILE_HEADER_LEN, Vec::new());
        while at < file.len() {
            let number = |from: usize, len| {
                file[at + from..][..len].iter().fold(0, |n, &b| n << 8 | u32::from(b))
            };
            let len = number(1, 3) as usize;
            let body = &file[at + 11..][..len];
            assert_eq!(number(11 + len, 4) as usize, 11 + len);
            tags.push((at, file[at], number(4, 3) | number(7, 1) << 24, body));
            at += 11 + len + 4;
        }
        tags
    }

    fn metadata(file: &[u8]) -> Value {
        let (_, kind, time, body) = tags(file)[0];
        assert_eq!((kind, time), (18, 0));
        let mut values = Value::decode_all(body).unwrap();
        assert_eq!(values[0].as_str(), Some("onMetaData"));
        values.pop().unwrap()
    }

    fn finish(writer: &FlvWriter, file: &mut [u8]) {
        for Patch { offset, data } in writer.finish() {
            file[offset as usize..][..data.len()].copy_from_slice(&data);
        }
    }

    #[test]
    fn a_file_and_its_metadata() {
        let mut file = BytesMut::new();
        let properties =
            vec![("width".to_owned(), 640.0.into()), ("duration".to_owned(), 9.0.into())];
        let mut writer = FlvWriter::begin(BOTH, properties, &mut file);
        let begun = metadata(&file);
        assert_eq!(begun.get("duration"), Some(&0.0.into()));
        writer.write(TagType::Video, 0, KEYFRAME, &mut file);
        writer.write(TagType::Video, 40, INTER, &mut file);
        writer.write(TagType::Video, 0x0102_0304, KEYFRAME, &mut file);
        assert_eq!(writer.position(), file.len() as u64);
        assert_eq!(&file[..9], b"FLV\x01\x05\0\0\0\x09");
        finish(&writer, &mut file);
        assert_eq!(&file[..13], b"FLV\x01\x01\0\0\0\x09\0\0\0\0");

        let tags = tags(&file);
        assert_eq!(
            tags[1..].iter().map(|tag| (tag.1, tag.2, tag.3)).collect::<Vec<_>>(),
            [(9, 0, KEYFRAME), (9, 40, INTER), (9, 0x0102_0304, KEYFRAME),]
        );
        let metadata = metadata(&file);
        assert_eq!(metadata.get("width"), Some(&640.0.into()));
        assert_eq!(metadata.get("duration"), Some(&16_909.06.into()));
        assert_eq!(metadata.get("filesize"), Some(&(file.len() as f64).into()));
        let keyframes = metadata.get("keyframes").unwrap();
        let positions = [tags[1].0, tags[3].0].map(|at| Value::from(at as f64));
        assert_eq!(keyframes.get("filepositions"), Some(&Value::StrictArray(positions.to_vec())));
    }

    #[test]
    fn metadata_keep_their_length_however_many_keyframes_there_are() {
        for count in [0, 1, 1023, 1024, 1025, 5000] {
            let mut file = BytesMut::new();
            let mut writer = FlvWriter::begin(BOTH, Vec::new(), &mut file);
            for number in 0..count {
                writer.write(TagType::Video, number * 1000, KEYFRAME, &mut file);
            }
            finish(&writer, &mut file);
            assert_eq!(tags(&file).len(), count as usize + 1);
            let metadata = metadata(&file);
            let Some(Value::StrictArray(times)) = metadata.get("keyframes").unwrap().get("times")
            else {
                panic!("{metadata:?}");
            };
            assert_eq!(times.is_empty(), count == 0);
            assert_eq!(metadata.get("hasKeyframes"), Some(&(count > 0).into()));
        }
    }

    #[test]
    fn only_what_is_small_gets_into_the_metadata() {
        let mut file = BytesMut::new();
        let properties = vec![
            ("encoder".to_owned(), "x".repeat(MAX_TEXT + 1).as_str().into()),
            ("x".repeat(MAX_TEXT + 1), 1.0.into()),
            ("nested".to_owned(), Value::Object(Vec::new())),
            ("keyframes".to_owned(), 1.0.into()),
            ("level".to_owned(), "4.1".into()),
        ];
        FlvWriter::begin(BOTH, properties, &mut file);
        let metadata = metadata(&file);
        let names: Vec<_> =
            metadata.as_properties().unwrap().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["level", "duration", "filesize", "hasKeyframes", "keyframes", "padding"]
        );
    }
}
