//! The tables that nginx reads when it loads the module.
//!
//! Written by hand, as one file holds three modules: the core module that owns the block `rtmp {}`,
//! the module whose table has every directive valid inside it (nginx finds the directives of a nested
//! block by the type of their module), and the HTTP module.
#![allow(non_upper_case_globals)]

use std::ffi::{c_char, c_void};
use std::ptr;

use nginx_sys::{
    NGX_CORE_MODULE, NGX_HTTP_MODULE, ngx_command_t, ngx_core_module_t, ngx_http_module_t,
    ngx_module_t, ngx_str_t, ngx_uint_t,
};

use super::{cluster, conf, http, worker};

/// The type of modules whose directives are valid inside `rtmp {}`: "RTMP", as in the C module.
pub(super) const RTMP_MODULE: ngx_uint_t = 0x504d_5452;

/// A table that nginx reads from one thread, before it starts any other.
#[repr(transparent)]
struct Table<T>(T);

// SAFETY: see the type.
unsafe impl<T> Sync for Table<T> {}

static CORE_CONTEXT: Table<ngx_core_module_t> = Table(ngx_core_module_t {
    name: ngx_str_t { len: 4, data: c"rtmp".as_ptr().cast_mut().cast() },
    create_conf: None,
    init_conf: None,
});

static mut ngx_rtmp_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const CORE_CONTEXT).cast_mut().cast::<c_void>(),
    commands: (&raw mut conf::RTMP_COMMANDS).cast::<ngx_command_t>(),
    type_: NGX_CORE_MODULE as ngx_uint_t,
    init_module: Some(cluster::prepare),
    init_process: Some(cluster::join),
    exit_process: Some(worker::exit),
    exit_master: Some(cluster::dissolve),
    ..ngx_module_t::default()
};

static mut ngx_rtmp_core_module: ngx_module_t = ngx_module_t {
    // The block's context has one entry, see `Conf::parse_block`.
    ctx_index: 0,
    commands: (&raw mut conf::COMMANDS).cast::<ngx_command_t>(),
    type_: RTMP_MODULE,
    ..ngx_module_t::default()
};

static HTTP_CONTEXT: Table<ngx_http_module_t> = Table(ngx_http_module_t {
    preconfiguration: None,
    postconfiguration: Some(http::set_up),
    create_main_conf: None,
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(http::create_conf),
    merge_loc_conf: Some(http::merge_conf),
});

static mut ngx_rtmp_http_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const HTTP_CONTEXT).cast_mut().cast::<c_void>(),
    commands: (&raw mut conf::HTTP_COMMANDS).cast::<ngx_command_t>(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    ..ngx_module_t::default()
};

/// The HTTP module's place among those of a location.
pub(super) fn http_index() -> usize {
    // SAFETY: nginx sets it when it parses `http {}`, before there are any locations.
    unsafe { ngx_rtmp_http_module.ctx_index }
}

/// The core module's place in a cycle, once nginx has loaded it.
pub(super) fn rtmp_index() -> usize {
    // SAFETY: nginx sets it when it loads the module, and never again.
    unsafe { ngx_rtmp_module.index }
}

/// What tells this module's shared memory from that of others.
#[cfg(ngx_feature = "ssl")]
pub(super) fn rtmp_tag() -> *mut c_void {
    (&raw mut ngx_rtmp_module).cast()
}

/// The modules of this file, ended by null.
#[unsafe(no_mangle)]
static ngx_modules: Table<[*mut ngx_module_t; 4]> = Table([
    &raw mut ngx_rtmp_module,
    &raw mut ngx_rtmp_core_module,
    &raw mut ngx_rtmp_http_module,
    ptr::null_mut(),
]);

/// Their names, ended by null.
#[unsafe(no_mangle)]
static ngx_module_names: Table<[*const c_char; 4]> = Table([
    c"ngx_rtmp_module".as_ptr(),
    c"ngx_rtmp_core_module".as_ptr(),
    c"ngx_rtmp_http_module".as_ptr(),
    ptr::null(),
]);

/// Modules that have to come after ours: none.
#[unsafe(no_mangle)]
static ngx_module_order: Table<[*const c_char; 1]> = Table([ptr::null()]);
