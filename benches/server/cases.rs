//! What is measured.

use std::process::Command;
use std::time::{Duration, Instant};

use super::load::{Load, Player};
use super::media::Source;
use super::nginx::{Server, cpu_of, free_port, modules};
use super::report::{Table, percentile};
use super::{BITS_PER_SECOND, Options};

/// Time for connections and buffers to settle.
const SETTLE: Duration = Duration::from_secs(3);

/// What our module is tried with beside its default.
const WINDOWS: [&str; 3] = ["0", "auto", "100"];

/// Processor seconds per GB delivered, by players.
pub fn fanout(options: &Options) {
    let [ours, theirs] = modules();
    let columns =
        ["C module", "send_window 0", "auto", "100", "floor, each message", "floor, 100 ms"];
    let mut table = Table::new("fan-out: server CPU-seconds per GB, by players", &columns);
    for &players in &options.players {
        table.row(&players.to_string());
        for _ in 0..options.pairs {
            let run = |server: &Server| fan_out_once(server, players, options.time);
            table.add(0, run(&Server::start(&theirs, "", "")));
            for (column, window) in (1..).zip(WINDOWS) {
                let setting = format!("send_window {window};");
                table.add(column, run(&Server::start(&ours, &setting, "")));
            }
            for (column, window) in [(4, 0), (5, 100)] {
                table.add(column, floor_once(players, window, options.time));
            }
        }
    }
    table.print();
}

fn fan_out_once(server: &Server, players: usize, time: Duration) -> f64 {
    let mut load = Load::new(server.port);
    load.publish("cam", Source::new(BITS_PER_SECOND));
    load.start_all();
    load.run(Duration::from_millis(200));
    (0..players).for_each(|_| load.play("cam", Player::Drains));
    load.start_all();
    per_gigabyte(&mut load, time, || server.cpu())
}

fn floor_once(players: usize, window: u64, time: Duration) -> f64 {
    let port = free_port();
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(["--floor", &port.to_string(), &players.to_string(), &window.to_string()])
        .spawn()
        .expect("the floor");
    let mut load = Load::new(port);
    (0..players).for_each(|_| load.drain());
    let cost = per_gigabyte(&mut load, time, || cpu_of(child.id()));
    let _ = child.kill();
    let _ = child.wait();
    cost
}

/// Lets the load run; what `cpu` counted meanwhile, by what came. Says when the load had too much to
/// do itself.
fn per_gigabyte(load: &mut Load, time: Duration, cpu: impl Fn() -> f64) -> f64 {
    load.run(SETTLE);
    load.forget();
    let (before, own) = (cpu(), own_cpu());
    load.run(time);
    let spent = cpu() - before;
    let share = (own_cpu() - own) / time.as_secs_f64();
    if share > 0.9 {
        eprintln!("the load used {:.0}% of its processor", share * 100.0);
    }
    spent / (load.received as f64 / 1e9)
}

/// Processor seconds per second of publishers without players, and with HLS.
pub fn ingest(options: &Options) {
    let [ours, theirs] = modules();
    let mut table = Table::new("ingest: server CPU, percent", &["C module", "ngx-rtmp"]);
    let hls = "hls on; hls_path @prefix@/hls; hls_fragment 2s;";
    for (name, count, rate, application) in [
        ("200 publishers of 200 kbit/s", 200, 200_000, ""),
        ("50 publishers of 1 Mbit/s with HLS", 50, 1_000_000, hls),
    ] {
        table.row(name);
        for _ in 0..options.pairs {
            for (column, module) in [&theirs, &ours].into_iter().enumerate() {
                let server = Server::start(module, application, "");
                let mut load = Load::new(server.port);
                (0..count)
                    .for_each(|number| load.publish(&format!("cam{number}"), Source::new(rate)));
                load.start_all();
                load.run(SETTLE);
                let before = server.cpu();
                load.run(options.time);
                table.add(column, (server.cpu() - before) / options.time.as_secs_f64() * 100.0);
            }
        }
    }
    table.print();
}

