//! The HTTP side, one file for each thing that answers. An answer is one for all workers: a request is
//! held until every other worker has answered, see [`inquiry`](super::inquiry).

mod api;
mod control;
mod dashboard;
mod flight;
mod live_mp4;
mod metrics;
mod request;
mod stat;
mod streaming;
mod viewers;

use std::ffi::{c_char, c_void};
use std::ptr;

use nginx_sys::{
    NGX_DECLINED, NGX_DONE, NGX_ERROR, NGX_OK, ngx_array_push, ngx_conf_t, ngx_http_conf_ctx_t,
    ngx_http_core_main_conf_t, ngx_http_core_module, ngx_http_handler_pt,
    ngx_http_phases_NGX_HTTP_CONTENT_PHASE as CONTENT_PHASE,
    ngx_http_phases_NGX_HTTP_LOG_PHASE as LOG_PHASE, ngx_http_request_t, ngx_int_t,
};

use super::conf::{self, Conf, HttpConf};
use super::inquiry::Begun;
use super::{guard, worker};
use crate::inquiry::{Answer, Question};
use crate::stat::Report;

pub(super) use self::flight::Flight;
pub(super) use self::live_mp4::pump;
pub(super) use self::request::Request;
pub(super) use self::viewers::ViewerKey;

/// Makes the response of what all workers have answered.
pub(super) enum Respond {
    /// In the event loop.
    Here(RespondHere),
    /// In a thread, of their reports.
    Elsewhere(Render),
}

/// Makes the response in the event loop.
pub(super) type RespondHere = Box<dyn FnOnce(Answer) -> Response>;

/// Makes the response of the reports of all workers, wherever that may be.
pub(super) type Render = Box<dyn FnOnce(Report) -> Response + Send>;

/// An answer to a client.
pub(super) struct Response {
    pub(super) status: u32,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Response {
    /// A bug of ours.
    pub(super) fn failed() -> Self {
        Self { status: 500, content_type: "text/plain", body: String::new() }
    }
}

/// nginx's `create_loc_conf`.
pub(super) unsafe extern "C" fn create_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(
        || {
            // SAFETY: nginx gives a valid configuration.
            let conf = unsafe { &mut *cf.cast::<Conf>() };
            conf.keep(HttpConf::default()).cast()
        },
        ptr::null_mut,
    )
}

/// nginx's `merge_loc_conf`.
pub(super) unsafe extern "C" fn merge_conf(
    cf: *mut ngx_conf_t,
    parent: *mut c_void,
    child: *mut c_void,
) -> *mut c_char {
    // SAFETY: both were made by `create_conf`, for different blocks.
    let (parent, child) = unsafe { (&mut *parent.cast::<HttpConf>(), &mut *child.cast()) };
    conf::merge_http(cf, parent, child)
}

/// nginx's `postconfiguration`: requests that no other module has taken come here, and all when they
/// are over.
pub(super) unsafe extern "C" fn set_up(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx calls this at the end of `http {}`, whose context has the core module's main
    // configuration (ngx_http_conf_get_module_main_conf).
    unsafe {
        let context = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let core = *(*context).main_conf.add(ngx_http_core_module.ctx_index);
        let core = core.cast::<ngx_http_core_main_conf_t>();
        for (phase, handler) in
            [(CONTENT_PHASE, handle as RequestHandler), (LOG_PHASE, viewers::handle)]
        {
            let handlers = &raw mut (*core).phases[phase as usize].handlers;
            let slot = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
            if slot.is_null() {
                return NGX_ERROR as ngx_int_t;
            }
            slot.write(Some(handler));
        }
    }
    NGX_OK as ngx_int_t
}

type RequestHandler = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;

/// A request has come to the phase in which content is made.
unsafe extern "C" fn handle(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(
        || {
            // SAFETY: nginx gives a request.
            let Some(request) = (unsafe { Request::from_raw(r) }) else {
                return NGX_ERROR as ngx_int_t;
            };
            answer(request)
        },
        || NGX_ERROR as ngx_int_t,
    )
}

fn answer(request: Request) -> ngx_int_t {
    // Names of streams may be those of the API, and the API's those of control.
    live_mp4::answer(request)
        .or_else(|| api::answer(request))
        .or_else(|| control::answer(request))
        .or_else(|| dashboard::answer(request))
        .or_else(|| metrics::answer(request))
        .or_else(|| stat::answer(request))
        .unwrap_or(NGX_DECLINED as ngx_int_t)
}

/// Responds at once if this is the only worker, or else when the others have answered.
fn inquire(
    request: Request,
    question: &Question,
    respond: impl FnOnce(Answer) -> Response + 'static,
) -> ngx_int_t {
    if let Err(code) = request.discard_body() {
        return code;
    }
    match worker::with(|worker| worker.inquire(request, question, Box::new(respond))) {
        Begun::Answered(respond, answer) => request.respond(respond(answer)),
        Begun::Asked(id) => {
            request.retain();
            request.hold(id);
            NGX_DONE as ngx_int_t
        }
    }
}

/// Responds when all workers have told what they have. `render` is called in a thread if that is
/// much, so it must not use what is this worker's.
fn inquire_reports(
    request: Request,
    render: impl FnOnce(Report) -> Response + Send + 'static,
) -> ngx_int_t {
    if let Err(code) = request.discard_body() {
        return code;
    }
    let id = worker::with(|worker| worker.inquire_reports(request, Box::new(render)));
    request.retain();
    request.hold(id);
    NGX_DONE as ngx_int_t
}

/// Does the same for a request whose body was read, which nginx retains.
fn inquire_held(
    request: Request,
    question: &Question,
    respond: impl FnOnce(Answer) -> Response + 'static,
) {
    match worker::with(|worker| worker.inquire(request, question, Box::new(respond))) {
        Begun::Answered(respond, answer) => request.finalize(request.respond(respond(answer))),
        Begun::Asked(id) => request.hold(id),
    }
}
