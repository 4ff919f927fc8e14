//! Configurations for tests.

use bytes::Bytes;

use super::TrackConfig;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::avc::DecoderConfig;

/// A configuration with parameter sets of two bytes each.
pub(crate) fn avc_config() -> TrackConfig {
    TrackConfig::Video(DecoderConfig {
        profile: 66,
        compatibility: 0xc0,
        level: 30,
        nal_length_size: 4,
        sequence_parameter_sets: vec![Bytes::from_static(&[0x67, 0x42])],
        picture_parameter_sets: vec![Bytes::from_static(&[0x68, 0xce])],
    })
}

/// LC, 44.1 kHz, stereo.
pub(crate) fn aac_config() -> TrackConfig {
    TrackConfig::Audio(AudioSpecificConfig::parse(&[0x12, 0x10]).expect("a valid configuration"))
}
