//! TLS where nginx is built without OpenSSL: nginx's own modules do not know the directives then,
//! and neither does this one.

use std::time::Duration;

use nginx_sys::ngx_str_t;

use super::directive::{Conf, Directive, Failure};
use crate::nginx::tls::{ClientContext, Context};

pub(super) const DIRECTIVES: &[Directive] = &[];

#[derive(Debug, Default)]
pub(super) struct TlsSettings;

impl TlsSettings {
    pub(super) fn inherit(&mut self, _parent: &Self) {}

    pub(super) fn handshake_timeout(&self) -> Duration {
        Duration::ZERO
    }

    /// # Errors
    ///
    /// Always.
    pub(super) fn context(&self, _conf: &mut Conf, place: &str) -> Result<Context, Failure> {
        let what = "which needs an nginx that is built with OpenSSL";
        Err(format!("has a \"listen\" with \"ssl\", at {place}, {what}").into())
    }
}

/// # Errors
///
/// Always.
pub(super) fn client_context(
    _conf: &mut Conf,
    _trusted: Option<ngx_str_t>,
    _verifies: bool,
) -> Result<ClientContext, Failure> {
    Err("needs an nginx that is built with OpenSSL".to_owned().into())
}
