//! The handshake (RTMP 1.0, 5.2), with or without the digests that Flash added to it.
//!
//! ```text
//!   client                                server
//!     |--- C0 version, C1 challenge -------->|   C1 and S1: time, version, filler
//!     |<-- S0 version, S1 challenge, --------|   C2 and S2: the peer's challenge echoed or,
//!     |    S2 response to C1                 |   if it carries a digest, signed
//!     |--- C2 response to S1 --------------->|
//! ```
//!
//! The digests prove nothing, as their keys are public, but some clients ask for them. A peer's
//! response is therefore taken as it is: many echo wrongly, and a recorded session can be replayed.

mod digest;

use bytes::{BufMut, BytesMut};

use self::digest::{Challenge, PLAYER_KEY, SERVER_KEY, Scheme};
use super::{Error, PeerMisbehaved, Unsupported};

/// The length of C1, C2, S1 and S2, in bytes.
const PACKET_LENGTH: usize = 1536;

/// C1, C2, S1 or S2.
type Packet = [u8; PACKET_LENGTH];

/// The version of the protocol, in C0 and S0.
const VERSION: u8 = 3;

/// The version of Flash Player that a client with digests claims, in C1: the first to send them.
const PLAYER_VERSION: [u8; 4] = [9, 0, 124, 2];

/// The version of Flash Media Server that a server with digests claims, in S1.
const SERVER_VERSION: [u8; 4] = [3, 5, 1, 1];

/// The version in the challenge of a peer without digests.
const NO_VERSION: [u8; 4] = [0; 4];

/// The server's side of the handshake.
pub struct ServerHandshake {
    peer: Peer,
    filler: Filler,
}

/// The client's side of the handshake.
pub struct ClientHandshake {
    peer: Peer,
    filler: Filler,
}

impl ServerHandshake {
    /// A handshake whose filler bytes are derived from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { peer: Peer::Version, filler: Filler(seed) }
    }

    /// Takes what is the handshake's off the front of `input`, appends what to send to `out`, and
    /// tells whether the handshake is complete. What is then left in `input` are chunks.
    ///
    /// # Errors
    ///
    /// [`PeerMisbehaved::Version`] or [`Unsupported::Encryption`], on the first byte.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        loop {
            match self.peer.receive(input)? {
                Received::Nothing => return Ok(false),
                Received::Challenge(c1) => self.answer(&c1, out),
                Received::Response => return Ok(true),
            }
        }
    }

    /// S0, S1 and S2, with digests if C1 has one.
    fn answer(&mut self, c1: &Packet, out: &mut BytesMut) {
        out.put_u8(VERSION);
        match digest::find(PLAYER_KEY, c1) {
            Some(Challenge { scheme, digest }) => {
                out.put_slice(&self.filler.signed_challenge(SERVER_VERSION, scheme, SERVER_KEY));
                out.put_slice(&self.filler.signed_response(SERVER_KEY, &digest));
            }
            None => {
                out.put_slice(&self.filler.challenge(NO_VERSION));
                out.put_slice(c1);
            }
        }
    }
}

impl ClientHandshake {
    /// A handshake whose filler bytes are derived from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { peer: Peer::Version, filler: Filler(seed) }
    }

    /// Appends C0 and C1, with a digest, to `out`: to be called once, at first.
    pub fn start(&mut self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        out.put_slice(&self.filler.signed_challenge(PLAYER_VERSION, Scheme::First, PLAYER_KEY));
    }

    /// Takes what is the handshake's off the front of `input`, appends what to send to `out`, and
    /// tells whether the handshake is complete. What is then left in `input` are chunks.
    ///
    /// # Errors
    ///
    /// [`PeerMisbehaved::Version`] or [`Unsupported::Encryption`], on the first byte.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        loop {
            match self.peer.receive(input)? {
                Received::Nothing => return Ok(false),
                Received::Challenge(s1) => self.answer(&s1, out),
                Received::Response => return Ok(true),
            }
        }
    }

    /// C2, signed if S1 has a digest.
    fn answer(&mut self, s1: &Packet, out: &mut BytesMut) {
        match digest::find(SERVER_KEY, s1) {
            Some(Challenge { digest, .. }) => {
                out.put_slice(&self.filler.signed_response(PLAYER_KEY, &digest));
            }
            None => out.put_slice(s1),
        }
    }
}

/// What is to come from the peer; the same for both sides.
enum Peer {
    /// C0 or S0.
    Version,
    /// C1 or S1.
    Challenge { received: Vec<u8> },
    /// C2 or S2.
    Response { missing: usize },
    /// Chunks.
    Complete,
}

/// What has come from the peer.
enum Received {
    /// Nothing whole; the input is used up.
    Nothing,
    /// C1 or S1.
    Challenge(Box<Packet>),
    /// C2 or S2, the last of the handshake.
    Response,
}

