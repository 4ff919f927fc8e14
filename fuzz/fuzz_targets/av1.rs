//! Codec configurations parse or fail.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::codec::av1::{CodecConfig, without_delimiter};

fuzz_target!(|data: &[u8]| {
    let data = Bytes::copy_from_slice(data);
    let _ = CodecConfig::parse(&data);
    assert!(data.ends_with(&without_delimiter(data.clone())));
});
