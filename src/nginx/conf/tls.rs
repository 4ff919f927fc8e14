//! The directives `ssl_*` of an RTMP server: those of nginx's own modules.

use std::ptr::{self, NonNull};
use std::time::Duration;

use nginx_sys::{
    NGX_SSL_DFLT_BUILTIN_SCACHE, NGX_SSL_NO_BUILTIN_SCACHE, NGX_SSL_NO_SCACHE, NGX_SSL_NONE_SCACHE,
    NGX_SSL_TLSv1, NGX_SSL_TLSv1_1, NGX_SSL_TLSv1_2, NGX_SSL_TLSv1_3,
    SSL_CTX_set_default_verify_paths, SSL_CTX_set_options, ngx_array_create, ngx_array_push,
    ngx_array_t, ngx_int_t, ngx_keyval_t, ngx_pool_cleanup_add, ngx_shared_memory_add,
    ngx_shm_zone_t, ngx_ssl_certificates, ngx_ssl_ciphers, ngx_ssl_client_certificate,
    ngx_ssl_conf_commands, ngx_ssl_create, ngx_ssl_crl, ngx_ssl_dhparam, ngx_ssl_ecdh_curve,
    ngx_ssl_read_password_file, ngx_ssl_session_cache, ngx_ssl_session_cache_init,
    ngx_ssl_session_ticket_keys, ngx_ssl_t, ngx_ssl_trusted_certificate, ngx_str_t, ngx_uint_t,
};

use super::directive::{Conf, Directive, Failure, MAIN, SERVER, Setter, check, set_once};
use super::{Block, parse, settings};
use crate::nginx::modules;
use crate::nginx::tls::{self, ClientContext, Context, Verify};

settings! {
    /// Settings of TLS. Words live as long as the configuration.
    TlsSettings {
        certificates: Vec<ngx_str_t>,
        keys: Vec<ngx_str_t>,
        password_file: ngx_str_t,
        dhparam: ngx_str_t,
        ecdh_curve: ngx_str_t,
        protocols: u32,
        ciphers: ngx_str_t,
        prefer_server_ciphers: bool,
        session_cache: SessionCache,
        session_tickets: bool,
        session_ticket_keys: Vec<ngx_str_t>,
        session_timeout: Duration,
        verify_client: Verify,
        verify_depth: u32,
        client_certificate: ngx_str_t,
        trusted_certificate: ngx_str_t,
        crl: ngx_str_t,
        handshake_timeout: Duration,
        conf_commands: Vec<(ngx_str_t, ngx_str_t)>,
    }
}

/// `ssl_session_cache`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionCache {
    builtin: i32,
    shared: *mut ngx_shm_zone_t,
}

const HERE: usize = MAIN | SERVER;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"ssl_certificate", HERE, Setter::Words(|s| &mut s.tls.certificates)),
    Directive::new(c"ssl_certificate_key", HERE, Setter::Words(|s| &mut s.tls.keys)),
    Directive::new(c"ssl_password_file", HERE, Setter::Word(|s| &mut s.tls.password_file)),
    Directive::new(c"ssl_dhparam", HERE, Setter::Word(|s| &mut s.tls.dhparam)),
    Directive::new(c"ssl_ecdh_curve", HERE, Setter::Word(|s| &mut s.tls.ecdh_curve)),
    Directive::new(c"ssl_protocols", HERE, Setter::Arguments(set_protocols)),
    Directive::new(c"ssl_ciphers", HERE, Setter::Word(|s| &mut s.tls.ciphers)),
    Directive::new(
        c"ssl_prefer_server_ciphers",
        HERE,
        Setter::Flag(|s| &mut s.tls.prefer_server_ciphers),
    ),
    Directive::new(c"ssl_session_cache", HERE, Setter::OneOrTwo(set_session_cache)),
    Directive::new(c"ssl_session_tickets", HERE, Setter::Flag(|s| &mut s.tls.session_tickets)),
    Directive::new(
        c"ssl_session_ticket_key",
        HERE,
        Setter::Words(|s| &mut s.tls.session_ticket_keys),
    ),
    Directive::new(c"ssl_session_timeout", HERE, Setter::Time(|s| &mut s.tls.session_timeout)),
    Directive::new(c"ssl_verify_client", HERE, Setter::Argument(set_verify_client)),
    Directive::new(c"ssl_verify_depth", HERE, Setter::Number(|s| &mut s.tls.verify_depth, 0..=100)),
    Directive::new(
        c"ssl_client_certificate",
        HERE,
        Setter::Word(|s| &mut s.tls.client_certificate),
    ),
    Directive::new(
        c"ssl_trusted_certificate",
        HERE,
        Setter::Word(|s| &mut s.tls.trusted_certificate),
    ),
    Directive::new(c"ssl_crl", HERE, Setter::Word(|s| &mut s.tls.crl)),
    Directive::new(c"ssl_handshake_timeout", HERE, Setter::Time(|s| &mut s.tls.handshake_timeout)),
    Directive::new(c"ssl_conf_command", HERE, Setter::Pairs(|s| &mut s.tls.conf_commands)),
];

