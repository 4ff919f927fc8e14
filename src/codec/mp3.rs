//! MP3: MPEG audio layer III (ISO/IEC 11172-3, ISO/IEC 13818-3, and the lowest sample rates known as
//! MPEG 2.5).

use bytes::Bytes;

/// Why a frame cannot be told apart. Always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No frame starts here.
    #[error("MP3 frame without a sync word")]
    Sync,
    /// A value that is reserved.
    #[error("MP3 frame: reserved {0}")]
    Reserved(&'static str),
    /// Layer I or II.
    #[error("MPEG audio that is not layer III")]
    Layer,
}

/// How a track of frames is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Samples a second; never zero.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u8,
}

impl Config {
    /// Samples of a frame, of each channel.
    pub const fn frame_length(self) -> u32 {
        if self.is_mpeg_1() { 1152 } else { 576 }
    }

    /// Whether it is MPEG-1 audio, not one with a low sample rate.
    pub const fn is_mpeg_1(self) -> bool {
        self.sample_rate >= 32_000
    }
}

/// The header of a frame (ISO/IEC 11172-3, 2.4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What is the same for each frame of a track.
    pub config: Config,
    /// The size of the frame with its header in bytes; none if it is of free format.
    pub size: Option<usize>,
}

impl FrameHeader {
    /// Parses the header that `data` starts with.
    ///
    /// # Errors
    ///
    /// It is none, or not one of layer III.
    pub fn parse(data: &[u8]) -> Result<Self, Error> {
        let &[0xff, version, rates, mode, ..] = data else {
            return Err(Error::Sync);
        };
        if version & 0xe0 != 0xe0 {
            return Err(Error::Sync);
        }
        let divisor = match version >> 3 & 0x03 {
            0b00 => 4,
            0b10 => 2,
            0b11 => 1,
            _ => return Err(Error::Reserved("version")),
        };
        match version >> 1 & 0x03 {
            0b00 => return Err(Error::Reserved("layer")),
            0b01 => {}
            _ => return Err(Error::Layer),
        }
        let sample_rate = match rates >> 2 & 0x03 {
            0 => 44_100,
            1 => 48_000,
            2 => 32_000,
            _ => return Err(Error::Reserved("sample rate")),
        } / divisor;
        let channels = if mode >> 6 == 0b11 { 1 } else { 2 };
        let config = Config { sample_rate, channels };
        let padding = u32::from(rates >> 1 & 1);
        let size = kilobits(rates >> 4, config.is_mpeg_1())?
            .map(|kilobits| config.frame_length() / 8 * 1000 * kilobits / sample_rate + padding);
        Ok(Self { config, size: size.map(|size| size as usize) })
    }
}

/// Kilobits a second by `bitrate_index`; none for the free format.
fn kilobits(index: u8, is_mpeg_1: bool) -> Result<Option<u32>, Error> {
    const MPEG_1: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const LOW: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

    let Some(index) = usize::from(index).checked_sub(1) else {
        return Ok(None);
    };
    let table = if is_mpeg_1 { MPEG_1 } else { LOW };
    table.get(index).copied().map(Some).ok_or(Error::Reserved("bit rate"))
}

/// The frames that `data` is made of. What follows the first one and is no frame belongs to the one
/// before it.
pub fn frames(mut data: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let size = FrameHeader::parse(&data).ok().and_then(|header| header.size);
        let end = size
            .filter(|&end| data.get(end..).is_some_and(|after| FrameHeader::parse(after).is_ok()))
            .unwrap_or(data.len());
        Some(data.split_to(end)).filter(|frame| !frame.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(sample_rate: u32, channels: u8) -> Config {
        Config { sample_rate, channels }
    }

    #[test]
    fn headers() {
        for (header, expected, size, length) in [
            // From ffmpeg 5.1, libmp3lame.
            (b"\xff\xfb\x50\xc4", config(44_100, 1), Some(208), 1152),
            (b"\xff\xfb\x92\x64", config(44_100, 2), Some(418), 1152),
            (b"\xff\xfb\x94\x64", config(48_000, 2), Some(384), 1152),
            (b"\xff\xf3\x84\xc4", config(24_000, 1), Some(192), 576),
            (b"\xff\xe3\x88\xc4", config(8000, 1), Some(576), 576),
            (b"\xff\xfb\x00\x64", config(44_100, 2), None, 1152),
        ] {
            let parsed = FrameHeader::parse(header).unwrap();
            assert_eq!(parsed, FrameHeader { config: expected, size }, "{header:x?}");
            assert_eq!(parsed.config.frame_length(), length);
        }
    }

    #[test]
    fn headers_of_no_use() {
        for (header, error) in [
            (&b"\xff\xfb\x50"[..], Error::Sync),
            (b"ID3\x04", Error::Sync),
            (b"\xff\xdb\x50\xc4", Error::Sync),
            (b"\xff\xeb\x50\xc4", Error::Reserved("version")),
            (b"\xff\xf9\x50\xc4", Error::Reserved("layer")),
            (b"\xff\xfd\x50\xc4", Error::Layer),
            (b"\xff\xfb\xf0\xc4", Error::Reserved("bit rate")),
            (b"\xff\xfb\x5c\xc4", Error::Reserved("sample rate")),
        ] {
            assert_eq!(FrameHeader::parse(header), Err(error), "{header:x?}");
        }
    }

    #[test]
    fn frames_of_one_message() {
        let mut frame = b"\xff\xfb\x50\xc4".to_vec();
        frame.resize(208, 0);
        let sizes = |data: &[u8]| -> Vec<usize> {
            frames(Bytes::copy_from_slice(data)).map(|frame| frame.len()).collect()
        };
        assert_eq!(sizes(&frame), [208]);
        assert_eq!(sizes(&frame.repeat(3)), [208; 3]);
        assert_eq!(sizes(&[&frame[..], b"tail"].concat()), [212]);
        assert_eq!(sizes(&frame[..100]), [100]);
        assert_eq!(sizes(b"\xff\xfb\x00\x64free"), [8]);
        assert!(sizes(b"").is_empty());
    }
}
