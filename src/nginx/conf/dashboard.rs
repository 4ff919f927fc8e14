//! `rtmp_dashboard`, and the location that it stands in.

use std::ffi::{c_char, c_void};

use nginx_sys::{
    ngx_command_t, ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t, ngx_http_core_module,
};

use super::directive::{Conf, Failure, set_once};
use super::http;

pub(super) extern "C" fn set_dashboard(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    slot: *mut c_void,
) -> *mut c_char {
    http::set(cf, slot, |conf, http| {
        conf.use_threads()?;
        let location = location(conf);
        let path = path_of(location)?;
        // What is asked for without the slash is sent there, as with proxy_pass.
        location.set_auto_redirect(1);
        set_once(&mut http.dashboard, path)
    })
}

/// The location that is being parsed.
fn location(conf: &mut Conf) -> &mut ngx_http_core_loc_conf_t {
    // SAFETY: the directive stands in locations only, whose context has the core module's
    // configuration (ngx_http_conf_get_module_loc_conf).
    unsafe {
        let context = conf.raw().ctx.cast::<ngx_http_conf_ctx_t>();
        let core = *(*context).loc_conf.add(ngx_http_core_module.ctx_index);
        &mut *core.cast::<ngx_http_core_loc_conf_t>()
    }
}

fn path_of(location: &ngx_http_core_loc_conf_t) -> Result<String, Failure> {
    let path = location.name.to_str().unwrap_or_default();
    let is_prefix = location.exact_match() == 0 && location.named() == 0 && !is_regex(location);
    if is_prefix && path.starts_with('/') && path.ends_with('/') {
        return Ok(path.to_owned());
    }
    let text = "must be in a location that is a prefix ending in \"/\", such as \
                \"location /dashboard/\"";
    Err(text.to_owned().into())
}

#[cfg(ngx_feature = "pcre")]
fn is_regex(location: &ngx_http_core_loc_conf_t) -> bool {
    !location.regex.is_null()
}

#[cfg(not(ngx_feature = "pcre"))]
fn is_regex(_location: &ngx_http_core_loc_conf_t) -> bool {
    false
}
