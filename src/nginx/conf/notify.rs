//! Directives of callbacks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::ngx_str_t;

use super::client_tls::ClientContexts;
use super::directive::{
    Conf, Directive, EVERYWHERE, Failure, MAIN, RECORDER, SERVER, Setter, set_once,
};
use super::{Block, settings};
use crate::http::{Method, Scheme, Url, check_header};
use crate::nginx::notify::Notify;
use crate::nginx::tls::ClientContext;
use crate::notify::{Callbacks, Format, Hook, Signer, Style, UpdatePolicy};

/// Settings of callbacks.
#[derive(Debug, Default)]
pub(super) struct NotifySettings {
    urls: BTreeMap<Hook, Url>,
    options: Options,
}

settings! {
    /// How callbacks are made.
    Options {
        method: Method,
        format: Format,
        headers: Vec<(String, String)>,
        signer: Signer,
        update_timeout: Duration,
        update_strict: bool,
        relay_redirect: bool,
        send_redirect: bool,
        no_resolve: bool,
        timeout: Duration,
        ssl_verify: bool,
        ssl_trusted_certificate: ngx_str_t,
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_UPDATE_INTERVAL: Duration = Duration::from_secs(30);

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"on_connect", MAIN | SERVER, Setter::Argument(|c, b| set(c, b, Hook::Connect))),
    Directive::new(
        c"on_disconnect",
        MAIN | SERVER,
        Setter::Argument(|c, b| set(c, b, Hook::Disconnect)),
    ),
    Directive::new(c"on_publish", EVERYWHERE, Setter::Argument(|c, b| set(c, b, Hook::Publish))),
    Directive::new(c"on_play", EVERYWHERE, Setter::Argument(|c, b| set(c, b, Hook::Play))),
    Directive::new(
        c"on_publish_done",
        EVERYWHERE,
        Setter::Argument(|c, b| set(c, b, Hook::PublishDone)),
    ),
    Directive::new(c"on_play_done", EVERYWHERE, Setter::Argument(|c, b| set(c, b, Hook::PlayDone))),
    Directive::new(c"on_done", EVERYWHERE, Setter::Argument(|c, b| set(c, b, Hook::Done))),
    Directive::new(c"on_update", EVERYWHERE, Setter::Argument(|c, b| set(c, b, Hook::Update))),
    Directive::new(
        c"on_record_started",
        EVERYWHERE | RECORDER,
        Setter::Argument(|c, b| set(c, b, Hook::RecordStarted)),
    ),
    Directive::new(
        c"on_record_done",
        EVERYWHERE | RECORDER,
        Setter::Argument(|c, b| set(c, b, Hook::RecordDone)),
    ),
    Directive::new(c"on_playlist", EVERYWHERE, Setter::Argument(|c, b| set(c, b, Hook::Playlist))),
    Directive::new(c"notify_method", EVERYWHERE, Setter::Argument(set_method)),
    Directive::new(c"notify_format", EVERYWHERE, Setter::Argument(set_format)),
    Directive::new(c"notify_header", EVERYWHERE, Setter::TwoArguments(add_header)),
    Directive::new(c"notify_secret", EVERYWHERE, Setter::Argument(set_secret)),
    Directive::new(
        c"notify_update_timeout",
        EVERYWHERE,
        Setter::TimeOrOff(|s| &mut s.notify.options.update_timeout),
    ),
    Directive::new(
        c"notify_update_strict",
        EVERYWHERE,
        Setter::Flag(|s| &mut s.notify.options.update_strict),
    ),
    Directive::new(
        c"notify_relay_redirect",
        EVERYWHERE,
        Setter::Flag(|s| &mut s.notify.options.relay_redirect),
    ),
    Directive::new(
        c"notify_send_redirect",
        EVERYWHERE,
        Setter::Flag(|s| &mut s.notify.options.send_redirect),
    ),
    Directive::new(
        c"notify_no_resolve",
        EVERYWHERE,
        Setter::Flag(|s| &mut s.notify.options.no_resolve),
    ),
    Directive::new(
        c"notify_ssl_verify",
        EVERYWHERE,
        Setter::Flag(|s| &mut s.notify.options.ssl_verify),
    ),
    Directive::new(
        c"notify_ssl_trusted_certificate",
        EVERYWHERE,
        Setter::Word(|s| &mut s.notify.options.ssl_trusted_certificate),
    ),
    Directive::new(
        c"netcall_timeout",
        MAIN | SERVER,
        Setter::Time(|s| &mut s.notify.options.timeout),
    ),
    Directive::new(
        c"netcall_buffer",
        MAIN | SERVER,
        Setter::Unused("replies are read as they come, and kept as far as they are needed"),
    ),
];

