//! Access units as the elementary streams of a transport stream have them.

use bytes::BytesMut;

use crate::codec::avc::{DecoderConfig, NalType};
use crate::codec::nal::{Nals, put_annex_b};
use crate::media::AccessUnit;

/// An access unit delimiter that allows every type of slice (ITU-T H.264, 7.3.2.4).
const ACCESS_UNIT_DELIMITER: [u8; 2] = [0x09, 0xf0];

/// Writes an H.264 access unit as a byte stream (ISO/IEC 13818-1, 2.14.1): behind a delimiter, a
/// keyframe with the parameter sets that it needs. Of a unit with nothing to decode, nothing.
///
/// What follows a NAL unit whose length is wrong is left out.
pub fn write_avc(config: &DecoderConfig, unit: &AccessUnit, out: &mut BytesMut) {
    let nals = || {
        Nals::new(&unit.data, config.nal_length_size)
            .map_while(Result::ok)
            .filter(|nal| is_carried(NalType::of(nal)))
    };
    if nals().next().is_none() {
        return;
    }
    put_annex_b(out, &ACCESS_UNIT_DELIMITER);
    let has = |nal_type| nals().any(|nal| NalType::of(nal) == nal_type);
    if unit.keyframe && !(has(NalType::Sps) && has(NalType::Pps)) {
        let sets = config.sequence_parameter_sets.iter().chain(&config.picture_parameter_sets);
        sets.for_each(|set| put_annex_b(out, set));
    }
    nals().for_each(|nal| put_annex_b(out, nal));
}

/// The delimiter is ours, and filler only keeps a bit rate up that ends here.
const fn is_carried(nal_type: NalType) -> bool {
    !matches!(nal_type, NalType::AccessUnitDelimiter | NalType::Filler)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::samples::avc_config;
    use crate::media::{TrackConfig, TrackKind, VideoConfig};
    use crate::time::Ticks;

    const DELIMITER: &[u8] = &[0x09, 0xf0];
    const SPS: &[u8] = &[0x67, 0x42];
    const PPS: &[u8] = &[0x68, 0xce];
    const IDR: &[u8] = &[0x65, 0x88];
    const SLICE: &[u8] = &[0x41, 0x9a];

    /// The byte stream of an access unit of `nals`, split at its start codes.
    fn write(keyframe: bool, nals: &[&[u8]]) -> Vec<Vec<u8>> {
        let data: Vec<u8> =
            nals.iter().flat_map(|nal| [&[0, 0, 0, nal.len() as u8], *nal].concat()).collect();
        write_data(keyframe, data)
    }

    fn write_data(keyframe: bool, data: Vec<u8>) -> Vec<Vec<u8>> {
        let TrackConfig::Video(VideoConfig::Avc(config)) = avc_config() else { unreachable!() };
        let unit = AccessUnit {
            track: TrackKind::Video,
            dts: Ticks(0),
            pts: Ticks(0),
            keyframe,
            data: Bytes::from(data),
        };
        let mut out = BytesMut::new();
        write_avc(&config, &unit, &mut out);
        let mut nals = vec![];
        let mut rest = &out[..];
        while let Some(after) = rest.strip_prefix(&[0, 0, 0, 1]) {
            let end = after.windows(4).position(|four| four == [0, 0, 0, 1]).unwrap_or(after.len());
            nals.push(after[..end].to_vec());
            rest = &after[end..];
        }
        assert!(rest.is_empty());
        nals
    }

    #[test]
    fn a_keyframe_has_its_parameter_sets() {
        assert_eq!(write(true, &[IDR, IDR]), [DELIMITER, SPS, PPS, IDR, IDR]);
        assert_eq!(write(false, &[SLICE]), [DELIMITER, SLICE]);
    }

    #[test]
    fn nothing_is_twice() {
        let sei: &[u8] = &[0x06, 0x05];
        assert_eq!(
            write(true, &[&[0x09, 0x10], SPS, PPS, sei, IDR]),
            [DELIMITER, SPS, PPS, sei, IDR]
        );
        assert_eq!(write(true, &[SPS, IDR]), [DELIMITER, SPS, PPS, SPS, IDR]);
    }

    #[test]
    fn filler_is_left_out_and_an_empty_unit_is_none() {
        assert_eq!(write(false, &[SLICE, &[0x0c, 0xff, 0x80]]), [DELIMITER, SLICE]);
        assert!(write(true, &[&[0x09, 0x10], &[0x0c, 0xff]]).is_empty());
        assert!(write(true, &[]).is_empty());
    }

    #[test]
    fn a_truncated_unit_is_written_as_far_as_it_goes() {
        let mut data = vec![0, 0, 0, 2, 0x41, 0x9a, 0, 0, 0, 200, 0x41];
        assert_eq!(write_data(false, data.clone()), [DELIMITER, SLICE]);
        data.truncate(5);
        assert!(write_data(false, data).is_empty());
    }
}
