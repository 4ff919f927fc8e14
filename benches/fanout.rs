//! What one message costs this program to pass on to 500 players, without the system calls.
//!
//! `cargo bench --no-default-features --bench fanout`

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ngx_rtmp_module::live::{Player, Stream, StreamConfig};
use ngx_rtmp_module::rtmp::chunk::Framing;
use ngx_rtmp_module::rtmp::{Message, MessageType};
use ngx_rtmp_module::time::Instant;

const PLAYERS: usize = 500;

/// What one system call takes, as in nginx.
const SLICES: usize = 64;

/// A picture of 5 Mbit/s at 25 frames a second.
const PICTURE: usize = 25_000;

/// Pictures in a group: 2 s.
const GROUP: u32 = 50;

criterion_group!(benches, fan_out);
criterion_main!(benches);

/// The messages of one turn of the event loop, serialised once and handed out to every player,
/// whose connection takes all of them or only a part.
fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanout/500 players");
    for messages in [1, 10] {
        for (name, taken) in [("whole", usize::MAX), ("half", PICTURE / 2)] {
            group.throughput(Throughput::Elements(u64::from(messages) * PLAYERS as u64));
            group.bench_function(BenchmarkId::new(name, messages), |bencher| {
                let mut source = Source::new();
                bencher.iter(|| source.turn(messages, taken));
            });
        }
    }
    group.finish();
}

struct Source {
    stream: Stream,
    players: Vec<Player>,
    pictures: u32,
}

impl Source {
    fn new() -> Self {
        let framing = Framing { chunk_size: 4096, repeat_extended_timestamp: true };
        let mut stream = Stream::new(Arc::new(StreamConfig::new(framing)));
        stream.publish(Instant::default()).expect("the stream is new");
        let players = (0..PLAYERS).map(|_| stream.play()).collect();
        Self { stream, players, pictures: 0 }
    }

    /// `messages` messages come; each player's connection takes `taken` bytes.
    fn turn(&mut self, messages: u32, taken: usize) {
        for _ in 0..messages {
            let picture = self.next_picture();
            self.stream.push(Instant::default(), picture);
        }
        let log = self.stream.log();
        for player in &mut self.players {
            let gathered: usize =
                player.gather(log).take(SLICES).map(|frame| black_box(frame).len()).sum();
            let sent = (player.partial().len() + gathered).min(taken);
            player.advance(log, sent);
        }
    }

    fn next_picture(&mut self) -> Message {
        let mut payload = vec![0; PICTURE];
        let is_key = self.pictures.is_multiple_of(GROUP);
        payload[..2].copy_from_slice(if is_key { b"\x17\x01" } else { b"\x27\x01" });
        let timestamp = self.pictures * 40;
        self.pictures += 1;
        Message { kind: MessageType::Video, timestamp, stream_id: 1, payload: Bytes::from(payload) }
    }
}
