//! Commands that are run with streams, players and nginx, and when something happens.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::hls::{get, wait_playlist};
use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::process::children;
use crate::support::publisher::Publisher;
use crate::support::raw::Peer;
use crate::support::{wait_for, wait_until};

/// Writes its number and its words to the file that its first word names, and stays.
const STAY: &str = "out=$1; shift; { echo $$; for word; do echo \"<$word>\"; done; } >> $out
    exec sleep 1000";

/// The same, but ends at once.
const END: &str = "out=$1; shift; { echo $$; for word; do echo \"<$word>\"; done; } >> $out";

/// A directory with programs and what they write.
struct Tools(TempDir);

impl Tools {
    fn new() -> Self {
        let tools = Self(TempDir::new().expect("a directory"));
        tools.add("stay", STAY);
        tools.add("end", END);
        tools
    }

    fn add(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("to write a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("to allow it");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// nginx with `server`, in which `@tools@` stands for the directory.
    fn start(&self, server: &str) -> Nginx {
        self.start_conf(Conf::server(server))
    }

    fn start_conf(&self, conf: Conf) -> Nginx {
        let nginx = Nginx::start_conf(&self.fill(conf));
        // nginx collects children that it has not started, and says so.
        nginx.allow("unknown process");
        nginx
    }

    fn fill(&self, conf: Conf) -> Conf {
        let directory = self.0.path().to_str().expect("a path in UTF-8");
        let fill = |text: &str| text.replace("@tools@", directory);
        Conf { rtmp: fill(&conf.rtmp), server: fill(&conf.server), ..conf }
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The numbers of the processes that have written to a file.
    fn pids(&self, name: &str) -> Vec<u32> {
        self.lines(name).iter().filter_map(|line| line.parse().ok()).collect()
    }

    /// Those of them that are there, be it as zombies.
    fn alive(&self, name: &str) -> BTreeSet<u32> {
        let pids = self.pids(name).into_iter();
        pids.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect()
    }

    /// Waits for a process, the only one, and gives its number and words.
    #[track_caller]
    fn wait_words(&self, name: &str, count: usize) -> (u32, Vec<String>) {
        wait_for(&format!("{count} words in {name}"), || {
            let lines = self.lines(name);
            let (pid, words) = lines.split_first()?;
            (words.len() == count).then(|| (pid.parse().expect("a number"), words.to_vec()))
        })
    }

    #[track_caller]
    fn wait_gone(&self, name: &str) {
        wait_until(&format!("the end of {name}"), || self.alive(name).is_empty());
    }
}

#[test]
fn a_program_gets_its_words_and_ends_with_the_stream() {
    let tools = Tools::new();
    let nginx = tools.start(
        "application live {
            live on;
            exec @tools@/stay @tools@/out $name ${args}! 'a b' $app-$addr \\$name $nope $ '';
        }",
    );
    let name = "$(touch @tools@/x);&|`>y` 'z\"";
    let publisher = Peer::publish(nginx.rtmp_port(), "live", &format!("{name}?a=b&c=$d"));
    let (pid, words) = tools.wait_words("out", 8);
    let expected = [name, "a=b&c=$d!", "a b", "live-127.0.0.1", "$name", "", "$", ""]
        .map(|it| format!("<{it}>"));
    assert_eq!(words, expected);
    assert_eq!(children(nginx.workers()[0]).iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [pid]);
    drop(publisher);
    tools.wait_gone("out");
    assert!(!tools.path("x").exists());
    nginx.wait_log(&["/stay started, process"]);
    assert_eq!(tools.pids("out").len(), 1);
}

/// The signals 32 and 33, which are the C library's own.
const RESERVED: u64 = 3 << 31;

#[test]
fn a_program_has_nothing_of_nginx() {
    let tools = Tools::new();
    tools.add(
        "look",
        "null=$(readlink /proc/$$/fd/[01]); group=$(ps -o pgid= -p $$)
        printf '%s\\n' \"$null\" \"$group\" $$ > $1",
    );
    let nginx = tools.start(
        "respawn off;
        application live {
            live on;
            exec @tools@/look @tools@/managed; exec ls /proc/self/fd > @tools@/managed.fds;
            exec_publish @tools@/look @tools@/once; exec_publish ls /proc/self/fd > @tools@/once.fds;
            exec grep -E '^Sig(Blk|Ign)' /proc/self/status > @tools@/signals;
        }",
    );
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    // One that nobody manages has a pipe's other end, too, out of its way.
    for (out, hidden) in [("managed", 0), ("once", 1)] {
        wait_until("what it is", || tools.lines(out).len() == 4);
        let is = tools.lines(out);
        assert_eq!(is[..2], ["/dev/null", "/dev/null"]);
        assert_eq!(is[2].trim(), is[3]);
        // The third is the directory that is looked into.
        let has = || tools.lines(&format!("{out}.fds"));
        wait_until("descriptors", || has().len() >= 4 + hidden);
        let (high, low): (Vec<_>, Vec<_>) = has().into_iter().partition(|number| number.len() > 1);
        assert_eq!((low, high.len()), (["0", "1", "2", "3"].map(str::to_owned).to_vec(), hidden));
    }
    wait_until("its signals", || tools.lines("signals").len() == 2);
    for line in tools.lines("signals") {
        let (_, set) = line.split_once(":\t").expect("a set of signals");
        let set = u64::from_str_radix(set, 16).expect("a set of signals");
        assert_eq!(set & !RESERVED, 0, "{line}");
    }
}

#[test]
fn a_program_that_ends_is_run_again_unless_it_is_not_to() {
    let tools = Tools::new();
    let nginx = tools.start(
        "respawn_timeout 50ms;
        application live { live on; exec @tools@/end @tools@/again; }
        application once { live on; respawn off; exec @tools@/end @tools@/once; }
        application none { live on; exec /no/such/program; }",
    );
    let again = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let _once = Peer::publish(nginx.rtmp_port(), "once", "cam");
    let _none = Peer::publish(nginx.rtmp_port(), "none", "cam");
    wait_until("three runs", || tools.pids("again").len() >= 3);
    drop(again);
    nginx.wait_log(&["[error]", "/no/such/program not started", "No such file"]);
    wait_until("a second trial", || nginx.log().matches("/no/such/program not").count() >= 2);
    assert_eq!(tools.pids("once").len(), 1);
    tools.wait_gone("again");
}

#[test]
fn the_whole_group_is_asked_to_end() {
    let tools = Tools::new();
    tools.add(
        "polite",
        "out=$1; trap 'echo asked >> $out; exit' TERM
        sleep 1000 & echo $! >> $out; echo $$ >> $out; wait",
    );
    tools.add("deaf", "trap '' TERM; echo $$ >> $1; while :; do sleep 0.1; done");
    let nginx = tools.start(
        "exec_kill_signal term;
        application live {
            live on; exec @tools@/polite @tools@/one; exec @tools@/deaf @tools@/two; }",
    );
    let publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    wait_until("both", || tools.pids("one").len() == 2 && tools.pids("two").len() == 1);
    drop(publisher);
    tools.wait_gone("one");
    assert_eq!(tools.lines("one")[2..], ["asked"]);
    // It has some seconds.
    tools.wait_gone("two");
}

#[test]
fn programs_end_in_order_when_nginx_stops() {
    let tools = Tools::new();
    let polite =
        "trap 'echo asked > $1.end; exit' TERM; echo $$ >> $1; while :; do sleep 0.05; done";
    tools.add("polite", polite);
    let mut nginx = tools.start(
        "exec_kill_signal TERM; application live { live on; exec @tools@/polite @tools@/$name; }",
    );
    let names = ["one", "two", "three"];
    let publish = |name: &&str| Peer::publish(nginx.rtmp_port(), "live", name);
    let _publishers: Vec<_> = names.iter().map(publish).collect();
    wait_until("all of them", || names.iter().all(|name| tools.pids(name).len() == 1));
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    for name in names {
        assert_eq!(tools.lines(&format!("{name}.end")), ["asked"]);
        tools.wait_gone(name);
    }
}

#[test]
fn a_takeover_leaves_the_program() {
    let tools = Tools::new();
    let nginx = tools
        .start("application live { live on; publish_takeover on; exec @tools@/stay @tools@/out; }");
    let mut first = Peer::publish(nginx.rtmp_port(), "live", "cam");
    wait_until("the program", || tools.alive("out").len() == 1);
    let second = Peer::publish(nginx.rtmp_port(), "live", "cam");
    first.wait_closed();
    assert_eq!((tools.pids("out").len(), tools.alive("out").len()), (1, 1));
    drop(second);
    tools.wait_gone("out");
}

#[test]
fn output_goes_to_the_log_or_where_it_is_told_to() {
    let tools = Tools::new();
    tools.add("talk", "echo out; echo err >&2; printf 'last words' > /dev/stderr; cat");
    fs::write(tools.path("in"), "input\n").expect("to write a file");
    let nginx = tools.start(
        "application live {
            live on; respawn off;
            exec @tools@/talk;
            exec sh -c 'cat; echo three >&3; echo two >&2'
                <@tools@/in > @tools@/out-$name 2>&1 3>> @tools@/three;
        }",
    );
    fs::write(tools.path("three"), "first\n").expect("to write a file");
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "a/cam");
    nginx.wait_log(&["[notice]", "exec: ", "/talk ", ": err"]);
    nginx.wait_log(&["[notice]", ": last words"]);
    wait_until("the file", || tools.lines("out-a%2Fcam").len() == 2);
    assert_eq!(tools.lines("out-a%2Fcam"), ["input", "two"]);
    assert_eq!(tools.lines("three"), ["first", "three"]);
    assert!(!nginx.log().contains(": out"));
}

