//! Which worker has which stream: a table that all workers of one nginx share.
//!
//! It is a file that every worker maps. Two kinds of locks in it, which the system drops when their
//! process ends, however it ends, keep it right: one that makes changes one after the other, and
//! one for as long as a worker lives. So what a killed worker left is told from what is there.

use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::live::StreamKey;
use crate::stat::{Counted, Totals};
use crate::time::UnixMillis;

/// Most workers at a time, those that are shutting down among them.
const MAX_WORKERS: usize = 512;

/// Most streams at a time.
const MAX_STREAMS: usize = 16_384;

/// Longest name of a stream; the protocol's limit (`rtmp::command`).
const MAX_NAME: usize = 255;

/// Longest note on a stream.
const MAX_NOTE: usize = 127;

/// What is in the file. All zero is an empty table.
#[repr(C)]
struct Layout {
    /// All records from here on are free.
    end: AtomicU32,
    /// No slot from here on has ever been taken.
    slots: AtomicU32,
    /// When the table came to be, in milliseconds since 1970.
    since: AtomicU64,
    /// What all workers have counted since then.
    totals: [AtomicU64; Totals::COUNT],
    /// By slot: how many connections each worker has.
    connections: [AtomicU32; MAX_WORKERS],
    streams: [Record; MAX_STREAMS],
}

/// A published stream.
#[repr(C)]
struct Record {
    application: AtomicU64,
    /// The worker's slot and 1, or 0 if the record is free.
    owner: AtomicU32,
    name: Text<MAX_NAME>,
    /// What the owner has to say of the stream.
    note: Text<MAX_NOTE>,
    /// 1 if the owner's publisher is asked to go to another worker.
    is_offered: AtomicU8,
}

/// Up to 255 bytes.
#[repr(C)]
struct Text<const CAPACITY: usize> {
    length: AtomicU8,
    bytes: [AtomicU8; CAPACITY],
}

/// The size of the table's file in bytes.
pub(super) const SIZE: u64 = size_of::<Layout>() as u64;

/// A worker's number in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

impl Slot {
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// One worker's view of the table.
pub(super) struct Table {
    file: File,
    layout: NonNull<Layout>,
    slot: Slot,
}

/// What came of claiming a stream's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nginx) enum Claim {
    /// It is this worker's now, and was already or was free.
    Granted,
    /// Another worker has it.
    Refused,
    /// There is no room for more streams.
    Full,
}

/// Another worker, which has a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nginx) struct Owner(pub(super) Slot);

impl Table {
    /// Takes a free slot of the table in `file`, which has [`SIZE`] bytes and no locks yet, and
    /// frees what its last holder left.
    ///
    /// # Errors
    ///
    /// The system's; a file of another size; all slots are taken.
    pub(super) fn join(file: File, now: UnixMillis) -> io::Result<Self> {
        if file.metadata()?.len() != SIZE {
            return Err(io::Error::other("the table is of another version"));
        }
        let slot = (0..MAX_WORKERS as u32)
            .map(Slot)
            .find(|&slot| lock(&file, libc::F_OFD_SETLK, life(slot)).is_ok())
            .ok_or_else(|| io::Error::other("there are too many workers"))?;
        let (read_write, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        let size = size_of::<Layout>();
        // SAFETY: a new mapping, which overlaps none.
        let layout = unsafe { mmap(std::ptr::null_mut(), size, read_write, shared, &file, 0)? };
        let layout = NonNull::new(layout.cast()).ok_or_else(|| io::Error::other("mapped to 0"))?;
        let table = Self { file, layout, slot };
        table.changing(|layout| {
            layout.slots.fetch_max(slot.0 + 1, Relaxed);
            // Whoever is first sets it; to others it is no error.
            let _ = layout.since.compare_exchange(0, now.0, Relaxed, Relaxed);
            layout.bury(slot);
        })?;
        Ok(table)
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// Takes the name for this worker. From another worker that lives only with `take_over`, or if
    /// that one [offers](Self::offer) it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn claim(&self, key: &StreamKey, take_over: bool) -> io::Result<Claim> {
        self.changing(|layout| {
            let Some(record) = layout.find(key) else {
                return if layout.insert(key, self.slot) { Claim::Granted } else { Claim::Full };
            };
            let owner = record.owner();
            let is_other = |owner| owner != self.slot && self.is_alive(owner);
            let may_take = take_over || record.is_offered.load(Relaxed) == 1;
            if !may_take && owner.is_some_and(is_other) {
                return Claim::Refused;
            }
            if owner != Some(self.slot) {
                record.give(self.slot);
            }
            Claim::Granted
        })
    }

    /// Lets any other worker claim the name, if it is this worker's.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn offer(&self, key: &StreamKey) -> io::Result<()> {
        self.changing(|layout| {
            if let Some(record) = layout.find(key).filter(|it| it.owner() == Some(self.slot)) {
                record.is_offered.store(1, Relaxed);
            }
        })
    }

