//! The kernel's floor: a bare program that sends the bytes of a stream to as many sockets, gathered
//! over the same time, and does nothing else.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ngx_rtmp_module::rtmp::MessageType;
use ngx_rtmp_module::rtmp::chunk::{Framing, csid};

use super::media::Source;

/// From one tick to the next, in milliseconds: a window's turns are spread over its ticks.
const TICK: usize = 10;

/// Sends to `players` connections that come to `port`, until the first one is closed.
pub fn serve(port: u16, players: usize, window: Duration) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let mut connections: Vec<TcpStream> = (0..players)
        .map(|_| {
            let (stream, _) = listener.accept().expect("a connection");
            stream.set_nodelay(true).expect("an option");
            stream.set_nonblocking(true).expect("an option");
            stream
        })
        .collect();
    let ticks = (window.as_millis() as usize / TICK).max(1);
    let (begin, mut source) = (Instant::now(), Source::new(super::BITS_PER_SECOND));
    let framing = Framing { chunk_size: 4096, repeat_extended_timestamp: true };
    // What the stream has had so far, and up to where the connections of each tick have got it.
    let mut log = BytesMut::new();
    let (mut sent, mut tick) = (vec![0; ticks], 0);
    loop {
        let now = begin.elapsed().as_micros() as u64;
        while source.due() <= now {
            for message in source.next(now) {
                let csid =
                    if message.kind == MessageType::Video { csid::VIDEO } else { csid::AUDIO };
                framing.encode(csid, &message, &mut log);
            }
        }
        let turn = tick % ticks;
        let due = match window.is_zero() {
            true => begin + Duration::from_micros(source.due()),
            false => begin + Duration::from_millis((tick * TICK) as u64),
        };
        for connection in connections.iter_mut().skip(turn).step_by(ticks) {
            if connection.write(&log[sent[turn]..]).is_err() {
                return;
            }
        }
        sent[turn] = log.len();
        if log.len() > 16 << 20 {
            let all = sent.iter().copied().min().unwrap_or(0);
            log.advance(all);
            sent.iter_mut().for_each(|it| *it -= all);
        }
        tick += 1;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