#[test]
fn a_redirection_that_cannot_be_is_told() {
    let tools = Tools::new();
    let nginx = tools.start(
        "application live {
            live on; respawn off; exec @tools@/end @tools@/out > /no/such/directory/file; }",
    );
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    nginx.wait_log(&["/end not started: redirecting descriptor 1 failed", "No such file"]);
    assert!(!tools.path("out").exists());
}

#[test]
fn events_run_programs_that_are_left_alone() {
    let tools = Tools::new();
    tools.add("long", "echo $$ >> $1; sleep 1; echo still here >&2; exec sleep 1000");
    let nginx = tools.start(
        "application live {
            live on;
            exec_publish @tools@/end @tools@/publish $name $args $app;
            exec_publish @tools@/long @tools@/long;
            exec_publish_done @tools@/end @tools@/publish_done $name $args $path;
            exec_play @tools@/end @tools@/play $name $args $addr;
            exec_play_done @tools@/end @tools@/play_done $name $args;
        }",
    );
    let publisher = Peer::publish(nginx.rtmp_port(), "live", "cam?key=1");
    assert_eq!(tools.wait_words("publish", 3).1, ["<cam>", "<key=1>", "<live>"]);
    let player = Peer::play(nginx.rtmp_port(), "live", "cam?who=me");
    assert_eq!(tools.wait_words("play", 3).1, ["<cam>", "<who=me>", "<127.0.0.1>"]);
    assert!(!tools.path("publish_done").exists() && !tools.path("play_done").exists());
    drop(player);
    assert_eq!(tools.wait_words("play_done", 2).1, ["<cam>", "<who=me>"]);
    drop(publisher);
    assert_eq!(tools.wait_words("publish_done", 3).1, ["<cam>", "<key=1>", "<>"]);
    // Not even the end of its worker is its own.
    wait_until("the program", || tools.pids("long").len() == 1);
    nginx.reload();
    wait_until("the end of the worker", || nginx.old_workers().is_empty());
    let status = |pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let pid = tools.pids("long")[0];
    wait_until("what it does after it has written", || status(pid).starts_with("sleep\0"));
    kill(pid, Signal::KILL);
}

