//! The configuration: `rtmp { server { application NAME { } } }`.
//!
//! nginx parses each block with the directives in scope (`directive`, one table a feature) into a
//! [`Block`] of optional settings. When `rtmp {}` ends, every application inherits what it left
//! unset from its server, and the server from `rtmp {}`; from then on only the results are used:
//! [`Server`] and [`Application`], shared by the sessions that run under them.

mod access;
mod access_log;
mod address;
mod auto_push;
mod client_tls;
mod core;
mod dashboard;
mod directive;
mod exec;
mod hls;
mod http;
mod later;
mod limit;
mod listen;
mod live;
mod notify;
mod parse;
mod play;
mod record;
mod relay;
mod secret;
mod server_name;
#[cfg_attr(not(ngx_feature = "ssl"), path = "conf/no_tls.rs")]
mod tls;

use std::collections::{HashMap, HashSet};
use std::ffi::c_char;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::{ngx_command_t, ngx_conf_t, ngx_cycle, ngx_cycle_t};

use self::access::AccessSettings;
use self::access_log::{AccessLogSettings, Formats, LogFormat};
use self::address::Candidate;
use self::client_tls::ClientContexts;
use self::core::CoreSettings;
use self::directive::{Directive, Level, MAIN, SERVER, Setter};
use self::exec::{ExecSettings, Execs};
use self::hls::HlsSettings;
use self::limit::MaxConnections;
use self::listen::Listen;
use self::live::LiveSettings;
use self::notify::NotifySettings;
use self::play::PlaySettings;
use self::record::RecordSettings;
use self::relay::{RelayConfig, RelaySettings};
use self::secret::SecretSettings;
use self::server_name::ServerName;
use self::tls::TlsSettings;
use super::access_log::AccessLog;
use super::notify::Notify;
use super::tls::Context;
use super::{hls_cleanup, modules};
use crate::access::Rules;
use crate::access::token::Secrets;
use crate::exec::Command;
use crate::live::{ApplicationId, IdleLimits, StreamConfig};
use crate::log_mask::LogMask;
use crate::package::HlsConfig;
use crate::rtmp::session::SessionConfig;

pub(super) use self::address::{Endpoint, Listener, Misdirected};
pub(super) use self::directive::{Conf, Failure, check};
pub(super) use self::exec::{CommandPolicy, ExecConfig, RecordCommands};
pub(super) use self::http::{HTTP_COMMANDS, HttpConf, merge_http};
pub(super) use self::listen::POOL_SIZE;
pub(super) use self::play::{PlayConfig, PlayEntry};
pub(super) use self::record::Recorder;

/// Every directive inside `rtmp {}`, a table a feature.
static DIRECTIVES: &[&[Directive]] = &[
    BLOCKS,
    core::DIRECTIVES,
    server_name::DIRECTIVES,
    access::DIRECTIVES,
    access_log::DIRECTIVES,
    secret::DIRECTIVES,
    notify::DIRECTIVES,
    limit::DIRECTIVES,
    live::DIRECTIVES,
    play::DIRECTIVES,
    hls::DIRECTIVES,
    relay::DIRECTIVES,
    later::DIRECTIVES,
    record::DIRECTIVES,
    exec::DIRECTIVES,
    tls::DIRECTIVES,
];

const BLOCKS: &[Directive] = &[
    Directive::new(c"server", MAIN, Setter::Block(set_server)),
    Directive::new(c"application", SERVER, Setter::NamedBlock(set_application)),
];

const COUNT: usize = {
    let (mut count, mut table) = (0, 0);
    while table < DIRECTIVES.len() {
        count += DIRECTIVES[table].len();
        table += 1;
    }
    count
};

/// nginx's table of them, ended by an empty one.
pub(super) static mut COMMANDS: [ngx_command_t; COUNT + 1] = commands();

const fn commands() -> [ngx_command_t; COUNT + 1] {
    let mut commands = [const { ngx_command_t::empty() }; COUNT + 1];
    let (mut filled, mut table) = (0, 0);
    while table < DIRECTIVES.len() {
        let mut row = 0;
        while row < DIRECTIVES[table].len() {
            commands[filled] = DIRECTIVES[table][row].command();
            filled += 1;
            row += 1;
        }
        table += 1;
    }
    commands
}

