//! The viewers of HLS: who is counted, for which stream, and for how long.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;

use reqwest::blocking::Client;

use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::publisher::Publisher;
use crate::support::raw::Peer;
use crate::support::wait_until;

const HTTP: &str = "location /stat { rtmp_stat all; rtmp_stat_format json; }
    location /xml { rtmp_stat all; }";

/// Gets a file over a connection of its own, which comes to whichever worker. Gives the status.
fn get(url: &str, address: &str, agent: &str) -> u16 {
    let address: IpAddr = address.parse().expect("an address");
    let client = Client::builder().local_address(address).user_agent(agent);
    let answer = client.build().expect("a client").get(url).send().expect("an answer");
    let status = answer.status().as_u16();
    answer.bytes().expect("a whole body");
    status
}

/// How many watch each stream, by name, in order.
fn counts(nginx: &Nginx) -> Vec<(String, u64)> {
    let body = reqwest::blocking::get(nginx.http("stat")).expect("an answer").text().expect("text");
    let root: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let applications = list(&root["servers"]).into_iter().flat_map(|it| list(&it["applications"]));
    let streams = applications.flat_map(|it| list(&it["live"]));
    let count = |stream: serde_json::Value| {
        let name = stream["name"].as_str().expect("a name").to_owned();
        (name, stream["hls_viewers"].as_u64().expect("a number"))
    };
    let mut counts: Vec<_> = streams.map(count).collect();
    counts.sort_unstable();
    counts
}

fn count(nginx: &Nginx, name: &str) -> u64 {
    counts(nginx).iter().find(|(it, _)| it == name).map_or(0, |&(_, count)| count)
}

/// Writes the files of a stream, so that no encoder is needed.
fn write(nginx: &Nginx, files: &[&str]) {
    for file in files {
        let path = nginx.prefix().join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, "media").expect("a file");
    }
}

#[test]
fn viewers_are_counted_once_for_all_workers() {
    let nginx = Nginx::start_conf(&Conf {
        workers: 3,
        http: HTTP.into(),
        ..Conf::server(
            "application live {
                live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; hls_playlist_length 20s; }",
        )
    });
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("cam"));
    let playlist = nginx.prefix().join("hls/cam.m3u8");
    wait_until("a playlist", || playlist.exists());
    let text = fs::read_to_string(&playlist).expect("the playlist");
    let segment = text.lines().find(|line| line.ends_with(".ts")).expect("a segment");
    let (playlist, segment) = (nginx.http("hls/cam.m3u8"), nginx.http(&format!("hls/{segment}")));
    let clients = [("127.0.0.1", "a"), ("127.0.0.1", "b"), ("127.0.0.2", "a")];
    for _ in 0..6 {
        for (address, agent) in clients {
            assert_eq!(get(&playlist, address, agent), 200);
        }
        assert_eq!(get(&segment, "127.0.0.2", "a"), 200);
        assert_eq!(get(&nginx.http("hls/none.m3u8"), "127.0.0.3", "a"), 404);
    }
    wait_until("three viewers", || count(&nginx, "cam") == 3);
    let xml = reqwest::blocking::get(nginx.http("xml")).expect("XML").text().expect("text");
    assert!(xml.contains("<hls_viewers>3</hls_viewers>"), "{xml}");
}

#[test]
fn who_stops_watching_is_gone_when_the_playlist_is() {
    let nginx = Nginx::start_conf(&Conf {
        workers: 2,
        http: HTTP.into(),
        ..Conf::server(
            "application live {
                live on; hls on; hls_path @prefix@/hls; hls_fragment 500ms;
                hls_playlist_length 2s; hls_cleanup off; }",
        )
    });
    write(&nginx, &["hls/cam.m3u8"]);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let url = nginx.http("hls/cam.m3u8");
    let watches = |agent| get(&url, "127.0.0.1", agent) == 200;
    wait_until("two viewers", || watches("a") && watches("b") && count(&nginx, "cam") == 2);
    wait_until("one viewer", || watches("a") && count(&nginx, "cam") == 1);
    wait_until("no viewer", || count(&nginx, "cam") == 0);
}

#[test]
fn a_reload_makes_no_viewers() {
    let nginx = Nginx::start_conf(&Conf {
        workers: 2,
        http: HTTP.into(),
        ..Conf::server(
            "application live {
                live on; hls on; hls_path @prefix@/hls; hls_fragment 1s;
                hls_playlist_length 10s; hls_cleanup off; }",
        )
    });
    write(&nginx, &["hls/cam.m3u8"]);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let url = nginx.http("hls/cam.m3u8");
    let watch = || assert_eq!(get(&url, "127.0.0.1", "a"), 200);
    wait_until("a viewer of the old workers", || {
        watch();
        count(&nginx, "cam") == 1
    });
    nginx.reload();
    for _ in 0..8 {
        watch();
    }
    assert!(!nginx.old_workers().is_empty(), "the publisher keeps one");
    assert_eq!(count(&nginx, "cam"), 1);
    wait_until("no viewer", || count(&nginx, "cam") == 0);
}

