//! The directives of `http {}`: what the server tells of itself, and what operators have it do.

use std::ffi::{c_char, c_void};

use nginx_sys::{ngx_command_t, ngx_conf_t, ngx_str_t};

use super::dashboard::set_dashboard;
use super::directive::{
    self, Conf, Failure, http_optional_command, http_value_command, http_words_command,
    location_command, set_once,
};
use crate::control::Sections;
use crate::nginx::http::ViewerKey;
use crate::stat::{Format, Scope, Shown};

/// What a location says; unset is what the block around it says.
#[derive(Clone, Debug, Default)]
pub(in crate::nginx) struct HttpConf {
    /// `rtmp_stat`.
    pub(in crate::nginx) stat: Option<Shown>,
    /// `rtmp_stat_stylesheet`.
    pub(in crate::nginx) stylesheet: Option<String>,
    /// `rtmp_stat_format`.
    pub(in crate::nginx) format: Option<Format>,
    /// `rtmp_metrics`.
    pub(in crate::nginx) metrics: Option<Scope>,
    /// `rtmp_control`.
    pub(in crate::nginx) control: Option<Sections>,
    /// `rtmp_dashboard`: the path that the page is below, with a slash at its end.
    pub(in crate::nginx) dashboard: Option<String>,
    /// `rtmp_viewer_key`.
    pub(in crate::nginx) viewer_key: Option<ViewerKey>,
}

impl HttpConf {
    /// What requests of the API may change, if they may come here. A page only reads.
    pub(in crate::nginx) fn api(&self) -> Option<Sections> {
        self.control.or_else(|| self.dashboard.is_some().then(Sections::default))
    }

    /// Takes what is unset from the enclosing block.
    fn inherit(&mut self, parent: &Self) {
        self.stat = self.stat.or(parent.stat);
        if self.stylesheet.is_none() {
            self.stylesheet.clone_from(&parent.stylesheet);
        }
        self.format = self.format.or(parent.format);
        self.metrics = self.metrics.or(parent.metrics);
        self.control = self.control.or(parent.control);
        if self.dashboard.is_none() {
            self.dashboard.clone_from(&parent.dashboard);
        }
        self.viewer_key = self.viewer_key.or(parent.viewer_key);
    }
}

/// nginx's `merge_loc_conf`: has a block take what is unset in it from the one around it.
pub(in crate::nginx) fn merge_http(
    cf: *mut ngx_conf_t,
    parent: &mut HttpConf,
    child: &mut HttpConf,
) -> *mut c_char {
    directive::answer(cf, |conf| {
        // The outermost block comes first, and all others have it from there.
        if parent.viewer_key.is_none() {
            parent.viewer_key = Some(ViewerKey::default(conf.raw())?);
        }
        child.inherit(parent);
        Ok(())
    })
}

/// Of how many streams there are metrics, if the configuration does not say, and how many it may say.
const METERED_STREAMS: usize = 1000;
const MAX_METERED_STREAMS: usize = 100_000;

/// nginx's table of them, ended by an empty one.
pub(in crate::nginx) static mut HTTP_COMMANDS: [ngx_command_t; 8] = [
    http_words_command(c"rtmp_stat", set_stat),
    http_value_command(c"rtmp_stat_stylesheet", set_stylesheet),
    http_value_command(c"rtmp_stat_format", set_format),
    http_optional_command(c"rtmp_metrics", set_metrics),
    http_words_command(c"rtmp_control", set_control),
    location_command(c"rtmp_dashboard", set_dashboard),
    http_value_command(c"rtmp_viewer_key", set_viewer_key),
    ngx_command_t::empty(),
];

extern "C" fn set_stat(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    set(cf, slot, |conf, http| {
        // What is much is rendered there.
        conf.use_threads()?;
        let shown = http.stat.get_or_insert_default();
        conf.args()[1..].iter().try_for_each(|word| show(shown, word))
    })
}

fn show(shown: &mut Shown, word: &ngx_str_t) -> Result<(), Failure> {
    match word.as_bytes() {
        b"all" => *shown = Shown { global: true, live: true, clients: true, play: true },
        b"global" => shown.global = true,
        b"live" => shown.live = true,
        b"clients" => shown.clients = true,
        b"play" => shown.play = true,
        // Which are told of with their streams.
        b"recorders" => shown.live = true,
        _ => {
            let text = format!(
                "has the invalid value \"{word}\", it must be \"all\", or any of \"global\", \
                 \"live\", \"clients\", \"play\" and \"recorders\""
            );
            return Err(text.into());
        }
    }
    Ok(())
}

extern "C" fn set_stylesheet(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    set(cf, slot, |conf, http| set_once(&mut http.stylesheet, conf.text(1)?.to_owned()))
}

extern "C" fn set_format(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    set(cf, slot, |conf, http| {
        let format = match conf.text(1)? {
            "xml" => Format::Xml,
            "json" => Format::Json,
            other => {
                let text =
                    format!("has the invalid value \"{other}\", it must be \"xml\" or \"json\"");
                return Err(text.into());
            }
        };
        set_once(&mut http.format, format)
    })
}

extern "C" fn set_metrics(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    set(cf, slot, |conf, http| {
        conf.use_threads()?;
        let streams = match conf.args() {
            [_, word, ..] => Some(metered_streams(word)?),
            _ => None,
        };
        set_once(&mut http.metrics, Scope { streams })
    })
}

/// Of how many streams there are metrics.
fn metered_streams(word: &ngx_str_t) -> Result<usize, Failure> {
    if word.as_bytes() == b"streams" {
        return Ok(METERED_STREAMS);
    }
    let most = word.to_str().ok().and_then(|text| text.strip_prefix("streams=")?.parse().ok());
    most.filter(|most| (1..=MAX_METERED_STREAMS).contains(most)).ok_or_else(|| {
        let text = format!(
            "has the invalid value \"{word}\", it must be \"streams\", or \"streams=\" and a number \
             from 1 to {MAX_METERED_STREAMS}"
        );
        text.into()
    })
}

extern "C" fn set_control(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    set(cf, slot, |conf, http| {
        // Names of servers are looked up there, too.
        conf.use_threads()?;
        let sections = http.control.get_or_insert_default();
        conf.args()[1..].iter().try_for_each(|word| open(sections, word))
    })
}

fn open(sections: &mut Sections, word: &ngx_str_t) -> Result<(), Failure> {
    match word.as_bytes() {
        b"all" => *sections = Sections { record: true, drop: true, redirect: true, push: true },
        b"record" => sections.record = true,
        b"drop" => sections.drop = true,
        b"redirect" => sections.redirect = true,
        b"push" => sections.push = true,
        _ => {
            let text = format!(
                "has the invalid value \"{word}\", it must be \"all\", or any of \"record\", \
                 \"drop\", \"redirect\" and \"push\""
            );
            return Err(text.into());
        }
    }
    Ok(())
}

extern "C" fn set_viewer_key(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    set(cf, slot, |conf, http| {
        let text = conf.args()[1];
        set_once(&mut http.viewer_key, ViewerKey::compile(conf.raw(), text)?)
    })
}

pub(super) fn set(
    cf: *mut ngx_conf_t,
    slot: *mut c_void,
    setter: impl FnOnce(&mut Conf, &mut HttpConf) -> Result<(), Failure>,
) -> *mut c_char {
    directive::answer(cf, |conf| {
        // SAFETY: nginx gives what `http::create_conf` made for the block.
        let http = unsafe { &mut *slot.cast::<HttpConf>() };
        setter(conf, http)
    })
}
