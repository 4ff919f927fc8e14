//! Scenarios against a real nginx with the module loaded: real clients publish and play, and what
//! comes out is compared with what went in.
//!
//! nginx is taken from `NGX_RTMP_NGINX` (default: Debian's) and the module from `NGX_RTMP_MODULE`
//! (default: what `scripts/build` leaves). Each test has an nginx, a directory and ports of its
//! own, so all may run at once; most of their time is spent waiting for media to play.

// The ban on clocks and files is for what is under test.
#![allow(clippy::disallowed_methods)]

mod support;

mod access;
mod access_log;
mod api;
mod beginnings;
mod chain;
mod config;
mod conformance;
mod dashboard;
mod ending;
mod exec;
mod facts;
mod fanout;
mod hls;
mod hls_variant;
mod hostile;
mod lifecycle;
mod limits;
mod listen;
mod live;
mod live_mp4;
mod log_mask;
mod metrics;
mod notify;
mod peers;
mod players;
mod record;
mod record_mp4;
mod relay;
mod stat;
mod storage;
mod takeover;
mod tls;
mod vhosts;
mod viewers;
mod vod;
mod wire;
mod workers;
