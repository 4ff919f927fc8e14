//! What `nginx -t` accepts, warns of and refuses, and in which words.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::nginx::{Conf, Nginx, Verdict, test_conf};
use crate::support::raw::Peer;
use crate::support::wait_until;

const MAIN: u8 = 1;
const SERVER: u8 = 2;
const APPLICATION: u8 = 4;
const RECORDER: u8 = 8;
const LEVELS: [u8; 4] = [MAIN, SERVER, APPLICATION, RECORDER];
const RECORDING: u8 = MAIN | SERVER | APPLICATION | RECORDER;

/// Every directive with a value: its name, a valid value and where it may stand.
const DIRECTIVES: &[(&str, &str, u8)] = &[
    ("so_keepalive", "on", MAIN | SERVER),
    ("timeout", "5s", MAIN | SERVER),
    ("send_timeout", "5s", MAIN | SERVER | APPLICATION),
    ("tcp_nodelay", "off", MAIN | SERVER | APPLICATION),
    ("tcp_nopush", "on", MAIN | SERVER | APPLICATION),
    ("send_lowat", "0", MAIN | SERVER | APPLICATION),
    ("connection_pool_size", "256", MAIN | SERVER),
    ("merge_slashes", "on", MAIN | SERVER),
    ("resolver", "127.0.0.1", MAIN | SERVER | APPLICATION),
    ("resolver_timeout", "30s", MAIN | SERVER | APPLICATION),
    ("server_names_hash_max_size", "512", MAIN),
    ("server_names_hash_bucket_size", "64", MAIN),
    ("variables_hash_max_size", "1024", MAIN),
    ("variables_hash_bucket_size", "64", MAIN),
    ("allow", "all", MAIN | SERVER | APPLICATION),
    ("deny", "publish 10.0.0.0/8", MAIN | SERVER | APPLICATION),
    ("access_log", "logs/rtmp.log", MAIN | SERVER | APPLICATION),
    ("log_interval", "5s", MAIN | SERVER | APPLICATION),
    ("log_size", "4k", MAIN | SERVER | APPLICATION),
    ("log_mask_key", "on", MAIN | SERVER | APPLICATION),
    ("publish_secret", "abc", MAIN | SERVER | APPLICATION),
    ("play_secret", "off", MAIN | SERVER | APPLICATION),
    ("on_connect", "http://localhost:8080/on_connect?a=b", MAIN | SERVER),
    ("on_disconnect", "localhost/on_disconnect", MAIN | SERVER),
    ("on_publish", "http://[::1]:8080/", MAIN | SERVER | APPLICATION),
    ("on_play", "HTTP://callbacks.example", MAIN | SERVER | APPLICATION),
    ("on_publish_done", "http://127.0.0.1", MAIN | SERVER | APPLICATION),
    ("on_play_done", "127.0.0.1:80", MAIN | SERVER | APPLICATION),
    ("on_done", "http://127.0.0.1/", MAIN | SERVER | APPLICATION),
    ("on_update", "http://127.0.0.1/", MAIN | SERVER | APPLICATION),
    ("on_record_started", "http://127.0.0.1/", RECORDING),
    ("on_record_done", "http://127.0.0.1/", RECORDING),
    ("on_playlist", "http://127.0.0.1/", MAIN | SERVER | APPLICATION),
    ("notify_method", "get", MAIN | SERVER | APPLICATION),
    ("notify_format", "json", MAIN | SERVER | APPLICATION),
    ("notify_header", "Authorization \"Bearer abc\"", MAIN | SERVER | APPLICATION),
    ("notify_secret", "abc", MAIN | SERVER | APPLICATION),
    ("notify_update_timeout", "0", MAIN | SERVER | APPLICATION),
    ("notify_update_strict", "on", MAIN | SERVER | APPLICATION),
    ("notify_relay_redirect", "on", MAIN | SERVER | APPLICATION),
    ("notify_send_redirect", "on", MAIN | SERVER | APPLICATION),
    ("notify_no_resolve", "on", MAIN | SERVER | APPLICATION),
    ("notify_ssl_verify", "off", MAIN | SERVER | APPLICATION),
    ("notify_ssl_trusted_certificate", "ca.pem", MAIN | SERVER | APPLICATION),
    ("netcall_timeout", "5s", MAIN | SERVER),
    ("netcall_buffer", "2k", MAIN | SERVER),
    ("ping", "500ms", MAIN | SERVER),
    ("ping_timeout", "1m", MAIN | SERVER),
    ("max_streams", "64", MAIN | SERVER),
    ("ack_window", "2500000", MAIN | SERVER),
    ("chunk_size", "8192", MAIN | SERVER),
    ("max_message", "4m", MAIN | SERVER),
    ("out_queue", "512", MAIN | SERVER),
    ("out_cork", "8", MAIN | SERVER),
    ("busy", "off", MAIN | SERVER),
    ("play_time_fix", "on", MAIN | SERVER | APPLICATION),
    ("publish_time_fix", "off", MAIN | SERVER | APPLICATION),
    ("buflen", "5s", MAIN | SERVER),
    ("live", "on", MAIN | SERVER | APPLICATION),
    ("publish_takeover", "on", MAIN | SERVER | APPLICATION),
    ("idle_timeout", "30s", MAIN | SERVER | APPLICATION),
    ("drop_idle_publisher", "off", MAIN | SERVER | APPLICATION),
    ("gop_cache", "off", MAIN | SERVER | APPLICATION),
    ("gop_max_frame_count", "4k", MAIN | SERVER | APPLICATION),
    ("gop_max_video_count", "1000", MAIN | SERVER | APPLICATION),
    ("gop_max_audio_count", "1000", MAIN | SERVER | APPLICATION),
    ("gop_max_size", "64m", MAIN | SERVER | APPLICATION),
    ("max_lag", "5s", MAIN | SERVER | APPLICATION),
    ("interleave", "on", MAIN | SERVER | APPLICATION),
    ("wait_key", "off", MAIN | SERVER | APPLICATION),
    ("wait_video", "on", MAIN | SERVER | APPLICATION),
    ("publish_notify", "on", MAIN | SERVER | APPLICATION),
    ("play_restart", "on", MAIN | SERVER | APPLICATION),
    ("idle_streams", "off", MAIN | SERVER | APPLICATION),
    ("stream_buckets", "1024", MAIN | SERVER | APPLICATION),
    ("buffer", "1s", MAIN | SERVER | APPLICATION),
    ("sync", "300ms", MAIN | SERVER | APPLICATION),
    ("send_window", "100", MAIN | SERVER | APPLICATION),
    ("meta", "copy", MAIN | SERVER | APPLICATION),
    ("play_temp_path", "tmp", MAIN | SERVER | APPLICATION),
    ("play_local_path", "films", MAIN | SERVER | APPLICATION),
    ("play", "films http://films.example/vod", MAIN | SERVER | APPLICATION),
    ("exec", "/bin/true -i rtmp://localhost/src/$name $addr", MAIN | SERVER | APPLICATION),
    ("exec_push", "/bin/true", MAIN | SERVER | APPLICATION),
    ("exec_pull", "/bin/true $app ${name}_low > /dev/null 2>&1", MAIN | SERVER | APPLICATION),
    ("exec_static", "/bin/true $name", MAIN | SERVER | APPLICATION),
    ("exec_publish", "/bin/true $path", MAIN | SERVER | APPLICATION),
    ("exec_publish_done", "/bin/true", MAIN | SERVER | APPLICATION),
    ("exec_play", "/bin/true", MAIN | SERVER | APPLICATION),
    ("exec_play_done", "/bin/true", MAIN | SERVER | APPLICATION),
    ("exec_record_started", "/bin/true $path", RECORDING),
    ("exec_record_done", "/bin/true $basename $recorder", RECORDING),
    ("respawn", "off", MAIN | SERVER | APPLICATION),
    ("respawn_timeout", "0", MAIN | SERVER | APPLICATION),
    ("exec_kill_signal", "term", MAIN | SERVER | APPLICATION),
    ("exec_options", "on", MAIN | SERVER | APPLICATION),
    ("hls", "on", MAIN | SERVER | APPLICATION),
    ("hls_path", "hls", MAIN | SERVER | APPLICATION),
    ("hls_fragment", "2s", MAIN | SERVER | APPLICATION),
    ("hls_playlist_length", "1m", MAIN | SERVER | APPLICATION),
    ("hls_nested", "on", MAIN | SERVER | APPLICATION),
    ("hls_cleanup", "off", MAIN | SERVER | APPLICATION),
    ("hls_max_fragment", "20s", MAIN | SERVER | APPLICATION),
    ("hls_base_url", "https://cdn.example/hls/", MAIN | SERVER | APPLICATION),
    ("hls_nested_index_filename", "list", MAIN | SERVER | APPLICATION),
    ("hls_continuous", "on", MAIN | SERVER | APPLICATION),
    ("hls_muxdelay", "700ms", MAIN | SERVER | APPLICATION),
    ("hls_sync", "2ms", MAIN | SERVER | APPLICATION),
    ("hls_max_audio_delay", "300ms", MAIN | SERVER | APPLICATION),
    ("hls_audio_buffer_size", "1m", MAIN | SERVER | APPLICATION),
    ("hls_variant", "_low BANDWIDTH=1", MAIN | SERVER | APPLICATION),
    ("push", "rtmp://127.0.0.1/app/key live=1", APPLICATION),
    ("pull", "rtmp://127.0.0.1/app/key name=cam static", APPLICATION),
    ("relay_buffer", "1s", MAIN | SERVER),
    ("push_reconnect", "1s", MAIN | SERVER | APPLICATION),
    ("pull_reconnect", "1s", MAIN | SERVER | APPLICATION),
    ("session_relay", "on", MAIN | SERVER | APPLICATION),
    ("relay_ssl_verify", "off", MAIN | SERVER | APPLICATION),
    ("record", "all", RECORDING),
    ("record_format", "mp4", RECORDING),
    ("record_path", "rec", RECORDING),
    ("record_suffix", "-%Y%m%d-%H%M%S.flv", RECORDING),
    ("record_unique", "on", RECORDING),
    ("record_append", "on", RECORDING),
    ("record_lock", "on", RECORDING),
    ("record_max_size", "100m", RECORDING),
    ("record_max_frames", "1k", RECORDING),
    ("record_interval", "15m", RECORDING),
    ("record_interval_size", "1m", RECORDING),
    ("record_notify", "on", RECORDING),
    (
        "relay_ssl_trusted_certificate",
        "/etc/ssl/certs/ca-certificates.crt",
        MAIN | SERVER | APPLICATION,
    ),
];

