//! What comes back: the head of a response, and its body as it comes.

mod chunked;

use std::mem;

use httparse::{EMPTY_HEADER, Status};

use self::chunked::Chunked;

/// Most bytes of a head, and most fields.
const MAX_HEAD: usize = 16 << 10;
const MAX_FIELDS: usize = 100;

/// One response on a connection.
///
/// Received bytes go to [`handle_input`](Self::handle_input) until it gives [`Part::End`], or
/// [`handle_eof`](Self::handle_eof) is called when the server sends no more.
#[derive(Debug, Default)]
pub struct Response {
    state: State,
    /// Whether any byte has come.
    begun: bool,
    /// Whether another request may follow on the connection.
    reusable: bool,
}

/// What there is of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Its head: the first part.
    Head(Head),
    /// A piece of its body.
    Body(&'a [u8]),
    /// It is whole. The connection may be used again if so said; bytes that are left have no
    /// meaning then.
    End {
        /// Whether another request may follow.
        reusable: bool,
    },
}

/// The head of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// 200 to 999.
    pub status: u16,
    fields: Vec<(String, Vec<u8>)>,
}

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no HTTP/1.
    #[error("a response that is no HTTP: {0}")]
    Syntax(#[from] httparse::Error),
    /// The head is longer than 16 KB.
    #[error("a response with too long a head")]
    LongHead,
    /// A length that is no number, or several that differ.
    #[error("a response with an invalid Content-Length")]
    Length,
    /// The last transfer coding is not `chunked`, or a chunk is none.
    #[error("a response with an invalid Transfer-Encoding")]
    Chunks,
    /// It ends before its end.
    #[error("half a response")]
    Truncated,
    /// It ends before its beginning.
    #[error("no response")]
    Empty,
}

#[derive(Debug)]
enum State {
    /// The head, as far as it has come.
    Head(Vec<u8>),
    Body(Body),
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

/// Where a body ends (RFC 9112, 6.3).
#[derive(Debug)]
enum Body {
    /// After so many bytes more.
    Length(u64),
    Chunked(Chunked),
    /// When the server closes the connection.
    UntilClose,
}

impl Head {
    /// The value of the first field of that name, if it is text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.fields.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        of_name.filter_map(|(_, value)| std::str::from_utf8(value).ok().map(str::trim))
    }

    /// Whether a field that is a list has the element `token`.
    fn lists(&self, name: &str, token: &str) -> bool {
        let mut elements = self.values(name).flat_map(|value| value.split(','));
        elements.any(|element| element.trim().eq_ignore_ascii_case(token))
    }

    fn body(&self) -> Result<Body, Error> {
        // What is asked is GET and POST only.
        if matches!(self.status, 204 | 304) {
            return Ok(Body::Length(0));
        }
        if let Some(codings) = self.values("Transfer-Encoding").last() {
            let last = codings.rsplit(',').next().unwrap_or_default().trim();
            return match last.eq_ignore_ascii_case("chunked") {
                true => Ok(Body::Chunked(Chunked::default())),
                false => Err(Error::Chunks),
            };
        }
        let mut lengths = self.values("Content-Length").flat_map(|value| value.split(','));
        let Some(first) = lengths.next().map(str::trim) else { return Ok(Body::UntilClose) };
        let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || lengths.any(|other| other.trim() != first) {
            return Err(Error::Length);
        }
        first.parse().map(Body::Length).map_err(|_| Error::Length)
    }
}

impl Response {
    /// Processes received bytes; to be called again with what it leaves of them, until it gives
    /// nothing.
    ///
    /// # Errors
    ///
    /// Whatever the server does wrong. Nothing more can be got of the connection then.
    pub fn handle_input<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>, Error> {
        self.begun |= !input.is_empty();
        if let State::Head(buffer) = &mut self.state {
            let Some((head, version)) = read_head(buffer, input)? else { return Ok(None) };
            return self.begin_body(head, version).map(Some);
        }
        let State::Body(body) = &mut self.state else { return Ok(None) };
        let (piece, is_last) = body.read(input)?;
        if !piece.is_empty() {
            return Ok(Some(Part::Body(piece)));
        }
        if !is_last {
            return Ok(None);
        }
        self.state = State::Done;
        Ok(Some(Part::End { reusable: self.reusable }))
    }

    /// The server sends no more.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] or [`Error::Empty`] if the response is not whole.
    pub fn handle_eof(&mut self) -> Result<Part<'static>, Error> {
        match mem::replace(&mut self.state, State::Done) {
            State::Body(Body::UntilClose) | State::Done => Ok(Part::End { reusable: false }),
            _ if !self.begun => Err(Error::Empty),
            _ => Err(Error::Truncated),
        }
    }

    /// Whether anything has come of it.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    fn begin_body(&mut self, head: Head, version: u8) -> Result<Part<'static>, Error> {
        let body = head.body()?;
        // Of two lengths one is a lie that somebody on the way may believe (RFC 9112, 6.3).
        let is_clear = !matches!(body, Body::Chunked(_)) || head.field("Content-Length").is_none();
        let keeps_alive = match version {
            0 => head.lists("Connection", "keep-alive"),
            _ => !head.lists("Connection", "close"),
        };
        self.reusable = keeps_alive && is_clear && !matches!(body, Body::UntilClose);
        self.state = State::Body(body);
        Ok(Part::Head(head))
    }
}

impl Body {
    /// The next piece of the body, and whether nothing follows it. No piece means that there is
    /// nothing more in the input, or at all.
    fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<(&'a [u8], bool), Error> {
        match self {
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= length as u64;
                Ok((take(input, length), *left == 0))
            }
            Self::Chunked(chunked) => chunked.read(input),
            Self::UntilClose => Ok((take(input, input.len()), false)),
        }
    }
}

/// Takes bytes off the input.
fn take<'a>(input: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(length);
    *input = rest;
    taken
}

/// Reads a head, with the minor version, once all of it has come. Interim responses are left out.
fn read_head(buffer: &mut Vec<u8>, input: &mut &[u8]) -> Result<Option<(Head, u8)>, Error> {
    loop {
        let had = buffer.len();
        let room = MAX_HEAD - had;
        buffer.extend_from_slice(&input[..room.min(input.len())]);
        let Some((head, version, length)) = parse_head(buffer)? else {
            return if input.len() < room {
                take(input, input.len());
                Ok(None)
            } else {
                Err(Error::LongHead)
            };
        };
        take(input, length - had);
        buffer.clear();
        match head.status {
            // 101 was not asked for.
            100 | 102..=199 => {}
            101 => return Err(Error::Syntax(httparse::Error::Status)),
            _ => return Ok(Some((head, version))),
        }
    }
}

/// The head at the beginning of the buffer, the minor version, and how long it is.
fn parse_head(buffer: &[u8]) -> Result<Option<(Head, u8, usize)>, Error> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let Status::Complete(length) = parsed.parse(buffer)? else { return Ok(None) };
    let fields = parsed.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
    let head = Head { status: parsed.code.unwrap_or_default(), fields: fields.collect() };
    Ok(Some((head, parsed.version.unwrap_or_default(), length)))
}

#[cfg(test)]
mod tests;
