//! All contact with nginx, the clock, sockets, files and processes; all `unsafe` code.
//!
//! nginx calls in at four places: [`modules`] (the tables it reads when it loads the module),
//! [`conf`] (the directives of `rtmp {}`), [`server`] (events of connections) and [`worker`]
//! (a process starts or ends); [`cluster`] joins the workers. Every such entry runs under [`guard`].

mod access_log;
mod broadcasts;
mod child;
mod cluster;
mod conf;
mod connection;
mod dial;
mod download;
mod event;
mod exec;
mod fanout;
mod hls_cleanup;
mod http;
mod http_client;
mod inquiry;
mod log;
mod master;
mod meters;
mod modules;
mod notify;
mod outbox;
mod outputs;
mod packager;
mod peer;
mod proxy_protocol;
mod pull;
mod recorder;
mod regex;
mod relays;
mod schedule;
mod sending;
mod server;
mod storage;
mod thread_pool;
#[cfg_attr(not(ngx_feature = "ssl"), path = "nginx/no_tls.rs")]
mod tls;
mod upstream;
mod viewers;
mod vod;
mod worker;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what nginx called us for. A panic is a bug of ours: it is logged and ends in
/// `on_panic`'s answer instead of unwinding into C.
fn guard<T>(entry: impl FnOnce() -> T, on_panic: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(entry)).unwrap_or_else(|panic| {
        log::cycle(log::Level::Alert, format_args!("bug: panicked: {}", panic_text(&*panic)));
        on_panic()
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