/// Directives without effect, which are warned of wherever they stand.
const UNUSED: &[&str] = &[
    "so_keepalive",
    "out_cork",
    "tcp_nopush",
    "send_lowat",
    "connection_pool_size",
    "merge_slashes",
    "resolver",
    "resolver_timeout",
    "server_names_hash_max_size",
    "server_names_hash_bucket_size",
    "variables_hash_max_size",
    "variables_hash_bucket_size",
    "stream_buckets",
    "buffer",
    "sync",
    "session_relay",
    "hls_continuous",
    "hls_muxdelay",
    "hls_sync",
    "hls_max_audio_delay",
    "hls_audio_buffer_size",
    "netcall_buffer",
];

/// Directives that take any number of values.
const MANY: &[&str] = &[
    "push",
    "pull",
    "hls_variant",
    "resolver",
    "play",
    "record",
    "exec",
    "exec_push",
    "exec_pull",
    "exec_static",
    "exec_publish",
    "exec_publish_done",
    "exec_play",
    "exec_play_done",
    "exec_record_started",
    "exec_record_done",
];

/// Directives that add to each other.
const REPEATABLE: &[&str] = &[
    "access_log",
    "allow",
    "deny",
    "push",
    "pull",
    "hls_variant",
    "notify_header",
    "play",
    "record",
];

