//! Peers that break the rules: nobody else may notice.

use std::collections::HashSet;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::support::media::{Clip, assert_unbroken, flv_tags};
use crate::support::nginx::Nginx;
use crate::support::player::Player;
use crate::support::process::resident_kib;
use crate::support::publisher::Publisher;
use crate::support::raw::{Peer, VIDEO, capture, chunks, closes_within, connect, dial, hello};

const CAPTURES: [&str; 8] = [
    "ffmpeg-publish.bin",
    "ffmpeg-play.bin",
    "ffmpeg9-hevc-publish.bin",
    "gst-publish.bin",
    "gst-play.bin",
    "obs-publish.bin",
    "rtmpdump-play.bin",
    "rtmpdump-digest-play.bin",
];

/// A stream on which an attack on the same worker must leave no trace.
struct Witness {
    nginx: Nginx,
    workers: Vec<u32>,
    player: Player,
    _publisher: Publisher,
}

impl Witness {
    /// Starts nginx with timeouts of `timeout` and a stream that plays.
    #[track_caller]
    fn start(timeout: &str) -> Self {
        let nginx = Nginx::start(&format!(
            "timeout {timeout};
             application witness {{ live on; }}
             application live {{ live on; hls on; hls_path @prefix@/hls; hls_fragment 1s; }}"
        ));
        let url = nginx.rtmp("witness/cam");
        let player = Player::start(&url);
        let publisher = Publisher::endless(Clip::plain(), &url);
        player.wait_video(10);
        Self { workers: nginx.workers(), nginx, player, _publisher: publisher }
    }

    fn port(&self) -> u16 {
        self.nginx.rtmp_port()
    }

    /// Asserts that the worker is the same and the stream has gone on without a gap.
    #[track_caller]
    fn assert_undisturbed(self) {
        let frames = self.player.wait_more(25);
        assert_unbroken(&frames.video, &Clip::plain().frames.video);
        assert_unbroken(&frames.audio, &Clip::plain().frames.audio);
        assert_eq!(self.nginx.workers(), self.workers);
    }
}

#[test]
fn garbage() {
    let witness = Witness::start("2s");
    let mut random = Random(1);
    for _ in 0..50 {
        // What the server does not want to read it may refuse, at any byte.
        let _ = dial(witness.port()).write_all(&random.bytes(65536));
    }
    for _ in 0..50 {
        Peer::connect(witness.port()).send_bytes(&random.bytes(65536));
        Peer::open(witness.port(), "live").send_bytes(&random.bytes(65536));
        Peer::publish(witness.port(), "live", "cam").send_bytes(&random.bytes(65536));
    }
    witness.assert_undisturbed();
}

#[test]
fn unknown_version_is_closed_at_once() {
    let witness = Witness::start("60s");
    for version in [0, 1, 6, 31, 255] {
        let mut stream = dial(witness.port());
        let mut bytes = hello();
        bytes[0] = version;
        let _ = stream.write_all(&bytes);
        assert!(closes_within(&mut stream, Duration::from_secs(5)), "version {version}");
    }
    witness.assert_undisturbed();
}

