//! The digests in handshake packets: HMAC-SHA256 under keys that everyone knows.
//!
//! Not in the specification; Flash Player since 9.0.115 and most encoders send them. A challenge
//! hides its digest at an offset that is the sum of four of its bytes, in one of two places:
//!
//! ```text
//!           0     4        8                          772                        1536
//!           +-----+--------+--------------------------+--------------------------+
//!   first   | time| version| offset, digest within    | Diffie-Hellman key,      |
//!   second  |     |        | Diffie-Hellman key, ...  | offset, digest within    |
//!           +-----+--------+--------------------------+--------------------------+
//! ```
//!
//! The response to it ends in a digest under a key that is itself the digest of the challenge's.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Packet;

/// An HMAC-SHA256.
pub(super) type Digest = [u8; DIGEST_LENGTH];

const DIGEST_LENGTH: usize = 32;

/// The name that begins a key. Challenges are signed with the name, responses with the whole key.
#[derive(Clone, Copy)]
pub(super) struct Key(&'static [u8]);

/// The key of clients.
pub(super) const PLAYER_KEY: Key = Key(b"Genuine Adobe Flash Player 001");

/// The key of servers.
pub(super) const SERVER_KEY: Key = Key(b"Genuine Adobe Flash Media Server 001");

/// What follows the name in either key.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

/// Where a challenge has its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// In the first half of the packet.
    First,
    /// In the second half.
    Second,
}

/// The digest of a peer's challenge.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: Scheme,
    pub(super) digest: Digest,
}

/// The digest in the challenge `packet`, signed with `key`, if it has one.
pub(super) fn find(key: Key, packet: &Packet) -> Option<Challenge> {
    [Scheme::First, Scheme::Second].into_iter().find_map(|scheme| {
        let digest = challenge_digest(key, scheme, packet);
        packet[scheme.digest_offset(packet)..]
            .starts_with(&digest)
            .then_some(Challenge { scheme, digest })
    })
}

/// Puts a digest into the challenge `packet`.
pub(super) fn sign_challenge(key: Key, scheme: Scheme, packet: &mut Packet) {
    let digest = challenge_digest(key, scheme, packet);
    let offset = scheme.digest_offset(packet);
    packet[offset..offset + DIGEST_LENGTH].copy_from_slice(&digest);
}

/// Puts a digest at the end of `packet`, the response to a challenge with the digest `challenge`.
pub(super) fn sign_response(key: Key, challenge: &Digest, packet: &mut Packet) {
    let key = hmac(&[key.0, &KEY_TAIL].concat(), &[challenge]);
    if let Some((filler, end)) = packet.split_last_chunk_mut() {
        *end = hmac(&key, &[filler]);
    }
}

impl Scheme {
    /// Where the digest of the challenge `packet` begins: at most 1503.
    fn digest_offset(self, packet: &Packet) -> usize {
        let base = match self {
            Self::First => 8,
            Self::Second => 772,
        };
        let sum: usize = packet[base..base + 4].iter().map(|byte| usize::from(*byte)).sum();
        base + 4 + sum % 728
    }
}

/// What the digest of the challenge `packet` ought to be: it covers all but itself.
fn challenge_digest(key: Key, scheme: Scheme, packet: &Packet) -> Digest {
    let (before, rest) = packet.split_at(scheme.digest_offset(packet));
    let (_, after) = rest.split_at(DIGEST_LENGTH);
    hmac(key.0, &[before, after])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
