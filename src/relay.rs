//! Relays: streams that are pushed to other servers, and pulled from them.

mod backoff;
mod target;
mod template;

pub use backoff::Backoff;
pub use target::{Direction, Error, Route, Target};