#[test]
fn connections_cut_at_any_byte() {
    let witness = Witness::start("2s");
    for (index, name) in CAPTURES.iter().enumerate() {
        let whole = capture(name);
        // Steps that have no factor in common with anything in the protocol.
        for cut in (index..whole.len()).step_by(whole.len() / 61) {
            let mut stream = dial(witness.port());
            let _ = stream.write_all(&whole[..cut]);
            if cut % 2 == 0 {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
    witness.assert_undisturbed();
}

#[test]
fn captures_with_wrong_bits() {
    let witness = Witness::start("2s");
    let mut random = Random(2);
    for name in CAPTURES {
        let whole = capture(name);
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(8) {
                // Behind the handshake, which has little to go wrong.
                let at = 3073 + random.below(bytes.len() - 3073);
                bytes[at] ^= 1 << random.below(8);
            }
            let _ = dial(witness.port()).write_all(&bytes);
        }
    }
    witness.assert_undisturbed();
}

#[test]
fn handshakes_that_stop_half_way_time_out() {
    let witness = Witness::start("1s");
    let hello = hello();
    let mut streams: Vec<TcpStream> = [0, 1, 2, 700, 1536, 1537]
        .iter()
        .map(|&count| {
            let mut stream = dial(witness.port());
            stream.write_all(&hello[..count]).unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        assert!(closes_within(stream, Duration::from_secs(10)));
    }
    witness.assert_undisturbed();
}

#[test]
fn connections_that_say_nothing_time_out() {
    let witness = Witness::start("2s");
    let mut silent: Vec<TcpStream> = (0..200).map(|_| dial(witness.port())).collect();
    // Others still get in.
    Peer::publish(witness.port(), "live", "cam");
    for stream in &mut silent {
        assert!(closes_within(stream, Duration::from_secs(20)));
    }
    witness.assert_undisturbed();
}

#[test]
fn publishers_cut_within_a_message() {
    let witness = Witness::start("60s");
    let message = chunks(6, VIDEO, 1, 0, &[0x17; 10_000], 128);
    for index in 0..40 {
        // The name is free again each time.
        let mut peer = Peer::publish(witness.port(), "live", "cam");
        peer.send_bytes(&message[..message.len() * index / 40]);
    }
    witness.assert_undisturbed();
}

#[test]
fn messages_longer_than_allowed_are_refused() {
    let witness = Witness::start("60s");
    for kind in [1, 3, 4, 5, 8, 9, 15, 17, 18, 20, 22] {
        let mut peer = Peer::publish(witness.port(), "live", "cam");
        let mut header = chunks(6, kind, 1, 0, &[], 128);
        header[4..7].fill(0xff);
        peer.send_bytes(&header);
        peer.send_bytes(&[0; 128]);
        assert!(closes_within(peer.stream(), Duration::from_secs(5)), "type {kind}");
    }
    witness.assert_undisturbed();
}

#[test]
fn announced_sizes_cost_no_memory() {
    let witness = Witness::start("60s");
    let before = resident_kib(witness.workers[0]);
    // A hundred peers that each begin as many messages as there are chunk streams, of 1 MiB less
    // one byte, and send 128 bytes of each.
    let peers: Vec<Peer> = (0..100)
        .map(|index| {
            let mut peer = Peer::publish(witness.port(), "live", &format!("cam{index}"));
            for csid in 4..32 {
                let message = chunks(csid, VIDEO, 1, 0, &[0x17; 128], 128);
                let length = 0x0f_ffff_u32.to_be_bytes();
                peer.send_bytes(&[&message[..4], &length[1..], &message[7..]].concat());
            }
            peer
        })
        .collect();
    // 100 x 28 x 1 MiB would be 2.8 GB.
    let after = resident_kib(witness.workers[0]);
    assert!(after - before < 100_000, "{before} KiB before, {after} KiB after");
    drop(peers);
    witness.assert_undisturbed();
}

#[test]
fn one_byte_at_a_time() {
    let witness = Witness::start("60s");
    let mut stream = dial(witness.port());
    for byte in capture("rtmpdump-play.bin") {
        stream.write_all(&[byte]).expect("the server to take each byte");
    }
    witness.assert_undisturbed();
}

#[test]
fn commands_out_of_order() {
    let witness = Witness::start("60s");
    let commands: [&[u8]; 6] = [
        b"\x02\x00\x07publish\x00\0\0\0\0\0\0\0\0\x05\x02\x00\x03cam\x02\x00\x04live",
        b"\x02\x00\x04play\x00\0\0\0\0\0\0\0\0\x05\x02\x00\x03cam",
        b"\x02\x00\x0cdeleteStream\x00\0\0\0\0\0\0\0\0\x05\x00\xff\xf0\0\0\0\0\0\0",
        b"\x02\x00\x0bcloseStream\x00\0\0\0\0\0\0\0\0\x05",
        b"\x02\x00\x04seek\x00\0\0\0\0\0\0\0\0\x05\x00\x7f\xf8\0\0\0\0\0\0",
        b"\x02\x00\x05pause\x00\0\0\0\0\0\0\0\0\x05\x01\x01",
    ];
    for first in commands {
        for second in commands {
            let mut peer = Peer::connect(witness.port());
            for (stream, command) in
                [(1, first), (7, second), (0, &connect("live")[..]), (1, first)]
            {
                peer.send_bytes(&chunks(3, 20, stream, 0, command, 128));
            }
        }
    }
    witness.assert_undisturbed();
}

#[test]
fn player_that_stops_reading_disturbs_nobody() {
    let nginx = Nginx::start("max_message 4m; application live { live on; }");
    let (clip, url) = (Clip::large(), nginx.live("cam"));
    let stalled = Peer::play(nginx.rtmp_port(), "live", "cam");
    let player = Player::start(&url);
    Publisher::once(clip, &url).finish();
    let last = clip.frames.video.last();
    let frames = player.wait("the last picture", |frames| frames.video.last() == last);
    assert_unbroken(&frames.video, &clip.frames.video);
    assert!(frames.video.len() > 40, "{} pictures", frames.video.len());
    drop(stalled);
}

#[test]
fn player_that_reads_again_goes_on_with_whole_frames() {
    let nginx = Nginx::start("max_message 4m; application live { live on; }");
    let (clip, url) = (Clip::large(), nginx.live("cam"));
    let mut stalled = Peer::play(nginx.rtmp_port(), "live", "cam");
    let player = Player::start(&url);
    let _publisher = Publisher::endless(clip, &url);
    // Five seconds are 25 MB, more than the kernel and the server keep for one player.
    player.wait_video(125);
    check_skips(&mut stalled, clip);
}

/// Asserts that a player of the endless `clip` that reads again after a stall gets whole frames, and
/// not those that it was too late for.
#[track_caller]
pub fn check_skips(stalled: &mut Peer, clip: &Clip) {
    let sent: HashSet<Vec<u8>> = flv_tags(&clip.path).into_iter().map(|tag| tag.2).collect();
    let mut times = Vec::new();
    while times.len() < 60 || times.last() < Some(&5000) {
        let message = stalled.receive().expect("the stream to go on");
        if message.kind == VIDEO {
            assert!(sent.contains(&message.payload), "not a frame at {}", message.timestamp);
            times.push(message.timestamp);
        }
    }
    assert!(times.is_sorted());
    let skipped = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(skipped > Some(1000), "nothing was skipped: {times:?}");
}

/// A generator of numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
