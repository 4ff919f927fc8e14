//! What `nginx -t` says of configurations.

use std::fs;

use crate::support::nginx::{Conf, Nginx, test_conf};

/// Where a directive may stand.
const MAIN: u8 = 1;
const SERVER: u8 = 2;
const APPLICATION: u8 = 4;
const ALL: u8 = MAIN | SERVER | APPLICATION;

/// Directives with a good value and where they may stand.
const DIRECTIVES: [(&str, u8); 23] = [
    ("so_keepalive on", MAIN | SERVER),
    ("timeout 1m", MAIN | SERVER),
    ("ping 500ms", MAIN | SERVER),
    ("ping_timeout 30", MAIN | SERVER),
    ("max_streams 64", MAIN | SERVER),
    ("ack_window 2500000", MAIN | SERVER),
    ("chunk_size 8192", MAIN | SERVER),
    ("max_message 10M", MAIN | SERVER),
    ("out_queue 512", MAIN | SERVER),
    ("out_cork 8", MAIN | SERVER),
    ("busy off", MAIN | SERVER),
    ("buflen 3s", MAIN | SERVER),
    ("play_time_fix off", ALL),
    ("publish_time_fix off", ALL),
    ("live on", ALL),
    ("meta copy", ALL),
    ("hls on", ALL),
    ("hls_path @prefix@/hls", ALL),
    ("hls_fragment 2s", ALL),
    ("hls_playlist_length 20s", ALL),
    ("hls_nested on", ALL),
    ("hls_cleanup off", ALL),
    ("include /dev/null", ALL),
];

/// A configuration with `text` on line 2, 3 or 4: in `rtmp`, `server` or `application`.
fn conf(level: u8, text: &str) -> String {
    let (main, server, application) = match level {
        MAIN => (text, "", ""),
        SERVER => ("", text, ""),
        _ => ("", "", text),
    };
    format!(
        "events {{}} rtmp {{
            {main}
            server {{ listen 1; {server}
                application live {{ {application}
        }} }} }}"
    )
}

fn line_of(level: u8) -> u8 {
    match level {
        MAIN => 2,
        SERVER => 3,
        _ => 4,
    }
}

#[test]
fn every_directive_is_accepted_where_it_may_stand() {
    for level in [MAIN, SERVER, APPLICATION] {
        let text: String = DIRECTIVES
            .iter()
            .filter(|(_, levels)| levels & level != 0)
            .map(|(text, _)| format!("{text}; "))
            .collect();
        let verdict = test_conf(&conf(level, &text));
        assert!(verdict.accepted, "{text}\n{}", verdict.text);
        assert!(!verdict.text.contains("panicked"), "{}", verdict.text);
    }
}

#[test]
fn every_directive_is_refused_where_it_may_not_stand() {
    for (text, levels) in DIRECTIVES {
        let name = text.split(' ').next().unwrap();
        for level in [MAIN, SERVER, APPLICATION].into_iter().filter(|level| levels & level == 0) {
            refused(
                &conf(level, &format!("{text};")),
                &[&format!("\"{name}\" directive is not allowed here"), &place(line_of(level))],
            );
        }
        if name != "include" {
            refused(&format!("events {{}}\n{text};"), &[name, &place(2)]);
        }
    }
    for text in ["listen 1936;", "application more {}"] {
        refused(&conf(MAIN, text), &["directive is not allowed here", &place(2)]);
        refused(&conf(APPLICATION, text), &["directive is not allowed here", &place(4)]);
    }
    refused(&conf(APPLICATION, "server {}"), &["directive is not allowed here", &place(4)]);
    refused("events {}\nhttp { rtmp {} }", &["\"rtmp\" directive is not allowed here", &place(2)]);
}

#[test]
fn every_directive_may_be_given_once_in_a_block() {
    let repeatable = ["include", "so_keepalive", "out_cork"];
    for (text, levels) in DIRECTIVES {
        let name = text.split(' ').next().unwrap();
        if repeatable.contains(&name) {
            continue;
        }
        let level = if levels == ALL { APPLICATION } else { SERVER };
        let twice = conf(level, &format!("{text}; {text};"));
        refused(&twice, &[name, "is duplicate", &place(line_of(level))]);
    }
}

