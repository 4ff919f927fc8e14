//! A request to the API is a call or a problem, and what is not open is not called.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::api::{Call, Method, Problem, Request};
use ngx_rtmp_module::control::Sections;

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    let method = match lines.next() {
        Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("DELETE") => Method::Delete,
        _ => Method::Other,
    };
    let (target, body) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let content_type = Some("application/json");
    let route = |open| Call::route(&Request { method, target, content_type, open });
    let all = Sections { record: true, drop: true, redirect: true, push: true };
    let Some(routed) = route(all) else { return };
    match (&routed, route(Sections::default())) {
        (Ok(Call::Root | Call::Read(_)) | Err(_), closed) => {
            assert_eq!(Some(&routed), closed.as_ref())
        }
        (Ok(_), closed) => assert!(matches!(closed, Some(Err(Problem::Closed(_))))),
    }
    match routed {
        Ok(Call::Body(unfinished)) => drop(unfinished.finish(body.as_bytes())),
        Ok(_) => {}
        Err(problem) => assert!(problem.status() >= 400 && problem.to_json().starts_with('{')),
    }
});
