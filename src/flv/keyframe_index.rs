//! The index of keyframes that a file's metadata holds, by which players seek.

use crate::amf0::Value;

/// Where a keyframe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Where its tag begins in the file, in bytes.
    position: u64,
    /// The tag's time, in milliseconds.
    time: u32,
}

/// Keyframes of a file, in order, and never more than [`CAPACITY`](Self::CAPACITY): when it is full,
/// every other one is dropped, and from then on taken.
#[derive(Clone, Debug)]
pub(super) struct KeyframeIndex {
    entries: Vec<Entry>,
    /// Of so many keyframes one is kept.
    stride: u64,
    /// How many keyframes there were.
    count: u64,
}

impl KeyframeIndex {
    /// Over half an hour of keyframes each two seconds before the first is dropped.
    pub(super) const CAPACITY: usize = 1024;

    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), stride: 1, count: 0 }
    }

    /// How many keyframes are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes the file's next keyframe.
    pub(super) fn push(&mut self, position: u64, time: u32) {
        if self.count.is_multiple_of(self.stride) && self.entries.len() == Self::CAPACITY {
            self.thin();
        }
        if self.count.is_multiple_of(self.stride) {
            self.entries.push(Entry { position, time });
        }
        self.count += 1;
    }

    fn thin(&mut self) {
        let mut keep = false;
        self.entries.retain(|_| {
            keep = !keep;
            keep
        });
        self.stride *= 2;
    }

    /// The property `keyframes` of metadata, as widely understood though nowhere specified: bytes
    /// and seconds.
    pub(super) fn to_value(&self) -> Value {
        let list = |number: fn(&Entry) -> f64| {
            Value::StrictArray(self.entries.iter().map(|it| number(it).into()).collect())
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
    fn all_are_kept_while_they_fit() {
        let mut index = KeyframeIndex::new();
        for number in 0..KeyframeIndex::CAPACITY as u32 {
            index.push(u64::from(number) * 1000, number * 40);
        }
        assert_eq!(index.len(), KeyframeIndex::CAPACITY);
        assert_eq!(index.entries[1023], Entry { position: 1_023_000, time: 40_920 });
    }

    #[test]
    fn what_is_kept_of_many_is_spread_evenly() {
        let mut index = KeyframeIndex::new();
        for number in 0..10_000 {
            index.push(u64::from(number), number);
        }
        assert!((KeyframeIndex::CAPACITY / 2..=KeyframeIndex::CAPACITY).contains(&index.len()));
        for (place, entry) in index.entries.iter().enumerate() {
            assert_eq!(u64::from(entry.time), place as u64 * index.stride);
        }
        let last = index.entries.last().unwrap();
        assert!(u64::from(last.time) + index.stride >= 10_000);
    }

    #[test]
    fn times_are_seconds() {
        let mut index = KeyframeIndex::new();
        index.push(500, 2500);
        let value = index.to_value();
        assert_eq!(value.get("times"), Some(&Value::StrictArray(vec![2.5.into()])));
        assert_eq!(value.get("filepositions"), Some(&Value::StrictArray(vec![500.0.into()])));
    }
}
