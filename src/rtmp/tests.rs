//! Scenarios: a session and its peer, byte by byte, in virtual time. Each file is one subject.

mod captures;
mod control;
mod ending;
mod faults;
mod media;
mod pair;
mod peer;
mod play;
mod publish;
mod rml;
mod timeouts;