/// As nginx's.
const DEFAULT_PROTOCOLS: u32 = NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3;

/// How many certificates a server may show between its own and a trusted one.
const MAX_CLIENT_DEPTH: ngx_int_t = 8;

const DEFAULT_CIPHERS: &str = "HIGH:!aNULL:!MD5";
const DEFAULT_CURVE: &str = "auto";
const DEFAULT_SESSION_TIMEOUT: Duration = Duration::from_secs(300);

/// OpenSSL's SSL_OP_NO_TICKET, a macro that is not bound.
const NO_TICKET: u64 = 1 << 14;

/// A shared cache is no smaller than so many pages (nginx's modules).
const MIN_SHARED_PAGES: usize = 8;
const PAGE: usize = 4096;

fn set_protocols(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let mut protocols = 0;
    for index in 1..conf.args().len() {
        protocols |= match conf.text(index)? {
            "TLSv1" => NGX_SSL_TLSv1,
            "TLSv1.1" => NGX_SSL_TLSv1_1,
            "TLSv1.2" => NGX_SSL_TLSv1_2,
            "TLSv1.3" => NGX_SSL_TLSv1_3,
            other => {
                return Err(format!(
                    "has the invalid value \"{other}\", it must be some of TLSv1, TLSv1.1, \
                     TLSv1.2 and TLSv1.3"
                )
                .into());
            }
        };
    }
    set_once(&mut block.settings.tls.protocols, protocols)
}

fn set_verify_client(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let verify = match conf.text(1)? {
        "off" => Verify::Off,
        "on" => Verify::Required,
        "optional" => Verify::Optional,
        "optional_no_ca" => Verify::OptionalUntrusted,
        other => {
            return Err(format!(
                "has the invalid value \"{other}\", it must be \"on\", \"off\", \"optional\" or \
                 \"optional_no_ca\""
            )
            .into());
        }
    };
    set_once(&mut block.settings.tls.verify_client, verify)
}

/// `ssl_session_cache off|none|[builtin[:SIZE]] [shared:NAME:SIZE]`
fn set_session_cache(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let mut cache = SessionCache { builtin: NGX_SSL_NO_BUILTIN_SCACHE, shared: ptr::null_mut() };
    for index in 1..conf.args().len() {
        let text = conf.text(index)?.to_owned();
        let fields: Vec<_> = text.split(':').collect();
        match (&fields[..], conf.args().len()) {
            (["off"], 2) => cache.builtin = NGX_SSL_NO_SCACHE,
            (["none"], 2) => cache.builtin = NGX_SSL_NONE_SCACHE,
            (["builtin"], _) => cache.builtin = NGX_SSL_DFLT_BUILTIN_SCACHE,
            (["builtin", size], _) => {
                let size = size.parse().ok().filter(|&size| size > 0);
                cache.builtin = size.ok_or_else(|| invalid_cache(&text))?;
            }
            (["shared", name, size], _) if !name.is_empty() => {
                cache.shared = shared_cache(conf, name, size)?;
            }
            _ => return Err(invalid_cache(&text)),
        }
    }
    set_once(&mut block.settings.tls.session_cache, cache)
}

fn invalid_cache(text: &str) -> Failure {
    format!(
        "has the invalid value \"{text}\", it must be \"off\", \"none\", \"builtin[:SESSIONS]\" or \
         \"shared:NAME:SIZE\""
    )
    .into()
}

fn shared_cache(conf: &mut Conf, name: &str, size: &str) -> Result<*mut ngx_shm_zone_t, Failure> {
    let bytes = parse::bytes(size).filter(|&bytes| bytes >= MIN_SHARED_PAGES * PAGE);
    let bytes = bytes.ok_or_else(|| -> Failure {
        format!("has the invalid size \"{size}\", it must be a size such as 1m, at least 32k")
            .into()
    })?;
    let mut name = conf.copy(name)?;
    // SAFETY: the name is the configuration's; the tag tells whose zone it is.
    unsafe {
        let zone = ngx_shared_memory_add(conf.raw(), &raw mut name, bytes, modules::rtmp_tag());
        let zone = zone.as_mut().ok_or(Failure::Logged)?;
        zone.init = Some(ngx_ssl_session_cache_init);
        Ok(zone)
    }
}

