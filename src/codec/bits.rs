//! A reader of single bits and of Exp-Golomb codes.

/// Why a field cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data ends within the field.
    #[error("data ends early")]
    Truncated,
    /// An Exp-Golomb code stands for more than 2^32 - 2.
    #[error("Exp-Golomb code too long")]
    ExpGolomb,
}

/// Reads bits from the most significant of each byte on.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    data: &'a [u8],
    /// Bits of `data` read already, at most as many as it has.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// A reader at the first bit of `data`.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// How many bits are left.
    pub const fn remaining(&self) -> usize {
        self.data.len() * 8 - self.position
    }

    /// The next bit.
    ///
    /// # Errors
    ///
    /// None is left.
    pub fn flag(&mut self) -> Result<bool, Error> {
        let byte = self.data.get(self.position / 8).ok_or(Error::Truncated)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    ///
    /// # Errors
    ///
    /// Fewer bits are left.
    pub fn bits(&mut self, count: u32) -> Result<u32, Error> {
        debug_assert!(count <= u32::BITS);
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.flag()?)))
    }

    /// An unsigned number of `count` bits, at most 8.
    ///
    /// # Errors
    ///
    /// Fewer bits are left.
    pub fn small(&mut self, count: u32) -> Result<u8, Error> {
        debug_assert!(count <= u8::BITS);
        Ok(self.bits(count)? as u8)
    }

    /// Passes over `count` bits.
    ///
    /// # Errors
    ///
    /// Fewer bits are left.
    pub fn skip(&mut self, count: usize) -> Result<(), Error> {
        if count > self.remaining() {
            return Err(Error::Truncated);
        }
        self.position += count;
        Ok(())
    }

    /// Passes over bits up to the next whole byte.
    pub fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// An unsigned Exp-Golomb code, `ue(v)` (ITU-T H.264, 9.1).
    ///
    /// # Errors
    ///
    /// The data ends within the code, or more than 31 zeros lead it.
    pub fn ue(&mut self) -> Result<u32, Error> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros == u32::BITS {
                return Err(Error::ExpGolomb);
            }
        }
        Ok((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// A signed Exp-Golomb code, `se(v)` (ITU-T H.264, 9.1.1).
    ///
    /// # Errors
    ///
    /// As for [`Self::ue`].
    pub fn se(&mut self) -> Result<i32, Error> {
        let code = self.ue()?;
        let magnitude = code.div_ceil(2) as i32;
        Ok(if code % 2 == 1 { magnitude } else { -magnitude })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let mut reader = BitReader::new(&[0b1010_0001, 0xff, 0x80]);
        assert!(reader.flag().unwrap());
        assert_eq!(reader.bits(3), Ok(0b010));
        assert_eq!(reader.small(8), Ok(0b0001_1111));
        assert_eq!(reader.remaining(), 12);
        reader.skip(1).unwrap();
        reader.align();
        assert_eq!(reader.bits(8), Ok(0x80));
        assert_eq!(reader.flag(), Err(Error::Truncated));
        assert_eq!(reader.skip(1), Err(Error::Truncated));
        assert_eq!(reader.bits(0), Ok(0));
        assert_eq!(BitReader::new(&[0xff; 4]).bits(32), Ok(u32::MAX));
    }

    #[test]
    fn exp_golomb() {
        // 1 010 011 00100 00101, padded.
        let codes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut reader = BitReader::new(&codes);
        let unsigned: Vec<_> = (0..5).map(|_| reader.ue().unwrap()).collect();
        assert_eq!(unsigned, [0, 1, 2, 3, 4]);
        let mut reader = BitReader::new(&codes);
        let signed: Vec<_> = (0..5).map(|_| reader.se().unwrap()).collect();
        assert_eq!(signed, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn exp_golomb_at_its_limits() {
        // 31 zeros, a one, 31 ones: 2^32 - 2.
        let largest = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe];
        assert_eq!(BitReader::new(&largest).ue(), Ok(u32::MAX - 1));
        assert_eq!(BitReader::new(&largest).se(), Ok(-i32::MAX));
        assert_eq!(BitReader::new(&[0, 0, 0, 0, 0xff]).ue(), Err(Error::ExpGolomb));
        for end in 0..largest.len() {
            assert_eq!(BitReader::new(&largest[..end]).ue(), Err(Error::Truncated));
        }
    }
}
