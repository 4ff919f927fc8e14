//! Directives of relays.

use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_str_t;

use super::client_tls::ClientContexts;
use super::directive::{APPLICATION, Conf, Directive, EVERYWHERE, Failure, MAIN, SERVER, Setter};
use super::{Block, settings};
use crate::nginx::tls::ClientContext;
use crate::relay::{Direction, Target};

settings! {
    /// Settings of relays. Words live as long as the configuration.
    RelaySettings {
        pushes: Vec<Arc<Target>>,
        pulls: Vec<Arc<Target>>,
        buffer: Duration,
        push_reconnect: Duration,
        pull_reconnect: Duration,
        ssl_verify: bool,
        ssl_trusted_certificate: ngx_str_t,
    }
}

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"push", APPLICATION, Setter::Arguments(set_push)),
    Directive::new(c"pull", APPLICATION, Setter::Arguments(set_pull)),
    Directive::new(c"relay_buffer", MAIN | SERVER, Setter::TimeOrOff(|s| &mut s.relay.buffer)),
    Directive::new(c"push_reconnect", EVERYWHERE, Setter::Time(|s| &mut s.relay.push_reconnect)),
    Directive::new(c"pull_reconnect", EVERYWHERE, Setter::Time(|s| &mut s.relay.pull_reconnect)),
    Directive::new(
        c"session_relay",
        EVERYWHERE,
        Setter::Unused("a relay ends with its stream, however that ends"),
    ),
    Directive::new(c"relay_ssl_verify", EVERYWHERE, Setter::Flag(|s| &mut s.relay.ssl_verify)),
    Directive::new(
        c"relay_ssl_trusted_certificate",
        EVERYWHERE,
        Setter::Word(|s| &mut s.relay.ssl_trusted_certificate),
    ),
];

/// What an application relays, and how.
#[derive(Debug)]
pub(in crate::nginx) struct RelayConfig {
    pub(in crate::nginx) pushes: Vec<Arc<Target>>,
    pub(in crate::nginx) pulls: Vec<Arc<Target>>,
    /// What a server that is pulled from is told that is buffered here.
    pub(in crate::nginx) buffer: Duration,
    /// How long to wait before the second attempt to push.
    pub(in crate::nginx) push_reconnect: Duration,
    /// How long to wait before the second attempt to pull.
    pub(in crate::nginx) pull_reconnect: Duration,
    /// How servers of `rtmps://` are met, if there are any.
    pub(in crate::nginx) tls: Option<ClientContext>,
}

fn set_push(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let target = target(conf, Direction::Push)?;
    block.settings.relay.pushes.get_or_insert_default().push(target);
    Ok(())
}

fn set_pull(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let target = target(conf, Direction::Pull)?;
    block.settings.relay.pulls.get_or_insert_default().push(target);
    Ok(())
}

fn target(conf: &mut Conf, direction: Direction) -> Result<Arc<Target>, Failure> {
    // Names are looked up there.
    conf.use_threads()?;
    let words: Vec<_> =
        (1..conf.args().len()).map(|index| conf.text(index)).collect::<Result<_, _>>()?;
    Target::parse(direction, &words).map(Arc::new).map_err(|error| error.to_string().into())
}

impl RelaySettings {
    /// What an application relays. Callbacks and operators may tell it of other servers.
    pub(super) fn config(
        &self,
        conf: &mut Conf,
        contexts: &mut ClientContexts,
    ) -> Result<RelayConfig, Failure> {
        let [pushes, pulls] = [&self.pushes, &self.pulls].map(|it| it.clone().unwrap_or_default());
        let has_target = pushes.iter().chain(&pulls).any(|target| target.tls);
        let uses_tls = has_target || cfg!(ngx_feature = "ssl");
        let verifies = self.ssl_verify.unwrap_or(true);
        let context = || contexts.get(conf, self.ssl_trusted_certificate, verifies);
        Ok(RelayConfig {
            tls: uses_tls.then(context).transpose()?,
            pushes,
            pulls,
            buffer: self.buffer.unwrap_or(Duration::from_secs(5)),
            push_reconnect: self.push_reconnect.unwrap_or(Duration::from_secs(3)),
            pull_reconnect: self.pull_reconnect.unwrap_or(Duration::from_secs(3)),
        })
    }
}
