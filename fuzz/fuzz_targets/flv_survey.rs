//! A file is gone through or found bad, and what is whole in it can be continued.

#![no_main]

use std::io::Cursor;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::flv::{FlvWriter, Survey, TagType};

fuzz_target!(|file: &[u8]| {
    let Ok(Some(survey)) = Survey::of(&mut Cursor::new(file)) else { return };
    let (end, duration) = (survey.end as usize, survey.duration);
    assert!(end <= file.len());
    let mut more = BytesMut::new();
    let mut writer = FlvWriter::resume(survey);
    writer.write(TagType::Video, duration.wrapping_add(20), b"\x17\x01\0\0\0", &mut more);
    assert_eq!(writer.position(), (end + more.len()) as u64);
    for patch in writer.finish() {
        assert!(patch.offset + patch.data.len() as u64 <= end as u64);
    }
});
