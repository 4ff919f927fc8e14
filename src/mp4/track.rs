//! A track that is played: its samples, those of its sample table first and those of fragments then,
//! as messages.

use bytes::Bytes;

use super::fragment::Runs;
use super::movie::TrackInfo;
use super::sample_entry::SampleEntry;
use super::sample_table::Cursor;
use super::tag::MAX_HEADER;
use super::{ReadError, Result, Sample};
use crate::file_view::{FileView, Purpose, Stop};
use crate::rtmp::session::STREAM_ID;
use crate::rtmp::{Message, MessageType};

/// The longest message (RTMP 1.0, 5.3.1.2.1).
const MAX_MESSAGE: usize = 0xff_ffff;

#[derive(Debug)]
pub(super) struct Track {
    pub(super) info: TrackInfo,
    /// The place in the sample table.
    pub(super) cursor: Cursor,
    pub(super) runs: Runs,
    /// What is added to its times in milliseconds, so that none is negative.
    pub(super) delay: i64,
    next: Option<Next>,
}

/// The next sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) sample: Sample,
    /// When it is decoded, in milliseconds of the stream.
    pub(super) time: u32,
    /// Where the fragment is that it is of.
    pub(super) fragment: Option<u64>,
}

impl Track {
    pub(super) fn new(info: TrackInfo) -> Self {
        let (cursor, runs) = (Cursor::default(), Runs::default());
        Self { info, cursor, runs, delay: 0, next: None }
    }

    /// Begins at another place, without fragments.
    pub(super) fn restart(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.runs = Runs::default();
        self.next = None;
    }

    /// The next sample; `None` if there is none, or its fragment has not been read.
    pub(super) fn peek(&mut self, view: &mut FileView) -> Result<Option<Next>> {
        if self.next.is_none() {
            let (sample, fragment) = match self.cursor.peek(view, &self.info.table)? {
                Some(sample) => (sample, None),
                None => match self.runs.peek(view)? {
                    Some((sample, fragment)) => (sample, Some(fragment)),
                    None => return Ok(None),
                },
            };
            let time = self.millis(sample.dts).max(0) as u32;
            self.next = Some(Next { sample, time, fragment });
        }
        Ok(self.next)
    }

    /// Goes past the sample that was seen last.
    pub(super) fn advance(&mut self) {
        if let Some(Next { sample, fragment, .. }) = self.next.take() {
            match fragment {
                None => self.cursor.advance(),
                Some(_) => self.runs.advance(&sample),
            }
        }
    }

    /// A time of the track in milliseconds of the stream.
    fn millis(&self, time: i64) -> i64 {
        let units = i128::from(time) + i128::from(self.info.shift);
        let millis = (units * 1000).div_euclid(i128::from(self.info.timescale));
        i64::try_from(millis).unwrap_or(i64::MAX / 2).saturating_add(self.delay)
    }

    /// When the track begins, in milliseconds of the stream.
    pub(super) fn begins_at(&self) -> i64 {
        self.millis(0)
    }

    /// The last time of the track that is not after `millis` of the stream.
    pub(super) fn time_at(&self, millis: u32) -> u64 {
        let end = i128::from(millis) - i128::from(self.delay) + 1;
        let units = (end * i128::from(self.info.timescale) - 1).div_euclid(1000);
        u64::try_from(units - i128::from(self.info.shift)).unwrap_or(0)
    }

    pub(super) const fn is_video(&self) -> bool {
        matches!(self.info.entry, SampleEntry::Video(_))
    }

    const fn kind(&self) -> MessageType {
        if self.is_video() { MessageType::Video } else { MessageType::Audio }
    }

    /// What decoders need before the first sample.
    pub(super) fn sequence_header(&self, timestamp: u32) -> Option<Message> {
        let payload = match &self.info.entry {
            SampleEntry::Video(video) => video.sequence_header(),
            SampleEntry::Audio(audio) => audio.sequence_header()?,
        };
        Some(Message { kind: self.kind(), timestamp, stream_id: STREAM_ID, payload })
    }

    /// The message of a sample.
    pub(super) fn message(&self, view: &mut FileView, next: &Next) -> Result<Message> {
        let data = self.data(view, &next.sample)?;
        let Sample { dts, composition, is_sync, .. } = next.sample;
        let payload = match &self.info.entry {
            SampleEntry::Video(video) => {
                let presented = self.millis(dts.saturating_add(composition.into()));
                let composition_time = presented.saturating_sub(self.millis(dts));
                video.frame(is_sync, composition_time, &data)
            }
            SampleEntry::Audio(audio) => audio.frame(&data),
        };
        Ok(Message { kind: self.kind(), timestamp: next.time, stream_id: STREAM_ID, payload })
    }

    fn data(&self, view: &mut FileView, sample: &Sample) -> Result<Bytes> {
        let Sample { offset, size, .. } = *sample;
        let size = size as usize;
        if size > MAX_MESSAGE - MAX_HEADER {
            return Err(ReadError::TooLarge(offset).into());
        }
        view.get(Purpose::Media, offset, size)
            .map_err(|absent| Stop::from_absent(absent, ReadError::NoSample(offset)))
    }
}