    /// Gives the name back, if it is this worker's.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn release(&self, key: &StreamKey) -> io::Result<()> {
        self.changing(|layout| {
            let record = layout.find(key).filter(|record| record.owner() == Some(self.slot));
            if let Some(record) = record {
                record.owner.store(0, Relaxed);
            }
        })
    }

    /// Notes something about a stream that is this worker's.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn note(&self, key: &StreamKey, text: &str) -> io::Result<()> {
        self.changing(|layout| {
            if let Some(record) = layout.find(key).filter(|it| it.owner() == Some(self.slot)) {
                record.note.set(text.as_bytes());
            }
        })
    }

    /// What the stream's owner has [noted](Self::note), if it lives.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn noted(&self, key: &StreamKey) -> io::Result<Option<String>> {
        let noted = self.changing(|layout| {
            layout.find(key).and_then(|record| {
                let bytes = record.note.bytes().iter().map(|byte| byte.load(Relaxed)).collect();
                Some((record.owner()?, String::from_utf8(bytes).ok()?))
            })
        })?;
        Ok(noted.filter(|(owner, _)| *owner == self.slot || self.is_alive(*owner)).map(|it| it.1))
    }

    /// The other worker that has the stream.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn owner(&self, key: &StreamKey) -> io::Result<Option<Owner>> {
        let owner = self.changing(|layout| layout.find(key).and_then(Record::owner))?;
        Ok(owner.filter(|&owner| owner != self.slot && self.is_alive(owner)).map(Owner))
    }

    /// Counts a connection of this worker's, in or out.
    pub(super) fn count_connection(&self, change: i32) {
        let count = &self.layout().connections[self.slot.0 as usize];
        count.fetch_add(change as u32, Relaxed);
    }

    /// The connections of all workers that live.
    pub(super) fn connections(&self) -> u64 {
        let all = self.others().chain([self.slot]);
        all.map(|slot| u64::from(self.layout().connections[slot.0 as usize].load(Relaxed))).sum()
    }

    /// Adds to what all workers have counted, which outlives them.
    pub(super) fn count(&self, more: &Totals) {
        for (total, more) in self.layout().totals.iter().zip(more.numbers()) {
            total.fetch_add(more, Relaxed);
        }
    }

    /// What all workers have counted, those that have ended too.
    pub(super) fn counted(&self) -> Counted {
        let Layout { since, totals, .. } = self.layout();
        let numbers = std::array::from_fn(|index| totals[index].load(Relaxed));
        Counted { since: since.load(Relaxed), totals: numbers.into() }
    }

    /// The other workers that live.
    pub(super) fn others(&self) -> impl Iterator<Item = Slot> {
        let slots = self.layout().slots.load(Relaxed).min(MAX_WORKERS as u32);
        (0..slots).map(Slot).filter(|&slot| slot != self.slot && self.is_alive(slot))
    }

    fn is_alive(&self, slot: Slot) -> bool {
        let mut held = life(slot);
        // SAFETY: the call only looks for a lock that conflicts with this one.
        let told = unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut held) };
        told == 0 && i32::from(held.l_type) != libc::F_UNLCK
    }

    /// Runs `change` while no other worker changes anything.
    fn changing<T>(&self, change: impl FnOnce(&Layout) -> T) -> io::Result<T> {
        lock(&self.file, libc::F_OFD_SETLKW, range(0, libc::F_WRLCK))?;
        let changed = change(self.layout());
        lock(&self.file, libc::F_OFD_SETLK, range(0, libc::F_UNLCK))?;
        Ok(changed)
    }

    fn layout(&self) -> &Layout {
        // SAFETY: mapped until this is dropped, as large as the type; every bit pattern is one of
        // its values, and its fields are atomic.
        unsafe { self.layout.as_ref() }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: `join` mapped it, and no reference outlives this.
        let _ = unsafe { munmap(self.layout.as_ptr().cast(), size_of::<Layout>()) };
    }
}

impl Layout {
    fn used(&self) -> &[Record] {
        &self.streams[..(self.end.load(Relaxed) as usize).min(MAX_STREAMS)]
    }

