//! Chunks read and written: two seconds of a publisher's stream.
//!
//! `cargo bench --no-default-features --bench chunk`

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ngx_rtmp_module::rtmp::chunk::{ChunkReader, Framing, ReaderConfig, csid};
use ngx_rtmp_module::rtmp::{Message, MessageType};

/// The chunk sizes of ffmpeg's default, of OBS, and of a server that spares itself work.
const CHUNK_SIZES: [u32; 3] = [128, 4096, 65536];

/// As much as comes from a socket at once.
const RECEIVED: usize = 64 << 10;

criterion_group!(benches, write, read);
criterion_main!(benches);

fn write(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group("chunk/write");
    group.throughput(Throughput::Bytes(payload_len(&messages)));
    for chunk_size in CHUNK_SIZES {
        group.bench_function(BenchmarkId::from_parameter(chunk_size), |bencher| {
            bencher.iter(|| encode(chunk_size, &messages));
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group("chunk/read");
    group.throughput(Throughput::Bytes(payload_len(&messages)));
    for chunk_size in CHUNK_SIZES {
        let input = encode(chunk_size, &messages).concat();
        group.bench_function(BenchmarkId::from_parameter(chunk_size), |bencher| {
            bencher.iter(|| decode(chunk_size, &input));
        });
    }
    group.finish();
}

/// Each message in a buffer of its own, as for a frame log.
fn encode(chunk_size: u32, messages: &[(u32, Message)]) -> Vec<Bytes> {
    let framing = Framing { chunk_size, repeat_extended_timestamp: true };
    let encode = |(csid, message): &(u32, Message)| {
        let mut out = BytesMut::new();
        framing.encode(*csid, message, &mut out);
        out.freeze()
    };
    messages.iter().map(encode).collect()
}

fn decode(chunk_size: u32, input: &[u8]) {
    let config =
        ReaderConfig { max_message: 1 << 20, max_streams: 32, fix_extended_timestamp: true };
    let mut reader = ChunkReader::new(config);
    reader.set_chunk_size(chunk_size).expect("the size is valid");
    for mut received in input.chunks(RECEIVED) {
        while let Some(message) = reader.read(&mut received).expect("the chunks are ours") {
            black_box(message);
        }
    }
}

/// 25 pictures and 47 packets of sound a second, 6 Mbit/s with a keyframe every second.
fn messages() -> Vec<(u32, Message)> {
    let pictures = (0..50).map(|number| {
        let length = if number % 25 == 0 { 150_000 } else { 24_000 };
        (csid::VIDEO, message(MessageType::Video, number * 40, length))
    });
    let sounds =
        (0..94).map(|number| (csid::AUDIO, message(MessageType::Audio, number * 64 / 3, 340)));
    let mut messages: Vec<_> = pictures.chain(sounds).collect();
    messages.sort_by_key(|(_, message)| message.timestamp);
    messages
}

fn message(kind: MessageType, timestamp: u32, length: usize) -> Message {
    Message { kind, timestamp, stream_id: 1, payload: Bytes::from(vec![0x5a; length]) }
}

fn payload_len(messages: &[(u32, Message)]) -> u64 {
    messages.iter().map(|(_, message)| message.payload.len() as u64).sum()
}
