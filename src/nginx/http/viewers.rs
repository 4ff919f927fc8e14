//! Who gets files of HLS, which nginx's own handlers serve: looked at when a request is logged.

use std::ffi::OsStr;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use nginx_sys::{
    NGX_HTTP_GET, NGX_OK, ngx_conf_t, ngx_http_compile_complex_value,
    ngx_http_compile_complex_value_t, ngx_http_complex_value, ngx_http_complex_value_t,
    ngx_http_map_uri_to_path, ngx_http_request_t, ngx_int_t, ngx_pcalloc, ngx_str_t, ngx_uint_t,
};

use super::Request;
use crate::nginx::conf::Failure;
use crate::nginx::{guard, worker};

/// What tells viewers from each other, if the configuration does not say. Apple's players send that
/// header with every request.
const DEFAULT_KEY: &str = "$remote_addr $http_user_agent $http_x_playback_session_id";

/// A text with variables, in the memory of the configuration that has it.
#[derive(Clone, Copy, Debug)]
pub(in crate::nginx) struct ViewerKey(NonNull<ngx_http_complex_value_t>);

impl ViewerKey {
    /// # Errors
    ///
    /// nginx does not understand the text, which it has logged.
    pub(in crate::nginx) fn compile(
        cf: *mut ngx_conf_t,
        mut text: ngx_str_t,
    ) -> Result<Self, Failure> {
        // SAFETY: nginx's configuration, whose pool gives zeroed memory or null; `text` lives as
        // long as that; all-zero is what nginx starts from (ngx_memzero).
        unsafe {
            let value = ngx_pcalloc((*cf).pool, size_of::<ngx_http_complex_value_t>());
            let Some(value) = NonNull::new(value.cast::<ngx_http_complex_value_t>()) else {
                return Err("is out of memory".to_owned().into());
            };
            let mut compile: ngx_http_compile_complex_value_t = mem::zeroed();
            compile.cf = cf;
            compile.value = &raw mut text;
            compile.complex_value = value.as_ptr();
            match ngx_http_compile_complex_value(&raw mut compile) {
                code if code == NGX_OK as ngx_int_t => Ok(Self(value)),
                _ => Err(Failure::Logged),
            }
        }
    }

    /// That of locations that are told nothing.
    pub(in crate::nginx) fn default(cf: *mut ngx_conf_t) -> Result<Self, Failure> {
        let text = DEFAULT_KEY;
        Self::compile(cf, ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() })
    }
}

/// A request is over. What is not for HLS is told by the end of its address.
pub(super) unsafe extern "C" fn handle(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(
        || {
            // SAFETY: nginx gives a request.
            if let Some(request) = unsafe { Request::from_raw(r) }.filter(Request::got_hls) {
                see(&request);
            }
        },
        || (),
    );
    NGX_OK as ngx_int_t
}

fn see(request: &Request) {
    let Some(path) = request.file() else { return };
    let streams = worker::with(|worker| worker.shared().viewers.streams_of(path));
    if streams.is_empty() {
        return;
    }
    let key = request.viewer_key();
    if key.is_empty() {
        return;
    }
    worker::with(|worker| {
        for watched in streams {
            worker.shared().viewers.see(watched, key);
        }
    });
}

impl Request {
    /// Whether the client has got what may be a playlist or a segment.
    fn got_hls(&self) -> bool {
        let r = self.raw();
        // SAFETY: the request is there.
        let (uri, is_get, status) = unsafe {
            let status = match (*r).err_status {
                0 => (*r).headers_out.status,
                status => status,
            };
            (
                (*r).uri.as_bytes(),
                (*r).method == NGX_HTTP_GET as ngx_uint_t && r == (*r).main,
                status,
            )
        };
        (uri.ends_with(b".m3u8") || uri.ends_with(b".ts"))
            && is_get
            && matches!(status, 200 | 206 | 304)
    }

    /// The file that its address leads to.
    fn file(&self) -> Option<&Path> {
        let mut path = ngx_str_t { len: 0, data: ptr::null_mut() };
        let mut root_length = 0;
        // SAFETY: the request is there, and nginx puts the path into its pool, up to what it returns.
        let path = unsafe {
            let end = ngx_http_map_uri_to_path(self.raw(), &raw mut path, &raw mut root_length, 0);
            let length = NonNull::new(end)?.as_ptr().offset_from_unsigned(path.data);
            std::slice::from_raw_parts(path.data, length)
        };
        Some(Path::new(OsStr::from_bytes(path)))
    }

    /// What tells the client from others; empty if nothing does.
    fn viewer_key(&self) -> &[u8] {
        let Some(ViewerKey(key)) = self.conf().viewer_key else { return &[] };
        let mut value = ngx_str_t { len: 0, data: ptr::null_mut() };
        // SAFETY: the request is there; nginx puts the value into its pool, or it is in the
        // configuration.
        unsafe {
            let code = ngx_http_complex_value(self.raw(), key.as_ptr(), &raw mut value);
            if code != NGX_OK as ngx_int_t || value.is_empty() {
                return &[];
            }
            std::slice::from_raw_parts(value.data, value.len)
        }
    }
}