#[test]
fn a_file_is_a_streams_by_whichever_way_it_is_reached() {
    let nginx = Nginx::start_conf(&Conf {
        http: format!(
            "{HTTP}
            location /alias/ {{ alias @prefix@/flat/; }}
            location ~ ^/matched/(.+)$ {{ alias @prefix@/flat/$1; }}
            location /tried/ {{ try_files /none /flat/cam.m3u8 =404; }}
            location /inner/ {{ internal; alias @prefix@/flat/; }}
            location /rewritten/ {{ rewrite ^/rewritten/(.*)$ /inner/$1; }}
            location /other/ {{ alias @prefix@/other/; }}"
        ),
        ..Conf::server(
            "application flat { live on; hls on; hls_path @prefix@/flat; }
            application nested { live on; hls on; hls_path @prefix@/nested; hls_nested on; }
            application variant {
                live on; hls on; hls_path @prefix@/variant; hls_variant _low; hls_variant _hi; }",
        )
    });
    let odd = "a b#é%";
    let streams = [("flat", "cam"), ("flat", odd), ("nested", "n"), ("variant", "v_low")];
    let streams = streams.into_iter().chain([("variant", "v"), ("flat", "quiet")]);
    let _publishers: Vec<_> =
        streams.map(|(app, name)| Peer::publish(nginx.rtmp_port(), app, name)).collect();
    write(&nginx, &["flat/cam.m3u8", "flat/cam-1.ts", "other/cam.m3u8", "flat/gone.m3u8"]);
    write(&nginx, &[&format!("flat/{odd}.m3u8"), &format!("flat/{odd}-17.ts")]);
    write(&nginx, &["nested/n/index.m3u8", "nested/n/17.ts", "variant/v.m3u8"]);
    write(&nginx, &["variant/v_low.m3u8", "variant/v_hi-17.ts", "flat/page.html"]);
    symlink("flat", nginx.prefix().join("linked")).expect("a link");
    for (agent, path) in [
        ("a", "flat/cam.m3u8"),
        ("a", "flat//./cam-1.ts?token=x"),
        ("b", "alias/cam.m3u8"),
        ("c", "matched/cam-1.ts"),
        ("d", "tried/whatever"),
        ("e", "rewritten/cam.m3u8"),
        ("f", "linked/cam-1.ts"),
        ("f", "linked/cam.m3u8"),
        ("nobody", "other/cam.m3u8"),
        ("nobody", "flat/gone.m3u8"),
        ("nobody", "flat/page.html"),
        ("a", "flat/a%20b%23%C3%A9%25.m3u8"),
        ("a", "flat/a%20b%23%C3%A9%25-17.ts"),
        ("a", "nested/n/index.m3u8"),
        ("b", "nested/n/17.ts"),
        ("a", "variant/v.m3u8"),
        ("a", "variant/v_low.m3u8"),
        ("b", "variant/v_hi-17.ts"),
    ] {
        assert_eq!(get(&nginx.http(path), "127.0.0.1", agent), 200, "{path}");
    }
    let client = Client::new();
    client.head(nginx.http("flat/cam.m3u8")).send().expect("an answer");
    let expected = [(odd, 1), ("cam", 6), ("n", 2), ("quiet", 0), ("v", 2), ("v_low", 1)];
    let expected: Vec<_> =
        expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    wait_until("all viewers", || counts(&nginx) == expected);
}

#[test]
fn a_key_tells_viewers_from_each_other() {
    let nginx = Nginx::start_conf(&Conf {
        http: format!("{HTTP} location /hls {{ rtmp_viewer_key $cookie_id; }}"),
        ..Conf::server("application live { live on; hls on; hls_path @prefix@/hls; }")
    });
    write(&nginx, &["hls/cam.m3u8"]);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    for cookie in ["id=1", "id=2", "id=1", "other=3", "id="] {
        let request = Client::new().get(nginx.http("hls/cam.m3u8")).header("Cookie", cookie);
        request.send().expect("an answer").bytes().expect("a body");
    }
    wait_until("two viewers", || count(&nginx, "cam") == 2);
}

#[test]
fn players_that_name_their_session_are_told_apart() {
    let nginx = Nginx::start_conf(&Conf {
        http: HTTP.into(),
        ..Conf::server("application live { live on; hls on; hls_path @prefix@/hls; }")
    });
    write(&nginx, &["hls/cam.m3u8"]);
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    for session in ["A", "B", "A"] {
        let request = Client::new().get(nginx.http("hls/cam.m3u8"));
        let request = request.header("X-Playback-Session-Id", session);
        request.send().expect("an answer").bytes().expect("a body");
    }
    wait_until("two viewers", || count(&nginx, "cam") == 2);
}