impl Peer {
    fn receive(&mut self, input: &mut &[u8]) -> Result<Received, Error> {
        match self {
            Self::Version => {
                let Some(version) = input.split_off_first() else { return Ok(Received::Nothing) };
                check_version(*version)?;
                *self = Self::Challenge { received: Vec::new() };
                self.receive(input)
            }
            Self::Challenge { received } => {
                received.extend_from_slice(take(PACKET_LENGTH - received.len(), input));
                let Ok(packet) = received.as_slice().try_into() else {
                    return Ok(Received::Nothing);
                };
                *self = Self::Response { missing: PACKET_LENGTH };
                Ok(Received::Challenge(Box::new(packet)))
            }
            Self::Response { missing } => {
                *missing -= take(*missing, input).len();
                if *missing > 0 {
                    return Ok(Received::Nothing);
                }
                *self = Self::Complete;
                Ok(Received::Response)
            }
            Self::Complete => Ok(Received::Response),
        }
    }
}

fn check_version(version: u8) -> Result<(), Error> {
    match version {
        VERSION => Ok(()),
        6 | 8 | 9 => Err(Unsupported::Encryption(version).into()),
        _ => Err(PeerMisbehaved::Version(version).into()),
    }
}

/// Takes `count` bytes off the front of `input`, or as many as there are.
fn take<'a>(count: usize, input: &mut &'a [u8]) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

/// Makes packets of pseudo-random bytes (SplitMix64); nothing depends on their being unpredictable.
struct Filler(u64);

impl Filler {
    /// C1 or S1 without a digest, at time zero.
    fn challenge(&mut self, version: [u8; 4]) -> Packet {
        let mut packet = self.packet();
        packet[..4].fill(0);
        packet[4..8].copy_from_slice(&version);
        packet
    }

    fn signed_challenge(&mut self, version: [u8; 4], scheme: Scheme, key: digest::Key) -> Packet {
        let mut packet = self.challenge(version);
        digest::sign_challenge(key, scheme, &mut packet);
        packet
    }

    /// C2 or S2 to a challenge that carries `digest`.
    fn signed_response(&mut self, key: digest::Key, digest: &digest::Digest) -> Packet {
        let mut packet = self.packet();
        digest::sign_response(key, digest, &mut packet);
        packet
    }

