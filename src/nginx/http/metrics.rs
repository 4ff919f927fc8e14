//! `rtmp_metrics`: what all workers have, for Prometheus.

use nginx_sys::ngx_int_t;

use super::{Request, Response, inquire_reports, stat};
use crate::stat::{Document, TextFormat};

/// Answers a request for a location with `rtmp_metrics`.
pub(super) fn answer(request: Request) -> Option<ngx_int_t> {
    let scope = request.conf().metrics?;
    let (frame, format) = (stat::frame(), TextFormat::negotiate(&request.accept()));
    Some(inquire_reports(request, move |report| Response {
        status: 200,
        content_type: format.content_type(),
        body: Document { report, ..frame }.to_metrics(scope, format),
    }))
}
