//! From a file to messages in the order of their times.

use bytes::BytesMut;

use super::boxes::{self, BoxHeader};
use super::extent::ExtentSearch;
use super::fragment::{FragmentParser, Runs, Tracks};
use super::movie::{Movie, MovieParser, SampleDefaults};
use super::sample_entry::SampleEntry;
use super::sample_table::Cursor;
use super::seek::Seek;
use super::track::{Next, Track};
use super::{ReadError, Result, TrackChoice};
use crate::amf0::Value;
use crate::file_view::{FileView, Stop};
use crate::rtmp::session::STREAM_ID;
use crate::rtmp::{Message, MessageType};

/// Runs of fragments that are read ahead to find the next sample of every track.
const MAX_AHEAD: usize = 64;

/// The track by which the others go.
pub(super) const LEADER: usize = 0;

/// Reads the samples of a file in the order of their times, see [`FileView`] for how.
#[derive(Debug)]
pub struct Mp4Reader {
    state: State,
    file_length: u64,
    pub(super) movie: Movie,
    /// The video track first.
    pub(super) tracks: Vec<Track>,
    pub(super) fragments: Fragments,
}

/// ```text
/// Find -> Movie -> (Extent) -> Headers -> Samples -> Seek -> Headers
/// ```
#[derive(Debug)]
enum State {
    /// The movie box is looked for, from here on.
    Find { position: u64, choice: TrackChoice },
    /// It is read.
    Movie(Box<MovieParser>),
    /// It is looked for how long it is.
    Extent(ExtentSearch),
    /// Metadata and sequence headers come, from this one on, with this time.
    Headers { next: usize, time: u32 },
    /// Samples come.
    Samples,
    /// A place to go on from is looked for.
    Seek(Seek),
}

/// The fragments of a fragmented movie.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// Where the first may be.
    first: u64,
    /// Where the next may be.
    position: u64,
    parser: Option<FragmentParser>,
    /// Whether there are no more.
    ended: bool,
}

impl Fragments {
    /// Begins again at `position`, or at the first one.
    pub(super) fn restart(&mut self, position: Option<u64>) {
        let position = position.unwrap_or(self.first);
        *self = Self { first: self.first, position, parser: None, ended: false };
    }
}

impl Mp4Reader {
    /// A reader at the beginning of a file.
    pub fn new(choice: TrackChoice) -> Self {
        Self {
            state: State::Find { position: 0, choice },
            file_length: 0,
            movie: Movie::default(),
            tracks: Vec::new(),
            fragments: Fragments::default(),
        }
    }

    /// Reads what there is to know of the file before its samples.
    ///
    /// # Errors
    ///
    /// Nothing of it can be played, or something of it has to be read first.
    pub fn prepare(&mut self, view: &mut FileView) -> Result<()> {
        while let State::Find { position, choice } = self.state {
            let header = boxes::read_header(view, position, view.length())?;
            let Some(header) = header else { return Err(ReadError::NoMovie.into()) };
            self.find(view, position, &header, choice)?;
        }
        if let State::Movie(parser) = &mut self.state {
            self.movie = std::mem::take(parser.run(view)?);
            self.begin(view);
        }
        if let State::Extent(mut search) = self.state {
            let found = search.run(view, self);
            self.state = State::Extent(search);
            match found {
                Ok(end) => self.movie.set_duration(end),
                Err(Stop::Unread(request)) => return Err(Stop::Unread(request)),
                // It is just not known, then.
                Err(Stop::Failed(_)) => {}
            }
            self.begin_at(None);
            self.state = State::Headers { next: 0, time: 0 };
        }
        Ok(())
    }

