//! Program-specific information: the two tables that tell a player what a transport stream carries
//! (ISO/IEC 13818-1, 2.4.4).

use bytes::{BufMut, Bytes, BytesMut};
use crc::{CRC_32_MPEG_2, Crc};

use super::packet::CAPACITY;

/// The PID of the program association table.
pub const PAT_PID: u16 = 0x0000;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);

const TRANSPORT_STREAM_ID: u16 = 1;
const PROGRAM_NUMBER: u16 = 1;

/// What an elementary stream is (table 2-34).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StreamType {
    /// AAC as ADTS frames (ISO/IEC 13818-7).
    AdtsAac = 0x0f,
    /// H.264 as a byte stream (ISO/IEC 14496-10, annex B).
    Avc = 0x1b,
}

/// An elementary stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementaryStream {
    /// What it is.
    pub stream_type: StreamType,
    /// The PID that carries it.
    pub pid: u16,
}

/// The payload of the packet that holds the program association table: one program, whose map is
/// on `pmt_pid`.
pub fn pat(pmt_pid: u16) -> Bytes {
    let mut body = BytesMut::with_capacity(4);
    body.put_u16(PROGRAM_NUMBER);
    body.put_u16(reserved(3, pmt_pid));
    section(0x00, TRANSPORT_STREAM_ID, 0, &body)
}

/// The payload of the packet that holds the program map table. `version` is 5 bits and is to
/// change with the table. A program has few enough `streams` for one packet.
pub fn pmt(version: u8, pcr_pid: u16, streams: &[ElementaryStream]) -> Bytes {
    let mut body = BytesMut::with_capacity(4 + 5 * streams.len());
    body.put_u16(reserved(3, pcr_pid));
    body.put_u16(reserved(4, 0)); // program_info_length
    for stream in streams {
        body.put_u8(stream.stream_type as u8);
        body.put_u16(reserved(3, stream.pid));
        body.put_u16(reserved(4, 0)); // ES_info_length
    }
    section(0x02, PROGRAM_NUMBER, version, &body)
}

/// A section in the long form, behind its pointer_field, filled up to a packet's payload (2.4.4.1).
fn section(table_id: u8, extension: u16, version: u8, body: &[u8]) -> Bytes {
    const AFTER_LENGTH: usize = 5;
    const CRC_LEN: usize = 4;

    let mut out = BytesMut::with_capacity(CAPACITY);
    out.put_u8(0); // pointer_field
    out.put_u8(table_id);
    let section_length = (AFTER_LENGTH + body.len() + CRC_LEN) as u16;
    out.put_u16(0xb000 | section_length); // section_syntax_indicator, '0', reserved
    out.put_u16(extension);
    out.put_u8(0xc0 | version << 1 | 1); // reserved, version_number, current_next_indicator
    out.put_u16(0); // section_number, last_section_number
    out.put_slice(body);
    let crc = CRC.checksum(&out[1..]);
    out.put_u32(crc);
    out.resize(CAPACITY.max(out.len()), 0xff);
    out.freeze()
}

/// `value` with the `bits` bits above it set, as reserved bits are.
const fn reserved(bits: u32, value: u16) -> u16 {
    !(u16::MAX >> bits) | value
}

#[cfg(test)]
mod tests {
    use super::*;

    // Both tables as ffmpeg 5.1 writes them.
    #[test]
    fn pat_names_the_program() {
        let payload = pat(0x1000);
        assert_eq!(payload.len(), CAPACITY);
        assert_eq!(
            payload[..17],
            [
                0x00, 0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00, 0x01, 0xf0, 0x00, 0x2a,
                0xb1, 0x04, 0xb2
            ]
        );
        assert!(payload[17..].iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn pmt_names_the_streams() {
        let payload = pmt(
            0,
            0x100,
            &[
                ElementaryStream { stream_type: StreamType::Avc, pid: 0x100 },
                ElementaryStream { stream_type: StreamType::AdtsAac, pid: 0x101 },
            ],
        );
        assert_eq!(
            payload[..27],
            [
                0x00, 0x02, 0xb0, 0x17, 0x00, 0x01, 0xc1, 0x00, 0x00, 0xe1, 0x00, 0xf0, 0x00, 0x1b,
                0xe1, 0x00, 0xf0, 0x00, 0x0f, 0xe1, 0x01, 0xf0, 0x00, 0x2f, 0x44, 0xb9, 0x9b
            ]
        );
    }

    #[test]
    fn a_section_with_its_crc_has_the_remainder_zero() {
        let payload = pmt(31, 0x101, &[]);
        assert_eq!(payload[6], 0xff);
        assert_eq!(CRC.checksum(&payload[1..17]), 0);
    }
}
