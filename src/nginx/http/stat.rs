//! `rtmp_stat`: what all workers have, as XML or JSON.

use std::ffi::CStr;
use std::sync::Arc;

use nginx_sys::{NGINX_VERSION, NGX_COMPILER, ngx_int_t, ngx_pid};

use super::{Request, Response, inquire_reports};
use crate::nginx::{conf, event, worker};
use crate::stat::{Application, Document, Format, Process};

/// Answers a request for a location with `rtmp_stat`.
pub(super) fn answer(request: Request) -> Option<ngx_int_t> {
    let conf = request.conf();
    let shown = conf.stat?;
    let (format, stylesheet) = (conf.format.unwrap_or_default(), conf.stylesheet.clone());
    let frame = Document { shown, stylesheet, ..frame() };
    Some(inquire_reports(request, move |report| respond(&Document { report, ..frame }, format)))
}

fn respond(document: &Document, format: Format) -> Response {
    let (content_type, body) = match format {
        Format::Xml => ("text/xml", document.to_xml()),
        Format::Json => ("application/json", document.to_json()),
    };
    Response { status: 200, content_type, body }
}

/// What there is to tell whatever the workers have.
pub(super) fn frame() -> Document {
    Document { process: process(), servers: servers(), ..Document::default() }
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
        uptime: event::now().saturating_since(since).as_secs(),
    }
}

fn text(text: &CStr) -> String {
    text.to_string_lossy().trim_end().to_owned()
}

/// The applications of the servers of `rtmp {}`.
pub(super) fn servers() -> Vec<Vec<Application>> {
    let servers = conf::main().into_iter().flat_map(|main| main.servers());
    let application = |it: &Arc<conf::Application>| Application {
        id: it.id,
        name: it.name.clone(),
        live: it.live,
        play: it.play.is_some(),
    };
    servers.map(|applications| applications.iter().map(application).collect()).collect()
}
