//! `rtmp_dashboard`: the files of the operator's page. `tests/browser` looks at the page itself.

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use reqwest::redirect::Policy;

use crate::support::nginx::{Conf, Nginx};

fn start() -> Nginx {
    Nginx::start_conf(&Conf {
        http: "absolute_redirect off;
            location /dashboard/ { rtmp_dashboard; location /dashboard/inner/ {} }"
            .into(),
        ..Conf::default()
    })
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().expect("a client")
}

fn get(nginx: &Nginx, path: &str) -> Response {
    client().get(nginx.http(path)).send().expect("an answer")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name).unwrap_or_else(|| panic!("{name}: {response:?}"));
    value.to_str().expect("text")
}

#[test]
fn the_page_and_its_files_are_there() {
    let nginx = start();
    let page = get(&nginx, "dashboard/");
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "cache-control"), "no-cache");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    let policy = header(&page, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    let length: usize = header(&page, "content-length").parse().expect("a number");
    let text = page.text().expect("a body");
    assert_eq!(text.len(), length);
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"), "{text}");
    for (file, content_type) in [
        ("main.js", "text/javascript; charset=utf-8"),
        ("dashboard.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let response = get(&nginx, &format!("dashboard/{file}"));
        assert_eq!(response.headers()[CONTENT_TYPE], content_type);
        assert!(response.bytes().is_ok_and(|body| !body.is_empty()));
    }
    for other in ["dashboard/index.html", "dashboard/dashboard.css/", "dashboard/inner/main.js"] {
        assert_eq!(get(&nginx, other).status(), StatusCode::NOT_FOUND, "{other}");
    }
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let nginx = start();
    let etag = get(&nginx, "dashboard/main.js").headers()[ETAG].clone();
    let again = |etag: &str| {
        let request = client().get(nginx.http("dashboard/main.js")).header(IF_NONE_MATCH, etag);
        request.send().expect("an answer")
    };
    let response = again(etag.to_str().expect("text"));
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert!(response.bytes().expect("a body").is_empty());
    assert_eq!(again("\"another\"").status(), StatusCode::OK);
}

#[test]
fn the_page_is_below_its_slash_and_is_only_read() {
    let nginx = start();
    let response = get(&nginx, "dashboard?a=b");
    assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(response.headers()[LOCATION], "/dashboard/?a=b");
    let head = client().head(nginx.http("dashboard/")).send().expect("an answer");
    assert_eq!(head.status(), StatusCode::OK);
    assert!(head.bytes().expect("a body").is_empty());
    let post = client().post(nginx.http("dashboard/")).body("a").send().expect("an answer");
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn the_api_below_the_page_only_reads_unless_control_is_open() {
    let http = "location /dashboard/ { rtmp_dashboard; }
        location /operate/ { rtmp_dashboard; rtmp_control drop; }";
    let live = Conf { http: http.into(), ..Conf::server("application live { live on; }") };
    let nginx = Nginx::start_conf(&live);
    let sections = |path: &str| get(&nginx, path).text().expect("a body");
    assert!(sections("dashboard/api/v1").contains("\"drop\":false"));
    assert!(sections("operate/api/v1").contains("\"drop\":true"));
    assert_eq!(get(&nginx, "dashboard/api/v1/streams").status(), StatusCode::OK);
    let drop = |path: &str| client().delete(nginx.http(path)).send().expect("an answer").status();
    assert_eq!(drop("dashboard/api/v1/clients/1"), StatusCode::FORBIDDEN);
    assert_eq!(drop("operate/api/v1/clients/1"), StatusCode::NOT_FOUND);
}
