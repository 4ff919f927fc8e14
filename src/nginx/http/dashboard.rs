//! `rtmp_dashboard`: the operator's page, whose files are part of the module.

use nginx_sys::{NGX_HTTP_NOT_ALLOWED, ngx_int_t};

use super::Request;
use crate::api::Method;
use crate::dashboard;

/// What browsers are told with every file. They ask each time whether theirs is still right.
const HEADERS: [(&str, &str); 4] = [
    ("Cache-Control", "no-cache"),
    ("Content-Security-Policy", dashboard::POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
];

/// Answers a request for one of the page's files.
pub(super) fn answer(request: Request) -> Option<ngx_int_t> {
    let path = request.conf().dashboard.as_deref()?;
    let asset = dashboard::asset(request.path().strip_prefix(path)?)?;
    if request.method() != Method::Get {
        return Some(NGX_HTTP_NOT_ALLOWED as ngx_int_t);
    }
    if let Err(code) = request.discard_body() {
        return Some(code);
    }
    for (name, value) in HEADERS {
        request.add_header(name, value);
    }
    request.set_etag(asset.etag);
    Some(request.respond_static(asset.content_type, asset.body))
}