#[test]
fn every_directive_may_stand_where_it_belongs() {
    let of = |level: u8| {
        let here = DIRECTIVES.iter().filter(|(_, _, levels)| levels & level != 0);
        here.map(|(name, value, _)| format!("{name} {value};\n")).collect::<String>()
    };
    let [main, server, application, recorder] = LEVELS.map(of);
    let verdict = test_conf(&format!(
        "events {{}} rtmp {{ {main} server {{ listen 127.0.0.1; {server}
         application live {{ {application} recorder r {{ {recorder} }} }}
         application other {{}} }} server {{}} }}"
    ));
    assert!(verdict.accepted, "{}", verdict.text);
    let mut expected = 0;
    for (name, _, levels) in DIRECTIVES.iter().filter(|(name, ..)| UNUSED.contains(name)) {
        let warnings = verdict.text.matches(&format!("\"{name}\" has no effect")).count();
        assert_eq!(warnings, levels.count_ones() as usize, "{}", verdict.text);
        expected += warnings;
    }
    assert_eq!(verdict.text.matches("[warn]").count(), expected, "{}", verdict.text);
}

#[test]
fn what_several_workers_need_no_more_is_checked_and_warned_of() {
    let verdict = test_conf(
        "rtmp_auto_push on;\nrtmp_auto_push_reconnect 1s;\nrtmp_socket_dir /var/sock;\nevents {}",
    );
    for (name, line) in
        [("rtmp_auto_push", 1), ("rtmp_auto_push_reconnect", 2), ("rtmp_socket_dir", 3)]
    {
        let text = format!("\"{name}\" has no effect");
        check_verdict(&verdict, true, &["[warn]", &text, &format!("nginx.conf:{line}")]);
    }
    for (directive, text) in [
        ("rtmp_auto_push yes", "must be \"on\" or \"off\""),
        ("rtmp_auto_push_reconnect soon", "must be a time such as"),
        ("rtmp_socket_dir \"\"", "invalid path"),
        ("rtmp_socket_dir /a /b", "invalid number of arguments"),
    ] {
        let verdict = test_conf(&format!("events {{}}\n{directive};"));
        let name = directive.split(' ').next().unwrap();
        check_verdict(&verdict, false, &[&format!("\"{name}\" directive"), text, "nginx.conf:2"]);
    }
    check_refused(&at(MAIN, "rtmp_auto_push on;"), &["rtmp_auto_push", "is not allowed here"]);
}

#[test]
fn what_is_not_there_yet_is_refused_and_says_so() {
    for name in ["dash", "dash_path", "hls_keys", "hls_type", "hls_fragment_naming"] {
        let text = format!("\"{name}\" directive is not supported by this version yet");
        for level in [MAIN, SERVER, APPLICATION] {
            check_refused(&at(level, &format!("{name} on;")), &[&text]);
        }
    }
}

