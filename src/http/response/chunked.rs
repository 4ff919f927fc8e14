//! Bodies in chunks (RFC 9112, 7.1).

use super::{Error, take};

/// Most bytes of the line that begins a chunk, and of all fields after the last one.
const MAX_LINE: usize = 4 << 10;

/// How far a body in chunks has come.
#[derive(Debug)]
pub(super) enum Chunked {
    /// A chunk's first line, as far as it has come.
    Size(Vec<u8>),
    /// So many bytes of a chunk are still to come.
    Data(u64),
    /// The line end after a chunk.
    DataEnd(Vec<u8>),
    /// The fields after the last chunk: how long they have been, and the last line.
    Trailer(usize, Vec<u8>),
    Done,
}

impl Default for Chunked {
    fn default() -> Self {
        Self::Size(Vec::new())
    }
}

impl Chunked {
    /// As [`Body::read`](super::Body::read).
    pub(super) fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<(&'a [u8], bool), Error> {
        loop {
            match self {
                Self::Size(line) => {
                    let Some(line) = read_line(line, input)? else { return Ok((&[], false)) };
                    *self = match size_of(&line)? {
                        0 => Self::Trailer(0, Vec::new()),
                        size => Self::Data(size),
                    };
                }
                Self::Data(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= length as u64;
                    if *left == 0 {
                        *self = Self::DataEnd(Vec::new());
                    }
                    return Ok((take(input, length), false));
                }
                Self::DataEnd(line) => match read_line(line, input)? {
                    None => return Ok((&[], false)),
                    Some(line) if line.is_empty() => *self = Self::default(),
                    Some(_) => return Err(Error::Chunks),
                },
                Self::Trailer(length, line) => match read_line(line, input)? {
                    None => return Ok((&[], false)),
                    Some(line) if line.is_empty() => *self = Self::Done,
                    Some(line) => {
                        *length += line.len();
                        if *length > MAX_LINE {
                            return Err(Error::Chunks);
                        }
                    }
                },
                Self::Done => return Ok((&[], true)),
            }
        }
    }
}

/// A whole line without its end, once it has come.
fn read_line(line: &mut Vec<u8>, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let end = input.iter().position(|&byte| byte == b'\n');
    line.extend_from_slice(take(input, end.map_or(input.len(), |end| end + 1)));
    if line.len() > MAX_LINE {
        return Err(Error::Chunks);
    }
    if end.is_none() {
        return Ok(None);
    }
    line.pop();
    line.pop_if(|byte| *byte == b'\r');
    Ok(Some(std::mem::take(line)))
}

/// The size that a chunk's first line tells; its extensions mean nothing to us.
fn size_of(line: &[u8]) -> Result<u64, Error> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Error::Chunks);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Error::Chunks)?;
    u64::from_str_radix(digits, 16).map_err(|_| Error::Chunks)
}
