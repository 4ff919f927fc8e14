//! Configurations parse or fail, and give ADTS headers or fail.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::codec::aac::AudioSpecificConfig;

fuzz_target!(|input: (usize, &[u8])| {
    let (length, config) = input;
    if let Ok(config) = AudioSpecificConfig::parse(config) {
        let _ = config.output_sample_rate();
        let _ = config.rfc6381_codec();
        let _ = config.adts_header(length);
    }
});