    /// How long the movie is, in milliseconds, if it says so.
    pub fn duration(&self) -> Option<u32> {
        self.movie.duration().map(|seconds| (seconds * 1000.0) as u32)
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
                State::Headers { next, time } => {
                    if let Some(message) = self.header(next, time) {
                        return Ok(Some(message));
                    }
                }
                State::Seek(mut seek) => {
                    let found = seek.run(view, self);
                    self.state = State::Seek(seek);
                    self.state = State::Headers { next: 0, time: found? };
                }
                State::Find { .. } | State::Movie(_) | State::Extent(_) | State::Samples => {
                    return self.read(view);
                }
            }
        }
    }

    /// Goes to the sync sample of the video track at or before `target`, in milliseconds, and to the
    /// sound with it; what comes [next](Self::next) are the metadata and sequence headers, with its
    /// time. In a file without pictures sound does.
    ///
    /// To be called after [`prepare`](Self::prepare).
    pub fn seek(&mut self, target: u32) {
        self.state = State::Seek(Seek::new(target, self.movie.is_fragmented));
    }

    fn find(
        &mut self,
        view: &FileView,
        position: u64,
        header: &BoxHeader,
        choice: TrackChoice,
    ) -> Result<()> {
        match &header.kind {
            b"moov" if header.end > view.length() => {
                return Err(ReadError::Truncated(position).into());
            }
            b"moov" => {
                self.fragments = Fragments { first: header.end, ..Fragments::default() };
                self.fragments.restart(None);
                self.state = State::Movie(Box::new(MovieParser::new(header, choice)));
            }
            _ => self.state = State::Find { position: header.end, choice },
        }
        Ok(())
    }

    /// Sets the tracks up.
    fn begin(&mut self, view: &FileView) {
        self.file_length = view.length();
        let infos = [self.movie.video.take(), self.movie.audio.take()];
        self.tracks = infos.into_iter().flatten().map(Track::new).collect();
        let earliest = self.tracks.iter().map(Track::begins_at).min().unwrap_or(0).min(0);
        for track in &mut self.tracks {
            track.delay = earliest.saturating_neg();
        }
        self.fragments.ended = !self.movie.is_fragmented;
        self.state = match self.movie.is_fragmented && self.movie.duration().is_none() {
            true => State::Extent(ExtentSearch::default()),
            false => State::Headers { next: 0, time: 0 },
        };
    }

    /// Has everything begin at a fragment, or at the beginning.
    pub(super) fn begin_at(&mut self, fragment: Option<u64>) {
        let cursor = if fragment.is_some() { Cursor::past_end() } else { Cursor::default() };
        self.fragments.restart(fragment);
        self.tracks.iter_mut().for_each(|track| track.restart(cursor));
    }

    /// The next of what comes before samples.
    fn header(&mut self, next: usize, time: u32) -> Option<Message> {
        self.state = State::Headers { next: next + 1, time };
        if next == 0 {
            return Some(self.metadata(time));
        }
        match self.tracks.get(next - 1) {
            Some(track) => track.sequence_header(time),
            None => {
                self.state = State::Samples;
                None
            }
        }
    }

    fn metadata(&self, timestamp: u32) -> Message {
        let mut properties = Vec::new();
        let mut set = |name: &str, value: Value| properties.push((name.to_owned(), value));
        if let Some(duration) = self.movie.duration() {
            set("duration", duration.into());
        }
        for track in &self.tracks {
            match &track.info.entry {
                SampleEntry::Video(video) => {
                    set("width", f64::from(video.width).into());
                    set("height", f64::from(video.height).into());
                    set("videocodecid", video.codec.id().into());
                }
                SampleEntry::Audio(audio) => {
                    set("audiocodecid", audio.codec.id().into());
                    set("audiosamplerate", f64::from(audio.sample_rate).into());
                    set("audiochannels", f64::from(audio.channels).into());
                    set("stereo", (audio.channels > 1).into());
                }
            }
        }
        set("filesize", (self.file_length as f64).into());
        let mut payload = BytesMut::new();
        Value::from("onMetaData").encode(&mut payload);
        Value::EcmaArray(properties).encode(&mut payload);
        let kind = MessageType::DataAmf0;
        Message { kind, timestamp, stream_id: STREAM_ID, payload: payload.freeze() }
    }

    fn read(&mut self, view: &mut FileView) -> Result<Option<Message>> {
        while let Some((index, next)) = self.earliest(view)? {
            let Some(track) = self.tracks.get_mut(index) else { break };
            let message = match track.message(view, &next) {
                // A recording that was cut off ends here.
                Err(Stop::Failed(ReadError::NoSample(_))) if next.fragment.is_some() => break,
                message => message?,
            };
            track.advance();
            if next.sample.size > 0 {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The track whose next sample is the earliest, and that sample.
    fn earliest(&mut self, view: &mut FileView) -> Result<Option<(usize, Next)>> {
        let mut earliest: Option<(usize, Next)> = None;
        for index in 0..self.tracks.len() {
            if let Some(next) = self.peek(view, index)?
                && earliest.is_none_or(|(_, earliest)| next.time < earliest.time)
            {
                earliest = Some((index, next));
            }
        }
        Ok(earliest)
    }

    /// The next sample of a track, from fragments that have not been read if need be.
    pub(super) fn peek(&mut self, view: &mut FileView, index: usize) -> Result<Option<Next>> {
        loop {
            let Some(track) = self.tracks.get_mut(index) else { return Ok(None) };
            let next = track.peek(view)?;
            let ahead: usize = self.tracks.iter().map(|track| track.runs.len()).sum();
            if next.is_some() || self.fragments.ended || ahead >= MAX_AHEAD {
                return Ok(next);
            }
            self.read_fragment(view)?;
        }
    }

    /// Reads the next fragment, if there is one.
    fn read_fragment(&mut self, view: &mut FileView) -> Result<()> {
        if self.fragments.parser.is_none() {
            let position = self.fragments.position;
            let header = boxes::read_header(view, position, view.length())?;
            let Some(header) = header.filter(|header| header.end <= view.length()) else {
                self.fragments.ended = true;
                return Ok(());
            };
            self.fragments.position = header.end;
            if header.kind == *b"moof" {
                self.fragments.parser = Some(FragmentParser::new(position, &header));
            }
        }
        if let Some(parser) = &mut self.fragments.parser {
            let mut played = Played { tracks: &mut self.tracks, movie: &self.movie };
            parser.run(view, &mut played)?;
            self.fragments.parser = None;
        }
        Ok(())
    }
}

struct Played<'a> {
    tracks: &'a mut [Track],
    movie: &'a Movie,
}

impl Tracks for Played<'_> {
    fn track(&mut self, id: u32) -> Option<(&mut Runs, SampleDefaults)> {
        let track = self.tracks.iter_mut().find(|track| track.info.id == id)?;
        Some((&mut track.runs, self.movie.defaults(id)))
    }
}

#[cfg(test)]
#[path = "reader/tests.rs"]
mod tests;
