//! What the blocks have come to: each setting inherited, checked and with its default.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::access_log::Formats;
use super::address::{self, Candidate};
use super::client_tls::ClientContexts;
use super::exec::Execs;
use super::listen::Listen;
use super::relay::RelayConfig;
use super::{Block, CommandPolicy, Conf, ExecConfig, Failure, PlayConfig, Recorder, limit, record};
use crate::access::Rules;
use crate::access::token::Secrets;
use crate::exec::Command;
use crate::live::{ApplicationId, IdleLimits, StreamConfig};
use crate::log_mask::LogMask;
use crate::nginx::access_log::AccessLog;
use crate::nginx::hls_cleanup;
use crate::nginx::notify::Notify;
use crate::nginx::tls::Context;
use crate::package::HlsConfig;
use crate::rtmp::session::SessionConfig;

/// What `rtmp {}` has come to.
#[derive(Debug)]
pub(in crate::nginx) struct Main {
    /// How many clients may be connected, to all workers together.
    pub(in crate::nginx) max_connections: Option<u32>,
    /// The commands that one worker of all runs while nginx does.
    pub(in crate::nginx) exec_static: Vec<(Command, CommandPolicy)>,
    servers: Vec<Arc<Server>>,
}

impl Main {
    /// The application that another worker means, whose configuration may be older or newer.
    pub(in crate::nginx) fn application(
        &self,
        id: ApplicationId,
    ) -> Option<(&Arc<Server>, &Arc<Application>)> {
        self.applications().find(|(_, application)| application.id == id)
    }

    /// The applications of each server, for `rtmp_stat` and `rtmp_control`.
    pub(in crate::nginx) fn servers(&self) -> impl Iterator<Item = &[Arc<Application>]> {
        self.servers.iter().map(|server| server.applications.as_slice())
    }

    /// All applications, each with its server.
    pub(in crate::nginx) fn applications(
        &self,
    ) -> impl Iterator<Item = (&Arc<Server>, &Arc<Application>)> {
        self.servers.iter().flat_map(|server| {
            server.applications.iter().map(move |application| (server, application))
        })
    }
}

/// A server as its sessions see it.
#[derive(Debug)]
pub(in crate::nginx) struct Server {
    /// Its first name, as the configuration has it.
    pub(in crate::nginx) name: String,
    /// The protocol's limits and timers.
    pub(in crate::nginx) session: Arc<SessionConfig>,
    /// What listeners with `ssl` use.
    pub(in crate::nginx) tls: Option<Context>,
    pub(in crate::nginx) tls_handshake_timeout: Duration,
    /// Whether small writes are sent at once, as far as the application does not say.
    pub(in crate::nginx) tcp_nodelay: bool,
    /// How long a peer may take none of what we send, until it is in an application.
    pub(in crate::nginx) send_timeout: Duration,
    /// What is logged of clients that are not in an application yet.
    pub(in crate::nginx) access_log: Arc<AccessLog>,
    /// What logs keep to themselves of such clients.
    pub(in crate::nginx) log_mask: LogMask,
    /// Who is told of its clients.
    pub(in crate::nginx) notify: Arc<Notify>,
    applications: Vec<Arc<Application>>,
}

impl Server {
    /// The application that a client names when it connects.
    pub(in crate::nginx) fn application(&self, name: &str) -> Option<&Arc<Application>> {
        self.applications.iter().find(|application| application.name == name)
    }
}

/// An application as its streams see it.
#[derive(Debug)]
pub(in crate::nginx) struct Application {
    pub(in crate::nginx) id: ApplicationId,
    pub(in crate::nginx) name: String,
    /// How long a peer may take none of what we send.
    pub(in crate::nginx) send_timeout: Duration,
    /// Who may publish and play.
    pub(in crate::nginx) access: Rules,
    /// What publishers and players need a token of.
    pub(in crate::nginx) secrets: Secrets,
    /// What is logged of its clients.
    pub(in crate::nginx) access_log: Arc<AccessLog>,
    /// What logs keep to themselves.
    pub(in crate::nginx) log_mask: LogMask,
    /// Who is asked about, and told of, its clients and streams.
    pub(in crate::nginx) notify: Arc<Notify>,
    /// Whether the newer one of two publishers of a name gets it.
    pub(in crate::nginx) publish_takeover: bool,
    /// How long a publisher may send nothing.
    pub(in crate::nginx) idle: IdleLimits,
    /// Whether what is published can be played.
    pub(in crate::nginx) live: bool,
    /// Whether a stream may have players and no publisher.
    pub(in crate::nginx) idle_streams: bool,
    pub(in crate::nginx) stream: Arc<StreamConfig>,
    /// Where files are that can be played.
    pub(in crate::nginx) play: Option<Arc<PlayConfig>>,
    pub(in crate::nginx) hls: Option<Arc<HlsConfig>>,
    pub(in crate::nginx) relays: RelayConfig,
    pub(in crate::nginx) recorders: Vec<Arc<Recorder>>,
    pub(in crate::nginx) exec: ExecConfig,
}

