//! A file of fragmented MP4.

use bytes::{Bytes, BytesMut};

use super::config::{Media, Video};
use super::file::WriteError;
use crate::fmp4::{FileWriter, Purpose};
use crate::media::{Container, Demuxer, PerTrack};
use crate::rtmp::Message;

/// Messages to access units to a file.
#[derive(Debug)]
pub(super) struct Mp4File {
    demuxer: Demuxer,
    writer: FileWriter,
}

impl Mp4File {
    /// A file of what is recorded.
    pub(super) fn new(media: Media) -> Self {
        let expected = PerTrack { video: media.video != Video::None, audio: media.audio };
        let writer = FileWriter::new(expected, Purpose::Recording);
        Self { demuxer: Demuxer::new(Container::Mp4), writer }
    }

    /// Appends a message, `time` milliseconds after the file's beginning. What is from before it is
    /// left out: at any other time sound and picture would be out of step.
    pub(super) fn write(
        &mut self,
        message: &Message,
        time: i64,
        out: &mut BytesMut,
    ) -> Result<(), WriteError> {
        if time < 0 {
            return Ok(());
        }
        // Times wrap in the demuxer as they do in messages.
        let taken = self.demuxer.push(&Message { timestamp: time as u32, ..message.clone() });
        while let Some(event) = self.demuxer.poll_event() {
            self.writer.push(event, out)?;
        }
        Ok(taken?)
    }

    /// About how large the file is, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, out: &mut BytesMut) {
        self.writer.flush(out);
    }

    /// Writes the end of the file: what is to be written over it, and where.
    pub(super) fn finish(&mut self, out: &mut BytesMut) -> Option<(u64, Bytes)> {
        self.writer.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::samples::read;
    use crate::record::tests::{Bench, config};
    use crate::record::{Format, RecorderConfig};
    use crate::rtmp::MessageType;

    /// Of ffmpeg: H.264 with reordered pictures and AAC; HEVC and Opus.
    const AVC_AAC: &[u8] = include_bytes!("../../tests/fixtures/front.mp4");
    const HEVC_OPUS: &[u8] = include_bytes!("../../tests/fixtures/hevc-opus.mp4");

    fn bench() -> Bench {
        Bench::new(RecorderConfig { format: Format::Mp4, ..config() })
    }

    /// Each file that is made of messages, by its name.
    fn record<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<(String, Vec<u8>)> {
        let mut bench = bench();
        for message in messages {
            bench.now = 1_000_000 + u64::from(message.timestamp);
            bench.push(message.kind, message.timestamp, &message.payload);
        }
        let files = bench.finish().files.into_iter();
        files.map(|(path, bytes)| (path.to_str().unwrap().to_owned(), bytes)).collect()
    }

    fn of_kind(messages: &[Message], kind: MessageType) -> Vec<&Message> {
        messages.iter().filter(|it| it.kind == kind).collect()
    }

    /// Asserts that two streams have the same messages at the same times, but for rounding.
    #[track_caller]
    fn assert_same(got: &[Message], expected: &[Message]) {
        for kind in [MessageType::Video, MessageType::Audio] {
            let (got, expected) = (of_kind(got, kind), of_kind(expected, kind));
            assert_eq!(got.len(), expected.len(), "{kind:?}");
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!(got.payload, expected.payload, "{kind:?} at {}", got.timestamp);
                assert!(got.timestamp.abs_diff(expected.timestamp) <= 1, "{got:?}");
            }
        }
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        for file in [AVC_AAC, HEVC_OPUS] {
            let messages = read(file);
            let [(name, recorded)] = &record(&messages)[..] else { panic!("one file") };
            assert_eq!(name, "/rec/cam.flv");
            assert_same(&read(recorded), &messages);
        }
    }

    #[test]
    fn a_file_can_be_read_while_it_is_written() {
        let messages = read(AVC_AAC);
        let mut bench = bench();
        let mut lengths = vec![];
        for message in &messages {
            bench.push(message.kind, message.timestamp, &message.payload);
            let bytes = bench.files.values().next().map_or(&[][..], Vec::as_slice);
            if bytes.is_empty() || lengths.contains(&bytes.len()) {
                continue;
            }
            lengths.push(bytes.len());
            let part = read(bytes);
            for kind in [MessageType::Video, MessageType::Audio] {
                let expected = of_kind(&messages, kind);
                for (got, expected) in of_kind(&part, kind).iter().zip(expected) {
                    assert_eq!(got.payload, expected.payload);
                }
            }
            let missing = message.timestamp - part.last().unwrap().timestamp;
            assert!(missing <= 1000, "{missing} ms are missing");
        }
        assert!(lengths.len() > 2, "{lengths:?}");
    }

    #[test]
    fn other_tracks_begin_another_file() {
        let (first, second) = (read(AVC_AAC), read(HEVC_OPUS));
        let offset = first.last().unwrap().timestamp + 2000;
        let moved =
            second.iter().map(|it| Message { timestamp: it.timestamp + offset, ..it.clone() });
        let moved: Vec<_> = moved.collect();
        let files = record(first.iter().chain(&moved));
        // The first one is not replaced.
        let [(name, hevc), (_, avc)] = &files[..] else { panic!("{}", files.len()) };
        assert!(name.starts_with("/rec/cam-"), "{name}");
        assert_same(&read(avc), &first);
        assert_same(&read(hevc), &second);
    }

    #[test]
    fn what_mp4_does_not_carry_is_told_once_and_left_out() {
        let mut bench = bench();
        let messages = read(AVC_AAC);
        for message in &messages {
            match message.kind {
                MessageType::Audio => bench.push(message.kind, message.timestamp, b"\x91fLaCdata"),
                kind => bench.push(kind, message.timestamp, &message.payload),
            }
        }
        let losses: Vec<_> = std::iter::from_fn(|| bench.recorder.poll_loss()).collect();
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert_eq!(losses[0].to_string(), "unsupported audio codec: FLAC");
        let recorded = bench.finish().files.into_values().next().unwrap();
        let video: Vec<_> =
            messages.into_iter().filter(|it| it.kind == MessageType::Video).collect();
        assert_same(&read(&recorded), &video);
    }
}