fn set(conf: &mut Conf, block: &mut Block, hook: Hook) -> Result<(), Failure> {
    let text = conf.text(1)?;
    let url =
        Url::parse(text).map_err(|error| format!("has the invalid URL \"{text}\", {error}"))?;
    match block.settings.notify.urls.insert(hook, url) {
        None => Ok(()),
        Some(_) => Err(Failure::duplicate()),
    }
}

fn set_method(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let method = match conf.text(1)? {
        text if text.eq_ignore_ascii_case("get") => Method::Get,
        text if text.eq_ignore_ascii_case("post") => Method::Post,
        other => return Err(neither(other, "get", "post")),
    };
    set_once(&mut block.settings.notify.options.method, method)
}

fn set_format(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let format = match conf.text(1)? {
        "form" => Format::Form,
        "json" => Format::Json,
        other => return Err(neither(other, "form", "json")),
    };
    set_once(&mut block.settings.notify.options.format, format)
}

fn neither(value: &str, one: &str, other: &str) -> Failure {
    format!("has the invalid value \"{value}\", it must be \"{one}\" or \"{other}\"").into()
}

/// `NAME VALUE`
fn add_header(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let (name, value) = (conf.text(1)?, conf.text(2)?);
    check_header(name, value).map_err(|error| format!("{error}: \"{name}\""))?;
    let headers = block.settings.notify.options.headers.get_or_insert_default();
    headers.push((name.to_owned(), value.to_owned()));
    Ok(())
}

fn set_secret(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let key = conf.args()[1].as_bytes();
    if key.is_empty() {
        return Err("has an empty key".to_owned().into());
    }
    set_once(&mut block.settings.notify.options.signer, Signer::new(key))
}

impl NotifySettings {
    pub(super) fn inherit(&mut self, parent: &Self) {
        for (&hook, url) in &parent.urls {
            self.urls.entry(hook).or_insert_with(|| url.clone());
        }
        self.options.inherit(&parent.options);
    }

    pub(super) fn resolve(
        &self,
        conf: &mut Conf,
        contexts: &mut ClientContexts,
    ) -> Result<Arc<Notify>, Failure> {
        let options = &self.options;
        // Names are looked up in threads.
        if !self.urls.is_empty() {
            conf.use_threads()?;
        }
        let style = Style {
            method: options.method.unwrap_or_default(),
            format: options.format.unwrap_or_default(),
            headers: options.headers.clone().unwrap_or_default(),
            signer: options.signer.clone(),
        };
        let update_policy = match options.update_strict {
            Some(true) => UpdatePolicy::Strict,
            _ => UpdatePolicy::Lenient,
        };
        let needs_tls = self.urls.values().any(|url| url.scheme == Scheme::Https);
        Ok(Arc::new(Notify {
            callbacks: Callbacks { urls: self.urls.clone(), style },
            tls: needs_tls.then(|| self.context(conf, contexts)).transpose()?,
            timeout: options.timeout.unwrap_or(DEFAULT_TIMEOUT),
            update_interval: options.update_timeout.unwrap_or(DEFAULT_UPDATE_INTERVAL),
            update_policy,
            sends_redirects: options.send_redirect.unwrap_or(false),
            renames_redirected: options.relay_redirect.unwrap_or(false),
            redirects_to_names: !options.no_resolve.unwrap_or(false),
        }))
    }

    /// How servers are met that speak TLS.
    pub(super) fn context(
        &self,
        conf: &mut Conf,
        contexts: &mut ClientContexts,
    ) -> Result<ClientContext, Failure> {
        let verifies = self.options.ssl_verify.unwrap_or(true);
        contexts.get(conf, self.options.ssl_trusted_certificate, verifies)
    }
}
