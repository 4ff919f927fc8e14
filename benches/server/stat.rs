//! What it takes to tell of a full server, and how long that keeps everything else waiting.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::load::{Load, Player};
use super::media::Source;
use super::nginx::{Server, modules};
use super::report::Table;

const STREAMS: usize = 2000;
const PLAYERS: usize = 3000;

/// Time between two answers.
const PAUSE: Duration = Duration::from_millis(500);

/// Answer times, sizes, and the longest time that a small request waits meanwhile, of a server with
/// 2,000 streams and 5,000 clients.
pub fn stat(options: &Options) {
    let [ours, theirs] = modules();
    let columns = ["C module, XML", "ngx-rtmp, XML", "ngx-rtmp, JSON"];
    let mut table = Table::new("rtmp_stat of 2,000 streams and 5,000 clients", &columns);
    let rows =
        ["answer, ms", "answer, MB", "a small request, at most, ms", "the same, unasked, ms"];
    let mut figures = vec![vec![Vec::new(); columns.len()]; rows.len()];
    for (module, paths) in [(&theirs, &[(0, "stat")][..]), (&ours, &[(1, "stat"), (2, "json")])] {
        let server = Server::start(module, "", "");
        let mut load = Load::new(server.port);
        (0..STREAMS).for_each(|number| {
            load.publish(&format!("cam{number}"), Source::slow(20_000, 30));
        });
        load.start_all();
        (0..PLAYERS).for_each(|it| load.play(&format!("cam{}", it % STREAMS), Player::Drains));
        load.start_all();
        load.run(Duration::from_secs(5));
        for &(column, path) in paths {
            for _ in 0..options.pairs {
                let port = server.http_port;
                let idle = thread::spawn(move || probe_during(port, || thread::sleep(PAUSE)).1);
                let asker = thread::spawn(move || {
                    thread::sleep(PAUSE * 2);
                    probe_during(port, || ask(port, path))
                });
                load.run(PAUSE * 5);
                let ((time, bytes), longest) = asker.join().expect("an answer");
                let idle = idle.join().expect("a probe");
                let values = [time, bytes as f64 / 1e6, longest, idle];
                figures.iter_mut().zip(values).for_each(|(row, value)| row[column].push(value));
            }
        }
    }
    for (name, columns) in rows.iter().zip(figures) {
        table.row(name);
        for (column, values) in columns.into_iter().enumerate() {
            values.into_iter().for_each(|value| table.add(column, value));
        }
    }
    table.print();
}

/// The milliseconds that an answer takes, and its bytes.
fn ask(port: u16, path: &str) -> (f64, usize) {
    let begin = Instant::now();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    write!(connection, "GET /{path} HTTP/1.0\r\nHost: a\r\n\r\n").expect("to ask");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    (milliseconds(begin), answer.len())
}

/// What `work` gives, and the longest time in milliseconds that a small request took meanwhile.
fn probe_during<T>(port: u16, work: impl FnOnce() -> T) -> (T, f64) {
    let stops = Arc::new(AtomicBool::new(false));
    let probe = {
        let stops = Arc::clone(&stops);
        thread::spawn(move || {
            let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            connection.set_nodelay(true).expect("an option");
            let (mut longest, mut buffer) = (0.0_f64, [0; 1024]);
            while !stops.load(Ordering::Relaxed) {
                let begin = Instant::now();
                connection.write_all(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n").expect("to ask");
                assert!(connection.read(&mut buffer).expect("an answer") > 0);
                longest = longest.max(milliseconds(begin));
                thread::sleep(Duration::from_micros(200));
            }
            longest
        })
    };
    thread::sleep(Duration::from_millis(20));
    let result = work();
    stops.store(true, Ordering::Relaxed);
    (result, probe.join().expect("a probe"))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
