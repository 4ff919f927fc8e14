//! Headers and packets parse or fail.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::codec::opus::{IdHeader, packet_samples};

fuzz_target!(|data: &[u8]| {
    if let Ok(header) = IdHeader::parse(data) {
        assert!(header.channels > 0);
    }
    if let Ok(samples) = packet_samples(data) {
        assert!((1..=5760).contains(&samples));
    }
});
