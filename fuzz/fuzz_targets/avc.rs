//! Decoder configurations, parameter sets and NAL units parse or fail.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::codec::avc::{DecoderConfig, Sps};
use ngx_rtmp_module::codec::nal;

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = DecoderConfig::parse(&Bytes::copy_from_slice(data)) {
        let _ = config.sps();
        let _ = config.rfc6381_codec();
    }
    let _ = Sps::parse(data);
    for length_size in 1..=4 {
        nal::Nals::new(data, length_size).take_while(Result::is_ok).for_each(drop);
    }
    assert!(nal::unescape(data).len() <= data.len());
});
