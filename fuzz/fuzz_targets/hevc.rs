//! Decoder configurations and sequence parameter sets parse or fail.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::codec::hevc::{DecoderConfig, Sps};

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = DecoderConfig::parse(&Bytes::copy_from_slice(data)) {
        let _ = config.sps();
        assert!(data.starts_with(&config.record));
    }
    let _ = Sps::parse(data);
});
