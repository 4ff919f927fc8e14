//! RTMPS: TLS under RTMP, by nginx's own OpenSSL code.

mod client;
mod server_name;

use std::ffi::c_void;
use std::ptr::NonNull;

use nginx_sys::{
    NGX_AGAIN, NGX_OK, NGX_SSL_BUFFER, NGX_SSL_BUFFERED, SSL_get_verify_result,
    SSL_get1_peer_certificate, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
    X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_OK, X509_free, ngx_connection_t, ngx_int_t,
    ngx_ssl_create_connection, ngx_ssl_handshake, ngx_ssl_shutdown, ngx_ssl_t, ngx_uint_t,
};

use super::connection::Handshake;

pub(super) use self::client::ClientContext;
pub(super) use self::server_name::{ask as ask_server_name, named_host};

/// The TLS settings of a server, in the pool of its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    ssl: NonNull<ngx_ssl_t>,
    verify: Verify,
}

// SAFETY: only used in the process's one thread for events, and read there.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// Whether clients have to show a certificate (`ssl_verify_client`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verify {
    #[default]
    Off,
    /// A certificate that is shown must be good.
    Optional,
    /// A certificate that is shown must be good but for who has signed it.
    OptionalUntrusted,
    /// A good certificate must be shown.
    Required,
}

/// OpenSSL's verdicts on a certificate that nobody who is known has signed
/// (ngx_ssl_verify_error_optional).
const UNTRUSTED: [u32; 4] = [
    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
    X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
];

impl Context {
    /// # Safety
    ///
    /// `ssl` lives as long as the sessions that use the context.
    pub(super) unsafe fn new(ssl: NonNull<ngx_ssl_t>, verify: Verify) -> Self {
        Self { ssl, verify }
    }

    /// Begins the handshake on an accepted connection.
    pub(super) fn begin(self, c: &mut ngx_connection_t) -> Handshake {
        // What is gathered becomes one record, not one for each frame.
        let flags = NGX_SSL_BUFFER as ngx_uint_t;
        // SAFETY: the context outlives the connection, which is open.
        match unsafe { ngx_ssl_create_connection(self.ssl.as_ptr(), c, flags) } {
            code if code == NGX_OK as ngx_int_t => go_on(c),
            _ => Handshake::Failed,
        }
    }

    /// Whether clients are asked for certificates.
    pub(super) fn verifies(self) -> bool {
        self.verify != Verify::Off
    }

    /// Whether a client, whose handshake is done, has shown what it has to.
    pub(super) fn accepts(self, c: &ngx_connection_t) -> bool {
        if !self.verifies() {
            return true;
        }
        // SAFETY: the handshake is done, so there is a session; what is got is given back.
        let (result, has_certificate) = unsafe {
            let session = (*c.ssl).connection;
            let certificate = SSL_get1_peer_certificate(session);
            if !certificate.is_null() {
                X509_free(certificate);
            }
            (SSL_get_verify_result(session), !certificate.is_null())
        };
        let is_missing = self.verify == Verify::Required && !has_certificate;
        let result = u32::try_from(result).unwrap_or(u32::MAX);
        let may_be_untrusted = self.verify == Verify::OptionalUntrusted;
        let is_good = result == X509_V_OK || may_be_untrusted && UNTRUSTED.contains(&result);
        is_good && !is_missing
    }
}

/// Goes on with a handshake. Whenever that is pending, nginx has put handlers of its own in place of
/// the connection's.
pub(super) fn go_on(c: &mut ngx_connection_t) -> Handshake {
    // SAFETY: an open connection with a TLS session.
    match unsafe { ngx_ssl_handshake(c) } {
        code if code == NGX_OK as ngx_int_t => Handshake::Done,
        code if code == NGX_AGAIN as ngx_int_t => Handshake::Pending,
        _ => Handshake::Failed,
    }
}

/// Whether the connection is one of TLS.
pub(super) fn is_spoken(c: &ngx_connection_t) -> bool {
    !c.ssl.is_null()
}

/// Whether TLS holds something back that is still to be sent.
pub(super) fn has_buffered(c: &ngx_connection_t) -> bool {
    is_spoken(c) && c.buffered() & NGX_SSL_BUFFERED != 0
}

/// Tells the peer that nothing more comes, as far as that needs no waiting, and frees the session.
pub(super) fn shut_down(c: &mut ngx_connection_t) {
    // SAFETY: null or the connection's own.
    unsafe {
        let Some(ssl) = c.ssl.as_mut() else { return };
        ssl.set_no_wait_shutdown(1);
        if ngx_ssl_shutdown(c) == NGX_AGAIN as ngx_int_t {
            // The peer does not read, so it is not told.
            c.set_timedout(1);
            ngx_ssl_shutdown(c);
        }
    }
}

/// The cleanup of a context, for its cycle's pool.
pub(super) unsafe extern "C" fn clean_up(ssl: *mut c_void) {
    // SAFETY: the pool gives what was registered with it.
    unsafe { nginx_sys::ngx_ssl_cleanup_ctx(ssl) }
}