impl TlsSettings {
    /// How long a handshake may take.
    pub(super) fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout.unwrap_or(Duration::from_secs(60))
    }

    /// The context of a server that listens with `ssl`, at `place`.
    pub(super) fn context(&self, conf: &mut Conf, place: &str) -> Result<Context, Failure> {
        let missing = |name: &str| -> Failure {
            format!("has a \"listen\" with \"ssl\", at {place}, which needs \"{name}\"").into()
        };
        let certificates =
            self.certificates.as_deref().ok_or_else(|| missing("ssl_certificate"))?;
        let keys = self.keys.as_deref().ok_or_else(|| missing("ssl_certificate_key"))?;
        if keys.len() < certificates.len() {
            return Err(missing("ssl_certificate_key\" for each \"ssl_certificate"));
        }
        let verify = self.verify_client.unwrap_or_default();
        let needs_signers = !matches!(verify, Verify::Off | Verify::OptionalUntrusted);
        if needs_signers && self.client_certificate.is_none() {
            return Err(missing("ssl_client_certificate\" for \"ssl_verify_client"));
        }
        let ssl = create(conf, self.protocols.unwrap_or(DEFAULT_PROTOCOLS))?;
        let certificates = conf.array(certificates)?;
        self.load(conf, ssl, certificates, keys)?;
        self.limit(conf, ssl, verify)?;
        self.keep_sessions(conf, ssl, certificates)?;
        // SAFETY: servers meet clients that nginx accepts.
        unsafe { tls::ask_server_name(ssl.as_ptr()) };
        // SAFETY: the context is the configuration's, which outlives its sessions.
        Ok(unsafe { Context::new(ssl, verify) })
    }

    fn load(
        &self,
        conf: &mut Conf,
        ssl: NonNull<ngx_ssl_t>,
        certificates: *mut ngx_array_t,
        keys: &[ngx_str_t],
    ) -> Result<(), Failure> {
        let keys = conf.array(keys)?;
        let mut password_file = self.password_file;
        let cf = &raw mut *conf.raw();
        // SAFETY: all of these live as long as the configuration.
        unsafe {
            let passwords = match &mut password_file {
                Some(file) => {
                    let passwords = ngx_ssl_read_password_file(cf, file);
                    if passwords.is_null() {
                        return Err(Failure::Logged);
                    }
                    passwords
                }
                None => ptr::null_mut(),
            };
            check(ngx_ssl_certificates(cf, ssl.as_ptr(), certificates, keys, passwords))
        }
    }

    /// What is accepted: ciphers, curves, clients.
    fn limit(
        &self,
        conf: &mut Conf,
        ssl: NonNull<ngx_ssl_t>,
        verify: Verify,
    ) -> Result<(), Failure> {
        let mut ciphers = self.ciphers.map_or_else(|| conf.copy(DEFAULT_CIPHERS), Ok)?;
        let mut curve = self.ecdh_curve.map_or_else(|| conf.copy(DEFAULT_CURVE), Ok)?;
        let [mut dhparam, mut client, mut trusted, mut crl] =
            [self.dhparam, self.client_certificate, self.trusted_certificate, self.crl]
                .map(Option::unwrap_or_default);
        let prefer = self.prefer_server_ciphers.unwrap_or(false).into();
        let depth = self.verify_depth.unwrap_or(1) as ngx_int_t;
        let commands = conf.array(&self.commands())?;
        let (cf, ssl) = (&raw mut *conf.raw(), ssl.as_ptr());
        // SAFETY: all of these live as long as the configuration; nginx takes an empty string, or
        // null for an array, for what is not set.
        unsafe {
            check(ngx_ssl_ciphers(cf, ssl, &raw mut ciphers, prefer))?;
            if verify != Verify::Off {
                check(ngx_ssl_client_certificate(cf, ssl, &raw mut client, depth))?;
            }
            check(ngx_ssl_trusted_certificate(cf, ssl, &raw mut trusted, depth))?;
            check(ngx_ssl_crl(cf, ssl, &raw mut crl))?;
            check(ngx_ssl_dhparam(cf, ssl, &raw mut dhparam))?;
            check(ngx_ssl_ecdh_curve(cf, ssl, &raw mut curve))?;
            check(ngx_ssl_conf_commands(cf, ssl, commands))
        }
    }

    fn keep_sessions(
        &self,
        conf: &mut Conf,
        ssl: NonNull<ngx_ssl_t>,
        certificates: *mut ngx_array_t,
    ) -> Result<(), Failure> {
        let none = SessionCache { builtin: NGX_SSL_NONE_SCACHE, shared: ptr::null_mut() };
        let cache = self.session_cache.unwrap_or(none);
        let timeout = self.session_timeout.unwrap_or(DEFAULT_SESSION_TIMEOUT).as_secs() as i64;
        let mut context = conf.copy("RTMP")?;
        let ticket_keys = match &self.session_ticket_keys {
            Some(keys) => conf.array(keys)?,
            None => ptr::null_mut(),
        };
        let (cf, ssl) = (&raw mut *conf.raw(), ssl.as_ptr());
        // SAFETY: as in `limit`.
        unsafe {
            let (builtin, shared) = (cache.builtin as isize, cache.shared);
            let kept = ngx_ssl_session_cache(
                ssl,
                &raw mut context,
                certificates,
                builtin,
                shared,
                timeout,
            );
            check(kept)?;
            if self.session_tickets == Some(false) {
                SSL_CTX_set_options((*ssl).ctx, NO_TICKET);
            }
            check(ngx_ssl_session_ticket_keys(cf, ssl, ticket_keys))
        }
    }

    fn commands(&self) -> Vec<ngx_keyval_t> {
        let commands = self.conf_commands.iter().flatten();
        commands.map(|&(key, value)| ngx_keyval_t { key, value }).collect()
    }
}

