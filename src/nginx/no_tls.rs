//! RTMPS where nginx is built without OpenSSL: there is none.

use nginx_sys::ngx_connection_t;

/// No server has TLS settings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Context {}

/// How far a handshake has come; see `tls.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum Handshake {
    Done,
    Pending,
    Failed,
    Unverified,
}

impl Context {
    pub(super) fn begin(self, _c: &mut ngx_connection_t) -> Handshake {
        match self {}
    }
}

pub(super) fn has_buffered(_c: &ngx_connection_t) -> bool {
    false
}

pub(super) fn shut_down(_c: &mut ngx_connection_t) {}
