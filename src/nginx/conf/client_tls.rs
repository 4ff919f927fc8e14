//! How the servers are met that this one connects to by TLS.

use std::collections::BTreeMap;

use nginx_sys::ngx_str_t;

use super::directive::{Conf, Failure};
use super::tls;
use crate::nginx::tls::ClientContext;

/// The contexts of a configuration, one for each trusted file and way to verify.
#[derive(Default)]
pub(super) struct ClientContexts(BTreeMap<(Vec<u8>, bool), ClientContext>);

impl ClientContexts {
    /// With `verifies` servers must show a certificate that is good by those in the file `trusted`,
    /// or by the system's.
    pub(super) fn get(
        &mut self,
        conf: &mut Conf,
        trusted: Option<ngx_str_t>,
        verifies: bool,
    ) -> Result<ClientContext, Failure> {
        let key = (trusted.map_or_else(Vec::new, |file| file.as_bytes().to_vec()), verifies);
        if let Some(&context) = self.0.get(&key) {
            return Ok(context);
        }
        let context = tls::client_context(conf, trusted, verifies)?;
        self.0.insert(key, context);
        Ok(context)
    }
}