#[test]
fn a_recorded_file_is_told_of_once_it_is_complete() {
    let tools = Tools::new();
    tools
        .add("seen", "out=$1; shift; { echo \"$@\"; stat -c %s $1; } > $out.new; mv $out.new $out");
    let words = "$path $filename $basename $dirname $recorder- $name $args";
    let mut nginx = tools.start(&format!(
        "application live {{
            live on; record all; record_path @prefix@/rec; record_suffix .x.flv;
            exec_record_started @tools@/end @tools@/started $path;
            exec_record_done @tools@/seen @tools@/done-$recorder {words};
            exec_publish_done @tools@/end @tools@/left;
            recorder sound {{
                record audio; record_suffix .sound.flv;
                exec_record_done @tools@/end @tools@/sound $filename;
            }}
        }}"
    ));
    Publisher::once(Clip::plain(), &nginx.live("cam?a=b")).finish();
    let directory = nginx.prefix().join("rec").display().to_string();
    for (recorder, base) in [("", "cam.x"), ("sound", "cam.sound")] {
        let out = format!("done-{recorder}");
        wait_until("the command", || tools.path(&out).exists());
        let path = format!("{directory}/{base}.flv");
        let size = fs::metadata(&path).expect("the file").len();
        let words = format!("{path} {base}.flv {base} {directory} {recorder}- cam a=b");
        assert_eq!(tools.lines(&out), [words, size.to_string()]);
    }
    assert_eq!(tools.wait_words("sound", 1).1, ["<cam.sound.flv>"]);
    wait_until("both beginnings", || tools.pids("started").len() == 2);

    fs::remove_file(tools.path("done-")).expect("to remove it");
    let _publisher = Publisher::endless(Clip::plain(), &nginx.live("other"));
    wait_until("both beginnings", || tools.pids("started").len() == 4);
    nginx.signal(Signal::TERM);
    nginx.wait_exit();
    wait_until("the command", || tools.path("done-").exists());
    assert!(tools.lines("done-")[0].contains("/other.x.flv "));
    wait_until("its end", || tools.pids("left").len() == 2);
}

