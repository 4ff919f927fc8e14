//! Reads an FLV file (Adobe FLV 10.1, annex E): its tags as messages, from any keyframe on.

use bytes::Bytes;

use super::file_tag::{
    TagHeader, TagKind, glance, read_body, read_file_header, read_tag, read_tag_for,
};
use super::keyframes::{self, Keyframes, Search};
use crate::file_view::{FileView, Purpose, Stop};
use crate::rtmp::session::STREAM_ID;
use crate::rtmp::{Message, MessageType};

/// Tags at the beginning that are looked at for what playing from elsewhere needs.
const MAX_HEAD: usize = 64;

/// The largest metadata or sequence header that is repeated after a seek.
const MAX_REPEATED: usize = 64 << 10;

/// The largest metadata that is searched for an index of keyframes.
const MAX_METADATA: usize = 1 << 20;

/// How far sound may run ahead of the pictures that belong to it, in milliseconds.
const MAX_SKEW: u32 = 1000;

/// Why a file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It does not begin as an FLV file does.
    #[error("the file has no FLV header")]
    NoHeader,
    /// Something else than a tag is where one should be.
    #[error("there is no FLV tag at byte {0}, but a byte {1}")]
    NoTag(u64, u8),
}

pub(super) type Result<T> = std::result::Result<T, Stop<ReadError>>;

/// Reads the tags of a file one after the other, see [`FileView`] for how.
///
/// A file that was cut off ends with its last whole tag.
#[derive(Debug)]
pub struct FlvReader {
    state: State,
    /// Where the first tag is.
    first: u64,
    /// Where the next tag is.
    position: u64,
    /// What came before the first picture.
    head: Headers,
    /// What is in force at `position`.
    headers: Headers,
    /// What is in force where a scan has come to.
    scanned: Headers,
    index: Option<Keyframes>,
    duration: Option<f64>,
    /// The keyframe, or sound where there are no pictures, that was passed last.
    passed: Option<Passed>,
}

