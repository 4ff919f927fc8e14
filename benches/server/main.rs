//! Our module beside the C module of Debian's package, and the kernel's floor: what a server costs
//! under load. `scripts/bench` runs it; benches/README.md has the results.
//!
//! ```text
//! scripts/bench [fanout|ingest|memory|latency|connect|stat]... [--players N]... [--pairs N] [--seconds N]
//! ```

// The ban on clocks and files is for what is under test.
#![allow(clippy::disallowed_methods, missing_docs)]

mod cases;
mod floor;
mod load;
mod media;
mod nginx;
mod report;
mod stat;

use std::time::Duration;

/// What a stream has.
pub const BITS_PER_SECOND: u64 = 2_500_000;

/// What to run, and how long.
pub struct Options {
    pub cases: Vec<String>,
    pub players: Vec<usize>,
    pub pairs: usize,
    pub time: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let [floor, port, players, window] = &arguments[..]
        && floor == "--floor"
    {
        let window = Duration::from_millis(window.parse().expect("milliseconds"));
        return floor::serve(
            port.parse().expect("a port"),
            players.parse().expect("a number"),
            window,
        );
    }
    let options = parse(&arguments);
    for case in &options.cases {
        match case.as_str() {
            "fanout" => cases::fanout(&options),
            "ingest" => cases::ingest(&options),
            "memory" => cases::memory(&options),
            "latency" => cases::latency(&options),
            "connect" => cases::connect(&options),
            "stat" => stat::stat(&options),
            other => panic!("unknown case {other}"),
        }
    }
}

fn parse(arguments: &[String]) -> Options {
    let mut options =
        Options { cases: Vec::new(), players: Vec::new(), pairs: 5, time: Duration::from_secs(10) };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|it| it.parse().ok()).expect("a number");
        match word.as_str() {
            "--players" => options.players.push(number()),
            "--pairs" => options.pairs = number(),
            "--seconds" => options.time = Duration::from_secs(number() as u64),
            case => options.cases.push(case.to_owned()),
        }
    }
    if options.cases.is_empty() {
        options.cases =
            ["fanout", "ingest", "memory", "latency", "connect", "stat"].map(String::from).into();
    }
    if options.players.is_empty() {
        options.players = vec![1, 100, 500, 1000];
    }
    options
}
