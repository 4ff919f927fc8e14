//! The chunk stream (RTMP 1.0, 5): messages cut into chunks so that a long one does not hold up
//! others, each chunk with as much of a header as has changed on its chunk stream.
//!
//! ```text
//!  basic header         message header                     extended timestamp    payload
//! +----+------------+  +-----------+--------+------+-----+  +-----------------+  +---------------+
//! | fmt| csid       |  | timestamp | length | type | msid|  | 4 bytes, if the |  | up to the     |
//! | 2b | 6b (+1, +2)|  | 3         | 3      | 1    | 4 LE|  | timestamp is ff |  | chunk size or |
//! +----+------------+  +-----------+--------+------+-----+  | ff ff           |  | message's end |
//!                      fmt 0 all, 1 no msid, 2 timestamp,   +-----------------+  +---------------+
//!                      3 nothing; 1 and 2 as a delta
//! ```

mod assembly;
mod header;
mod reader;
mod writer;

pub use reader::{ChunkReader, ReaderConfig};
pub use writer::Framing;

/// The chunk size of either side before its first Set Chunk Size, in bytes (5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// The largest chunk size that a peer may set, in bytes.
pub const MAX_CHUNK_SIZE: u32 = 10_485_760;

/// The chunk streams that we send on; 2 is the specification's (5.4), the others are custom.
pub mod csid {
    /// Protocol control and User Control messages.
    pub const CONTROL: u32 = 2;
    /// Commands.
    pub const COMMAND: u32 = 3;
    /// Audio.
    pub const AUDIO: u32 = 4;
    /// Data, such as `onMetaData`.
    pub const DATA: u32 = 5;
    /// Video.
    pub const VIDEO: u32 = 6;
}
