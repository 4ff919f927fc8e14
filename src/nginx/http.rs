//! The HTTP side: `rtmp_stat` and `rtmp_control`, which answer for all workers. A request is held until
//! every other worker has answered, see [`inquiry`](super::inquiry).

mod request;

use std::ffi::{c_char, c_void};
use std::ptr;

use nginx_sys::{
    NGINX_VERSION, NGX_COMPILER, NGX_DECLINED, NGX_DONE, NGX_ERROR, NGX_OK, ngx_array_push,
    ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_main_conf_t, ngx_http_core_module,
    ngx_http_handler_pt, ngx_http_phases_NGX_HTTP_CONTENT_PHASE as CONTENT_PHASE,
    ngx_http_request_t, ngx_int_t, ngx_pid,
};

use super::conf::{Conf, HttpConf};
use super::inquiry::Begun;
use super::{conf, event, guard, worker};
use crate::control::{self, Refusal, Verb};
use crate::inquiry::{Answer, Question};
use crate::stat::{Application, Document, Format, Process, Shown};
use crate::time::Instant;

pub(super) use self::request::Request;

/// What a request that is held is to be answered.
#[derive(Debug)]
pub(super) enum Purpose {
    /// By `rtmp_stat`.
    Stat { shown: Shown, format: Format, stylesheet: Option<String> },
    /// By `rtmp_control`.
    Control,
}

/// An answer to a client.
pub(super) struct Response {
    pub(super) status: u32,
    pub(super) content_type: &'static str,
    pub(super) body: String,
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
    _cf: *mut ngx_conf_t,
    parent: *mut c_void,
    child: *mut c_void,
) -> *mut c_char {
    // SAFETY: both were made by `create_conf`, for different blocks.
    let (parent, child) = unsafe { (&*parent.cast::<HttpConf>(), &mut *child.cast::<HttpConf>()) };
    child.inherit(parent);
    ptr::null_mut()
}

/// nginx's `postconfiguration`: requests that no other module has taken come here.
pub(super) unsafe extern "C" fn set_up(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx calls this at the end of `http {}`, whose context has the core module's main
    // configuration (ngx_http_conf_get_module_main_conf).
    unsafe {
        let context = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let core = *(*context).main_conf.add(ngx_http_core_module.ctx_index);
        let core = core.cast::<ngx_http_core_main_conf_t>();
        let handlers = &raw mut (*core).phases[CONTENT_PHASE as usize].handlers;
        let slot = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
        if slot.is_null() {
            return NGX_ERROR as ngx_int_t;
        }
        slot.write(Some(handle));
    }
    NGX_OK as ngx_int_t
}

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
    let conf = request.conf();
    let wanted =
        conf.control.map(|open| control::Request::parse(request.path(), request.query(), open));
    match wanted {
        None | Some(Err(Refusal::UnknownSection)) => {}
        Some(Err(refusal)) => return refuse(request, refusal),
        Some(Ok(wanted)) => return order(request, wanted),
    }
    let Some(shown) = conf.stat else { return NGX_DECLINED as ngx_int_t };
    let format = conf.format.unwrap_or_default();
    let purpose = Purpose::Stat { shown, format, stylesheet: conf.stylesheet.clone() };
    inquire(request, &Question::Report, purpose)
}

fn refuse(request: Request, refusal: Refusal) -> ngx_int_t {
    let body = refusal.to_string();
    request.respond(Response { status: 500, content_type: "text/plain", body })
}

fn order(request: Request, wanted: control::Request) -> ngx_int_t {
    let server = conf::main().and_then(|main| main.servers().nth(wanted.server));
    let Some(applications) = server else { return refuse(request, Refusal::NoServer) };
    let is_meant = |name: &String| wanted.application.as_ref().is_none_or(|it| it == name);
    let mut order = wanted.order;
    let meant: Vec<_> = applications.iter().filter(|it| is_meant(&it.name)).collect();
    if let Verb::Record(_, id) = &order.verb
        && !meant.iter().flat_map(|it| &it.recorders).any(|it| it.config.id == *id)
    {
        return refuse(request, Refusal::NoRecorder);
    }
    order.applications = meant.iter().map(|it| it.id.0).collect();
    inquire(request, &Question::Control(order), Purpose::Control)
}

/// Answers at once if this is the only worker, or else when the others have answered.
fn inquire(request: Request, question: &Question, purpose: Purpose) -> ngx_int_t {
    if let Err(code) = request.discard_body() {
        return code;
    }
    match worker::with(|worker| worker.inquire(request, question, purpose)) {
        Begun::Answered(purpose, answer) => request.respond(respond(purpose, answer)),
        Begun::Asked(id) => {
            request.hold(id);
            NGX_DONE as ngx_int_t
        }
    }
}

/// What a client is answered.
pub(super) fn respond(purpose: Purpose, answer: Answer) -> Response {
    match (purpose, answer) {
        (Purpose::Stat { shown, format, stylesheet }, Answer::Report(report)) => {
            let (process, servers) = (process(), servers());
            let document = Document { process, servers, report, shown, stylesheet };
            let (content_type, body) = match format {
                Format::Xml => ("text/xml", document.to_xml()),
                Format::Json => ("application/json", document.to_json()),
            };
            Response { status: 200, content_type, body }
        }
        (_, Answer::Done(count)) => {
            Response { status: 200, content_type: "text/plain", body: count.to_string() }
        }
        (_, Answer::Recorded(paths)) => {
            let status = if paths.is_empty() { 204 } else { 200 };
            Response { status, content_type: "text/plain", body: paths.join("\n") }
        }
        // This worker's answer is to its own question.
        (Purpose::Control, Answer::Report(_)) => {
            Response { status: 500, content_type: "text/plain", body: "no answer".to_owned() }
        }
    }
}

fn process() -> Process {
    let since = worker::with(|worker| worker.shared().meters.since);
    Process {
        nginx_version: text(NGINX_VERSION),
        nginx_rtmp_version: env!("CARGO_PKG_VERSION").to_owned(),
        compiler: text(NGX_COMPILER),
        built: env!("NGX_RTMP_BUILT").to_owned(),
        // SAFETY: set when the process starts.
        pid: unsafe { ngx_pid } as u32,
        uptime: seconds_since(since),
    }
}

fn text(text: &std::ffi::CStr) -> String {
    text.to_string_lossy().trim_end().to_owned()
}

fn seconds_since(since: Instant) -> u64 {
    event::now().saturating_since(since).as_secs()
}

/// The applications of the servers of `rtmp {}`.
fn servers() -> Vec<Vec<Application>> {
    let servers = conf::main().into_iter().flat_map(|main| main.servers());
    let application = |it: &std::sync::Arc<conf::Application>| Application {
        id: it.id,
        name: it.name.clone(),
        live: it.live,
        play: it.play.is_some(),
    };
    servers.map(|applications| applications.iter().map(application).collect()).collect()
}
