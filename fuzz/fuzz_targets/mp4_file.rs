//! A file is read to its end, after a seek too, or found bad; no reading stands still.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::file_view::{FileView, Stop};
use ngx_rtmp_module::mp4::{Mp4Reader, TrackChoice};

fuzz_target!(|input: (u32, &[u8])| {
    let (target, file) = input;
    let mut view = FileView::new(file.len() as u64);
    let mut reader = Mp4Reader::new(TrackChoice::default());
    if !read(&mut view, file, &mut reader) {
        return;
    }
    reader.seek(target);
    read(&mut view, file, &mut reader);
});

/// Whether the file is good up to its end.
fn read(view: &mut FileView, file: &[u8], reader: &mut Mp4Reader) -> bool {
    // Samples may share bytes, but each has some in a table, or some of its own.
    for _ in 0..1000 + 16 * file.len() {
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
