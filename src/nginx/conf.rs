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
mod resolved;
mod secret;
mod server_name;
#[cfg_attr(not(ngx_feature = "ssl"), path = "conf/no_tls.rs")]
mod tls;

use std::ffi::c_char;

use nginx_sys::{ngx_command_t, ngx_conf_t, ngx_cycle, ngx_cycle_t};

use self::access::AccessSettings;
use self::access_log::{AccessLogSettings, LogFormat};
use self::core::CoreSettings;
use self::directive::{Directive, Level, MAIN, SERVER, Setter};
use self::exec::ExecSettings;
use self::hls::HlsSettings;
use self::limit::MaxConnections;
use self::listen::Listen;
use self::live::LiveSettings;
use self::notify::NotifySettings;
use self::play::PlaySettings;
use self::record::RecordSettings;
use self::relay::RelaySettings;
use self::secret::SecretSettings;
use self::server_name::ServerName;
use self::tls::TlsSettings;
use super::modules;
use crate::live::ApplicationId;
use crate::log_mask::LogMask;

pub(super) use self::address::{Endpoint, Listener, Misdirected};
pub(super) use self::directive::{Conf, Failure, check};
pub(super) use self::exec::{CommandPolicy, ExecConfig, RecordCommands};
pub(super) use self::http::{HTTP_COMMANDS, HttpConf, merge_http};
pub(super) use self::listen::POOL_SIZE;
pub(super) use self::play::{PlayConfig, PlayEntry};
pub(super) use self::record::Recorder;
pub(super) use self::resolved::{Application, Main, Server};

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
        let main = resolved::finish(conf, &mut block)?;
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