/// What an `rtmp {}`, `server {}`, `application {}` or `recorder {}` block says.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The application's or the recorder's name; empty for the other blocks.
    name: String,
    /// The addresses of a server.
    listens: Vec<Listen>,
    /// The names of a server.
    names: Vec<ServerName>,
    formats: Vec<LogFormat>,
    settings: Settings,
    max_connections: Option<MaxConnections>,
    /// The servers of `rtmp {}`, the applications of a server, the recorders of an application.
    children: Vec<Self>,
}

/// What may be set at every level. A feature adds a field here and a table in `directive`.
#[derive(Debug, Default)]
struct Settings {
    core: CoreSettings,
    access: AccessSettings,
    access_log: AccessLogSettings,
    secret: SecretSettings,
    notify: NotifySettings,
    live: LiveSettings,
    play: PlaySettings,
    hls: HlsSettings,
    relay: RelaySettings,
    record: RecordSettings,
    exec: ExecSettings,
    tls: TlsSettings,
}

impl Settings {
    /// Takes what is unset from the enclosing block.
    fn inherit(&mut self, parent: &Self) {
        self.core.inherit(&parent.core);
        self.access.inherit(&parent.access);
        self.access_log.inherit(&parent.access_log);
        self.secret.inherit(&parent.secret);
        self.notify.inherit(&parent.notify);
        self.live.inherit(&parent.live);
        self.play.inherit(&parent.play);
        self.hls.inherit(&parent.hls);
        self.relay.inherit(&parent.relay);
        self.record.inherit(&parent.record);
        self.exec.inherit(&parent.exec);
        self.tls.inherit(&parent.tls);
    }
}

/// Declares a feature's settings: each is unset, or set by this block, or inherited.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(in crate::nginx::conf) struct $name {
            $($(#[$field_doc])* pub(in crate::nginx::conf) $field: Option<$type>,)*
        }

        impl $name {
            pub(in crate::nginx::conf) fn inherit(&mut self, parent: &Self) {
                $(if self.$field.is_none() {
                    self.$field.clone_from(&parent.$field);
                })*
            }
        }
    };
}
use settings;

/// What `rtmp {}` has come to.
#[derive(Debug)]
pub(super) struct Main {
    /// How many clients may be connected, to all workers together.
    pub(super) max_connections: Option<u32>,
    /// The commands that one worker of all runs while nginx does.
    pub(super) exec_static: Vec<(Command, CommandPolicy)>,
    servers: Vec<Arc<Server>>,
}

impl Main {
    /// The application that another worker means, whose configuration may be older or newer.
    pub(super) fn application(
        &self,
        id: ApplicationId,
    ) -> Option<(&Arc<Server>, &Arc<Application>)> {
        self.applications().find(|(_, application)| application.id == id)
    }

    /// The applications of each server, for `rtmp_stat` and `rtmp_control`.
    pub(super) fn servers(&self) -> impl Iterator<Item = &[Arc<Application>]> {
        self.servers.iter().map(|server| server.applications.as_slice())
    }

    /// All applications, each with its server.
    pub(super) fn applications(&self) -> impl Iterator<Item = (&Arc<Server>, &Arc<Application>)> {
        self.servers.iter().flat_map(|server| {
            server.applications.iter().map(move |application| (server, application))
        })
    }
}

/// A server as its sessions see it.
#[derive(Debug)]
pub(super) struct Server {
    /// Its first name, as the configuration has it.
    pub(super) name: String,
    /// The protocol's limits and timers.
    pub(super) session: Arc<SessionConfig>,
    /// What listeners with `ssl` use.
    pub(super) tls: Option<Context>,
    pub(super) tls_handshake_timeout: Duration,
    /// Whether small writes are sent at once, as far as the application does not say.
    pub(super) tcp_nodelay: bool,
    /// How long a peer may take none of what we send, until it is in an application.
    pub(super) send_timeout: Duration,
    /// What is logged of clients that are not in an application yet.
    pub(super) access_log: Arc<AccessLog>,
    /// What logs keep to themselves of such clients.
    pub(super) log_mask: LogMask,
    /// Who is told of its clients.
    pub(super) notify: Arc<Notify>,
    applications: Vec<Arc<Application>>,
}

impl Server {
    /// The application that a client names when it connects.
    pub(super) fn application(&self, name: &str) -> Option<&Arc<Application>> {
        self.applications.iter().find(|application| application.name == name)
    }
}

