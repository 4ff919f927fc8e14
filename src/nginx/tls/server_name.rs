//! The host that a client names in its TLS handshake (RFC 6066, 3), which chooses among the servers of
//! an address whose certificate it gets.

use std::ffi::{CStr, c_int, c_void};

use nginx_sys::{
    SSL, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, SSL_CTX_callback_ctrl, SSL_CTX_get_options,
    SSL_CTX_get_verify_callback, SSL_CTX_get_verify_depth, SSL_CTX_get_verify_mode,
    SSL_TLSEXT_ERR_OK, SSL_clear_options, SSL_get_ex_data, SSL_get_options, SSL_get_servername,
    SSL_set_SSL_CTX, SSL_set_options, SSL_set_verify, SSL_set_verify_depth,
    TLSEXT_NAMETYPE_host_name, ngx_connection_t, ngx_ssl_connection_index, ngx_ssl_t,
};

use super::Context;
use crate::nginx::connection;
use crate::nginx::guard;

/// What OpenSSL calls when it has read a client's first message.
type Callback = unsafe extern "C" fn(*mut SSL, *mut c_int, *mut c_void) -> c_int;

/// Has the context ask for the server that the client means.
///
/// # Safety
///
/// `ssl` is a context that is used for connections which nginx accepts, and for no others.
pub(in crate::nginx) unsafe fn ask(ssl: *mut ngx_ssl_t) {
    let callback: Callback = on_server_name;
    // SAFETY: OpenSSL calls it as the function that it is (SSL_CTX_set_tlsext_servername_callback).
    unsafe {
        let callback = std::mem::transmute::<Callback, unsafe extern "C" fn()>(callback);
        let command = SSL_CTRL_SET_TLSEXT_SERVERNAME_CB as c_int;
        SSL_CTX_callback_ctrl((*ssl).ctx, command, Some(callback));
    }
}

/// The host that the client has named; none if it has not, or not in UTF-8.
pub(in crate::nginx) fn named_host(c: &ngx_connection_t) -> Option<String> {
    // SAFETY: null or the connection's own.
    let session = unsafe { c.ssl.as_ref()?.connection };
    // SAFETY: the session is there as long as its connection.
    unsafe { host_of(session) }.map(str::to_owned)
}

/// # Safety
///
/// `session` is one of OpenSSL's. The name lives as long as it.
unsafe fn host_of<'a>(session: *const SSL) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    unsafe {
        let name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name as c_int);
        if name.is_null() { None } else { CStr::from_ptr(name).to_str().ok() }
    }
}

unsafe extern "C" fn on_server_name(
    session: *mut SSL,
    _alert: *mut c_int,
    _data: *mut c_void,
) -> c_int {
    guard(
        || {
            // SAFETY: OpenSSL gives the session that nginx made for the connection.
            unsafe {
                let c = SSL_get_ex_data(session, ngx_ssl_connection_index);
                if let Some(host) = host_of(session)
                    && let Some(context) = connection::endpoint_of(c.cast()).tls_of(host)
                {
                    context.serve(session);
                }
            }
        },
        || (),
    );
    // A host that no server has is the default one's.
    SSL_TLSEXT_ERR_OK as c_int
}

impl Context {
    /// Makes the context that of a session whose handshake has just begun
    /// (ngx_http_ssl_servername).
    ///
    /// # Safety
    ///
    /// `session` is one of OpenSSL's.
    unsafe fn serve(self, session: *mut SSL) {
        // SAFETY: the context outlives the session, see `new`.
        unsafe {
            let ctx = self.ssl.as_ref().ctx;
            SSL_set_SSL_CTX(session, ctx);
            SSL_set_verify(session, SSL_CTX_get_verify_mode(ctx), SSL_CTX_get_verify_callback(ctx));
            SSL_set_verify_depth(session, SSL_CTX_get_verify_depth(ctx));
            SSL_clear_options(session, SSL_get_options(session) & !SSL_CTX_get_options(ctx));
            SSL_set_options(session, SSL_CTX_get_options(ctx));
        }
    }
}