/// Resident memory of a connection, in KiB.
pub fn memory(options: &Options) {
    let [ours, theirs] = modules();
    let mut table = Table::new("memory: KiB resident per connection", &["C module", "ngx-rtmp"]);
    for (name, plays) in [("player", true), ("publisher", false)] {
        table.row(name);
        for _ in 0..options.pairs {
            for (column, module) in [&theirs, &ours].into_iter().enumerate() {
                let server = Server::start(module, "", "");
                let mut load = Load::new(server.port);
                load.publish("cam", Source::new(BITS_PER_SECOND));
                load.start_all();
                load.run(SETTLE);
                let before = server.resident();
                for number in 0..1000 {
                    match plays {
                        true => load.play("cam", Player::Drains),
                        false => load.publish(&format!("cam{number}"), Source::new(20_000)),
                    }
                }
                load.start_all();
                load.run(SETTLE);
                table.add(column, (server.resident() - before) as f64 / 1000.0 / 1024.0);
            }
        }
    }
    table.print();
}

/// From a publisher's send to a player's receipt, in milliseconds.
pub fn latency(options: &Options) {
    let [ours, theirs] = modules();
    let columns = ["C module", "send_window 0", "auto", "100"];
    let mut p50 = Table::new("latency: p50, ms, by players", &columns);
    let mut p99 = Table::new("latency: p99, ms, by players", &columns);
    for (players, stalled) in [(1, 0), (200, 0), (500, 0), (500, 10), (1000, 0)] {
        let name = match stalled {
            0 => players.to_string(),
            _ => format!("{players}, {stalled} of them not reading"),
        };
        p50.row(&name);
        p99.row(&name);
        for _ in 0..options.pairs {
            let settings = WINDOWS.map(|window| format!("send_window {window};"));
            let servers = std::iter::once((&theirs, String::new()))
                .chain(settings.into_iter().map(|setting| (&ours, setting)));
            for (column, (module, setting)) in servers.enumerate() {
                let server = Server::start(module, &setting, "");
                let latencies = latencies_once(&server, players, stalled, options.time);
                for (table, percent) in [(&mut p50, 50), (&mut p99, 99)] {
                    if let Some(value) = percentile(&latencies, percent) {
                        table.add(column, value);
                    }
                }
            }
        }
    }
    p50.print();
    p99.print();
}

fn latencies_once(server: &Server, players: usize, stalled: usize, time: Duration) -> Vec<f64> {
    let mut load = Load::new(server.port);
    load.publish("cam", Source::new(BITS_PER_SECOND));
    load.start_all();
    for number in 0..players {
        load.play(
            "cam",
            match number {
                number if number < stalled => Player::Stalls,
                number if number % (players / 20).max(1) == 0 => Player::Measures,
                _ => Player::Drains,
            },
        );
    }
    load.start_all();
    load.run(SETTLE);
    load.forget();
    load.run(time);
    load.latencies.iter().map(|&micros| micros as f64 / 1000.0).collect()
}

/// How fast connections come to play.
pub fn connect(options: &Options) {
    let [ours, theirs] = modules();
    let columns = ["C module", "ngx-rtmp"];
    let mut rate = Table::new("connections per second, up to Play.Start", &columns);
    let mut first = Table::new("first picture, ms after connecting", &columns);
    rate.row("1000 at once");
    first.row("one after the other, gop_cache as by default");
    for _ in 0..options.pairs {
        for (column, module) in [&theirs, &ours].into_iter().enumerate() {
            let server = Server::start(module, "", "");
            let mut load = Load::new(server.port);
            let begin = Instant::now();
            (0..1000).for_each(|_| load.play("none", Player::Drains));
            load.start_all();
            rate.add(column, 1000.0 / begin.elapsed().as_secs_f64());
            let times = first_pictures_once(&server);
            percentile(&times, 50).into_iter().for_each(|value| first.add(column, value));
        }
    }
    rate.print();
    first.print();
}

fn first_pictures_once(server: &Server) -> Vec<f64> {
    let mut load = Load::new(server.port);
    load.publish("cam", Source::new(BITS_PER_SECOND));
    load.start_all();
    load.run(Duration::from_millis(2500));
    for _ in 0..20 {
        load.play("cam", Player::Measures);
        load.run(Duration::from_millis(130));
    }
    load.run(Duration::from_secs(2));
    load.first_pictures.iter().map(|&micros| micros as f64 / 1000.0).collect()
}

fn own_cpu() -> f64 {
    cpu_of(std::process::id())
}