    fn find(&self, key: &StreamKey) -> Option<&Record> {
        self.used().iter().find(|record| record.is(key))
    }

    fn insert(&self, key: &StreamKey, slot: Slot) -> bool {
        let free = self.used().iter().position(|record| record.owner().is_none());
        let index = free.unwrap_or_else(|| self.used().len());
        let Some(record) = self.streams.get(index) else { return false };
        record.application.store(key.application.0, Relaxed);
        record.name.set(key.name.as_bytes());
        record.give(slot);
        self.end.fetch_max(index as u32 + 1, Relaxed);
        true
    }

    /// Frees what the worker at `slot` had.
    fn bury(&self, slot: Slot) {
        self.connections[slot.0 as usize].store(0, Relaxed);
        for record in self.used().iter().filter(|record| record.owner() == Some(slot)) {
            record.owner.store(0, Relaxed);
        }
    }
}

impl Record {
    fn owner(&self) -> Option<Slot> {
        self.owner.load(Relaxed).checked_sub(1).map(Slot)
    }

    fn give(&self, slot: Slot) {
        self.is_offered.store(0, Relaxed);
        self.note.set(&[]);
        self.owner.store(slot.0 + 1, Relaxed);
    }

    fn is(&self, key: &StreamKey) -> bool {
        self.application.load(Relaxed) == key.application.0
            && self.owner().is_some()
            && self.name.is(key.name.as_bytes())
    }
}

impl<const CAPACITY: usize> Text<CAPACITY> {
    /// What does not fit is left out.
    fn set(&self, text: &[u8]) {
        let length = text.len().min(CAPACITY);
        for (to, from) in self.bytes.iter().zip(&text[..length]) {
            to.store(*from, Relaxed);
        }
        self.length.store(length as u8, Relaxed);
    }

    fn bytes(&self) -> &[AtomicU8] {
        let length = usize::from(self.length.load(Relaxed));
        &self.bytes[..length.min(CAPACITY)]
    }

    fn is(&self, text: &[u8]) -> bool {
        let bytes = self.bytes();
        bytes.len() == text.len()
            && bytes.iter().zip(text).all(|(ours, theirs)| ours.load(Relaxed) == *theirs)
    }
}

/// The lock that a worker holds for its life.
fn life(slot: Slot) -> libc::flock {
    range(1 + i64::from(slot.0), libc::F_WRLCK)
}

fn range(start: i64, kind: i32) -> libc::flock {
    // SAFETY: all-zero is a valid value of the type.
    let mut range: libc::flock = unsafe { mem::zeroed() };
    range.l_type = kind as libc::c_short;
    range.l_whence = libc::SEEK_SET as libc::c_short;
    range.l_start = start;
    range.l_len = 1;
    range
}

