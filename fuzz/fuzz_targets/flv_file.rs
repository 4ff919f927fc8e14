//! A file is read to its end, after a seek too, or found bad; no reading stands still.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::file_view::{FileView, Stop};
use ngx_rtmp_module::flv::FlvReader;

fuzz_target!(|input: (u32, &[u8])| {
    let (target, file) = input;
    let mut view = FileView::new(file.len() as u64);
    let mut reader = FlvReader::new();
    if !read(&mut view, file, &mut reader) {
        return;
    }
    reader.seek(target);
    read(&mut view, file, &mut reader);
});

/// Whether the file is good up to its end.
fn read(view: &mut FileView, file: &[u8], reader: &mut FlvReader) -> bool {
    // A tag is at least 15 bytes, and each may take a few readings.
    for _ in 0..100 + file.len() {
        match reader.next(view) {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(Stop::Failed(_)) => return false,
            Err(Stop::Unread(request)) => {
                let start = request.offset as usize;
                let bytes = Bytes::copy_from_slice(&file[start..start + request.length]);
                view.fill(request, bytes);
            }
        }
    }
    panic!("the reader stands still");
}
