//! The index of keyframes that `onMetaData` may hold: `keyframes`, an object of two arrays of
//! numbers, `times` in seconds and `filepositions` in bytes.

use bytes::Buf;

use super::ReadError;
use crate::amf0::Value;
use crate::file_view::{Absent, FileView, Purpose, Stop};

/// Where the index is in the file. It is searched there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keyframes {
    times: u64,
    positions: u64,
    count: u32,
}

/// What metadata tells a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The index, with places counted from the beginning of the metadata.
    pub(super) keyframes: Option<Keyframes>,
    /// In seconds.
    pub(super) duration: Option<f64>,
}

/// A binary search for the last keyframe that is not after a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    index: Keyframes,
    target: u32,
    /// What is searched are the keyframes from `low` on, without `high`; those before `low` are not
    /// after the target.
    low: u32,
    high: u32,
}

/// AMF0 markers.
const NUMBER: u8 = 0;
const OBJECT: u8 = 3;
const ECMA_ARRAY: u8 = 8;
const STRICT_ARRAY: u8 = 10;

/// A number with its marker.
const ENTRY: usize = 9;

/// Looks through the payload of an `onMetaData` message.
pub(super) fn find(payload: &[u8]) -> Found {
    let mut found = Found::default();
    let mut rest = payload;
    if Value::decode(&mut rest).is_ok() {
        // What is found before an error is as good as it was.
        let _ = each_property(&mut rest, |name, rest| match name {
            b"duration" => {
                found.duration = Value::decode(rest).ok()?.as_number();
                Some(())
            }
            b"keyframes" => {
                found.keyframes = find_arrays(payload, rest)?;
                Some(())
            }
            _ => Value::decode(rest).ok().map(|_| ()),
        });
    }
    found
}

/// The two arrays in the object that `rest` begins with.
fn find_arrays(payload: &[u8], rest: &mut &[u8]) -> Option<Option<Keyframes>> {
    let (mut times, mut positions) = (None, None);
    each_property(rest, |name, rest| {
        let array = match name {
            b"times" => &mut times,
            b"filepositions" => &mut positions,
            _ => return Value::decode(rest).ok().map(|_| ()),
        };
        *array = Some(numbers(payload, rest)?);
        Some(())
    })?;
    let index = times.zip(positions).map(|((times, count), (positions, others))| Keyframes {
        times,
        positions,
        count: count.min(others),
    });
    Some(index.filter(|index| index.count > 0))
}

/// Passes over an array of numbers; gives where in `payload` its first one is, and their count.
fn numbers(payload: &[u8], rest: &mut &[u8]) -> Option<(u64, u32)> {
    if rest.try_get_u8().ok()? != STRICT_ARRAY {
        return None;
    }
    let count = rest.try_get_u32().ok()?;
    let place = payload.len() - rest.len();
    let length = usize::try_from(count).ok()?.checked_mul(ENTRY)?;
    *rest = rest.get(length..)?;
    Some((place as u64, count))
}

/// Calls `each` with the name of each property of the object or array, to take its value off.
fn each_property(
    rest: &mut &[u8],
    mut each: impl FnMut(&[u8], &mut &[u8]) -> Option<()>,
) -> Option<()> {
    match rest.try_get_u8().ok()? {
        OBJECT => {}
        ECMA_ARRAY => rest.advance(4.min(rest.len())),
        _ => return None,
    }
    loop {
        let length = usize::from(rest.try_get_u16().ok()?);
        let name = rest.split_off(..length)?;
        if name.is_empty() {
            // The marker of the object's end.
            return rest.try_get_u8().ok().map(|_| ());
        }
        each(name, rest)?;
    }
}

impl Keyframes {
    /// The index as it is in a file whose metadata's payload is at `position`.
    pub(super) const fn moved_by(self, position: u64) -> Self {
        Self { times: self.times + position, positions: self.positions + position, ..self }
    }

    /// Begins to search for the last keyframe at or before `target`, in milliseconds.
    pub(super) const fn search(self, target: u32) -> Search {
        Search { index: self, target, low: 0, high: self.count }
    }
}

impl Search {
    /// The time that is searched for.
    pub(super) const fn target(&self) -> u32 {
        self.target
    }

    /// Where the tag of the keyframe is, if the index is as it should be: of the first keyframe, if
    /// all are after the target.
    ///
    /// # Errors
    ///
    /// Something has to be read first.
    pub(super) fn run(&mut self, view: &mut FileView) -> Result<Option<u64>, Stop<ReadError>> {
        while self.low < self.high {
            let middle = self.low + (self.high - self.low) / 2;
            let Some(time) = number_at(view, self.index.times, middle)? else { return Ok(None) };
            if time * 1000.0 < f64::from(self.target) + 1.0 {
                self.low = middle + 1;
            } else {
                self.high = middle;
            }
        }
        let position = number_at(view, self.index.positions, self.low.saturating_sub(1))?;
        Ok(position.filter(|position| *position > 0.0).map(|position| position as u64))
    }
}

fn number_at(view: &mut FileView, array: u64, index: u32) -> Result<Option<f64>, Stop<ReadError>> {
    let place = array + u64::from(index) * ENTRY as u64;
    let mut entry = match view.get(Purpose::Tables, place, ENTRY) {
        Ok(entry) => entry,
        Err(Absent::Unread(request)) => return Err(Stop::Unread(request)),
        Err(Absent::PastEnd) => return Ok(None),
    };
    let is_number = entry.get_u8() == NUMBER;
    Ok(Some(entry.get_f64()).filter(|number| is_number && number.is_finite()))
}
