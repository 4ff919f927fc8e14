//! FLV files (Adobe FLV 10.1, annex E) that are to be continued.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use super::keyframe_index::KeyframeIndex;
use super::video::{VideoKind, video_kind};
use super::writer::{Contents, FILE_HEADER_LEN, SIZE_LEN, TAG_HEADER_LEN, TagType};
use crate::amf0::Value;

/// How much of a tag's body is looked at.
const PEEK: usize = 16;

/// The longest metadata that is read, in bytes.
const MAX_METADATA: usize = 1 << 20;

/// What there is in a file.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Where the last whole tag ends, in bytes. What follows is of no use.
    pub end: u64,
    /// The latest time of a tag, in milliseconds.
    pub duration: u32,
    pub(super) contents: Contents,
    pub(super) index: KeyframeIndex,
    pub(super) metadata: Option<Metadata>,
}

/// The metadata that a file begins with.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// The length of its tag, without its header.
    pub(super) len: usize,
    pub(super) properties: Vec<(String, Value)>,
}

impl Survey {
    /// Goes through a file, whose data but the metadata are not read. An empty one has none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no FLV file.
    pub fn of(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let len = file.seek(SeekFrom::End(0))?;
        if len == 0 {
            return Ok(None);
        }
        let mut header = [0; FILE_HEADER_LEN];
        if peek(file, 0, &mut header)? < header.len() || !header.starts_with(b"FLV\x01") {
            return Err(io::Error::new(ErrorKind::InvalidData, "the file is no FLV file"));
        }
        let mut survey = Self {
            end: FILE_HEADER_LEN as u64,
            duration: 0,
            contents: Contents::default(),
            index: KeyframeIndex::new(),
            metadata: None,
        };
        while let Some(tag) = Tag::read(file, survey.end, len)? {
            survey.take(&tag, file)?;
        }
        Ok(Some(survey))
    }

    fn take(&mut self, tag: &Tag, file: &mut (impl Read + Seek)) -> io::Result<()> {
        match tag.kind {
            Some(TagType::Audio) => self.contents.audio = true,
            Some(TagType::Video) => {
                self.contents.video = true;
                if video_kind(tag.peeked()) == VideoKind::Keyframe {
                    self.index.push(self.end, tag.time);
                }
            }
            Some(TagType::Script) if self.end == FILE_HEADER_LEN as u64 => {
                self.metadata = Metadata::read(file, self.end, tag.body_len)?;
            }
            Some(TagType::Script) | None => {}
        }
        self.duration = self.duration.max(tag.time);
        self.end += (TAG_HEADER_LEN + tag.body_len + SIZE_LEN) as u64;
        Ok(())
    }
}

struct Tag {
    /// None if it is of another type.
    kind: Option<TagType>,
    time: u32,
    body_len: usize,
    body: [u8; PEEK],
}

impl Tag {
    /// The tag at `position`, if it is whole.
    fn read(
        file: &mut (impl Read + Seek),
        position: u64,
        file_len: u64,
    ) -> io::Result<Option<Self>> {
        let mut bytes = [0; TAG_HEADER_LEN + PEEK];
        let got = peek(file, position, &mut bytes)?;
        let [kind, l0, l1, l2, t0, t1, t2, t3, _, _, _, body @ ..] = bytes;
        let body_len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let end = position + (TAG_HEADER_LEN + body_len + SIZE_LEN) as u64;
        if got < TAG_HEADER_LEN || end > file_len {
            return Ok(None);
        }
        let mut kinds = [TagType::Audio, TagType::Video, TagType::Script].into_iter();
        let kind = kinds.find(|it| it.id() == kind & 0x1f);
        let time = u32::from_be_bytes([t3, t0, t1, t2]);
        Ok(Some(Self { kind, time, body_len, body }))
    }

    /// The beginning of the body.
    fn peeked(&self) -> &[u8] {
        &self.body[..self.body_len.min(PEEK)]
    }
}

