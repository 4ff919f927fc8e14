//! Callbacks as they are carried out: requests, and what is done with the replies.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::dial::Destination;
use super::http_client::{CallError, CallId};
use super::log::{self, Level};
use super::tls::ClientContext;
use super::worker::{Shared, Worker};
use crate::http::{Head, Scheme, Url};
use crate::notify::{Call, Callbacks, UpdatePolicy};
use crate::relay::{Direction, Target};

/// The callbacks of an application, or of a server.
#[derive(Debug)]
pub(super) struct Notify {
    pub(super) callbacks: Callbacks,
    /// How servers of `https` URLs are met; there if there is one.
    pub(super) tls: Option<ClientContext>,
    /// How long a callback may take.
    pub(super) timeout: Duration,
    /// How often a server is told that a client goes on; zero for never.
    pub(super) update_interval: Duration,
    pub(super) update_policy: UpdatePolicy,
    /// Whether a client is itself sent to the server that a callback names.
    pub(super) sends_redirects: bool,
    /// Whether a stream that a callback sends to another server, or gets from there, is here known
    /// by a name made of the URL.
    pub(super) renames_redirected: bool,
    /// Whether the server's host may be a name.
    pub(super) redirects_to_names: bool,
}

/// A callback was not answered.
#[derive(Debug, thiserror::Error)]
#[error("callback {url}: {error}")]
pub(super) struct NoReply {
    url: String,
    error: CallError,
}

impl Notify {
    /// Makes a call, and has `then` called with the head of the reply, never before this returns.
    /// `None` if nobody wants the call.
    pub(super) fn call(
        &self,
        shared: &mut Shared,
        call: Call<'_>,
        then: impl FnOnce(&mut Worker, CallId, Result<Head, NoReply>) + 'static,
    ) -> Option<CallId> {
        let (url, request) = self.callbacks.request(call)?;
        let text = url.to_string();
        shared.meters.totals.callbacks += 1;
        let then = move |worker: &mut Worker, id, reply: Result<Head, CallError>| {
            worker.shared().meters.totals.callback_errors += u64::from(reply.is_err());
            then(worker, id, reply.map_err(|error| NoReply { url: text, error }));
        };
        Some(shared.call(self.destination(url), request, self.timeout, then))
    }

    /// Makes a call whose reply makes no difference.
    pub(super) fn tell(&self, shared: &mut Shared, call: Call<'_>) {
        self.call(shared, call, |_, _, reply| {
            if let Err(error) = reply {
                log::cycle(Level::Error, format_args!("{error}"));
            }
        });
    }

    /// The server that a callback names, if it can be one.
    pub(super) fn target(&self, direction: Direction, url: &str) -> Option<Arc<Target>> {
        let target = Target::parse(direction, &[url]).ok()?;
        let is_good = self.redirects_to_names || target.host.parse::<IpAddr>().is_ok();
        is_good.then(|| Arc::new(target))
    }

    fn destination(&self, url: &Url) -> Destination {
        let tls = if url.scheme == Scheme::Https { self.tls } else { None };
        Destination { host: url.host.clone(), port: url.port, tls }
    }
}
