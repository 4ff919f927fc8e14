//! The JSON API: see [`crate::api`].

use nginx_sys::{NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_http_request_t, ngx_int_t};

use super::stat;
use super::{Request, Response, inquire, inquire_held, inquire_reports};
use crate::api::{self, Call, Change, MAX_BODY, Problem, Read};
use crate::inquiry::Answer;
use crate::nginx::guard;
use crate::stat::Document;

/// Answers a request whose URL is one of the API's.
pub(super) fn answer(request: Request) -> Option<ngx_int_t> {
    let call = route(request)?;
    request.add_header("Cache-Control", "no-store");
    let answered = call.and_then(|call| match call {
        Call::Root => Ok(tell(request, api::root(request.conf().api().unwrap_or_default()))),
        Call::Read(read) => {
            let frame = stat::frame();
            let respond = move |report| respond_read(&read, &Document { report, ..frame });
            Ok(inquire_reports(request, respond))
        }
        Call::Change(change) => {
            let question = change.question(&stat::servers())?;
            Ok(inquire(request, &question, move |answer| respond_change(&change, &answer)))
        }
        Call::Body(_) if request.content_length() > MAX_BODY => Err(Problem::TooLarge),
        Call::Body(_) => Ok(request.read_body(on_body)),
    });
    Some(answered.unwrap_or_else(|problem| refuse(request, &problem)))
}

fn route(request: Request) -> Option<Result<Call, Problem>> {
    let open = request.conf().api()?;
    Call::route(&api::Request {
        method: request.method(),
        target: request.target(),
        content_type: request.content_type(),
        open,
    })
}

/// The body of a request has come.
unsafe extern "C" fn on_body(r: *mut ngx_http_request_t) {
    // SAFETY: nginx gives the request that it was told to read.
    let Some(request) = (unsafe { Request::from_raw(r) }) else { return };
    guard(
        || {
            if let Err(problem) = change_by_body(request) {
                request.finalize(request.respond(problem_response(&problem)));
            }
        },
        || request.finalize(NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t),
    );
}

fn change_by_body(request: Request) -> Result<(), Problem> {
    // It was routed like that before its body was read.
    let Some(Ok(Call::Body(unfinished))) = route(request) else { return Err(Problem::NoResource) };
    let body = request.body(MAX_BODY).ok_or(Problem::TooLarge)?;
    let change = unfinished.finish(&body)?;
    let question = change.question(&stat::servers())?;
    inquire_held(request, &question, move |answer| respond_change(&change, &answer));
    Ok(())
}

fn respond_read(read: &Read, document: &Document) -> Response {
    read.answer(document).map_or_else(|problem| problem_response(&problem), json)
}

fn respond_change(change: &Change, answer: &Answer) -> Response {
    match change.answer(answer) {
        Ok(Some(body)) => Response { status: u32::from(change.status()), ..json(body) },
        Ok(None) => Response { status: 204, content_type: "", body: String::new() },
        Err(problem) => problem_response(&problem),
    }
}

fn json(body: String) -> Response {
    Response { status: 200, content_type: "application/json", body }
}

fn problem_response(problem: &Problem) -> Response {
    Response {
        status: u32::from(problem.status()),
        content_type: "application/problem+json",
        body: problem.to_json(),
    }
}

fn tell(request: Request, body: String) -> ngx_int_t {
    request.discard_body().map_or_else(|code| code, |()| request.respond(json(body)))
}

fn refuse(request: Request, problem: &Problem) -> ngx_int_t {
    if let Some(allowed) = problem.allow() {
        request.add_header("Allow", allowed);
    }
    let response = problem_response(problem);
    request.discard_body().map_or_else(|code| code, |()| request.respond(response))
}
