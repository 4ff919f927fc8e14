//! Configurations that are written for the C modules: what they may say is accepted here, what they
//! may not is refused, and the C module itself is asked which is which.

use std::path::Path;

use crate::support::nginx::{C_MODULE, C_NGINX, Verdict, test_conf, test_conf_with};

/// Where a directive may stand: in `rtmp`, `server`, `application` and `recorder`.
const M: u8 = 1;
const S: u8 = 2;
const A: u8 = 4;
const R: u8 = 8;
const MSA: u8 = M | S | A;
const MSAR: u8 = MSA | R;

/// Every directive inside `rtmp {}` of the C module that may stand in several places, with a value,
/// but those of packaging that are to come here.
const OF_C: &[(&str, u8)] = &[
    ("so_keepalive on", M | S),
    ("timeout 60s", M | S),
    ("ping 3m", M | S),
    ("ping_timeout 30s", M | S),
    ("max_streams 32", M | S),
    ("ack_window 5000000", M | S),
    ("chunk_size 4096", M | S),
    ("max_message 1M", M | S),
    ("out_queue 4096", M | S),
    ("out_cork 8", M | S),
    ("busy on", M | S),
    ("play_time_fix on", M | A),
    ("publish_time_fix on", M | A),
    ("buflen 1000ms", M | S),
    ("live on", MSA),
    ("buffer 1s", MSA),
    ("sync 300ms", MSA),
    ("interleave on", MSA),
    ("wait_key on", MSA),
    ("wait_video on", MSA),
    ("publish_notify on", MSA),
    ("play_restart on", MSA),
    ("idle_streams off", MSA),
    ("drop_idle_publisher 10s", MSA),
    ("allow publish 127.0.0.1", MSA),
    ("allow play all", MSA),
    ("deny publish all", MSA),
    ("deny 10.0.0.0/8", MSA),
    ("meta copy", MSA),
    ("record keyframes video", MSAR),
    ("record_path /tmp", MSAR),
    ("record_suffix -%d-%b-%y-%T.flv", MSAR),
    ("record_unique on", MSAR),
    ("record_append on", MSAR),
    ("record_lock on", MSAR),
    ("record_max_size 128K", MSAR),
    ("record_max_frames 2", MSAR),
    ("record_interval 15m", MSAR),
    ("record_notify on", MSAR),
    ("push rtmp://127.0.0.1:19350/app/key live=1 pageUrl=http://a/b", A),
    ("pull rtmp://127.0.0.1:19350/app/key name=blah static live=1", A),
    ("relay_buffer 5s", M | S),
    ("push_reconnect 1s", MSA),
    ("pull_reconnect 1s", MSA),
    ("session_relay on", MSA),
    ("exec /bin/true $app ${name} 2>>/tmp/log", MSA),
    ("exec_push /bin/true", MSA),
    ("exec_pull /bin/true rtmp://127.0.0.1/$app/$name", MSA),
    ("exec_static /bin/true", MSA),
    ("exec_publish /bin/true $addr", MSA),
    ("exec_publish_done /bin/true $args", MSA),
    ("exec_play /bin/true $flashver", MSA),
    ("exec_play_done /bin/true $pageurl", MSA),
    ("exec_record_done /bin/true $path $basename.mp4", MSAR),
    ("exec_kill_signal term", MSA),
    ("exec_options on", MSA),
    ("respawn off", MSA),
    ("on_connect http://127.0.0.1:8080/on_connect", M | S),
    ("on_disconnect http://127.0.0.1:8080/on_disconnect", M | S),
    ("on_publish http://127.0.0.1:8080/on_publish", MSA),
    ("on_play http://127.0.0.1:8080/on_play?a=b", MSA),
    ("on_publish_done http://127.0.0.1:8080/", MSA),
    ("on_play_done http://127.0.0.1:8080", MSA),
    ("on_done http://127.0.0.1/on_done", MSA),
    ("on_update http://127.0.0.1/on_update", MSA),
    ("on_record_done http://127.0.0.1/on_record_done", MSAR),
    ("notify_method get", MSA),
    ("notify_update_timeout 10s", MSA),
    ("notify_update_strict on", MSA),
    ("notify_relay_redirect on", MSA),
    ("netcall_timeout 10s", M | S),
    ("netcall_buffer 4k", M | S),
    ("hls on", MSA),
    ("hls_fragment 3s", MSA),
    ("hls_playlist_length 60s", MSA),
    ("hls_nested on", MSA),
    ("hls_cleanup off", MSA),
    ("hls_max_fragment 10s", MSA),
    ("hls_base_url https://cdn.example/", MSA),
    ("hls_continuous on", MSA),
    ("hls_muxdelay 700ms", MSA),
    ("hls_sync 2ms", MSA),
    ("hls_max_audio_delay 300ms", MSA),
    ("hls_audio_buffer_size 1m", MSA),
    ("hls_variant _low BANDWIDTH=640000", MSA),
    ("access_log off", MSA),
    ("play /tmp", MSA),
    ("play_temp_path /tmp", MSA),
    ("play_local_path /tmp", MSA),
];