    fn packet(&mut self) -> Packet {
        let mut packet = [0; PACKET_LENGTH];
        for bytes in packet.chunks_exact_mut(8) {
            bytes.copy_from_slice(&self.next().to_be_bytes());
        }
        packet
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

    use super::*;

    const FFMPEG: &[u8] = include_bytes!("../../tests/fixtures/ffmpeg-publish.bin");
    const GSTREAMER: &[u8] = include_bytes!("../../tests/fixtures/gst-publish.bin");
    const OBS: &[u8] = include_bytes!("../../tests/fixtures/obs-publish.bin");
    const LIBRTMP: &[u8] = include_bytes!("../../tests/fixtures/rtmpdump-play.bin");
    const LIBRTMP_DIGEST: &[u8] = include_bytes!("../../tests/fixtures/rtmpdump-digest-play.bin");

    /// What a server answers to `input`, in pieces of `piece` bytes; whether that completes it, and
    /// what is left.
    fn serve(input: &[u8], piece: usize) -> Result<(BytesMut, bool, Vec<u8>), Error> {
        let mut server = ServerHandshake::new(1);
        let (mut out, mut complete, mut left) = (BytesMut::new(), false, Vec::new());
        for mut piece in input.chunks(piece) {
            complete = server.handle_input(&mut piece, &mut out)?;
            assert!(complete || piece.is_empty());
            left.extend_from_slice(piece);
        }
        Ok((out, complete, left))
    }

    fn packet(bytes: &[u8]) -> &Packet {
        bytes.try_into().unwrap()
    }

    fn c1(capture: &[u8]) -> &Packet {
        packet(&capture[1..=PACKET_LENGTH])
    }

    #[test]
    fn a_client_without_a_digest_gets_its_challenge_back() {
        for capture in [LIBRTMP, GSTREAMER, OBS] {
            let (out, complete, _) = serve(capture, capture.len()).unwrap();
            assert!(complete);
            assert_eq!(out.len(), 1 + 2 * PACKET_LENGTH);
            assert_eq!(out[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(&out[1 + PACKET_LENGTH..], c1(capture));
        }
    }

    #[test]
    fn a_client_with_a_digest_gets_signed_answers_in_its_scheme() {
        for scheme in [Scheme::First, Scheme::Second] {
            let c1 = Filler(2).signed_challenge(PLAYER_VERSION, scheme, PLAYER_KEY);
            let (out, _, _) = serve(&[&[3], &c1[..]].concat(), 4096).unwrap();
            let (s1, s2) = out[1..].split_at(PACKET_LENGTH);
            assert_eq!(digest::find(SERVER_KEY, packet(s1)).unwrap().scheme, scheme);

            let challenge = digest::find(PLAYER_KEY, &c1).unwrap();
            let mut signed = *packet(s2);
            digest::sign_response(SERVER_KEY, &challenge.digest, &mut signed);
            assert_eq!(signed, s2);
        }
    }

    #[test]
    fn the_digests_of_ffmpeg_and_librtmp_are_found() {
        for capture in [FFMPEG, LIBRTMP_DIGEST] {
            let challenge = digest::find(PLAYER_KEY, c1(capture)).unwrap();
            assert_eq!(challenge.scheme, Scheme::First);
            let mut spoilt = *c1(capture);
            spoilt[PACKET_LENGTH - 1] ^= 1;
            assert_eq!(digest::find(PLAYER_KEY, &spoilt), None);
        }
    }

    #[test]
    fn every_split_is_the_same_and_chunks_are_left_alone() {
        let input = &FFMPEG[..1 + 2 * PACKET_LENGTH + 10];
        let whole = serve(input, input.len()).unwrap();
        assert!(whole.1);
        assert_eq!(whole.2, input[1 + 2 * PACKET_LENGTH..]);
        for piece in 1..input.len() {
            assert_eq!(serve(input, piece).as_ref(), Ok(&whole), "pieces of {piece}");
        }
    }

    #[test]
    fn other_versions_are_refused_on_the_first_byte() {
        assert_eq!(serve(b"G", 1), Err(PeerMisbehaved::Version(b'G').into()));
        assert_eq!(serve(b"\x06", 1), Err(Unsupported::Encryption(6).into()));
        let mut client = ClientHandshake::new(0);
        let result = client.handle_input(&mut &b"\x08"[..], &mut BytesMut::new());
        assert_eq!(result, Err(Unsupported::Encryption(8).into()));
    }

    #[test]
    fn our_client_and_our_server_agree() {
        let (mut client, mut server) = (ClientHandshake::new(3), ServerHandshake::new(4));
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        client.start(&mut up);
        let c0c1 = up.split();
        assert_eq!(server.handle_input(&mut &c0c1[..], &mut down), Ok(false));
        assert_eq!(client.handle_input(&mut &down[..], &mut up), Ok(true));
        assert_eq!(server.handle_input(&mut &up[..], &mut down), Ok(true));
        let s1 = digest::find(SERVER_KEY, packet(&down[1..=PACKET_LENGTH])).unwrap();
        let mut signed = *packet(&up);
        digest::sign_response(PLAYER_KEY, &s1.digest, &mut signed);
        assert_eq!(signed, up[..]);
    }

    #[test]
    fn our_client_echoes_a_server_without_a_digest() {
        let mut client = ClientHandshake::new(5);
        let mut up = BytesMut::new();
        let down = [&[3], &[7; PACKET_LENGTH][..], &[8; PACKET_LENGTH], b"chunks"].concat();
        let mut input = &down[..];
        assert_eq!(client.handle_input(&mut input, &mut up), Ok(true));
        assert_eq!(up[..], [7; PACKET_LENGTH]);
        assert_eq!(input, b"chunks");
    }

    fn response_of(result: HandshakeProcessResult) -> (Vec<u8>, bool) {
        match result {
            HandshakeProcessResult::InProgress { response_bytes } => (response_bytes, false),
            HandshakeProcessResult::Completed { response_bytes, .. } => (response_bytes, true),
        }
    }

    #[test]
    fn rml_rtmp_verifies_our_server() {
        let mut peer = Handshake::new(PeerType::Client);
        let mut server = ServerHandshake::new(6);
        let mut down = BytesMut::new();
        let c0c1 = peer.generate_outbound_p0_and_p1().unwrap();
        assert_eq!(server.handle_input(&mut &c0c1[..], &mut down), Ok(false));
        let (c2, complete) = response_of(peer.process_bytes(&down).unwrap());
        assert!(complete);
        assert_eq!(server.handle_input(&mut &c2[..], &mut down), Ok(true));
    }

    #[test]
    fn rml_rtmp_verifies_our_client() {
        let mut peer = Handshake::new(PeerType::Server);
        let mut client = ClientHandshake::new(7);
        let mut up = BytesMut::new();
        client.start(&mut up);
        let (down, complete) = response_of(peer.process_bytes(&up.split()).unwrap());
        assert!(!complete);
        assert_eq!(client.handle_input(&mut &down[..], &mut up), Ok(true));
        let (_, complete) = response_of(peer.process_bytes(&up).unwrap());
        assert!(complete);
    }
}