#[test]
fn filters_choose_streams() {
    let tools = Tools::new();
    let nginx = tools.start(
        "exec_options on;
        application live {
            live on;
            exec @tools@/stay @tools@/some name=one name=two $name;
            exec @tools@/stay @tools@/all $name;
        }
        application off { live on; exec_options off; exec @tools@/stay @tools@/off name=one; }",
    );
    let names = ["one", "two", "three"];
    let port = nginx.rtmp_port();
    let _live: Vec<_> = names.iter().map(|name| Peer::publish(port, "live", name)).collect();
    let _off = Peer::publish(port, "off", "three");
    wait_until("those for all", || tools.pids("all").len() == 3);
    wait_until("those for some", || tools.pids("some").len() == 2);
    let words: BTreeSet<_> =
        tools.lines("some").into_iter().filter(|line| line.starts_with('<')).collect();
    assert_eq!(words, BTreeSet::from(["<one>".to_owned(), "<two>".to_owned()]));
    assert_eq!(tools.wait_words("off", 1).1, ["<name=one>"]);
}

#[test]
fn inner_commands_come_with_those_around_them() {
    let tools = Tools::new();
    let nginx = tools.start_conf(Conf {
        rtmp: "exec @tools@/stay @tools@/out main;".into(),
        server: "exec @tools@/stay @tools@/out server;
            application live { live on; exec @tools@/stay @tools@/out inner; }
            application other { live on; }"
            .into(),
        ..Conf::default()
    });
    let words = || {
        let lines = tools.lines("out").into_iter().filter(|line| line.starts_with('<'));
        lines.collect::<BTreeSet<_>>()
    };
    let publisher = Peer::publish(nginx.rtmp_port(), "other", "cam");
    wait_until("two", || words().len() == 2);
    drop(publisher);
    tools.wait_gone("out");
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    wait_until("three", || words().len() == 3);
}

