//! Three servers in a row, each in a network of its own, as on three machines: a stream that is
//! published on the first is played from the last. The one in the middle is killed, every process of
//! it, and started again.

use std::net::Ipv4Addr;

use crate::support::media::Clip;
use crate::support::network::Network;
use crate::support::nginx::{Conf, Nginx};
use crate::support::player::Player;
use crate::support::publisher::Publisher;

const STREAM: &str = "rtmp://127.0.0.1/live/cam";

/// Of the machines, towards the next one and towards the one before.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const MIDDLE: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 1, 2), Ipv4Addr::new(10, 0, 2, 1)];
const LAST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

#[test]
fn a_stream_is_pulled_through_a_server_that_comes_back() {
    let pull = |from: Ipv4Addr| format!("pull rtmp://{from}/live; pull_reconnect 100ms;");
    frames_come_again(["", &pull(FIRST), &pull(MIDDLE[1])]);
}

#[test]
fn a_stream_is_pushed_through_a_server_that_comes_back() {
    let push = |to: Ipv4Addr| format!("push rtmp://{to}/live; push_reconnect 100ms;");
    frames_come_again([&push(MIDDLE[0]), &push(LAST), ""]);
}

/// Runs a stream through servers whose application also says `relays`.
fn frames_come_again(relays: [&str; 3]) {
    let [first, middle, last] = machines();
    let [first_conf, middle_conf, last_conf] = relays.map(|relay| Conf {
        listen: "listen 1935;".into(),
        ..Conf::server(&format!("application live {{ live on; {relay} }}"))
    });
    let _first = first.enter(|| Nginx::start_conf(&first_conf));
    let in_the_middle = middle.enter(|| Nginx::start_conf(&middle_conf));
    let _last = last.enter(|| Nginx::start_conf(&last_conf));
    let _publisher = first.enter(|| Publisher::endless(Clip::plain(), STREAM));
    let player = last.enter(|| Player::start(STREAM));
    player.wait_more(5);
    in_the_middle.kill();
    let _restarted = middle.enter(|| Nginx::start_conf(&middle_conf));
    player.wait_more(60);
}

fn machines() -> [Network; 3] {
    let [first, middle, last] = [(); 3].map(|()| Network::new());
    first.connect(FIRST, &middle, MIDDLE[0]);
    middle.connect(MIDDLE[1], &last, LAST);
    [first, middle, last]
}
