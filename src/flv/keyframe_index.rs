//! The index of keyframes that a file's metadata holds, by which players seek.

use crate::amf0::Value;
use crate::spread::Spread;

/// Where a keyframe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Where its tag begins in the file, in bytes.
    position: u64,
    /// The tag's time, in milliseconds.
    time: u32,
}

/// Keyframes of a file, in order, and never more than [`CAPACITY`](Self::CAPACITY).
#[derive(Clone, Debug)]
pub(super) struct KeyframeIndex(Spread<Entry>);

impl KeyframeIndex {
    /// Over half an hour of keyframes each two seconds before the first is dropped.
    pub(super) const CAPACITY: usize = 1024;

    pub(super) const fn new() -> Self {
        Self(Spread::new(Self::CAPACITY))
    }

    /// How many keyframes are kept.
    pub(super) fn len(&self) -> usize {
        self.0.as_slice().len()
    }

    /// Takes the file's next keyframe.
    pub(super) fn push(&mut self, position: u64, time: u32) {
        self.0.push(Entry { position, time });
    }

    /// The property `keyframes` of metadata, as widely understood though nowhere specified: bytes
    /// and seconds.
    pub(super) fn to_value(&self) -> Value {
        let list = |number: fn(&Entry) -> f64| {
            Value::StrictArray(self.0.as_slice().iter().map(|it| number(it).into()).collect())
        };
        Value::Object(vec![
            ("filepositions".to_owned(), list(|it| it.position as f64)),
            ("times".to_owned(), list(|it| f64::from(it.time) / 1000.0)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        let mut index = KeyframeIndex::new();
        index.push(500, 2500);
        let value = index.to_value();
        assert_eq!(value.get("times"), Some(&Value::StrictArray(vec![2.5.into()])));
        assert_eq!(value.get("filepositions"), Some(&Value::StrictArray(vec![500.0.into()])));
    }
}