#[test]
fn wrong_values_are_refused_with_what_is_allowed() {
    let flag = ["\"on\"", "\"off\""].as_slice();
    let time = ["500ms"].as_slice();
    let size = ["64k"].as_slice();
    let number = ["number"].as_slice();
    for (text, parts) in [
        ("live perhaps;", flag),
        ("meta maybe;", &["on", "off", "copy"]),
        ("hls 1;", flag),
        ("hls_nested yes;", flag),
        ("hls_cleanup no;", flag),
        ("play_time_fix x;", flag),
        ("publish_time_fix x;", flag),
        ("hls_fragment soon;", time),
        ("hls_playlist_length -1;", time),
        ("hls_path \"\";", &["hls_path"]),
    ] {
        refused_value(APPLICATION, text, parts);
    }
    for (text, parts) in [
        ("timeout ten;", time),
        ("ping 1fortnight;", time),
        ("ping_timeout x;", time),
        ("buflen x;", time),
        ("max_streams many;", number),
        ("max_streams -1;", number),
        ("max_streams 99999999999;", number),
        ("ack_window 0;", number),
        ("chunk_size 0;", &["128"]),
        ("chunk_size 4k;", number),
        ("chunk_size 10485761;", &["10485760"]),
        ("max_message 1T;", size),
        ("out_queue 0;", size),
        ("busy x;", flag),
        ("listen;", &["invalid number of arguments"]),
        ("listen 0;", &["PORT"]),
        ("listen 127.0.0.1:99999;", &["PORT"]),
        ("listen no.such.host.invalid:1935;", &["host not found"]),
        ("listen 1935 ssl;", &["ssl", "proxy_protocol"]),
        ("listen 1935 so_keepalive=1:2;", &["so_keepalive", "IDLE"]),
        ("listen 1935 so_keepalive=x;", &["so_keepalive", "IDLE"]),
        ("listen 1935 ipv6only=maybe;", &["ipv6only"]),
    ] {
        refused_value(SERVER, text, parts);
    }
}

#[test]
fn wrong_numbers_of_arguments_are_refused() {
    for text in ["live;", "live on off;", "hls_path;", "hls_path a b;", "meta;"] {
        refused_value(APPLICATION, text, &["invalid number of arguments"]);
    }
    for text in ["chunk_size;", "chunk_size 1 2;", "application {}", "application a b {}"] {
        refused_value(SERVER, text, &["invalid number of arguments"]);
    }
    refused_value(MAIN, "server name {}", &["invalid number of arguments"]);
}

#[test]
fn blocks_must_be_blocks() {
    refused_value(MAIN, "server;", &["has no opening \"{\""]);
    refused_value(SERVER, "application a;", &["has no opening \"{\""]);
    refused_value(APPLICATION, "live on {}", &["is not terminated by \";\""]);
    refused_value(APPLICATION, "no_such_directive on;", &["unknown directive"]);
    refused("events {} rtmp {\nserver {\n", &["unexpected end of file"]);
    refused("events {} rtmp {}\nrtmp {}", &["\"rtmp\" directive is duplicate", &place(2)]);
}

#[test]
fn an_address_belongs_to_one_server() {
    for (one, other) in [("1936", "1936"), ("127.0.0.1:1936", "127.0.0.1:1936"), ("*:1936", "1936")]
    {
        let text = format!(
            "events {{}} rtmp {{\nserver {{ listen {one}; }}\nserver {{ listen {other}; }} }}"
        );
        refused(&text, &["duplicate", "1936"]);
    }
}

#[test]
fn empty_and_unused_blocks_are_accepted() {
    for text in ["rtmp {}", "rtmp { server {} }", "rtmp { server { application a {} } }", ""] {
        let verdict = test_conf(&format!("events {{}} {text}"));
        assert!(verdict.accepted, "{text}\n{}", verdict.text);
    }
}

#[test]
fn dead_directives_are_accepted_with_a_warning() {
    for name in ["so_keepalive on", "out_cork 8"] {
        let verdict = test_conf(&conf(SERVER, &format!("{name};")));
        assert!(verdict.accepted && verdict.text.contains("[warn]"), "{}", verdict.text);
    }
}

#[test]
fn blocks_may_come_from_files() {
    let conf = Conf { server: "include @prefix@/tmp/*.conf;".into(), ..Conf::default() };
    // The pattern matches nothing yet; after a reload it does.
    let nginx = Nginx::start_conf(&conf);
    fs::write(nginx.prefix().join("tmp/a.conf"), "application a { live on; }").unwrap();
    nginx.reload();
    crate::support::raw::Peer::publish(nginx.rtmp_port(), "a", "cam");
}

#[test]
fn what_is_set_further_in_counts() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "live off;".into(),
        server: "live on; application a {} application b { live off; }".into(),
        ..Conf::default()
    });
    use crate::support::raw::{Peer, VIDEO};
    let port = nginx.rtmp_port();
    let mut publisher = Peer::publish(port, "a", "cam");
    let mut player = Peer::play(port, "a", "cam");
    publisher.send(6, VIDEO, 1, 0, &[0x17, 1, 0, 0, 0, 1, 2, 3]);
    while player.receive().expect("a picture").kind != VIDEO {}
}

/// Asserts that nginx refuses `text` in a block, saying where and each of `parts`.
#[track_caller]
fn refused_value(level: u8, text: &str, parts: &[&str]) {
    let place = place(line_of(level));
    let name = text.split([' ', ';']).next().unwrap();
    refused(&conf(level, text), &[parts, &[name, &place]].concat());
}

#[track_caller]
fn refused(conf: &str, parts: &[&str]) {
    let verdict = test_conf(conf);
    assert!(!verdict.accepted, "accepted:\n{conf}");
    for part in parts {
        assert!(verdict.text.contains(part), "no {part} in\n{}\nabout\n{conf}", verdict.text);
    }
    assert!(!verdict.text.contains("panicked"), "{}", verdict.text);
}

/// File and line as nginx prints them.
fn place(line: u8) -> String {
    format!("nginx.conf:{line}")
}
