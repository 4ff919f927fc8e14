//! What the scenarios share: nginx under test, real clients, source media, hand-made peers.

pub mod enhanced;
pub mod files;
pub mod hls;
pub mod http_server;
pub mod media;
pub mod network;
pub mod nginx;
pub mod player;
pub mod process;
pub mod publisher;
pub mod raw;

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should happen at once; long, for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Polls `probe` until it gives a value, and panics with `what` when `PATIENCE` is over.
#[track_caller]
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// [`wait_for`] something that is true or false.
#[track_caller]
pub fn wait_until(what: &str, mut probe: impl FnMut() -> bool) {
    wait_for(what, || probe().then_some(()));
}
