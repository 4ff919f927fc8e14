//! `.../preview/APPLICATION/STREAM.mp4` below a location with `rtmp_dashboard`: a live stream as an
//! endless MP4.

use std::ffi::c_void;

use nginx_sys::{NGX_DONE, NGX_HTTP_NOT_ALLOWED, ngx_http_request_t, ngx_int_t};

use super::{Flight, Request, Response};
use crate::api::Method;
use crate::control::argument;
use crate::live::StreamKey;
use crate::live_mp4::stream_of;
use crate::nginx::broadcasts::{Refusal, Step, ViewerId};
use crate::nginx::conf::{self, Application};
use crate::nginx::{guard, worker};

/// Answers a request for a stream of the dashboard's.
pub(super) fn answer(request: Request) -> Option<ngx_int_t> {
    let location = request.conf().dashboard.as_deref()?;
    if !request.path().strip_prefix(location)?.starts_with("preview/") {
        return None;
    }
    if request.method() != Method::Get {
        return Some(NGX_HTTP_NOT_ALLOWED as ngx_int_t);
    }
    if let Err(code) = request.discard_body() {
        return Some(code);
    }
    Some(match watch(request, location) {
        Ok(()) => NGX_DONE as ngx_int_t,
        Err(refusal) => request.respond(response(&refusal)),
    })
}

/// Begins to watch the stream of the request's URL.
fn watch(request: Request, location: &str) -> Result<(), Refusal> {
    // The slash at the end of the location is the one before `preview`.
    let path = request.path().get(location.len() - 1..).unwrap_or_default();
    let (name, application) = named(path, request.query()).ok_or(Refusal::NoStream)?;
    let key = StreamKey { application: application.id, name: name.to_owned() };
    let flight = Flight::new(request).ok_or(Refusal::Failed)?;
    let id = worker::with(|it| it.begin_viewing(request, flight, key, application))?;
    request.retain();
    request.keep(id.0, on_writable, on_gone);
    Ok(())
}

/// The stream's name and application.
fn named<'a>(path: &'a str, query: &str) -> Option<(&'a str, &'static Application)> {
    let server = argument(query, "server").map_or(Ok(0), |server| server.parse()).ok()?;
    let applications = conf::main()?.servers().nth(server)?;
    let (index, name) = stream_of(path, applications.iter().map(|it| it.name.as_str()))?;
    Some((name, applications.get(index)?))
}

fn response(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::NoStream => 404,
        Refusal::Unsupported(_) => 415,
        Refusal::Leaving => 503,
        Refusal::Failed => 500,
    };
    Response { status, content_type: "text/plain", body: format!("{refusal}\n") }
}

/// Sends the viewer what there is for it. `has_moved` says whether its client has just taken something.
/// Not to be called while the worker is borrowed.
pub(in crate::nginx) fn pump(id: ViewerId, mut has_moved: bool) {
    while let Some((request, step)) = worker::with(|worker| worker.broadcasts.step(id)) {
        let sent = match step {
            Step::Begin(media_type) => request.begin(&media_type),
            Step::Send(chain) => {
                has_moved = true;
                request.pass(chain)
            }
            Step::Wait => match request.wait_writable(has_moved) {
                Ok(()) => return,
                Err(code) => Err(code),
            },
            Step::Refuse(refusal) => return request.finish(response(&refusal)),
            Step::End => Err(request.end()),
        };
        if let Err(code) = sent {
            return request.close(code);
        }
    }
}

/// More can be sent to a viewer, or its client has taken nothing for too long.
unsafe extern "C" fn on_writable(r: *mut ngx_http_request_t) {
    guard(
        || {
            // SAFETY: nginx gives a request.
            let Some(request) = (unsafe { Request::from_raw(r) }) else { return };
            match request.resume() {
                Ok(has_moved) => pump(ViewerId(request.number()), has_moved),
                Err(code) => request.close(code),
            }
        },
        || (),
    );
}

/// A viewer's request is over.
unsafe extern "C" fn on_gone(data: *mut c_void) {
    let id = ViewerId(data.addr() as u64);
    guard(|| worker::with(|worker| worker.end_viewing(id)), || ());
}
