//! Tokens by which a client may publish or play without any server being asked: the directives
//! `publish_secret` and `play_secret`.
//!
//! A stream's query holds `e`, the second of Unix time up to which the token is good, and `st`, the
//! HMAC-SHA256 in hexadecimal digits, under the secret, of
//!
//! ```text
//! publish|play EXPIRY ADDRESS|- APPLICATION/NAME
//! ```
//!
//! A token is for a client of one address if the query holds `a=1`, and for every client, with `-`
//! in the address's place, if it does not. The name comes last: it is the one part that may hold a
//! space.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Action;
use crate::time::UnixMillis;

/// What tokens are made with.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

/// The secrets of an application, as far as it has any.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// What publishers need a token of.
    pub publish: Option<Secret>,
    /// What players need a token of.
    pub play: Option<Secret>,
}

/// What a client wants to do that needs a token.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Publish or play.
    pub action: Action,
    /// The application's name.
    pub application: &'a str,
    /// The stream's name, without its query.
    pub name: &'a str,
    /// The client's address, `None` for a unix socket.
    pub client: Option<IpAddr>,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("no token")]
    Missing,
    /// It was good.
    #[error("expired token")]
    Expired,
    /// It is of another secret, stream, time or address.
    #[error("wrong token")]
    Wrong,
}

impl Secrets {
    /// Checks the token in `args`, the stream's query, at the time `now`, if one is needed.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the token does not let the client do what it requests.
    pub fn check(&self, request: Request<'_>, args: &str, now: UnixMillis) -> Result<(), Refusal> {
        let secret = match request.action {
            Action::Publish => &self.publish,
            Action::Play => &self.play,
        };
        secret.as_ref().map_or(Ok(()), |secret| secret.check(request, args, now))
    }
}

impl Secret {
    /// The secret with the key `key`, of any length.
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    fn check(&self, request: Request<'_>, args: &str, now: UnixMillis) -> Result<(), Refusal> {
        let value = |name: &str| {
            let mut fields = args.split('&').filter_map(|field| field.split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (Some(expiry), Some(tag)) = (value("e"), value("st")) else {
            return Err(Refusal::Missing);
        };
        let seconds: u64 = expiry.parse().map_err(|_| Refusal::Wrong)?;
        let tag = tag_of(tag).ok_or(Refusal::Wrong)?;
        let text = request.signed(expiry, value("a") == Some("1"));
        let mac = self.0.clone().chain_update(text);
        // In constant time.
        mac.verify_slice(&tag).map_err(|_| Refusal::Wrong)?;
        if seconds < now.0 / 1000 { Err(Refusal::Expired) } else { Ok(()) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Request<'_> {
    /// The text whose HMAC the token is.
    fn signed(&self, expiry: &str, is_bound: bool) -> String {
        let action = match self.action {
            Action::Publish => "publish",
            Action::Play => "play",
        };
        let address = match self.client {
            // An IPv4 client of an IPv6 socket.
            Some(address) if is_bound => address.to_canonical().to_string(),
            None if is_bound => "unix:".to_owned(),
            _ => "-".to_owned(),
        };
        format!("{action} {expiry} {address} {}/{}", self.application, self.name)
    }
}

/// The bytes of an HMAC-SHA256 in hexadecimal digits.
fn tag_of(digits: &str) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    let pairs = digits.as_bytes().chunks(2);
    if digits.len() != 2 * tag.len() {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(pairs) {
        let digit = |index: usize| char::from(pair[index]).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf %s "TEXT" | openssl dgst -sha256 -hmac 'open sesame' -r`.
    const FOR_ALL: &str = "d1d4c865856f1defea73c44c88c53b83073d187493be52d0e928701a94747751";
    const FOR_ONE: &str = "43cc13e6cb70ed06166bf7727415a04d6bc8c166f94b97f41f310d730832b3af";

    fn check(
        action: Action,
        name: &str,
        client: &str,
        args: &str,
        second: u64,
    ) -> Result<(), Refusal> {
        let client = client.parse().ok();
        let request = Request { action, application: "live", name, client };
        Secret::new(b"open sesame").check(request, args, UnixMillis(second * 1000 + 999))
    }

    #[test]
    fn a_token_is_good_up_to_its_second() {
        let args = format!("x=1&e=2000000000&st={FOR_ALL}");
        let check = |second| check(Action::Publish, "cam", "10.0.0.1", &args, second);
        assert_eq!(check(1_999_999_999), Ok(()));
        assert_eq!(check(2_000_000_000), Ok(()));
        assert_eq!(check(2_000_000_001), Err(Refusal::Expired));
    }

    #[test]
    fn a_token_is_for_one_stream_and_action() {
        let args = format!("e=2000000000&st={FOR_ALL}");
        assert_eq!(check(Action::Play, "cam", "", &args, 0), Err(Refusal::Wrong));
        assert_eq!(check(Action::Publish, "cam2", "", &args, 0), Err(Refusal::Wrong));
        assert_eq!(check(Action::Publish, "cam", "", &args, 0), Ok(()));
        let later = args.replace("2000000000", "2000000001");
        assert_eq!(check(Action::Publish, "cam", "", &later, 0), Err(Refusal::Wrong));
    }

    #[test]
    fn a_token_may_be_for_one_address() {
        let args = format!("st={FOR_ONE}&a=1&e=2000000000");
        for (client, verdict) in [
            ("192.0.2.7", Ok(())),
            ("::ffff:192.0.2.7", Ok(())),
            ("192.0.2.8", Err(Refusal::Wrong)),
            ("", Err(Refusal::Wrong)),
        ] {
            assert_eq!(check(Action::Play, "cam", client, &args, 0), verdict, "{client}");
        }
        let unbound = args.replace("&a=1", "");
        assert_eq!(check(Action::Play, "cam", "192.0.2.7", &unbound, 0), Err(Refusal::Wrong));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let wrong_digit = FOR_ALL.replace(&FOR_ALL[..1], "g");
        for (args, refusal) in [
            ("", Refusal::Missing),
            ("e=2000000000", Refusal::Missing),
            (&format!("st={FOR_ALL}"), Refusal::Missing),
            ("e=2000000000&st=", Refusal::Wrong),
            (&format!("e=soon&st={FOR_ALL}"), Refusal::Wrong),
            (&format!("e=02000000000&st={FOR_ALL}"), Refusal::Wrong),
            (&format!("e=2000000000&st={}", &FOR_ALL[1..]), Refusal::Wrong),
            (&format!("e=2000000000&st={wrong_digit}"), Refusal::Wrong),
            (&format!("e=2000000000&st={}", "é".repeat(32)), Refusal::Wrong),
        ] {
            assert_eq!(check(Action::Publish, "cam", "", args, 0), Err(refusal), "{args}");
        }
    }
}
