//! Relays: streams that are pushed to other servers, and pulled from them.

mod backoff;
mod forwarding;
mod target;
mod template;

pub use backoff::Backoff;
pub use forwarding::{Forwarded, Forwarding};
pub use target::{Direction, Error, Route, Target};
