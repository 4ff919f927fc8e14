//! RTMPS where nginx is built without OpenSSL: there is none.

use nginx_sys::ngx_connection_t;

use super::connection::Handshake;

/// No server has TLS settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {}

impl Context {
    pub(super) fn begin(self, _c: &mut ngx_connection_t) -> Handshake {
        match self {}
    }

    pub(super) fn verifies(self) -> bool {
        match self {}
    }

    pub(super) fn accepts(self, _c: &ngx_connection_t) -> bool {
        match self {}
    }
}

pub(super) fn go_on(_c: &mut ngx_connection_t) -> Handshake {
    Handshake::Failed
}

pub(super) fn named_host(_c: &ngx_connection_t) -> Option<String> {
    None
}

/// No server is met by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ClientContext {}

impl ClientContext {
    pub(super) fn begin(
        self,
        _c: &mut ngx_connection_t,
        _host: &str,
        _on_end: unsafe extern "C" fn(*mut ngx_connection_t),
    ) -> Handshake {
        match self {}
    }

    pub(super) fn finish(self, _c: &mut ngx_connection_t, _host: &str) -> Handshake {
        match self {}
    }
}

pub(super) fn is_spoken(_c: &ngx_connection_t) -> bool {
    false
}

pub(super) fn has_buffered(_c: &ngx_connection_t) -> bool {
    false
}

pub(super) fn shut_down(_c: &mut ngx_connection_t) {}
