//! Bytes on their way through nginx's filters.

use std::ptr::NonNull;

use bytes::Bytes;
use nginx_sys::{ngx_buf_t, ngx_chain_t, ngx_pcalloc};

use super::Request;

/// The most pieces that are under way at once,
const MAX_PIECES: usize = 8;

/// and the bytes from which on there are no more: what a client that does not read keeps in memory.
const ENOUGH: usize = 256 << 10;

/// What a request's client is being sent. nginx refers to the bytes: they stay until it has taken them
/// all, or has done with the request.
pub(in crate::nginx) struct Flight {
    /// In the request's memory, linked one to the next when they are sent.
    slots: NonNull<[Slot; MAX_PIECES]>,
    pieces: Vec<Bytes>,
}

/// nginx's view of a piece.
#[repr(C)]
struct Slot {
    link: ngx_chain_t,
    buffer: ngx_buf_t,
}

impl Flight {
    /// For `request`, with which it has to end; none if there is no memory.
    pub(super) fn new(request: Request) -> Option<Self> {
        // SAFETY: the request is there, and so is its pool.
        let slots = unsafe { ngx_pcalloc((*request.raw()).pool, size_of::<[Slot; MAX_PIECES]>()) };
        Some(Self { slots: NonNull::new(slots)?.cast(), pieces: Vec::with_capacity(MAX_PIECES) })
    }

    /// Whether nginx has taken everything; then that is forgotten.
    pub(in crate::nginx) fn land(&mut self) -> bool {
        // SAFETY: the request's memory is there, and nginx uses it in this thread only.
        let slots = unsafe { self.slots.as_ref() };
        let landed = slots[..self.pieces.len()].iter().all(|it| it.buffer.pos == it.buffer.last);
        if landed {
            self.pieces.clear();
        }
        landed
    }

    /// Fills up with pieces, none of which is empty, and gives them to be sent. Everything before has
    /// to have [landed](Self::land). None if there are none.
    pub(in crate::nginx) fn load(
        &mut self,
        mut next: impl FnMut() -> Option<Bytes>,
    ) -> Option<*mut ngx_chain_t> {
        let mut size = 0;
        while self.pieces.len() < MAX_PIECES && size < ENOUGH {
            let Some(piece) = next() else { break };
            size += piece.len();
            self.pieces.push(piece);
        }
        self.chain()
    }

    fn chain(&mut self) -> Option<*mut ngx_chain_t> {
        let slots = self.slots.cast::<Slot>();
        let last = self.pieces.len().checked_sub(1)?;
        for (index, piece) in self.pieces.iter().enumerate() {
            let bytes = piece.as_ptr_range();
            // SAFETY: there are at least as many slots as pieces. All-zero is a buffer and the end of a
            // chain; nginx only reads what is "memory".
            unsafe {
                let slot = slots.add(index).as_ptr();
                slot.write_bytes(0, 1);
                let buffer = &raw mut (*slot).buffer;
                (*buffer).pos = bytes.start.cast_mut();
                (*buffer).last = bytes.end.cast_mut();
                (*buffer).set_memory(1);
                (*buffer).set_flush(u32::from(index == last));
                (*slot).link.buf = buffer;
                if index < last {
                    (*slot).link.next = &raw mut (*slots.add(index + 1).as_ptr()).link;
                }
            }
        }
        Some(slots.cast().as_ptr())
    }
}