impl Application {
    /// Whether publishers are told of their recordings.
    pub(in crate::nginx) fn tells_records(&self) -> bool {
        self.recorders.iter().any(|recorder| recorder.notify)
    }
}

/// Has every block take what it lacks from the one around it, and gives the commands of all.
fn inherit(conf: &mut Conf, main: &mut Block, directories: &mut hls_cleanup::Directories) -> Execs {
    let mut execs = Execs::default();
    execs.add(&main.settings.exec);
    for block in &mut main.children {
        block.settings.inherit(&main.settings);
        execs.add(&block.settings.exec);
        for application in &mut block.children {
            application.settings.inherit(&block.settings);
            application.settings.hls.register(directories);
            for recorder in &mut application.children {
                recorder.settings.inherit(&application.settings);
            }
            record::check(conf, application);
            execs.add(&application.settings.exec);
        }
    }
    execs
}

/// Inherits, listens, and registers directories.
pub(super) fn finish(conf: &mut Conf, main: &mut Block) -> Result<Main, Failure> {
    let (mut servers, mut known) = (Vec::new(), HashMap::new());
    let mut directories = hls_cleanup::Directories::default();
    let mut contexts = ClientContexts::default();
    let execs = inherit(conf, main, &mut directories);
    let formats = Formats::gather(main)?;
    for block in &mut main.children {
        let tls = match block.listens.iter().find(|listen| listen.is_tls()) {
            Some(listen) => Some(block.settings.tls.context(conf, listen.place())?),
            None => None,
        };
        let identity = identity(block, &mut known);
        let server = resolve_server(conf, &identity, block, tls, &formats, &mut contexts)?;
        let server = Arc::new(server);
        let names = mem::take(&mut block.names);
        servers.push((mem::take(&mut block.listens), Candidate::new(server, names)));
    }
    let mut applications = servers.iter().flat_map(|(_, it)| &it.server.applications);
    let has_recorders = applications.any(|it| !it.recorders.is_empty());
    if !directories.is_empty() || has_recorders || execs.any {
        conf.use_threads()?;
    }
    directories.add_paths(conf)?;
    address::add_listeners(conf, &servers)?;
    let servers = servers.into_iter().map(|(_, candidate)| candidate.server).collect();
    let exec_static = execs.fixed;
    Ok(Main { max_connections: limit::max_connections(main)?, exec_static, servers })
}

/// What a server is known by to workers of other configurations, which have the same address and
/// name for it: `known` counts those that do.
fn identity(block: &Block, known: &mut HashMap<String, u32>) -> String {
    let address = block.listens.first().map_or("", Listen::text);
    let name = block.names.first().map_or("", |name| &name.text);
    let identity = format!("{address}\0{name}");
    let others = known.entry(identity.clone()).or_default();
    *others += 1;
    format!("{identity}\0{others}")
}

fn resolve_server(
    conf: &mut Conf,
    identity: &str,
    block: &Block,
    tls: Option<Context>,
    formats: &Formats,
    contexts: &mut ClientContexts,
) -> Result<Server, Failure> {
    let mut names = HashSet::new();
    Ok(Server {
        name: block.names.first().map_or_else(String::new, |name| name.text.clone()),
        session: Arc::new(block.settings.core.session_config()),
        tls,
        tls_handshake_timeout: block.settings.tls.handshake_timeout(),
        tcp_nodelay: block.settings.core.tcp_nodelay(),
        send_timeout: block.settings.core.send_timeout(),
        access_log: block.settings.access_log.resolve(conf, formats)?,
        log_mask: block.settings.access_log.mask(),
        notify: block.settings.notify.resolve(conf, contexts)?,
        applications: block
            .children
            .iter()
            .filter(|application| names.insert(application.name.as_str()))
            .map(|it| Ok(Arc::new(resolve_application(conf, identity, it, formats, contexts)?)))
            .collect::<Result<_, Failure>>()?,
    })
}

fn resolve_application(
    conf: &mut Conf,
    server: &str,
    block: &Block,
    formats: &Formats,
    contexts: &mut ClientContexts,
) -> Result<Application, Failure> {
    let settings = &block.settings;
    Ok(Application {
        id: ApplicationId::new(server, &block.name),
        name: block.name.clone(),
        send_timeout: settings.core.send_timeout(),
        access: settings.access.rules(),
        secrets: settings.secret.secrets(),
        access_log: settings.access_log.resolve(conf, formats)?,
        log_mask: settings.access_log.mask(),
        notify: settings.notify.resolve(conf, contexts)?,
        publish_takeover: settings.live.publish_takeover.unwrap_or(false),
        idle: settings.live.idle_limits(),
        live: settings.live.is_on(),
        idle_streams: settings.live.idle_streams(),
        stream: Arc::new(settings.live.stream_config(&settings.core)),
        play: settings.play.config(conf, &settings.notify, contexts)?,
        hls: settings.hls.config().map(Arc::new),
        recorders: record::recorders(conf, block, contexts)?,
        relays: settings.relay.config(conf, contexts)?,
        exec: settings.exec.config(),
    })
}
