//! The directive `listen`, and the sockets that nginx opens for it.

use std::mem;
use std::net::IpAddr;

use nginx_sys::{
    NGX_OK, ngx_accept_log_error, ngx_addr_t, ngx_create_listening, ngx_int_t, ngx_listening_t,
    ngx_parse_time, ngx_parse_url, ngx_str_t, ngx_url_t,
};

use super::address::Listener;
use super::directive::{Conf, Failure};
use super::{Block, parse};
use crate::nginx::{connection, server};

/// RTMP's registered port.
const DEFAULT_PORT: u16 = 1935;

/// Bytes of a connection's pool: nginx puts its log, its addresses and its text there.
pub(in crate::nginx) const POOL_SIZE: usize = 512;

/// One address of a server.
#[derive(Clone, Debug)]
pub(super) struct Listen {
    /// As nginx prints it.
    text: String,
    /// Where the directive stands.
    place: String,
    /// A `sockaddr` in the cycle's pool.
    sockaddr: ngx_addr_t,
    options: Options,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    /// A socket of its own, though a wildcard socket has the same port.
    bind: bool,
    ipv6only: Option<bool>,
    keepalive: Option<KeepAlive>,
    proxy_protocol: bool,
    ssl: bool,
    default_server: bool,
    /// A socket for each worker, among which the system spreads connections.
    reuseport: bool,
    /// Accepts when there is something to read.
    deferred: bool,
    /// Most connections that wait to be accepted.
    backlog: Option<i32>,
    /// Sizes of the sockets' buffers in bytes.
    rcvbuf: Option<i32>,
    sndbuf: Option<i32>,
    /// Most connections in TCP Fast Open's queue.
    fastopen: Option<i32>,
}

/// `so_keepalive`; times in seconds, 0 for the system's.
#[derive(Clone, Copy, Debug, Default)]
struct KeepAlive {
    on: bool,
    idle: i32,
    interval: i32,
    count: i32,
}

/// `listen ADDRESS[:PORT] | PORT | unix:PATH [PARAMETER]...`; see [`PARAMETERS`].
pub(super) fn set_listen(conf: &mut Conf, server: &mut Block) -> Result<(), Failure> {
    let mut options = Options::default();
    for index in 2..conf.args().len() {
        let parameter = conf.text(index)?.to_owned();
        if parameter.starts_with("setfib=") || parameter.starts_with("accept_filter=") {
            conf.warn(format_args!("\"{parameter}\" has no effect on this system"));
            continue;
        }
        options.set(&parameter)?;
    }
    let addresses = resolve(conf)?;
    let place = conf.place();
    server.listens.extend(addresses.iter().map(|address| Listen {
        text: address.name.to_string(),
        place: place.clone(),
        sockaddr: *address,
        options,
    }));
    Ok(())
}

/// The addresses that the first argument stands for; a host name may have several.
fn resolve(conf: &mut Conf) -> Result<Vec<ngx_addr_t>, Failure> {
    // For a unix socket nginx keeps a pointer into the word.
    let text = conf.args()[1];
    // SAFETY: all-zero is what nginx starts from (ngx_memzero).
    let mut url: ngx_url_t = unsafe { mem::zeroed() };
    url.url = text;
    url.default_port = DEFAULT_PORT;
    url.set_listen(1);
    let pool = conf.raw().pool;
    // SAFETY: the pool and the word live as long as the configuration.
    if unsafe { ngx_parse_url(pool, &raw mut url) } != NGX_OK as ngx_int_t {
        let reason = if url.err.is_null() {
            "not an address".to_owned()
        } else {
            // SAFETY: `err` is a C string.
            unsafe { std::ffi::CStr::from_ptr(url.err) }.to_string_lossy().into_owned()
        };
        return Err(format!(
            "has the address \"{text}\": {reason}; it must be PORT, ADDRESS:PORT or unix:PATH"
        )
        .into());
    }
    // SAFETY: nginx gives `naddrs` addresses.
    Ok(unsafe { std::slice::from_raw_parts(url.addrs, url.naddrs) }.to_vec())
}