impl Metadata {
    fn read(file: &mut (impl Read + Seek), position: u64, len: usize) -> io::Result<Option<Self>> {
        if len > MAX_METADATA {
            return Ok(None);
        }
        let mut body = vec![0; len];
        if peek(file, position + TAG_HEADER_LEN as u64, &mut body)? < len {
            return Ok(None);
        }
        let values = Value::decode_all(&body).unwrap_or_default();
        Ok(match &values[..] {
            [Value::String(name), Value::EcmaArray(properties) | Value::Object(properties)]
                if name == "onMetaData" =>
            {
                Some(Self { len, properties: properties.clone() })
            }
            _ => None,
        })
    }
}

/// Fills `bytes` from `position` on, as far as the file goes.
fn peek(file: &mut (impl Read + Seek), position: u64, bytes: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(position))?;
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use bytes::BytesMut;

    use super::super::writer::{FlvWriter, Patch};
    use super::*;

    const KEYFRAME: &[u8] = b"\x17\x01\0\0\0key";
    const BOTH: Contents = Contents { audio: true, video: true };

    fn file() -> (FlvWriter, BytesMut) {
        let mut file = BytesMut::new();
        let properties = vec![("width".to_owned(), 640.0.into())];
        let mut writer = FlvWriter::begin(BOTH, properties, &mut file);
        writer.write(TagType::Video, 0, KEYFRAME, &mut file);
        writer.write(TagType::Audio, 1000, b"\xaf\x01s", &mut file);
        writer.write(TagType::Video, 2000, KEYFRAME, &mut file);
        (writer, file)
    }

    fn survey(bytes: &[u8]) -> Survey {
        Survey::of(&mut Cursor::new(bytes)).unwrap().expect("a file that is not empty")
    }

    fn finished(writer: &FlvWriter, file: &mut [u8]) {
        for Patch { offset, data } in writer.finish() {
            file[offset as usize..][..data.len()].copy_from_slice(&data);
        }
    }

    #[test]
    fn a_file_that_goes_on_is_as_one_that_was_not_interrupted() {
        let (mut writer, mut whole) = file();
        let mut interrupted = whole.clone();
        writer.write(TagType::Video, 3000, KEYFRAME, &mut whole);
        finished(&writer, &mut whole);

        let mut resumed = FlvWriter::resume(survey(&interrupted));
        resumed.write(TagType::Video, 3000, KEYFRAME, &mut interrupted);
        finished(&resumed, &mut interrupted);
        assert_eq!(interrupted, whole);
    }

    #[test]
    fn what_is_cut_off_is_left_out_wherever_that_is() {
        let (_, file) = file();
        let ends: Vec<u64> =
            (FILE_HEADER_LEN..=file.len()).map(|len| survey(&file[..len]).end).collect();
        for (len, end) in (FILE_HEADER_LEN..).zip(&ends) {
            assert!(*end <= len as u64);
        }
        assert!(ends.is_sorted());
        assert_eq!(ends.last(), Some(&(file.len() as u64)));
        let mut distinct = ends;
        distinct.dedup();
        assert_eq!(distinct.len(), 1 + 4);
    }

    #[test]
    fn metadata_of_others_stays_if_ours_does_not_fit() {
        for body in [&b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09"[..], b"\x02\0\x01x", b""] {
            let mut file = BytesMut::from(&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..]);
            file.extend([18, 0, 0, body.len() as u8, 0, 0, 0, 0, 0, 0, 0]);
            file.extend(body);
            file.extend([0, 0, 0, 11 + body.len() as u8]);
            let survey = survey(&file);
            assert_eq!(survey.end, file.len() as u64);
            assert_eq!(FlvWriter::resume(survey).finish().len(), 1);
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Survey::of(&mut Cursor::new(b"")).unwrap().is_none());
        for bytes in [&b"FLV"[..], b"ID3\x04 and so on and so forth"] {
            let error = Survey::of(&mut Cursor::new(bytes)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
    }
}
