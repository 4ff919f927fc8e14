//! VP9.

use bytes::Bytes;

/// A `VPCodecConfigurationRecord` (VP Codec ISO Media File Format Binding, 1.0): what a sequence header
/// holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecConfig {
    /// The profile, 0 to 3.
    pub profile: u8,
    /// Ten times the level.
    pub level: u8,
    /// Bits of a sample.
    pub bit_depth: u8,
}

impl CodecConfig {
    /// Parses a record; `None` if it ends early. Some senders put its box's version and flags before
    /// it.
    pub fn parse(record: &Bytes) -> Option<Self> {
        /// Version 1, and no flags. As a record it would be of a level that there is not.
        const FULL_BOX: &[u8] = &[1, 0, 0, 0];

        let record = record.strip_prefix(FULL_BOX).unwrap_or(record);
        let &[profile, level, depth, ..] = record else { return None };
        Some(Self { profile, level, bit_depth: depth >> 4 })
    }

    /// The `codecs` parameter (RFC 6381).
    pub fn rfc6381_codec(self) -> String {
        let Self { profile, level, bit_depth } = self;
        format!("vp09.{profile:02}.{level:02}.{bit_depth:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_with_and_without_the_version_of_their_box() {
        let config = CodecConfig { profile: 1, level: 21, bit_depth: 8 };
        for record in [&b"\x01\x15\x82\x01\x01\x01\0\0"[..], b"\x01\0\0\0\x01\x15\x82\x01"] {
            assert_eq!(CodecConfig::parse(&Bytes::from_static(record)), Some(config));
        }
        assert_eq!(config.rfc6381_codec(), "vp09.01.21.08");
        assert_eq!(CodecConfig::parse(&Bytes::from_static(b"\x01\x15")), None);
    }
}
