//! A bounded selection of things of which nobody knows how many will come.

/// Things in the order in which they came, and never more than a number of them: when it is full,
/// every other one is dropped, and from then on taken.
#[derive(Clone, Debug)]
pub(crate) struct Spread<T> {
    items: Vec<T>,
    capacity: usize,
    /// Of so many one is kept.
    stride: u64,
    /// How many have come.
    count: u64,
}

impl<T> Spread<T> {
    /// A selection of at most `capacity`, which is not zero.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { items: Vec::new(), capacity, stride: 1, count: 0 }
    }

    /// Takes the next one.
    pub(crate) fn push(&mut self, item: T) {
        if self.count.is_multiple_of(self.stride) && self.items.len() == self.capacity {
            self.thin();
        }
        if self.count.is_multiple_of(self.stride) {
            self.items.push(item);
        }
        self.count += 1;
    }

    /// Those that are kept.
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.items
    }

    fn thin(&mut self) {
        let mut keep = false;
        self.items.retain(|_| {
            keep = !keep;
            keep
        });
        self.stride *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_kept_while_they_fit() {
        let mut spread = Spread::new(1024);
        (0..1024).for_each(|number| spread.push(number));
        assert_eq!(spread.as_slice(), (0..1024).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_kept_of_many_is_spread_evenly() {
        for capacity in [1023, 1024] {
            let mut spread = Spread::new(capacity);
            (0..10_000).for_each(|number| spread.push(number));
            assert!((capacity / 2..=capacity).contains(&spread.as_slice().len()));
            for (place, number) in spread.as_slice().iter().enumerate() {
                assert_eq!(*number, place as u64 * spread.stride);
            }
            assert!(spread.as_slice().last().unwrap() + spread.stride >= 10_000);
        }
    }
}
