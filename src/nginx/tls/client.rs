//! TLS towards servers.

use std::ptr::NonNull;

use nginx_sys::{
    NGX_AGAIN, NGX_OK, NGX_SSL_BUFFER, NGX_SSL_CLIENT, SSL_CTRL_SET_TLSEXT_HOSTNAME, SSL_ctrl,
    SSL_get_verify_result, TLSEXT_NAMETYPE_host_name, X509_V_OK, ngx_connection_t, ngx_int_t,
    ngx_pnalloc, ngx_ssl_check_host, ngx_ssl_create_connection, ngx_ssl_handshake, ngx_ssl_t,
    ngx_str_t, ngx_uint_t,
};

use crate::nginx::connection::Handshake;

/// How servers are met, in the pool of its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::nginx) struct ClientContext {
    ssl: NonNull<ngx_ssl_t>,
    verifies: bool,
}

// SAFETY: only used in the process's one thread for events, and read there.
unsafe impl Send for ClientContext {}
// SAFETY: as above.
unsafe impl Sync for ClientContext {}

impl ClientContext {
    /// With `verifies` a server must show a good certificate for its name.
    ///
    /// # Safety
    ///
    /// `ssl` lives as long as the connections that use the context.
    pub(in crate::nginx) unsafe fn new(ssl: NonNull<ngx_ssl_t>, verifies: bool) -> Self {
        Self { ssl, verifies }
    }

    /// Begins the handshake with the server `host`; `on_end` is called when it was pending and is
    /// not any more.
    pub(in crate::nginx) fn begin(
        self,
        c: &mut ngx_connection_t,
        host: &str,
        on_end: unsafe extern "C" fn(*mut ngx_connection_t),
    ) -> Handshake {
        let flags = (NGX_SSL_BUFFER | NGX_SSL_CLIENT) as ngx_uint_t;
        // SAFETY: the context outlives the connection, which is open.
        unsafe {
            if ngx_ssl_create_connection(self.ssl.as_ptr(), c, flags) != NGX_OK as ngx_int_t
                || !name_server(c, host)
            {
                return Handshake::Failed;
            }
            match ngx_ssl_handshake(c) {
                code if code == NGX_OK as ngx_int_t => self.verify(c, host),
                code if code == NGX_AGAIN as ngx_int_t => {
                    (*c.ssl).handler = Some(on_end);
                    Handshake::Pending
                }
                _ => Handshake::Failed,
            }
        }
    }

    /// How a handshake that was pending has ended.
    pub(in crate::nginx) fn finish(self, c: &mut ngx_connection_t, host: &str) -> Handshake {
        // SAFETY: null or the connection's own.
        match unsafe { c.ssl.as_ref() } {
            Some(ssl) if ssl.handshaked() != 0 => self.verify(c, host),
            _ => Handshake::Failed,
        }
    }

    fn verify(self, c: &mut ngx_connection_t, host: &str) -> Handshake {
        if !self.verifies {
            return Handshake::Done;
        }
        let mut name = ngx_str_t { len: host.len(), data: host.as_ptr().cast_mut() };
        // SAFETY: the handshake is done, so there is a session; the name is only read.
        let is_good = unsafe {
            SSL_get_verify_result((*c.ssl).connection) == i64::from(X509_V_OK)
                && ngx_ssl_check_host(c, &raw mut name) == NGX_OK as ngx_int_t
        };
        if is_good { Handshake::Done } else { Handshake::Unverified }
    }
}

/// Tells the server which of its names is meant (RFC 6066, 3), unless that is an address.
///
/// # Safety
///
/// The connection has a TLS session and a pool.
unsafe fn name_server(c: &mut ngx_connection_t, host: &str) -> bool {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    // SAFETY: OpenSSL copies the name, which ends with a zero.
    unsafe {
        let name = ngx_pnalloc(c.pool, host.len() + 1).cast::<u8>();
        if name.is_null() {
            return false;
        }
        name.copy_from_nonoverlapping(host.as_ptr(), host.len());
        name.add(host.len()).write(0);
        let (command, kind) =
            (SSL_CTRL_SET_TLSEXT_HOSTNAME as i32, i64::from(TLSEXT_NAMETYPE_host_name));
        SSL_ctrl((*c.ssl).connection, command, kind, name.cast()) == 1
    }
}
