//! Live streams: the frame log, players as cursors into it, the streams of one worker.

mod frame_log;
mod player;

pub use frame_log::{Bound, EntryPoint, Frame, FrameKind, FrameLog, LogLimits};
pub use player::Player;