impl Options {
    fn set(&mut self, parameter: &str) -> Result<(), Failure> {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("default_server" | "default", "") => self.default_server = true,
            ("bind", "") => self.bind = true,
            ("proxy_protocol", "") => self.proxy_protocol = true,
            ("ssl", "") => self.ssl = true,
            ("reuseport", "") => (self.bind, self.reuseport) = (true, true),
            ("deferred", "") => (self.bind, self.deferred) = (true, true),
            ("backlog", value) => {
                (self.bind, self.backlog) = (true, Some(positive(parameter, value)?));
            }
            ("fastopen", value) => {
                (self.bind, self.fastopen) = (true, Some(positive(parameter, value)?));
            }
            ("rcvbuf", value) => {
                (self.bind, self.rcvbuf) = (true, Some(buffer_size(parameter, value)?));
            }
            ("sndbuf", value) => {
                (self.bind, self.sndbuf) = (true, Some(buffer_size(parameter, value)?));
            }
            ("ipv6only", "on") => (self.bind, self.ipv6only) = (true, Some(true)),
            ("ipv6only", "off") => (self.bind, self.ipv6only) = (true, Some(false)),
            ("so_keepalive", value) => {
                (self.bind, self.keepalive) = (true, Some(KeepAlive::parse(value)?));
            }
            _ => {
                return Err(format!(
                    "has the invalid parameter \"{parameter}\", the parameters are {PARAMETERS}"
                )
                .into());
            }
        }
        Ok(())
    }
}

const PARAMETERS: &str = "default_server, bind, ipv6only=on|off, \
     so_keepalive=on|off|[IDLE]:[INTERVAL]:[COUNT], proxy_protocol, ssl, reuseport, deferred, \
     backlog=NUMBER, fastopen=NUMBER, rcvbuf=SIZE and sndbuf=SIZE";

fn positive(parameter: &str, value: &str) -> Result<i32, Failure> {
    value.parse().ok().filter(|&number| number > 0).ok_or_else(|| {
        format!("has the invalid parameter \"{parameter}\", its value must be a positive number")
            .into()
    })
}

fn buffer_size(parameter: &str, value: &str) -> Result<i32, Failure> {
    let size = parse::bytes(value).and_then(|size| i32::try_from(size).ok());
    size.filter(|&size| size > 0).ok_or_else(|| {
        format!("has the invalid parameter \"{parameter}\", its value must be a size such as 64k")
            .into()
    })
}

impl KeepAlive {
    fn parse(value: &str) -> Result<Self, Failure> {
        let invalid = || -> Failure {
            format!(
                "has the invalid so_keepalive value \"{value}\", it must be on, off or \
                 [IDLE]:[INTERVAL]:[COUNT]"
            )
            .into()
        };
        match value {
            "on" => Ok(Self { on: true, ..Self::default() }),
            "off" => Ok(Self::default()),
            _ => {
                let mut fields = value.split(':');
                let (Some(idle), Some(interval), Some(count), None) =
                    (fields.next(), fields.next(), fields.next(), fields.next())
                else {
                    return Err(invalid());
                };
                let count = match count {
                    "" => 0,
                    count => count.parse().ok().filter(|&n| n > 0).ok_or_else(invalid)?,
                };
                let seconds = |text| keepalive_seconds(text).ok_or_else(invalid);
                let parsed =
                    Self { on: true, idle: seconds(idle)?, interval: seconds(interval)?, count };
                if value == "::" { Err(invalid()) } else { Ok(parsed) }
            }
        }
    }
}

fn keepalive_seconds(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let mut value = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: ngx_parse_time only reads the string.
    i32::try_from(unsafe { ngx_parse_time(&raw mut value, 1) }).ok().filter(|&n| n > 0)
}

impl Listen {
    /// The address as nginx prints it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the directive stands.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Whether TLS is used.
    pub(super) fn is_tls(&self) -> bool {
        self.options.ssl
    }

