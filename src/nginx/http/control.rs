//! `rtmp_control`: the C module's URLs that have something done to clients and recorders.

use nginx_sys::ngx_int_t;

use super::{Request, Response, inquire};
use crate::control::{self, Refusal, Verb};
use crate::inquiry::{Answer, Question};
use crate::nginx::conf;

/// Answers a request whose URL is one of control's.
pub(super) fn answer(request: Request) -> Option<ngx_int_t> {
    let open = request.conf().control?;
    match control::Request::parse(request.path(), request.query(), open) {
        Err(Refusal::UnknownSection) => None,
        Err(refusal) => Some(refuse(request, refusal)),
        Ok(wanted) => Some(order(request, wanted)),
    }
}

fn refuse(request: Request, refusal: Refusal) -> ngx_int_t {
    request.respond(Response { status: 500, content_type: "text/plain", body: refusal.to_string() })
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
    inquire(request, &Question::Control(order), respond)
}

fn respond(answer: Answer) -> Response {
    let (status, body) = match answer {
        Answer::Done(count) => (200, count.to_string()),
        Answer::Recorded(switched) if switched.files.is_empty() => (204, String::new()),
        Answer::Recorded(switched) => (200, switched.files.join("\n")),
        // This worker's answer is to its own question.
        Answer::Report(_) | Answer::Pushing(_) => (500, "no answer".to_owned()),
    };
    Response { status, content_type: "text/plain", body }
}