#[test]
fn directives_of_http_stand_anywhere_in_it() {
    for directive in [
        "rtmp_stat all;",
        "rtmp_stat global live; rtmp_stat clients play recorders;",
        "rtmp_stat_stylesheet /stat.xsl;",
        "rtmp_stat_format json;",
        "rtmp_metrics;",
        "rtmp_metrics streams;",
        "rtmp_metrics streams=100000;",
        "rtmp_control all;",
        "rtmp_viewer_key $cookie_a$arg_b;",
        "rtmp_control record drop redirect push;",
    ] {
        for (before, after) in [("", ""), ("server {", "}"), ("server { location / {", "} }")] {
            let conf = format!("events {{}}\nhttp {{ {before} {directive} {after} }}");
            check_verdict(&test_conf(&conf), true, &[]);
        }
    }
    for (directive, text) in [
        ("rtmp_stat some;", "\"rtmp_stat\" directive has the invalid value \"some\""),
        ("rtmp_stat_format text;", "it must be \"xml\" or \"json\""),
        ("rtmp_stat_format xml; rtmp_stat_format xml;", "is duplicate"),
        ("rtmp_stat_stylesheet a; rtmp_stat_stylesheet a;", "is duplicate"),
        ("rtmp_viewer_key a; rtmp_viewer_key a;", "is duplicate"),
        ("rtmp_viewer_key $;", "invalid variable name"),
        ("rtmp_metrics clients;", "it must be \"streams\", or \"streams=\" and a number from 1"),
        ("rtmp_metrics streams=0;", "has the invalid value \"streams=0\""),
        ("rtmp_metrics streams=100001;", "from 1 to 100000"),
        ("rtmp_metrics; rtmp_metrics streams;", "is duplicate"),
        ("rtmp_control stop;", "\"rtmp_control\" directive has the invalid value \"stop\""),
    ] {
        let conf = format!("events {{}}\nhttp {{ {directive} }}");
        check_verdict(&test_conf(&conf), false, &[text, "nginx.conf:2"]);
    }
}

#[test]
fn a_dashboard_stands_in_a_location_with_a_slash_at_its_end() {
    let conf = |location: &str, directives: &str| {
        test_conf(&format!(
            "events {{}}\nhttp {{ server {{ location {location} {{ {directives} }} }} }}"
        ))
    };
    for location in ["/", "/dashboard/", "^~ /a/b/"] {
        check_verdict(&conf(location, "rtmp_dashboard;"), true, &[]);
    }
    let right = "\"rtmp_dashboard\" directive must be in a location that is a prefix ending in \"/\", \
                 such as \"location /dashboard/\"";
    for location in ["/dashboard", "= /dashboard/", "~ /dashboard/", "@dashboard"] {
        check_verdict(&conf(location, "rtmp_dashboard;"), false, &[right, "nginx.conf:2"]);
    }
    let twice = conf("/", "rtmp_dashboard; rtmp_dashboard;");
    check_verdict(&twice, false, &["\"rtmp_dashboard\" directive is duplicate"]);
    let outside = test_conf("events {}\nhttp { rtmp_dashboard; }");
    check_verdict(&outside, false, &["\"rtmp_dashboard\" directive is not allowed here"]);
}

/// Whoever adds a directive describes it in `docs/directives.md`.
#[test]
fn every_directive_is_documented() {
    let text = include_str!("../../docs/directives.md");
    let described: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut defined = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nginx");
    for file in fs::read_dir(source.join("conf")).expect("the directives' sources") {
        defined.extend(directives_of(&file.expect("a source").path()));
    }
    defined.extend(directives_of(&source.join("conf.rs")));
    assert!(DIRECTIVES.iter().all(|(name, ..)| defined.contains(*name)), "{defined:?}");
    assert_eq!(described, defined.iter().map(String::as_str).collect());
}