/// An empty context, which its configuration cleans up.
fn create(conf: &mut Conf, protocols: u32) -> Result<NonNull<ngx_ssl_t>, Failure> {
    // SAFETY: all-zero is an empty context (ngx_pcalloc).
    let ssl = conf.keep(unsafe { std::mem::zeroed::<ngx_ssl_t>() });
    let cf = conf.raw();
    // SAFETY: the context lives as long as the pool that cleans it up.
    unsafe {
        (*ssl).log = cf.log;
        let cleanup = ngx_pool_cleanup_add(cf.pool, 0).as_mut().ok_or(Failure::Logged)?;
        check(ngx_ssl_create(ssl, protocols as ngx_uint_t, ptr::null_mut()))?;
        cleanup.handler = Some(tls::clean_up);
        cleanup.data = ssl.cast();
    }
    NonNull::new(ssl).ok_or(Failure::Logged)
}

/// The context by which servers are met. With `verifies` they must show a certificate that is good
/// by those in the file `trusted`, or by the system's.
pub(super) fn client_context(
    conf: &mut Conf,
    trusted: Option<ngx_str_t>,
    verifies: bool,
) -> Result<ClientContext, Failure> {
    let ssl = create(conf, DEFAULT_PROTOCOLS)?;
    let cf = &raw mut *conf.raw();
    // SAFETY: the context is the configuration's, which outlives its connections.
    unsafe {
        match trusted {
            Some(mut trusted) => {
                let depth = MAX_CLIENT_DEPTH;
                check(ngx_ssl_trusted_certificate(cf, ssl.as_ptr(), &raw mut trusted, depth))?;
            }
            None if SSL_CTX_set_default_verify_paths(ssl.as_ref().ctx) == 1 => {}
            None => return Err("cannot use the system's trusted certificates".to_owned().into()),
        }
        Ok(ClientContext::new(ssl, verifies))
    }
}

impl Conf {
    /// An array of nginx's; null for none.
    fn array<T: Copy>(&mut self, values: &[T]) -> Result<*mut ngx_array_t, Failure> {
        if values.is_empty() {
            return Ok(ptr::null_mut());
        }
        // SAFETY: a configuration has a pool.
        let array = unsafe { ngx_array_create(self.raw().pool, values.len(), size_of::<T>()) };
        if array.is_null() {
            return Err(Failure::Logged);
        }
        for value in values {
            // SAFETY: what is pushed has the size of a value, and room was made for all of them.
            unsafe {
                let slot =
                    NonNull::new(ngx_array_push(array).cast::<T>()).ok_or(Failure::Logged)?;
                slot.write(*value);
            }
        }
        Ok(array)
    }
}