/// Notes when another one of it is there.
const ALONE: &str = "exec 9> $1.lock; flock -n 9 || echo twice >> $1; echo $$ >> $1
    trap 'sleep 0.2; exit' TERM; while :; do sleep 0.1; done";

#[test]
fn a_static_program_runs_once_whatever_becomes_of_the_workers() {
    let tools = Tools::new();
    tools.add("alone", ALONE);
    let conf = tools.fill(Conf {
        workers: 4,
        ..Conf::server(
            "exec_kill_signal term; exec_static @tools@/alone @tools@/out $name;
            application live { live on; }",
        )
    });
    let mut nginx = tools.start_conf(conf);
    let next = |before: &BTreeSet<u32>| {
        wait_for("the next one", || {
            let alive = tools.alive("out");
            (alive.len() == 1 && alive.is_disjoint(before)).then_some(alive)
        })
    };
    let first = next(&BTreeSet::new());
    nginx.reload();
    let second = next(&first);
    nginx.reload();
    let third = next(&second);
    assert!(!tools.lines("out").contains(&"twice".to_owned()));
    // Whoever takes over cannot know how long the one before takes to end.
    let worker = worker_of(&nginx, *third.first().unwrap());
    nginx.allow("exited on signal 9");
    kill(worker, Signal::KILL);
    next(&third);
    nginx.signal(Signal::QUIT);
    nginx.wait_exit();
    assert!(tools.alive("out").is_empty(), "nginx waits for its programs");
}

#[test]
fn a_program_dies_with_its_worker() {
    let tools = Tools::new();
    let nginx = tools.start("application live { live on; exec @tools@/stay @tools@/out; }");
    let _publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    tools.wait_words("out", 0);
    nginx.allow("exited on signal 9");
    kill(nginx.workers()[0], Signal::KILL);
    tools.wait_gone("out");
    wait_until("a worker", || !nginx.workers().is_empty());
    let _publisher = wait_for("a publisher", || {
        let mut peer = Peer::open(nginx.rtmp_port(), "live");
        peer.ask_publish("cam");
        peer.wait_for("NetStream.Publish.").says("NetStream.Publish.Start").then_some(peer)
    });
    wait_until("another program", || tools.pids("out").len() == 2);
    nginx.signal(Signal::TERM);
    tools.wait_gone("out");
}

#[test]
fn a_reload_leaves_the_program_of_a_stream_that_goes_on() {
    let tools = Tools::new();
    let nginx = tools.start("application live { live on; exec @tools@/stay @tools@/out; }");
    let publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let (pid, _) = tools.wait_words("out", 0);
    nginx.reload();
    assert_eq!(worker_of(&nginx, pid), nginx.old_workers()[0]);
    drop(publisher);
    tools.wait_gone("out");
    wait_until("the end of the worker", || nginx.old_workers().is_empty());
}

#[test]
fn a_program_runs_from_the_first_player_to_the_last() {
    let tools = Tools::new();
    tools.add("alone", ALONE);
    let conf = Conf {
        workers: 4,
        ..Conf::server("application live { live on; exec_pull @tools@/alone @tools@/$app-$name; }")
    };
    let nginx = tools.start_conf(conf);
    let port = nginx.rtmp_port();
    let first = Peer::play(port, "live", "cam");
    wait_until("the program", || tools.alive("live-cam").len() == 1);
    let players: Vec<_> = (0..16).map(|_| Peer::play(port, "live", "cam")).collect();
    assert_eq!(tools.alive("live-cam").len(), 1);
    drop(first);
    wait_until("one program", || tools.alive("live-cam").len() == 1);
    drop(players);
    tools.wait_gone("live-cam");
    assert!(!tools.lines("live-cam").contains(&"twice".to_owned()));
}

