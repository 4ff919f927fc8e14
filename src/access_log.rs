//! Lines of the access log: what is said of a client's session, as the operator words it.

mod entry;
mod escape;
mod format;
mod variable;

pub use entry::{Command, Entry, TcpInfo, Usage};
pub use escape::Escape;
pub use format::{Format, FormatError};