/// The names in the tables of a source file.
fn directives_of(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("a source");
    let calls = [
        "Directive::new(",
        "block_command(",
        "value_command(",
        "words_command(",
        "optional_command(",
        "location_command(",
        "later(",
    ];
    let calls = calls.iter();
    calls
        .flat_map(|call| text.split(call).skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix("c\"")?.split('"').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn directives_may_stand_nowhere_else() {
    for &(name, value, levels) in DIRECTIVES {
        let directive = format!("{name} {value};");
        for level in LEVELS.into_iter().filter(|level| level & levels == 0) {
            check_refused(&at(level, &directive), &[name, "is not allowed here"]);
        }
        let outside = test_conf(&format!("events {{}}\n{directive}"));
        check_verdict(&outside, false, &[name, "is not allowed here", "nginx.conf:2"]);
    }
    for (level, directive) in [
        (MAIN, "listen 1935;"),
        (APPLICATION, "listen 1935;"),
        (MAIN, "application live {}"),
        (APPLICATION, "application inner {}"),
        (SERVER, "server {}"),
        (MAIN, "server_name a;"),
        (APPLICATION, "server_name a;"),
        (APPLICATION, "server {}"),
        (SERVER, "recorder r {}"),
        (RECORDER, "recorder r {}"),
        (RECORDER, "listen 1935;"),
        (SERVER, "rtmp {}"),
        (SERVER, "worker_processes 1;"),
    ] {
        let name = directive.split(' ').next().unwrap();
        check_refused(&at(level, directive), &[name, "is not allowed here"]);
    }
    let inner = test_conf("events {} http {\nrtmp {} }");
    check_verdict(&inner, false, &["\"rtmp\" directive is not allowed here", "nginx.conf:2"]);
}

#[test]
fn there_is_one_limit_of_connections() {
    for level in [MAIN, SERVER, APPLICATION] {
        check_verdict(&test_conf(&at(level, "max_connections 5;")), true, &["syntax is ok"]);
        let twice = "max_connections 5; max_connections 6;";
        check_refused(&at(level, twice), &["\"max_connections\" directive is duplicate"]);
    }
    let twice = "events {} rtmp { max_connections 5;\nserver { max_connections 6; } }";
    check_verdict(&test_conf(twice), false, &["duplicate \"max_connections\"", "nginx.conf:2"]);
    check_refused(&at(MAIN, "max_connections 0;"), &["must be a number from 1"]);
}

#[test]
fn empty_blocks_are_accepted() {
    for text in ["", "rtmp {}", "rtmp { server {} }", "rtmp { server { application a {} } }"] {
        check_verdict(&test_conf(&format!("events {{}} {text}")), true, &["syntax is ok"]);
    }
}

#[test]
fn directives_may_not_be_repeated() {
    for &(name, value, levels) in DIRECTIVES {
        if UNUSED.contains(&name)
            || REPEATABLE.contains(&name)
            || name.starts_with("exec") && MANY.contains(&name)
        {
            continue;
        }
        for level in LEVELS.into_iter().filter(|level| level & levels != 0) {
            let twice = format!("{name} {value}; {name} {value};");
            check_refused(&at(level, &twice), &[&format!("\"{name}\" directive is duplicate")]);
        }
    }
    let second = test_conf("events {} rtmp {}\nrtmp {}");
    check_verdict(&second, false, &["\"rtmp\" directive is duplicate", "nginx.conf:2"]);
}

#[test]
fn wrong_values_are_refused_with_what_is_allowed() {
    let flag = "must be \"on\" or \"off\"";
    let time = "must be a time such as";
    let not_zero = "must be greater than 0";
    for (directive, allowed) in [
        ("busy yes", flag),
        ("send_window 351", "from 0 to 350"),
        ("send_window 1s", "from 0 to 350"),
        ("play_time_fix 1", flag),
        ("publish_time_fix true", flag),
        ("live ON", flag),
        ("hls \"\"", flag),
        ("hls_nested maybe", flag),
        ("hls_cleanup ja", flag),
        ("meta all", "must be \"on\", \"off\" or \"copy\""),
        ("timeout soon", time),
        ("idle_timeout never", time),
        ("drop_idle_publisher on", time),
        ("max_lag long", time),
        ("gop_cache 1", flag),
        ("wait_key yes", flag),
        ("idle_streams none", flag),
        ("gop_max_frame_count 0", "from 1 to 1048576"),
        ("gop_max_audio_count 2m", "from 1 to 1048576"),
        ("gop_max_size off", "must be a size such as"),
        ("timeout -1", time),
        ("ping 5x", time),
        ("ping_timeout 1h1x", time),
        ("buflen \"\"", time),
        ("hls_fragment 5sec", time),
        ("hls_playlist_length 99999999999999999999s", time),
        ("timeout 0", not_zero),
        ("ping_timeout 0ms", not_zero),
        ("hls_fragment 0", not_zero),
        ("hls_playlist_length 0s", not_zero),
        ("max_streams 7", "must be a number from 8 to 65600"),
        ("max_streams 65601", "must be a number from 8 to 65600"),
        ("max_streams many", "must be a number from 8 to 65600"),
        ("ack_window 0", "must be a number from 1 to 4294967295"),
        ("ack_window 4294967296", "must be a number from 1 to 4294967295"),
        ("chunk_size 127", "must be a number from 128 to 10485760"),
        ("chunk_size 10485761", "must be a number from 128 to 10485760"),
        ("chunk_size 4k", "must be a number from 128 to 10485760"),
        ("max_message 0", "must be a size such as"),
        ("max_message 4096m", "from 1 to 4294967295"),
        ("max_message 4x", "must be a size such as"),
        ("max_message -1", "must be a size such as"),
        ("record everything", "must be \"off\", or of \"all\""),
        ("record_suffix %Q.flv", "must be conversions of strftime"),
        ("record_unique yes", flag),
        ("record_max_size big", "must be a size such as"),
        ("record_max_frames -1", "must be a size such as"),
        ("record_interval off", not_zero),
        ("record_interval 0s", not_zero),
        ("out_queue 0", "from 1 to 1048576"),
        ("out_queue 2m", "from 1 to 1048576"),
        ("respawn yes", flag),
        ("respawn_timeout never", time),
        ("exec_options name", flag),
        ("exec_kill_signal 0", "must be the name of a signal"),
        ("exec_kill_signal STOPP", "a number from 1 to 64"),
    ] {
        let (name, value) = directive.split_once(' ').unwrap();
        let text =
            format!("\"{name}\" directive has the invalid value \"{}\"", value.trim_matches('"'));
        check_refused(&at(MAIN, &format!("{directive};")), &[&text, allowed]);
    }
    check_verdict(&test_conf(&at(MAIN, "ping 0; buflen 0;")), true, &["syntax is ok"]);
    check_refused(
        &at(MAIN, "hls_path \"\";"),
        &["\"hls_path\" directive has the invalid path \"\""],
    );
}

#[test]
fn wrong_callbacks_are_refused() {
    for (directive, wrong) in [
        ("on_publish rtmp://h/p", "invalid URL \"rtmp://h/p\", it must begin with \"http://\""),
        ("on_play http:///p", "it has no valid host"),
        ("on_done http://h:http/", "it has no valid port"),
        ("on_update http://u:p@h/", "it must not hold a user"),
        ("on_publish \"http://h/a b\"", "it has a space"),
        ("notify_method put", "must be \"get\" or \"post\""),
        ("notify_format xml", "must be \"form\" or \"json\""),
        ("notify_header A:B c", "has an invalid name: \"A:B\""),
        ("notify_header Content-Length 5", "not free to choose: \"Content-Length\""),
        ("notify_secret \"\"", "has an empty key"),
    ] {
        let name = format!("\"{}\" directive", directive.split(' ').next().unwrap());
        check_refused(&at(SERVER, &format!("{directive};")), &[&name, wrong]);
    }
    let untrusting = "on_play https://h/; notify_ssl_trusted_certificate none.pem;";
    let verdict = test_conf(&at(APPLICATION, untrusting));
    check_verdict(&verdict, false, &["none.pem", "No such file"]);
}

#[test]
fn films_are_in_directories_and_on_http_servers() {
    for (entry, reason) in [
        ("rtmp://example.com/vod", "it must begin with"),
        ("http://", "it has no valid host"),
        ("\"\"", "has the invalid path"),
    ] {
        check_refused(&at(MAIN, &format!("play /films {entry};")), &["\"play\" directive", reason]);
    }
}

#[test]
fn commands_are_looked_at() {
    for (directive, parts) in [
        ("exec \"\";", &["\"exec\" directive names no program"][..]),
        ("exec_pull a 2>;", &["\"exec_pull\" directive has the redirection", "names no file"]),
        ("exec_static a >&5;", &["copies a descriptor that is not open"]),
    ] {
        check_refused(&at(APPLICATION, directive), parts);
    }
    for (directive, text) in [
        ("exec a $path;", "\"exec\" has no variable \"$path\", it is empty"),
        ("exec_pull a $args;", "\"exec_pull\" has no variable \"$args\""),
        ("exec_publish a ${pid};", "\"exec_publish\" has no variable \"$pid\""),
    ] {
        let verdict = test_conf(&at(APPLICATION, directive));
        check_verdict(&verdict, true, &["[warn]", text, "nginx.conf:3"]);
    }
}

#[test]
fn log_formats_are_known_everywhere_and_checked() {
    let off = "access_log off;";
    let used = "log_format f '$name'; access_log logs/a.log f; access_log logs/b.log combined;";
    for level in [MAIN, SERVER, APPLICATION] {
        let verdict = test_conf(&at(level, used));
        check_verdict(&verdict, true, &["syntax is ok"]);
        assert_eq!(verdict.text.contains("[warn]"), level != MAIN, "{}", verdict.text);
    }
    for (directive, wrong) in [
        ("log_format f", "\"log_format\" directive has no text"),
        ("log_format f $nme", "\"log_format\" directive has an unknown \"nme\" variable"),
        ("log_format f 'a ${name'", "lacks the closing bracket in \"name\" variable"),
        ("log_format f escape=xml a", "unknown log format escaping \"xml\""),
        ("access_log \"\"", "\"access_log\" directive has the invalid path \"\""),
        ("access_log syslog:server=h", "has the invalid path \"syslog:server=h\""),
        ("log_interval soon", "must be a time such as"),
        ("log_size 63", "from 64 to 16777216"),
    ] {
        check_refused(&at(MAIN, &format!("{off} {directive};")), &[wrong]);
    }
    for (text, wrong) in [
        ("log_format f a; log_format f b;", "duplicate \"log_format\" name \"f\", at "),
        ("log_format combined a;", "duplicate \"log_format\" name \"combined\""),
        ("server { access_log logs/a.log f; }", "unknown log format \"f\", at "),
    ] {
        let verdict = test_conf(&at(MAIN, &format!("{off} {text}")));
        check_verdict(&verdict, false, &[wrong, "nginx.conf:3"]);
    }
}

#[test]
fn secrets_are_not_empty() {
    for name in ["publish_secret", "play_secret"] {
        let parts = [&format!("\"{name}\" directive has an empty key"), "secret text or \"off\""];
        check_refused(&at(SERVER, &format!("{name} \"\";")), &parts);
    }
}

#[test]
fn wrong_numbers_of_arguments_are_refused() {
    for &(name, value, levels) in DIRECTIVES {
        let level = LEVELS.into_iter().find(|level| level & levels != 0).unwrap();
        let none = format!("{name};");
        check_refused(&at(level, &none), &["invalid number of arguments", name]);
        if !MANY.contains(&name) {
            let three = format!("{name} {value} {value} {value};");
            check_refused(&at(level, &three), &["invalid number of arguments", name]);
        }
    }
    for (level, directive) in [
        (SERVER, "listen;"),
        (SERVER, "server_name;"),
        (SERVER, "application {}"),
        (SERVER, "application two names {}"),
        (MAIN, "server name {}"),
        (APPLICATION, "recorder {}"),
        (APPLICATION, "recorder two names {}"),
    ] {
        check_refused(&at(level, directive), &["invalid number of arguments"]);
    }
}

#[test]
fn unknown_directives_and_broken_blocks_are_refused() {
    check_refused(&at(MAIN, "push_everything on;"), &["unknown directive \"push_everything\""]);
    check_refused(&at(SERVER, "max_queue 5;"), &["unknown directive \"max_queue\""]);
    check_refused(&at(APPLICATION, "lives on;"), &["unknown directive \"lives\""]);
    check_refused(&at(SERVER, "application live;"), &["has no opening \"{\""]);
    check_refused(&at(MAIN, "server;"), &["has no opening \"{\""]);
    check_refused(&at(APPLICATION, "live on {}"), &["is not terminated by \";\""]);
    let unended = test_conf("events {}\nrtmp {\nlive on }");
    check_verdict(&unended, false, &["unexpected \"}\"", "nginx.conf:3"]);
    let open = test_conf("events {}\nrtmp {\nserver {\nlisten 1935;");
    check_verdict(&open, false, &["unexpected end of file, expecting \"}\"", "nginx.conf:4"]);
}

#[test]
fn wrong_listens_are_refused() {
    for (arguments, parts) in [
        ("127.0.0.1:port", &["\"127.0.0.1:port\"", "invalid port"][..]),
        ("127.0.0.1:65536", &["\"127.0.0.1:65536\"", "invalid port"]),
        ("127.0.0.1:0", &["invalid port"]),
        ("[::1", &["invalid"]),
        ("unix:", &["no path in the unix domain socket"]),
        ("nowhere.invalid:1935", &["\"nowhere.invalid:1935\"", "host not found"]),
        ("1935 ssl=on", &["invalid parameter \"ssl=on\"", "proxy_protocol"]),
        ("1935 bind=on", &["invalid parameter \"bind=on\""]),
        ("1935 ipv6only=yes", &["invalid parameter \"ipv6only=yes\"", "ipv6only=on|off"]),
        ("1935 so_keepalive=maybe", &["so_keepalive value \"maybe\"", "on, off or"]),
        ("1935 so_keepalive=", &["so_keepalive value \"\""]),
        ("1935 so_keepalive=::", &["so_keepalive value \"::\""]),
        ("1935 so_keepalive=1m:x:", &["so_keepalive value \"1m:x:\""]),
        ("1935 so_keepalive=::0", &["so_keepalive value \"::0\""]),
        ("1935 so_keepalive=1:2:3:4", &["so_keepalive value \"1:2:3:4\""]),
    ] {
        let parts = [&["\"listen\" directive"], parts].concat();
        check_refused(&at(SERVER, &format!("listen {arguments};")), &parts);
    }
}

#[test]
fn wrong_server_names_are_refused() {
    for (names, wrong) in [
        ("a *", "has the invalid name \"*\", it must be a host name, *.DOMAIN"),
        ("a.*.b", "has the invalid name \"a.*.b\""),
        ("a:1935", "has the invalid name \"a:1935\""),
        ("a ~(", "has an invalid expression"),
        ("~", "has an empty expression"),
    ] {
        let directive = format!("server_name {names};");
        check_refused(&at(SERVER, &directive), &["\"server_name\" directive", wrong]);
    }
}

#[test]
fn an_address_may_be_listened_on_once() {
    for (one, other) in [
        ("1935", "1935"),
        ("1935", "0.0.0.0:1935"),
        ("1935", "*:1935"),
        ("127.0.0.1", "127.0.0.1:1935"),
        ("[::1]:1935", "[0:0::1]:1935"),
        ("unix:@prefix@/s", "unix:@prefix@/s"),
        ("127.0.0.1:1936", "127.0.0.1:1936 proxy_protocol"),
    ] {
        let two = format!(
            "events {{}} rtmp {{\nserver {{\nlisten {one};\n}}\nserver {{\nlisten {other};\n}}\n}}"
        );
        let verdict = test_conf(&two);
        let parts = ["duplicate \"listen ", "nginx.conf:3", "nginx.conf:6"];
        check_verdict(&verdict, false, &parts);
    }
}

#[test]
fn second_application_of_a_name_is_warned_of_and_not_used() {
    let conf = at(SERVER, "application a { live on; }\napplication a { live off; }");
    let verdict = test_conf(&conf);
    check_verdict(
        &verdict,
        true,
        &["[warn]", "application \"a\" is defined twice", "nginx.conf:4"],
    );
    let nginx = Nginx::start("application a { live on; } application a { live off; }");
    Peer::play(nginx.rtmp_port(), "a", "cam");
}

#[test]
fn recorders_without_a_path_or_a_name_of_their_own_are_warned_of() {
    let twice = at(APPLICATION, "recorder a { }\nrecorder a { }");
    let warning = "recorder \"a\" is defined twice, the first one is used";
    check_verdict(&test_conf(&twice), true, &["[warn]", warning, "nginx.conf:4"]);
    for text in ["record all;", "recorder a { record video; }", "record_path a; recorder a { }"] {
        let verdict = test_conf(&at(APPLICATION, text));
        let warns = verdict.text.contains("\"record\" has no effect without \"record_path\"");
        assert_eq!(warns, !text.contains("record_path"), "{}", verdict.text);
        check_verdict(&verdict, true, &["syntax is ok"]);
    }
}

#[test]
fn included_files_may_hold_parts_of_blocks() {
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("to write a file");
    };
    file("rtmp.conf", "timeout 30s;\nserver { listen 127.0.0.1; }");
    file("one.app", "application one { live on; }");
    file("two.app", "application two {\nlive perhaps;\n}");
    let path = directory.path().display();
    let verdict = test_conf(&format!("events {{}} rtmp {{ include {path}/rtmp.conf; }}"));
    check_verdict(&verdict, true, &[]);
    let servers = |pattern: &str| at(SERVER, &format!("include {path}/{pattern};"));
    check_verdict(&test_conf(&servers("one.app")), true, &[]);
    let broken = test_conf(&servers("*.app"));
    check_verdict(&broken, false, &["\"live\" directive", "\"perhaps\"", "two.app:2"]);

    let nginx = Nginx::start("include @prefix@/tmp/*.app;");
    // The pattern matches nothing yet; after a reload it does.
    fs::copy(directory.path().join("one.app"), nginx.prefix().join("tmp/one.app")).unwrap();
    nginx.reload();
    Peer::publish(nginx.rtmp_port(), "one", "cam");
}

#[test]
fn settings_are_inherited_and_directories_made() {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: "live on; max_message 1000; hls_path @prefix@/not/there/yet;".into(),
        server: "hls on; hls_path @prefix@/nor/this; max_message 2000;
             application inherits {}
             application differs { live off; hls off; }
             application elsewhere { hls_path @prefix@/else/where; }"
            .into(),
        ..Conf::default()
    });
    for (path, is_there) in [("not", false), ("nor/this", true), ("else/where", true)] {
        assert_eq!(nginx.prefix().join(path).is_dir(), is_there, "{path}");
    }
    Peer::play(nginx.rtmp_port(), "inherits", "cam");
    let mut refused = Peer::open(nginx.rtmp_port(), "differs");
    refused.ask_play("cam");
    refused.wait_for("NetStream.Play.StreamNotFound");
    let mut publisher = Peer::publish(nginx.rtmp_port(), "inherits", "cam");
    publisher.send(6, 9, 1, 0, &[0x27; 1500]);
    publisher.send(6, 9, 1, 0, &[0x27; 2500]);
    publisher.wait_closed();
    nginx.wait_log(&["message of 2500 bytes is larger than max_message 2000"]);
    drop(refused);
    wait_until("a refusal in the log", || nginx.log().contains("refused: live is off"));
}

/// A configuration with `text` from line 3 on, in the innermost block of `level`.
fn at(level: u8, text: &str) -> String {
    match level {
        MAIN => format!("events {{}}\nrtmp {{\n{text}\n}}"),
        SERVER => format!("events {{}} rtmp {{\nserver {{\n{text}\n}} }}"),
        RECORDER => format!(
            "events {{}} rtmp {{ server {{ application live {{\nrecorder r {{\n{text}\n}} }} }} }}"
        ),
        _ => format!("events {{}} rtmp {{ server {{\napplication live {{\n{text}\n}} }} }}"),
    }
}

/// Asserts that `conf` is refused for its third line, in a line that holds `parts`.
#[track_caller]
fn check_refused(conf: &str, parts: &[&str]) {
    check_verdict(&test_conf(conf), false, &[parts, &["nginx.conf:3"]].concat());
}

/// Asserts that a configuration is or is not accepted, and that one line about it holds `parts`.
#[track_caller]
fn check_verdict(verdict: &Verdict, accepted: bool, parts: &[&str]) {
    let Verdict { text, .. } = verdict;
    assert_eq!(verdict.accepted, accepted, "{parts:?}\n{text}");
    let found = text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line with {parts:?} in\n{text}");
}
