//! Recording: a stream's messages in, file operations out.
//!
//! A [`Recorder`] is one `recorder {}` block, or an application's own directives, at work on one
//! publish. It decides which messages are recorded, when a file begins and ends and what it is
//! called; what is in a file is up to its [`Format`].

mod config;
mod file;
mod headers;
mod loss;
mod mp4;
mod names;
mod opening;
mod recorder;
mod recording;
mod strftime;
mod timeline;

#[cfg(test)]
mod tests;

use ::time::UtcOffset;

pub use config::{Format, Limits, Media, RecorderConfig, Video};
pub use loss::Loss;
pub use names::Suffix;
pub use recorder::Recorder;
pub use strftime::{TimeFormat, UnknownConversion};

use crate::time::{Instant, UnixMillis};

/// The time, on each of the clocks that a recorder looks at.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// What intervals are measured by.
    pub instant: Instant,
    /// What files are named after.
    pub unix: UnixMillis,
    /// What local time is ahead of UTC.
    pub utc_offset: UtcOffset,
}
