//! Master playlists of streams that are published in several renditions.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::hls::get;
use crate::support::media::Clip;
use crate::support::nginx::{Conf, Nginx};
use crate::support::process::{command, run};
use crate::support::publisher::Publisher;
use crate::support::wait_for;

const HLS: &str = "application hls {
    live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; hls_playlist_length 20s; hls_nested on;
    hls_variant _low BANDWIDTH=640000; hls_variant _hi BANDWIDTH=2140000; hls_variant _raw; }";

/// The lines of the master playlist of `cam`, as soon as it has the renditions that it should.
#[track_caller]
fn wait_master(nginx: &Nginx, renditions: &[&str]) -> Vec<String> {
    wait_for(&format!("a master playlist of {renditions:?}"), || {
        let text = String::from_utf8(get(&nginx.http("hls/cam.m3u8"))?).expect("UTF-8");
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let uris = lines.iter().filter(|line| !line.starts_with('#'));
        uris.eq(renditions
            .iter()
            .map(|it| format!("cam{it}/index.m3u8"))
            .collect::<Vec<_>>()
            .iter())
            .then_some(lines)
    })
}

#[test]
fn renditions_are_listed_while_they_are_published_whichever_workers_have_them() {
    let nginx = Nginx::start_conf(&Conf { workers: 4, ..Conf::server(HLS) });
    let clip = Clip::plain();
    let low = Publisher::endless(clip, &nginx.rtmp("hls/cam_low"));
    wait_master(&nginx, &["_low"]);
    let raw = Publisher::endless(clip, &nginx.rtmp("hls/cam_raw"));
    let _hi = Publisher::endless(clip, &nginx.rtmp("hls/cam_hi"));
    let lines = wait_master(&nginx, &["_low", "_hi", "_raw"]);
    assert_eq!(lines[..2], ["#EXTM3U", "#EXT-X-VERSION:3"]);
    let of_low = &lines[2];
    assert!(of_low.starts_with("#EXT-X-STREAM-INF:BANDWIDTH=640000,CODECS=\"avc1."), "{of_low}");
    assert!(of_low.contains(",mp4a.40.2\",RESOLUTION="), "{of_low}");
    assert!(lines[6].starts_with("#EXT-X-STREAM-INF:BANDWIDTH="), "{lines:?}");
    // Real players find all of them.
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "program=program_id", "-of", "csv=p=0"]);
    ffprobe.arg(nginx.http("hls/cam.m3u8"));
    assert_eq!(run(&mut ffprobe).lines().filter(|line| !line.is_empty()).count(), 3);

    // Writing the master playlist does no harm to segments that are being written.
    let playlist = wait_for("segments", || {
        let text = String::from_utf8(get(&nginx.http("hls/cam_hi/index.m3u8"))?).expect("UTF-8");
        (text.matches("#EXTINF:").count() >= 4).then_some(text)
    });
    assert!(!playlist.contains("#EXT-X-DISCONTINUITY\n"), "{playlist}");
    assert!(!nginx.log().contains("[error]"));

    raw.stop();
    wait_master(&nginx, &["_low", "_hi"]);
    drop(low);
    wait_master(&nginx, &["_hi"]);
}

#[test]
fn renditions_of_a_killed_worker_are_not_listed() {
    let nginx = Nginx::start_conf(&Conf { workers: 2, ..Conf::server(HLS) });
    let clip = Clip::plain();
    let worker_of = |name: &str| {
        let line = nginx.wait_log(&["publishing", &format!("\"{name}\"")]);
        line.split(' ').nth(3).and_then(|it| it.split('#').next()?.parse::<i32>().ok()).unwrap()
    };
    let _low = Publisher::endless(clip, &nginx.rtmp("hls/cam_low"));
    let doomed = worker_of("cam_low");
    // New connections go to either worker: try until the other one has it.
    let _hi = wait_for("a publisher in the other worker", || {
        let hi = Publisher::endless(clip, &nginx.rtmp("hls/cam_hi"));
        let log = nginx.log();
        let count = log.matches("publishing while").count();
        wait_for("the publish", || {
            (nginx.log().matches("publishing while").count() > count).then_some(())
        });
        let log = nginx.log();
        let line = log.lines().rfind(|it| it.contains("publishing while")).unwrap();
        if line.contains(&format!(" {doomed}#")) {
            hi.stop();
            return None;
        }
        Some(hi)
    });
    wait_master(&nginx, &["_low", "_hi"]);
    nginx.allow("exited on signal 9");
    kill_process(Pid::from_raw(doomed).unwrap(), Signal::KILL).unwrap();
    wait_master(&nginx, &["_hi"]);
}