/// ```text
/// Start -> Head -> Tags <-> Search -> Scan -> Repeat -> Tags
/// ```
#[derive(Debug)]
enum State {
    /// The file's header comes next.
    Start,
    /// What comes before the first frame is looked at; so many tags have been.
    Head(usize),
    /// Tags are read.
    Tags,
    /// A keyframe is searched in the index.
    Search(Search),
    /// A keyframe is searched among the tags.
    Scan(Scan),
    /// Headers are repeated, from this one on, with this time.
    Repeat { next: usize, timestamp: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Passed {
    position: u64,
    timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Scan {
    target: u32,
    position: u64,
    /// The newest place to start from that is not after the target.
    best: Option<Passed>,
    /// Whether there are pictures, so that sound is no place to start from.
    has_video: bool,
}

/// The newest metadata and sequence headers.
#[derive(Clone, Debug, Default)]
struct Headers {
    /// Metadata, video, audio.
    payloads: [Option<Bytes>; 3],
}

const KINDS: [MessageType; 3] = [MessageType::DataAmf0, MessageType::Video, MessageType::Audio];

impl Headers {
    fn set(&mut self, kind: MessageType, payload: &Bytes) {
        let slot = KINDS.iter().zip(&mut self.payloads).find(|(it, _)| **it == kind);
        if let Some((_, slot)) = slot
            && payload.len() <= MAX_REPEATED
        {
            // On its own, as the payload keeps alive all that was read with it.
            *slot = Some(Bytes::copy_from_slice(payload));
        }
    }
}

impl Default for FlvReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FlvReader {
    /// A reader at the beginning of a file.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            first: 0,
            position: 0,
            head: Headers::default(),
            headers: Headers::default(),
            scanned: Headers::default(),
            index: None,
            duration: None,
            passed: None,
        }
    }

    /// Reads as much of the file as is needed to play it from anywhere.
    ///
    /// # Errors
    ///
    /// It is no FLV file, or something of it has to be read first.
    pub fn prepare(&mut self, view: &mut FileView) -> Result<()> {
        if matches!(self.state, State::Start) {
            self.first = read_file_header(view)?;
            self.position = self.first;
            self.state = State::Head(0);
        }
        while let State::Head(seen) = self.state {
            self.look(view, seen)?;
        }
        Ok(())
    }

    /// How long the file says it is, in milliseconds.
    pub fn duration(&self) -> Option<u32> {
        self.duration.map(|seconds| (seconds * 1000.0) as u32)
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    ///
    /// The file is damaged, or something of it has to be read first.
    pub fn next(&mut self, view: &mut FileView) -> Result<Option<Message>> {
        self.prepare(view)?;
        loop {
            match self.state {
                State::Search(_) => self.search(view)?,
                State::Scan(_) => self.scan(view)?,
                State::Repeat { next, timestamp } => {
                    if let Some(message) = self.repeat(next, timestamp) {
                        return Ok(Some(message));
                    }
                }
                State::Start | State::Head(_) | State::Tags => return self.read(view),
            }
        }
    }

    /// Goes to the keyframe at or before `target`, in milliseconds; what comes
    /// [next](Self::next) are the metadata and sequence headers in force there, with its time. In a file
    /// without pictures sound does for a keyframe.
    ///
    /// To be called after [`prepare`](Self::prepare).
    pub fn seek(&mut self, target: u32) {
        self.state = match self.index {
            Some(index) => State::Search(index.search(target)),
            None => State::Scan(self.scan_for(target)),
        };
    }

    fn scan_for(&mut self, target: u32) -> Scan {
        let best = self.passed.filter(|passed| passed.timestamp <= target);
        if best.is_none() {
            self.headers = self.head.clone();
        }
        self.scanned = self.headers.clone();
        let position = best.map_or(self.first, |best| best.position);
        Scan { target, position, best, has_video: false }
    }

    /// Looks at a tag before the first frame.
    fn look(&mut self, view: &mut FileView, seen: usize) -> Result<()> {
        let Some(tag) = read_tag(view, self.position)?.filter(|_| seen < MAX_HEAD) else {
            self.end_head();
            return Ok(());
        };
        let start = glance(view, Purpose::Media, &tag)?;
        match TagKind::of(tag.kind, &start) {
            TagKind::Keyframe | TagKind::Inter => {
                self.end_head();
                return Ok(());
            }
            TagKind::Metadata => {
                let payload = read_body(view, &tag)?;
                self.take_metadata(&payload, tag.body());
            }
            TagKind::SequenceHeader => {
                let payload = read_body(view, &tag)?;
                self.headers.set(tag.kind.unwrap_or(MessageType::Video), &payload);
            }
            TagKind::Sound | TagKind::Other => {}
        }
        self.position = tag.end();
        self.state = State::Head(seen + 1);
        Ok(())
    }

    fn end_head(&mut self) {
        self.head = self.headers.clone();
        self.position = self.first;
        self.state = State::Tags;
    }

    fn take_metadata(&mut self, payload: &Bytes, position: u64) {
        self.headers.set(MessageType::DataAmf0, payload);
        if payload.len() <= MAX_METADATA {
            let found = keyframes::find(payload);
            self.index = found.keyframes.map(|it| it.moved_by(position));
            self.duration = found.duration.filter(|seconds| *seconds > 0.0);
        }
    }

    fn read(&mut self, view: &mut FileView) -> Result<Option<Message>> {
        loop {
            let Some(tag) = read_tag(view, self.position)? else { return Ok(None) };
            let payload = read_body(view, &tag)?;
            self.position = tag.end();
            let TagHeader { timestamp, kind, position, .. } = tag;
            let Some(kind) = kind.filter(|_| !payload.is_empty()) else { continue };
            match TagKind::of(Some(kind), &payload) {
                TagKind::Keyframe => self.passed = Some(Passed { position, timestamp }),
                TagKind::Metadata | TagKind::SequenceHeader => {
                    self.headers.set(kind, &payload);
                    // Other headers are in force there.
                    self.passed = None;
                }
                TagKind::Inter | TagKind::Sound | TagKind::Other => {}
            }
            return Ok(Some(Message { kind, timestamp, stream_id: STREAM_ID, payload }));
        }
    }

    /// Searches the index, and the tags if it turns out wrong.
    fn search(&mut self, view: &mut FileView) -> Result<()> {
        let State::Search(search) = &mut self.state else { return Ok(()) };
        let target = search.target();
        let found = match search.run(view)? {
            Some(position) => self.keyframe_at(view, position)?,
            None => None,
        };
        if let Some(found) = found {
            if found.position < self.position {
                self.headers = self.head.clone();
            }
            self.arrive(found);
        } else {
            self.index = None;
            self.state = State::Scan(self.scan_for(target));
        }
        Ok(())
    }

    /// The keyframe whose tag is at `position`, if there is one.
    fn keyframe_at(&self, view: &mut FileView, position: u64) -> Result<Option<Passed>> {
        if position < self.first {
            return Ok(None);
        }
        let tag = match read_tag(view, position) {
            Ok(Some(tag)) => tag,
            Err(Stop::Unread(request)) => return Err(Stop::Unread(request)),
            Ok(None) | Err(Stop::Failed(_)) => return Ok(None),
        };
        let start = glance(view, Purpose::Media, &tag)?;
        // Some indices begin with the sequence header.
        let kind = TagKind::of(tag.kind, &start);
        let is_entry = matches!(kind, TagKind::Keyframe | TagKind::SequenceHeader);
        Ok(is_entry.then_some(Passed { position, timestamp: tag.timestamp }))
    }

    /// Looks at the tag that the scan has come to.
    fn scan(&mut self, view: &mut FileView) -> Result<()> {
        let State::Scan(mut scan) = self.state else { return Ok(()) };
        let Some(tag) = read_tag_for(view, Purpose::Tables, scan.position)? else {
            self.end_scan(&scan);
            return Ok(());
        };
        let kind = TagKind::of(tag.kind, &glance(view, Purpose::Tables, &tag)?);
        let is_picture = matches!(kind, TagKind::Keyframe | TagKind::Inter);
        let limit = if is_picture { scan.target } else { scan.target.saturating_add(MAX_SKEW) };
        if tag.timestamp > limit {
            self.end_scan(&scan);
            return Ok(());
        }
        let here = Passed { position: tag.position, timestamp: tag.timestamp };
        match kind {
            TagKind::SequenceHeader | TagKind::Metadata => {
                let payload = read_body(view, &tag)?;
                self.scanned.set(tag.kind.unwrap_or(MessageType::Video), &payload);
            }
            TagKind::Sound if scan.has_video || tag.timestamp > scan.target => {}
            TagKind::Keyframe | TagKind::Sound => {
                scan.best = Some(here);
                self.headers = self.scanned.clone();
            }
            TagKind::Inter | TagKind::Other => {}
        }
        scan.has_video |= is_picture;
        scan.position = tag.end();
        self.state = State::Scan(scan);
        Ok(())
    }

    fn end_scan(&mut self, scan: &Scan) {
        self.arrive(scan.best.unwrap_or(Passed { position: self.first, timestamp: 0 }));
    }

    fn arrive(&mut self, at: Passed) {
        self.position = at.position;
        self.passed = Some(at);
        self.state = State::Repeat { next: 0, timestamp: at.timestamp };
    }

    /// The next header to repeat.
    fn repeat(&mut self, next: usize, timestamp: u32) -> Option<Message> {
        let Some(kind) = KINDS.get(next) else {
            self.state = State::Tags;
            return None;
        };
        self.state = State::Repeat { next: next + 1, timestamp };
        let payload = self.headers.payloads[next].clone()?;
        Some(Message { kind: *kind, timestamp, stream_id: STREAM_ID, payload })
    }
}

#[cfg(test)]
#[path = "reader/tests.rs"]
mod tests;