    /// Whether clients are announced by the PROXY protocol.
    pub(super) fn has_proxy_protocol(&self) -> bool {
        self.options.proxy_protocol
    }

    /// Whether the server is that of hosts that no server has a name for.
    pub(super) fn is_default_server(&self) -> bool {
        self.options.default_server
    }

    /// Whether connections to `other` come through the socket of this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.is_wildcard()
            && !other.is_wildcard()
            && !other.options.bind
            && self.family_and_port() == other.family_and_port()
    }

    /// Takes in what another server says of the address. What is about the socket may be said once.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), Failure> {
        if self.options.bind && other.options.bind {
            let (text, first, second) = (&self.text, &self.place, &other.place);
            return Err(format!(
                "has duplicate options of \"listen {text}\", at {first} and {second}; what is about \
                 the socket is said once"
            )
            .into());
        }
        let (proxy_protocol, ssl) = (self.options.proxy_protocol, self.options.ssl);
        if other.options.bind {
            (self.options, self.place) = (other.options, other.place.clone());
        }
        self.options.proxy_protocol |= proxy_protocol || other.options.proxy_protocol;
        self.options.ssl |= ssl || other.options.ssl;
        Ok(())
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        // SAFETY: nginx resolved the address.
        unsafe { connection::ip_of(self.sockaddr.sockaddr) }
    }

    fn is_wildcard(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    fn family_and_port(&self) -> Option<(bool, u16)> {
        // SAFETY: nginx resolved the address.
        let port = unsafe { nginx_sys::ngx_inet_get_port(self.sockaddr.sockaddr) };
        self.ip().map(|ip| (ip.is_ipv4(), port))
    }

    /// Gives nginx the socket to open.
    pub(super) fn open(&self, conf: &mut Conf, listener: Listener) -> Result<(), Failure> {
        let listener = conf.keep(listener);
        let raw = &raw mut *conf.raw();
        // SAFETY: the address is nginx's own.
        let ls =
            unsafe { ngx_create_listening(raw, self.sockaddr.sockaddr, self.sockaddr.socklen) };
        // SAFETY: null or a new element of the cycle's array.
        let Some(ls) = (unsafe { ls.as_mut() }) else {
            return Err("is out of memory".to_owned().into());
        };
        ls.handler = Some(server::accept);
        ls.servers = listener.cast();
        ls.pool_size = POOL_SIZE;
        // SAFETY: the cycle is there while a configuration is parsed.
        ls.logp = unsafe { &raw mut (*(*raw).cycle).new_log };
        ls.log.data = (&raw mut ls.addr_text).cast();
        ls.log.handler = Some(ngx_accept_log_error);
        ls.set_addr_ntop(1);
        ls.set_wildcard(self.is_wildcard().into());
        self.options.apply(ls);
        Ok(())
    }
}

impl Options {
    fn apply(&self, ls: &mut ngx_listening_t) {
        ls.set_ipv6only(self.ipv6only.unwrap_or(true).into());
        ls.set_reuseport(self.reuseport.into());
        ls.set_deferred_accept(self.deferred.into());
        // nginx has filled these in with the system's defaults.
        ls.backlog = self.backlog.unwrap_or(ls.backlog);
        ls.fastopen = self.fastopen.unwrap_or(ls.fastopen);
        ls.rcvbuf = self.rcvbuf.unwrap_or(ls.rcvbuf);
        ls.sndbuf = self.sndbuf.unwrap_or(ls.sndbuf);
        if let Some(keepalive) = self.keepalive {
            keepalive.apply(ls);
        }
    }
}

impl KeepAlive {
    fn apply(self, ls: &mut ngx_listening_t) {
        // nginx: 1 sets the option, 2 clears it, 0 leaves the system's default.
        ls.set_keepalive(if self.on { 1 } else { 2 });
        ls.keepidle = self.idle;
        ls.keepintvl = self.interval;
        ls.keepcnt = self.count;
    }
}
