//! Callbacks: what HTTP servers are told of clients and streams, and what their replies mean.
//!
//! [`Callbacks`] makes the request of a [`Call`]; [`Verdict`] is what a reply to it says. Requests
//! are those of the C module, byte for byte, but for what `docs/directives.md` lists.

mod body;
mod call;
mod callbacks;
mod verdict;

pub use call::{Call, Event, Hook, Subject, Updated};
pub use callbacks::{Callbacks, Format, Signer, Style};
pub use verdict::{Denial, UpdatePolicy, Verdict, relay_name};