#[test]
fn ffmpeg_makes_another_rendition_as_it_always_has() {
    let tools = Tools::new();
    let nginx = tools.start(
        "application src {
            live on;
            exec ffmpeg -loglevel warning -i rtmp://localhost:@port@/src/$name
                -c:v libx264 -preset ultrafast -g 25 -s 160x90 -c:a copy
                -f flv rtmp://localhost:@port@/hls/$name_low;
        }
        application hls { live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; }",
    );
    let publisher = Publisher::endless(Clip::plain(), &nginx.rtmp("src/cam"));
    let url = nginx.http("hls/cam_low.m3u8");
    wait_playlist("a segment", &url, |list| !list.segments.is_empty());
    let worker = nginx.workers()[0];
    assert_eq!(children(worker).len(), 1);
    publisher.stop();
    wait_until("the end of ffmpeg", || children(worker).is_empty());
    wait_playlist("the end", &url, |list| list.has_ended);
}

#[test]
fn ffmpeg_gets_a_stream_for_its_players() {
    let tools = Tools::new();
    let nginx = tools.start(
        "application src { live on; }
        application pulled {
            live on;
            exec_pull ffmpeg -loglevel warning -i rtmp://localhost:@port@/src/$name
                -c copy -f flv rtmp://localhost:@port@/$app/$name;
        }",
    );
    let clip = Clip::plain();
    let _publisher = Publisher::endless(clip, &nginx.rtmp("src/cam"));
    let player = Player::start(&nginx.rtmp("pulled/cam"));
    let frames = player.wait("two seconds", |frames| frames.video.len() > 2 * 25);
    assert_unbroken(&frames.video, &clip.frames.video);
    drop(player);
    let worker = nginx.workers()[0];
    wait_until("the end of ffmpeg", || children(worker).is_empty());
}

/// One of the configurations that the project began with.
#[test]
fn renditions_come_from_one_static_program() {
    let tools = Tools::new();
    let server = format!(
        "chunk_size 4000;
        application live {{
            live on; hls on; hls_path @prefix@/hls; hls_fragment 3; hls_playlist_length 60;
            hls_nested on; hls_variant _low BANDWIDTH=640000; hls_variant _hi BANDWIDTH=2140000;
            deny play all;
            exec_static ffmpeg -loglevel warning -re -stream_loop -1 -i {}
                -c:v libx264 -preset ultrafast -g 25 -s 160x90 -c:a aac -b:a 64k
                -f flv rtmp://localhost:@port@/live/cam_low
                -c copy -f flv rtmp://localhost:@port@/live/cam_hi;
        }}",
        Clip::plain().path.display()
    );
    let nginx = tools.start_conf(Conf { workers: 4, ..Conf::server(&server) });
    let master = wait_for("both renditions", || {
        let master = String::from_utf8(get(&nginx.http("hls/cam.m3u8"))?).expect("UTF-8");
        (master.matches("#EXT-X-STREAM-INF:").count() == 2).then_some(master)
    });
    for (bandwidth, size, uri) in
        [("640000", "160x90", "cam_low/index.m3u8"), ("2140000", "320x180", "cam_hi/index.m3u8")]
    {
        let (info, rest) = master.split_once(uri).expect("its address");
        assert!(rest.starts_with('\n'), "{master}");
        let info = info.lines().next_back().expect("what it is");
        assert!(info.contains(&format!("BANDWIDTH={bandwidth},")) && info.contains(size), "{info}");
        let url = nginx.http(&format!("hls/{uri}"));
        wait_playlist("a segment", &url, |list| !list.segments.is_empty());
    }
    let running: usize = nginx.workers().into_iter().map(|worker| children(worker).len()).sum();
    assert_eq!(running, 1);
    let mut refused = Peer::open(nginx.rtmp_port(), "live");
    refused.ask_play("cam_low");
    refused.wait_for("NetStream.Play.Failed");
}

/// The worker that has started a process.
fn worker_of(nginx: &Nginx, pid: u32) -> u32 {
    let workers = nginx.workers().into_iter().chain(nginx.old_workers());
    let has = |worker: &u32| children(*worker).iter().any(|(child, _)| *child == pid);
    workers.into_iter().find(has).expect("its worker")
}

fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid as i32).expect("a process");
    kill_process(pid, signal).expect("to signal it");
}