/// Those of nginx-http-flv-module, and of the forks that are seen in the wild.
const OF_OTHERS: &[(&str, u8)] = &[
    ("gop_cache on", A),
    ("gop_max_frame_count 4096", A),
    ("gop_max_video_count 2048", A),
    ("gop_max_audio_count 2048", A),
    ("server_name live.example.com *.example.org ~^cam", S),
    ("server_names_hash_max_size 512", M),
    ("server_names_hash_bucket_size 64", M),
    ("variables_hash_max_size 1024", M),
    ("variables_hash_bucket_size 64", M),
    ("merge_slashes on", M | S),
    ("connection_pool_size 512", M | S),
    ("resolver 127.0.0.1", MSA),
    ("resolver_timeout 30s", MSA),
    ("send_timeout 60s", MSA),
    ("send_lowat 0", MSA),
    ("tcp_nodelay on", MSA),
    ("tcp_nopush off", MSA),
    ("log_interval 0", MSA),
    ("log_size 1m", MSA),
    ("notify_no_resolve on", MSA),
    ("push rtmp://127.0.0.1/$app/$name?$args", A),
    ("on_playlist http://127.0.0.1/", MSA),
    ("on_record_started http://127.0.0.1/", MSAR),
    ("exec_record_started /bin/true", MSAR),
    ("notify_send_redirect on", MSA),
    ("record_interval_size 1m", MSAR),
    ("stream_buckets 1024", MSA),
    ("hls_nested_index_filename list", MSA),
];

/// What is refused in the place that it is put in.
const REFUSED: &[(&str, u8)] = &[
    ("live maybe", A),
    ("live on; live off", A),
    ("live", A),
    ("lives on", A),
    ("timeout soon", S),
    ("chunk_size many", S),
    ("max_message big", S),
    ("ping_timeout -1s", S),
    ("meta perhaps", A),
    ("record sometimes", A),
    ("record_unique yes", A),
    ("record_max_size large", A),
    ("record all", 0),
    ("recorder a { recorder b {} }", A),
    ("allow publish 300.0.0.1", A),
    ("allow somebody 127.0.0.1 x", A),
    ("push", A),
    ("push rtmp://127.0.0.1/a nope=1", A),
    ("push rtmp://127.0.0.1/a static", A),
    ("pull rtmp://127.0.0.1/a static", A),
    ("push rtmp://127.0.0.1/a", S),
    ("listen 1935", A),
    ("listen 127.0.0.1:99999", S),
    ("application", S),
    ("notify_method put", A),
    ("on_connect http://127.0.0.1/", A),
    ("on_publish http://127.0.0.1:http/", A),
    ("exec_kill_signal sometimes", A),
    ("exec_options perhaps", A),
    ("exec", A),
    ("hls_fragment x", A),
    ("access_log /tmp/a nope", A),
    ("play", A),
];

/// A configuration that says each of `directives` wherever it may stand.
fn everywhere(directives: &[(&str, u8)]) -> String {
    let of = |level: u8| {
        let here = directives.iter().filter(|(_, levels)| levels & level != 0);
        here.map(|(directive, _)| format!("{directive};\n")).collect::<String>()
    };
    format!(
        "events {{}} rtmp {{ {} server {{ listen 127.0.0.1:19351; {}
         application live {{ {} recorder all {{ {} }} recorder manual {{ record all manual; }} }} }} }}",
        of(M),
        of(S),
        of(A),
        of(R)
    )
}

fn at(level: u8, directive: &str) -> String {
    let wrap = |inner: &str| format!("events {{}} rtmp {{ server {{ {inner} }} }}");
    match level {
        0 => format!("events {{}} {directive};"),
        M => format!("events {{}} rtmp {{ {directive}; }}"),
        S => wrap(&format!("{directive};")),
        _ => wrap(&format!("application live {{ {directive}; }}")),
    }
}

fn test_c(text: &str) -> Verdict {
    let module = Path::new(C_MODULE);
    assert!(module.exists(), "{C_MODULE} is missing: run scripts/setup test");
    test_conf_with(Path::new(C_NGINX), module, text)
}

#[track_caller]
fn check_accepted(who: &str, verdict: &Verdict) {
    assert!(verdict.accepted, "refused by {who}: {}", verdict.text);
}

#[test]
fn what_the_c_module_knows_is_accepted_wherever_it_may_stand() {
    let text = everywhere(OF_C);
    check_accepted("the C module", &test_c(&text));
    check_accepted("this module", &test_conf(&text));
}

#[test]
fn what_other_modules_know_is_accepted_wherever_it_may_stand() {
    check_accepted("this module", &test_conf(&everywhere(OF_OTHERS)));
}

#[test]
fn what_stands_once_for_all_is_accepted() {
    for text in [
        "events {} rtmp { max_connections 100; server { application a { respawn_timeout 1s; } } }",
        "events {} rtmp { log_format new '$remote_addr'; access_log /tmp/ngx-rtmp-test.log new;
         server { listen 127.0.0.1:19352 so_keepalive=30m::10; listen [::1]:19352 ipv6only=on; } }",
        "rtmp_auto_push on; rtmp_auto_push_reconnect 1s; rtmp_socket_dir /tmp; events {} rtmp {}",
        "events {} rtmp { server { listen 19353 proxy_protocol; } }
         http { access_log off; server { listen 127.0.0.1:19354; location /stat { rtmp_stat all;
         rtmp_stat_stylesheet stat.xsl; } location /control { rtmp_control all; } } }",
    ] {
        check_accepted("the C module", &test_c(text));
        check_accepted("this module", &test_conf(text));
    }
}

#[test]
fn what_the_c_module_refuses_is_refused() {
    for &(directive, level) in REFUSED {
        let text = at(level, directive);
        let (theirs, ours) = (test_c(&text), test_conf(&text));
        assert!(!theirs.accepted, "the C module accepts \"{directive}\": {}", theirs.text);
        assert!(!ours.accepted, "accepted: \"{directive}\"");
        assert!(ours.text.contains("[emerg]"), "{}", ours.text);
    }
}
