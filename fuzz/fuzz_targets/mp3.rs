//! Data are split into frames without loss.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::codec::mp3::{FrameHeader, frames};

fuzz_target!(|data: &[u8]| {
    let mut length = 0;
    for frame in frames(Bytes::copy_from_slice(data)) {
        length += frame.len();
        let _ = FrameHeader::parse(&frame).map(|header| header.config.frame_length());
    }
    assert_eq!(length, data.len());
});