/// An application as its streams see it.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) id: ApplicationId,
    pub(super) name: String,
    /// How long a peer may take none of what we send.
    pub(super) send_timeout: Duration,
    /// Who may publish and play.
    pub(super) access: Rules,
    /// What publishers and players need a token of.
    pub(super) secrets: Secrets,
    /// What is logged of its clients.
    pub(super) access_log: Arc<AccessLog>,
    /// What logs keep to themselves.
    pub(super) log_mask: LogMask,
    /// Who is asked about, and told of, its clients and streams.
    pub(super) notify: Arc<Notify>,
    /// Whether the newer one of two publishers of a name gets it.
    pub(super) publish_takeover: bool,
    /// How long a publisher may send nothing.
    pub(super) idle: IdleLimits,
    /// Whether what is published can be played.
    pub(super) live: bool,
    /// Whether a stream may have players and no publisher.
    pub(super) idle_streams: bool,
    pub(super) stream: Arc<StreamConfig>,
    /// Where files are that can be played.
    pub(super) play: Option<Arc<PlayConfig>>,
    pub(super) hls: Option<Arc<HlsConfig>>,
    pub(super) relays: RelayConfig,
    pub(super) recorders: Vec<Arc<Recorder>>,
    pub(super) exec: ExecConfig,
}

impl Application {
    /// Whether publishers are told of their recordings.
    pub(super) fn tells_records(&self) -> bool {
        self.recorders.iter().any(|recorder| recorder.notify)
    }
}

/// The directives that nginx knows outside all blocks.
pub(super) static mut RTMP_COMMANDS: [ngx_command_t; 5] = {
    let [on, reconnect, directory] = auto_push::COMMANDS;
    [directive::block_command(c"rtmp", set_rtmp), on, reconnect, directory, ngx_command_t::empty()]
};

/// Sets up everything that `rtmp {}` asks for. `slot` is the core module's place in the cycle.
extern "C" fn set_rtmp(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut std::ffi::c_void,
) -> *mut c_char {
    directive::answer(cf, |conf| {
        // SAFETY: nginx gives a main directive the address of its module's pointer in the cycle.
        let slot = unsafe { &mut *slot.cast::<*mut Main>() };
        if !slot.is_null() {
            return Err(Failure::duplicate());
        }
        let mut block = Block::default();
        conf.parse_block(Level::Main, &mut block)?;
        let main = finish(conf, &mut block)?;
        *slot = conf.keep(main);
        Ok(())
    })
}

/// What the running cycle's `rtmp {}` has come to, if there is one.
pub(super) fn main() -> Option<&'static Main> {
    // SAFETY: the cycle outlives the process's use of it: a new configuration comes with new
    // workers.
    unsafe { main_of(ngx_cycle) }
}

/// What logs keep to themselves of the streams of an application.
pub(super) fn log_mask(application: ApplicationId) -> LogMask {
    let application = main().and_then(|main| main.application(application));
    application.map_or_else(LogMask::default, |(_, it)| it.log_mask)
}

/// What the `rtmp {}` of a cycle has come to, if there is one.
///
/// # Safety
///
/// The configuration of `cycle` has been parsed, and the result is not used longer than the cycle.
pub(super) unsafe fn main_of(cycle: *const ngx_cycle_t) -> Option<&'static Main> {
    // SAFETY: the cycle has a pointer for each module, null or set by `set_rtmp`.
    unsafe { (*(*cycle).conf_ctx.add(modules::rtmp_index())).cast::<Main>().as_ref() }
}

/// `server { }` in `rtmp {}`.
fn set_server(conf: &mut Conf, main: &mut Block) -> Result<(), Failure> {
    let mut server = Block::default();
    conf.parse_block(Level::Server, &mut server)?;
    main.children.push(server);
    Ok(())
}

/// `application NAME { }` in `server {}`.
fn set_application(conf: &mut Conf, server: &mut Block) -> Result<(), Failure> {
    let name = conf.text(1)?.to_owned();
    if server.children.iter().any(|application| application.name == name) {
        conf.warn(format_args!("application \"{name}\" is defined twice, the first one is used"));
    }
    let mut application = Block { name, ..Block::default() };
    conf.parse_block(Level::Application, &mut application)?;
    // These two govern the chunks of a connection, which has no application until it connects,
    // so an application's value is its server's, as in the C module.
    let (of_server, of_application) = (&mut server.settings.core, &application.settings.core);
    of_server.play_time_fix = of_application.play_time_fix.or(of_server.play_time_fix);
    of_server.publish_time_fix = of_application.publish_time_fix.or(of_server.publish_time_fix);
    server.children.push(application);
    Ok(())
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
fn finish(conf: &mut Conf, main: &mut Block) -> Result<Main, Failure> {
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
