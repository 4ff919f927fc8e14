//! Configurations for tests.

use bytes::Bytes;

use super::{AudioConfig, TrackConfig, VideoConfig};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::avc::DecoderConfig;

/// A configuration with parameter sets of two bytes each.
pub(crate) fn avc_config() -> TrackConfig {
    TrackConfig::Video(VideoConfig::Avc(DecoderConfig {
        profile: 66,
        compatibility: 0xc0,
        level: 30,
        nal_length_size: 4,
        sequence_parameter_sets: vec![Bytes::from_static(&[0x67, 0x42])],
        picture_parameter_sets: vec![Bytes::from_static(&[0x68, 0xce])],
        record: Bytes::from_static(b"\x01\x42\xc0\x1e\xff\xe1\0\x02\x67\x42\x01\0\x02\x68\xce"),
    }))
}

/// LC, 44.1 kHz, stereo.
pub(crate) fn aac_config() -> TrackConfig {
    let record = Bytes::from_static(&[0x12, 0x10]);
    let config = AudioSpecificConfig::parse(&record).expect("a valid configuration");
    TrackConfig::Audio(AudioConfig::Aac { config, record })
}
