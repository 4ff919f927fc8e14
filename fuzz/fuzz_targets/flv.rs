//! Tags parse or fail, and the glance at one never fails.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::flv::{AudioTag, VideoTag, audio_kind, video_kind};

fuzz_target!(|data: &[u8]| {
    let payload = Bytes::copy_from_slice(data);
    let _ = VideoTag::parse(&payload);
    let _ = AudioTag::parse(&payload);
    let _ = video_kind(data);
    let _ = audio_kind(data);
});
