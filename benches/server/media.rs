//! What the publishers send: the messages of a 720p30 stream, made up but for their headers, which
//! are those of a real H.264 and AAC stream.

use bytes::{BufMut, Bytes, BytesMut};
use ngx_rtmp_module::rtmp::{Message, MessageType};

/// ffmpeg 5.1, libx264 and its AAC encoder.
const AVC_HEADER: &[u8] = b"\x17\x00\x00\x00\x00\x01\x64\x00\x28\xff\xe1\x00\x1b\x67\x64\x00\
    \x28\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\
    \xc6\x58\x01\x00\x06\x68\xea\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
const AAC_HEADER: &[u8] = b"\xaf\x00\x12\x10";

/// Pictures in a second, and from one keyframe to the next.
const RATE: u64 = 30;
const GROUP: u64 = 60;

/// How much larger a keyframe is than another picture.
const KEY_WEIGHT: u64 = 4;

/// Before the time at which a picture was sent, in the picture.
pub const MARK: &[u8; 8] = b"\x5asent\x5aat";

/// One stream, message after message.
pub struct Source {
    /// At the usual pace.
    bits_per_second: u64,
    /// How much slower than usual it is.
    slowness: u64,
    pictures: u64,
    sounds: u64,
}

impl Source {
    pub fn new(bits_per_second: u64) -> Self {
        Self::slow(bits_per_second, 1)
    }

    /// A stream with so many times less messages in a second, which are as much larger.
    pub fn slow(bits_per_second: u64, slowness: u64) -> Self {
        Self { bits_per_second: bits_per_second * slowness, slowness, pictures: 0, sounds: 0 }
    }

    /// When the next message is due, in microseconds from the beginning.
    pub fn due(&self) -> u64 {
        self.picture_due().min(self.sound_due())
    }

    fn picture_due(&self) -> u64 {
        self.pictures * self.slowness * 1_000_000 / RATE
    }

    /// AAC has 1024 samples in a frame.
    fn sound_due(&self) -> u64 {
        self.sounds * self.slowness * 1024 * 1_000_000 / 44_100
    }

    /// The next message, after the headers if it is the first; a picture is stamped with `now`.
    pub fn next(&mut self, now: u64) -> Vec<Message> {
        let timestamp = (self.due() / 1000) as u32;
        let mut messages = Vec::new();
        if self.pictures == 0 && self.sounds == 0 {
            messages.push(message(MessageType::Video, 0, Bytes::from_static(AVC_HEADER)));
            messages.push(message(MessageType::Audio, 0, Bytes::from_static(AAC_HEADER)));
        }
        if self.picture_due() <= self.sound_due() {
            messages.push(message(MessageType::Video, timestamp, self.picture(now)));
            self.pictures += 1;
        } else {
            messages.push(message(MessageType::Audio, timestamp, self.sound()));
            self.sounds += 1;
        }
        messages
    }

    fn picture(&self, now: u64) -> Bytes {
        let weights = GROUP - 1 + KEY_WEIGHT;
        let unit = self.bits_per_second * 95 / 100 / 8 * GROUP / RATE / weights;
        let is_key = self.pictures.is_multiple_of(GROUP);
        let length = if is_key { unit * KEY_WEIGHT } else { unit } as usize;
        let mut payload = BytesMut::with_capacity(length + 32);
        payload.put_slice(if is_key { b"\x17\x01\0\0\0" } else { b"\x27\x01\0\0\0" });
        payload.put_u32(length as u32);
        payload.put_u8(if is_key { 0x65 } else { 0x41 });
        payload.put_slice(MARK);
        payload.put_u64(now);
        payload.resize(9 + length.max(32), 0x5b);
        payload.freeze()
    }

    fn sound(&self) -> Bytes {
        let length = (self.bits_per_second / 20 / 8 * 1024 / 44_100) as usize;
        let mut payload = BytesMut::from(&b"\xaf\x01"[..]);
        payload.resize(2 + length.max(8), 0x21);
        payload.freeze()
    }
}

fn message(kind: MessageType, timestamp: u32, payload: Bytes) -> Message {
    Message { kind, timestamp, stream_id: 1, payload }
}
