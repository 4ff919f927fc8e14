//! Boxes (ISO/IEC 14496-12, 4.2).

use bytes::{BufMut, BytesMut};

/// A box's type.
pub type BoxType = [u8; 4];

/// Bytes of a box's size and type.
pub const HEADER_SIZE: usize = 8;

/// Writes a box of less than 4 GiB, in which is what `contents` writes.
pub fn put_box(out: &mut BytesMut, box_type: &BoxType, contents: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(box_type);
    contents(out);
    let size = (out.len() - start) as u32;
    set_u32(out, start, size);
}

/// Writes a box with a version and 24 bits of flags.
pub fn put_full_box(
    out: &mut BytesMut,
    box_type: &BoxType,
    version: u8,
    flags: u32,
    contents: impl FnOnce(&mut BytesMut),
) {
    put_box(out, box_type, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        contents(out);
    });
}

/// Replaces four bytes that were written.
pub fn set_u32(out: &mut BytesMut, at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_be_bytes());
}
