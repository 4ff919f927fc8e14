//! A live-video server as one nginx dynamic module.
//!
//! An encoder publishes over RTMP; people watch over RTMP and HLS, served by the same nginx.
//!
//! # The path of one frame
//!
//! 1. [`nginx`] reads bytes from a connection and gives them, with the time, to an
//!    [`rtmp::Session`]. No module but `nginx` knows a socket, a clock or a file.
//! 2. The session assembles chunks into messages and answers commands. What it wants done comes
//!    out of `poll_output` as values: bytes to send, events, the time of its next timeout.
//! 3. A publisher's audio, video and data messages go to a [`live::Stream`], which serialises each
//!    one once and appends it to its frame log. A player is a cursor into that log; a late player
//!    starts from the log's last keyframe.
//!    Players in another worker have a stream of their own there, which that worker pulls
//!    (`nginx::cluster`). Who watches over HTTP gets what a [`live_mp4::LiveMp4`] makes of it, which is
//!    a player itself.
//! 4. For packagers, [`media`] turns the message into an access unit, and [`package`] turns access
//!    units into segments and playlists: file operations, executed in order by the storage layer
//!    of `nginx`. [`record`] makes file operations of the messages themselves.
//! 5. What else a publish starts hangs in `nginx::outputs`: pushes ([`relay`]), programs ([`exec`]).
//!    Who may do what is asked of [`access`] and then of callbacks ([`notify`], over [`http`]).
//!    Files are played by [`vod`]; [`stat`] and [`access_log`] tell what happens, and [`dashboard`]
//!    shows it.
//!
//! A recorded file takes another path to its player: [`flv`] and [`mp4`] read it, and a
//! [`vod::Playback`] tells when what is sent.
//!
//! # The layering
//!
//! `rtmp` knows no codec and `package` knows no RTMP; they meet in `media`. Nothing outside `nginx`
//! imports it, and nothing outside it has a clock, socket, file, process, environment, log or
//! `unsafe`: time is an argument, effects are returned as values. `scripts/check` proves it, and
//! `cargo test --no-default-features` builds and tests all but the glue without an nginx.

pub mod access;
pub mod access_log;
pub mod amf0;
pub mod api;
pub mod client;
pub mod codec;
pub mod control;
pub mod dashboard;
pub mod exec;
pub mod file_op;
pub mod file_view;
pub mod flv;
pub mod fmp4;
pub mod http;
pub mod inquiry;
pub mod live;
pub mod live_mp4;
pub mod log_mask;
pub mod media;
pub mod mp4;
pub mod mpegts;
pub mod notify;
pub mod package;
mod percent;
pub mod proxy_protocol;
pub mod record;
pub mod relay;
pub mod rtmp;
mod spread;
pub mod stat;
pub mod time;
pub mod viewers;
pub mod virtual_host;
pub mod vod;

#[cfg(feature = "nginx")]
#[allow(unsafe_code)]
mod nginx;