fn lock(file: &File, command: i32, range: libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: an open file and a range of it.
        if unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const range) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::directory::Directory;
    use super::*;
    use crate::live::ApplicationId;

    const NOW: u64 = 1_700_000_000_000;

    /// A directory with an empty table, the lock of whose master is held.
    fn prepare() -> (tempfile::TempDir, Directory, File) {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::of_pid_file(&place.path().join("nginx.pid"));
        let master = directory.prepare(None, SIZE).unwrap();
        (place, directory, master)
    }

    fn join(directory: &Directory) -> Table {
        Table::join(directory.open_table().unwrap(), UnixMillis(NOW)).unwrap()
    }

    #[test]
    fn what_was_counted_outlives_its_workers() {
        let (_place, directory, _master) = prepare();
        let more = Totals { plays: 2, ..Totals::default() };
        let [first, second] = [(); 2].map(|()| join(&directory));
        first.count(&more);
        drop(first);
        second.count(&more);
        let totals = Totals { plays: 4, ..Totals::default() };
        assert_eq!(second.counted(), Counted { since: NOW, totals });
        let third = Table::join(directory.open_table().unwrap(), UnixMillis(NOW + 1)).unwrap();
        assert_eq!(third.counted(), second.counted());
    }

    fn key(name: &str) -> StreamKey {
        StreamKey { application: ApplicationId(7), name: name.to_owned() }
    }

    #[test]
    fn a_name_is_one_workers() {
        let (_place, directory, _master) = prepare();
        let [first, second] = [(); 2].map(|()| join(&directory));
        assert_ne!(first.slot(), second.slot());
        assert_eq!(first.claim(&key("a"), false).unwrap(), Claim::Granted);
        assert_eq!(first.claim(&key("a"), false).unwrap(), Claim::Granted);
        assert_eq!(second.claim(&key("a"), false).unwrap(), Claim::Refused);
        assert_eq!(second.claim(&key("b"), false).unwrap(), Claim::Granted);
        assert_eq!(second.owner(&key("a")).unwrap(), Some(Owner(first.slot())));
        assert_eq!(first.owner(&key("a")).unwrap(), None, "it is its own");
        second.release(&key("a")).unwrap();
        assert!(second.owner(&key("a")).unwrap().is_some(), "only the owner gives it back");
        first.release(&key("a")).unwrap();
        assert_eq!(second.owner(&key("a")).unwrap(), None);
        assert_eq!(second.claim(&key("a"), false).unwrap(), Claim::Granted);
    }

    #[test]
    fn a_newer_publisher_may_take_over() {
        let (_place, directory, _master) = prepare();
        let [first, second] = [(); 2].map(|()| join(&directory));
        first.claim(&key("a"), true).unwrap();
        assert_eq!(second.claim(&key("a"), true).unwrap(), Claim::Granted);
        first.release(&key("a")).unwrap();
        assert_eq!(first.owner(&key("a")).unwrap(), Some(Owner(second.slot())));
    }

    #[test]
    fn what_is_offered_may_be_taken_once() {
        let (_place, directory, _master) = prepare();
        let [first, second, third] = [(); 3].map(|()| join(&directory));
        first.claim(&key("a"), false).unwrap();
        second.offer(&key("a")).unwrap();
        assert_eq!(
            second.claim(&key("a"), false).unwrap(),
            Claim::Refused,
            "not the owner's offer"
        );
        first.offer(&key("a")).unwrap();
        assert_eq!(first.claim(&key("a"), false).unwrap(), Claim::Granted);
        assert_eq!(second.claim(&key("a"), false).unwrap(), Claim::Granted);
        assert_eq!(third.claim(&key("a"), false).unwrap(), Claim::Refused);
        second.offer(&key("a")).unwrap();
        second.release(&key("a")).unwrap();
        first.claim(&key("a"), false).unwrap();
        assert_eq!(third.claim(&key("a"), false).unwrap(), Claim::Refused, "a new name");
    }

    #[test]
    fn a_dead_worker_has_nothing() {
        let (_place, directory, _master) = prepare();
        let [first, second] = [(); 2].map(|()| join(&directory));
        first.count_connection(1);
        second.count_connection(1);
        first.claim(&key("a"), false).unwrap();
        first.claim(&key("b"), false).unwrap();
        assert_eq!(second.connections(), 2);
        assert_eq!(second.others().collect::<Vec<_>>(), [first.slot()]);
        let slot = first.slot();
        drop(first);
        assert_eq!(second.connections(), 1);
        assert_eq!(second.others().count(), 0);
        assert_eq!(second.owner(&key("a")).unwrap(), None);
        assert_eq!(second.claim(&key("a"), false).unwrap(), Claim::Granted);
        let third = join(&directory);
        assert_eq!(third.slot(), slot);
        assert_eq!(third.connections(), 1);
        assert_eq!(third.owner(&key("b")).unwrap(), None);
        assert_eq!(third.owner(&key("a")).unwrap(), Some(Owner(second.slot())));
    }

    #[test]
    fn a_table_is_full_some_time_and_has_room_again() {
        let (_place, directory, _master) = prepare();
        let table = join(&directory);
        let name = |number: usize| key(&format!("{number:0255}"));
        table.changing(|layout| layout.end.store(MAX_STREAMS as u32 - 1, Relaxed)).unwrap();
        for record in table.layout().used() {
            record.owner.store(1, Relaxed);
        }
        assert_eq!(table.claim(&name(1), false).unwrap(), Claim::Granted);
        assert_eq!(table.claim(&name(2), false).unwrap(), Claim::Full);
        table.release(&name(1)).unwrap();
        assert_eq!(table.claim(&name(2), false).unwrap(), Claim::Granted);
    }

    #[test]
    fn a_table_is_made_anew_only_when_nobody_uses_it() {
        let (_place, directory, master) = prepare();
        let table = join(&directory);
        table.claim(&key("a"), false).unwrap();
        drop(master);
        let master = directory.prepare(None, SIZE).unwrap();
        let other = join(&directory);
        assert!(other.owner(&key("a")).unwrap().is_some());
        drop((table, other, master));
        let _master = directory.prepare(None, SIZE).unwrap();
        assert_eq!(join(&directory).layout().used().len(), 0);
    }
}
