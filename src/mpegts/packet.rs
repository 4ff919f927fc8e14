//! Transport packets (ISO/IEC 13818-1, 2.4.3).

use bytes::{Buf, BufMut, BytesMut};

use crate::time::Ticks;

/// The length of every transport packet, in bytes.
pub const PACKET_LEN: usize = 188;

/// What a transport packet has for its payload and its adaptation field, in bytes.
pub const CAPACITY: usize = PACKET_LEN - HEADER_LEN;

const HEADER_LEN: usize = 4;
const SYNC_BYTE: u8 = 0x47;

/// Writes the transport packets of one PID, and counts them: their continuity counter goes on from
/// one segment to the next.
#[derive(Clone, Debug)]
pub struct PacketWriter {
    pid: u16,
    /// The counter of the next packet with a payload.
    next: u8,
}

impl PacketWriter {
    /// The writer of `pid`, 13 bits.
    pub const fn new(pid: u16) -> Self {
        Self { pid, next: 0 }
    }

    /// Writes one PES packet, or one section behind its pointer_field, as as many transport packets
    /// as it takes. `adaptation` goes into the first, stuffing into the last.
    pub fn write_unit(
        &mut self,
        adaptation: Adaptation,
        mut payload: impl Buf,
        out: &mut BytesMut,
    ) {
        self.write_packet(true, adaptation, &mut payload, out);
        while payload.has_remaining() {
            self.write_packet(false, Adaptation::default(), &mut payload, out);
        }
    }

    /// Writes one transport packet without payload.
    pub fn write_adaptation(&mut self, adaptation: Adaptation, out: &mut BytesMut) {
        self.write_packet(false, adaptation, &mut &[][..], out);
    }

    fn write_packet(
        &mut self,
        unit_start: bool,
        adaptation: Adaptation,
        payload: &mut impl Buf,
        out: &mut BytesMut,
    ) {
        let vacant = CAPACITY.saturating_sub(payload.remaining());
        let adaptation_len = adaptation.min_len().max(vacant);
        let payload_len = CAPACITY - adaptation_len;

        out.put_u8(SYNC_BYTE);
        out.put_u16(u16::from(unit_start) << 14 | self.pid);
        let control = u8::from(adaptation_len > 0) << 1 | u8::from(payload_len > 0);
        out.put_u8(control << 4 | self.count(payload_len > 0));
        adaptation.write(adaptation_len, out);
        out.put(payload.take(payload_len));
    }

    /// The next packet's continuity counter. One without payload repeats the last (2.4.3.3).
    const fn count(&mut self, has_payload: bool) -> u8 {
        if has_payload {
            self.next = self.next.wrapping_add(1);
        }
        self.next.wrapping_sub(1) & 0x0f
    }
}

/// What the adaptation field of a transport packet says (2.4.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adaptation {
    /// The clock of this PID does not go on from its last PCR.
    pub discontinuity: bool,
    /// Decoding can start with the PES packet that starts here.
    pub random_access: bool,
    /// The program clock reference: the time at which this packet is to arrive.
    pub pcr: Option<Ticks>,
}

impl Adaptation {
    /// The bytes that the field takes at least, its own length byte included.
    fn min_len(self) -> usize {
        match (self.pcr, self.flags()) {
            (Some(_), _) => 8,
            (None, 0) => 0,
            (None, _) => 2,
        }
    }

    fn flags(self) -> u8 {
        u8::from(self.discontinuity) << 7
            | u8::from(self.random_access) << 6
            | u8::from(self.pcr.is_some()) << 4
    }

    /// Writes the field as `len` bytes, at least `min_len` and at most [`CAPACITY`].
    fn write(self, len: usize, out: &mut BytesMut) {
        let Some(field_length) = len.checked_sub(1) else {
            return;
        };
        out.put_u8(field_length as u8);
        if field_length == 0 {
            return;
        }
        out.put_u8(self.flags());
        let mut written = 2;
        if let Some(pcr) = self.pcr {
            // 33 bits of 90 kHz, 6 reserved bits, 9 bits of the 27 MHz clock, which is always at 0.
            out.put_uint((wrap(pcr) << 15) | 0x7e00, 6);
            written += 6;
        }
        out.put_bytes(0xff, len - written);
    }
}

/// The 33 bits of a timestamp that are sent.
pub(super) const fn wrap(ticks: Ticks) -> u64 {
    ticks.0 as u64 & 0x1_ffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(adaptation: Adaptation, len: usize) -> BytesMut {
        let mut out = BytesMut::new();
        PacketWriter::new(0x101).write_unit(adaptation, &vec![0xab; len][..], &mut out);
        assert_eq!(out.len() % PACKET_LEN, 0);
        out
    }

    fn payload_len(packets: &[u8]) -> usize {
        let adaptation_len = |packet: &[u8]| match packet[3] >> 4 {
            0b01 => 0,
            _ => 1 + usize::from(packet[4]),
        };
        packets.chunks(PACKET_LEN).map(|packet| CAPACITY - adaptation_len(packet)).sum()
    }

    #[test]
    fn every_length_is_stuffed_exactly() {
        let pcr = Adaptation { pcr: Some(Ticks(0)), ..Adaptation::default() };
        for len in 1..600 {
            for (adaptation, overhead) in [(Adaptation::default(), 0), (pcr, 8)] {
                let out = unit(adaptation, len);
                assert_eq!(payload_len(&out), len);
                assert_eq!(out.len() / PACKET_LEN, (len + overhead).div_ceil(CAPACITY));
            }
        }
    }

    #[test]
    fn a_full_packet_has_no_adaptation_field() {
        assert_eq!(unit(Adaptation::default(), 184)[..5], [0x47, 0x41, 0x01, 0x10, 0xab]);
    }

    #[test]
    fn one_vacant_byte_is_a_field_of_length_zero() {
        assert_eq!(unit(Adaptation::default(), 183)[..6], [0x47, 0x41, 0x01, 0x30, 0x00, 0xab]);
    }

    #[test]
    fn two_vacant_bytes_are_length_and_flags() {
        assert_eq!(
            unit(Adaptation::default(), 182)[..7],
            [0x47, 0x41, 0x01, 0x30, 0x01, 0x00, 0xab]
        );
    }

    #[test]
    fn the_clock_reference_is_42_bits() {
        let adaptation = Adaptation {
            discontinuity: true,
            random_access: true,
            pcr: Some(Ticks(0x1_2345_6789 | 1 << 33)),
        };
        let out = unit(adaptation, 176);
        assert_eq!(
            out[..13],
            [0x47, 0x41, 0x01, 0x30, 0x07, 0xd0, 0x91, 0xa2, 0xb3, 0xc4, 0xfe, 0x00, 0xab]
        );
    }

    #[test]
    fn the_counter_counts_payloads_and_wraps() {
        let mut writer = PacketWriter::new(0x100);
        let mut out = BytesMut::new();
        writer.write_unit(Adaptation::default(), &[0; 16 * CAPACITY][..], &mut out);
        writer.write_adaptation(
            Adaptation { pcr: Some(Ticks(0)), ..Adaptation::default() },
            &mut out,
        );
        writer.write_unit(Adaptation::default(), &[0; 1][..], &mut out);

        let controls: Vec<u8> = out.chunks(PACKET_LEN).map(|packet| packet[3]).collect();
        let full: Vec<u8> = (0x10..0x20).collect();
        assert_eq!(controls[..16], full);
        assert_eq!(controls[16..], [0x2f, 0x30]);
    }
}
