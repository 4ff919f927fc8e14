//! Publishing and playing over RTMP with ffmpeg.

use crate::support::media::{Clip, assert_unbroken};
use crate::support::nginx::Nginx;
use crate::support::player::{Player, Tracks};
use crate::support::publisher::Publisher;
use crate::support::raw::{DATA, Message, Peer, VIDEO, connect, null, number, string};

const LIVE: &str = "application live { live on; }";

#[test]
fn player_gets_every_frame_with_its_timestamps() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    Publisher::once(clip, &nginx.live("cam")).finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
}

#[test]
fn streams_do_not_mix() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let streams = ["pictures", "sound", "both"].map(|name| nginx.live(name));
    let tracks = [Tracks::Video, Tracks::Audio, Tracks::Both];
    let select = [&["-an"][..], &["-vn"], &[]];
    let players: [_; 3] = std::array::from_fn(|index| {
        [(); 2].map(|()| Player::start_tracks(&streams[index], tracks[index]))
    });
    let publishers: [_; 3] = std::array::from_fn(|index| {
        Publisher::with(clip, &streams[index], &["-copyts"], select[index])
    });
    for publisher in publishers {
        publisher.finish();
    }
    let last_sound = clip.frames.audio.last();
    let [pictures, sound, both] = players;
    for player in pictures.iter().chain(&both) {
        let frames = player.wait_video(clip.frames.video.len());
        assert_eq!(frames.video, clip.frames.video);
    }
    for player in sound.iter().chain(&both) {
        let frames = player.wait("the last sound", |frames| frames.audio.last() == last_sound);
        assert_unbroken(&frames.audio, &clip.frames.audio);
    }
}

#[test]
fn late_player_starts_at_the_last_keyframe() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let _publisher = Publisher::endless(clip, &nginx.live("cam"));
    Player::start(&nginx.live("cam")).wait_video(30);
    let frames = Player::start(&nginx.live("cam")).wait_video(50);
    assert!(clip.is_keyframe(assert_unbroken(&frames.video, &clip.frames.video)));
    assert_unbroken(&frames.audio, &clip.frames.audio);
}

#[test]
fn late_player_does_not_wait_for_a_keyframe() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::one_keyframe());
    let _publisher = Publisher::once(clip, &nginx.live("cam"));
    Player::start(&nginx.live("cam")).wait_video(50);
    let frames = Player::start(&nginx.live("cam")).wait_video(75);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
}

#[test]
fn player_stays_while_the_publisher_leaves_and_returns() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    player.wait_video(30);
    publisher.stop();
    Publisher::once(clip, &nginx.live("cam")).finish();
    let (whole, last) = (&clip.frames.video, clip.frames.video.last().unwrap());
    let frames = player.wait("the second publication", |frames| {
        frames.video.last().is_some_and(|frame| frame.md5 == last.md5)
    });
    // Only payloads: ffmpeg itself corrects the step back in time.
    let payloads: Vec<_> = frames.video.iter().map(|frame| &frame.md5).collect();
    let (first, second) = payloads.split_at(payloads.len() - whole.len());
    assert!(first.iter().zip(whole).all(|(&got, sent)| *got == sent.md5));
    assert!(second.iter().zip(whole).all(|(&got, sent)| *got == sent.md5));
}

#[test]
fn players_leave_in_any_order() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let mut players = [(); 3].map(|()| Some(Player::start(&nginx.live("cam"))));
    let publisher = Publisher::endless(clip, &nginx.live("cam"));
    for index in [1, 0] {
        players[2].as_ref().unwrap().wait_more(10);
        players[index] = None;
    }
    let last = players[2].take().unwrap();
    let frames = last.wait_more(25);
    assert_eq!(assert_unbroken(&frames.video, &clip.frames.video), 0);
    drop(last);
    // The publisher goes on alone, and whoever comes next gets the stream.
    Player::start(&nginx.live("cam")).wait_video(25);
    publisher.stop();
}

#[test]
fn second_publisher_of_a_name_is_refused() {
    let (nginx, clip) = (Nginx::start(LIVE), Clip::plain());
    let player = Player::start(&nginx.live("cam"));
    let publisher = Publisher::once(clip, &nginx.live("cam"));
    player.wait_video(10);
    let mut second = Peer::open(nginx.rtmp_port(), "live");
    second.ask_publish("cam");
    second.wait_for("NetStream.Publish.BadName");
    publisher.finish();
    assert_eq!(player.wait_all(&clip.frames), clip.frames);
}

#[test]
fn name_is_free_again_when_its_publisher_has_left() {
    let nginx = Nginx::start(LIVE);
    for _ in 0..3 {
        Peer::publish(nginx.rtmp_port(), "live", "cam");
    }
}

#[test]
fn paused_player_gets_nothing_and_then_goes_on_from_a_keyframe() {
    let nginx = Nginx::start(LIVE);
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live", "cam");
    let mut player = Peer::play(nginx.rtmp_port(), "live", "cam");
    let [key, inter] = [0x17, 0x27].map(|first| [first, 1, 0, 0, 0, 1, 2, 3]);
    publisher.send(6, VIDEO, 1, 0, &key);
    wait_message(&mut player, |message| message.kind == VIDEO);
    let pause = |on: u8| [string("pause"), number(0.0), null(), vec![1, on], number(0.0)].concat();
    player.command(1, &pause(1));
    player.wait_for("NetStream.Pause.Notify");
    publisher.send(6, VIDEO, 1, 40, &inter);
    publisher.send(6, VIDEO, 1, 80, &inter);
    player.command(1, &pause(0));
    let mut is_silent = true;
    wait_message(&mut player, |message| {
        is_silent &= message.kind != VIDEO;
        message.says("NetStream.Unpause.Notify")
    });
    assert!(is_silent, "pictures during a pause");
    publisher.send(6, VIDEO, 1, 120, &key);
    wait_message(&mut player, |message| message.kind == VIDEO && message.payload == key);
}

#[test]
fn unknown_application_is_refused_with_a_reason() {
    let nginx = Nginx::start(LIVE);
    let mut peer = Peer::connect(nginx.rtmp_port());
    peer.command(0, &connect("nowhere"));
    let said = peer.wait_closed();
    assert!(said.iter().any(|message| message.says("_error")), "{said:?}");
    assert!(said.iter().any(|message| message.says("NetConnection.Connect.")), "{said:?}");
}

#[test]
fn names_come_with_arguments_and_applications_with_slashes() {
    let nginx = Nginx::start(LIVE);
    let mut publisher = Peer::publish(nginx.rtmp_port(), "live?key=1", "cam?token=2");
    let mut player = Peer::play(nginx.rtmp_port(), "live/", "cam");
    publisher.send(6, VIDEO, 1, 0, &[0x17, 1, 0, 0, 0, 1, 2, 3]);
    wait_message(&mut player, |message| message.kind == VIDEO);
}

#[test]
fn metadata_is_rebuilt_copied_or_left_out() {
    let nginx = Nginx::start(
        "application on { live on; } application copy { live on; meta copy; }
         application off { live on; meta off; }",
    );
    let metadata = |application: &str| {
        let url = nginx.rtmp(&format!("{application}/cam"));
        let mut player = Peer::play(nginx.rtmp_port(), application, "cam");
        let _publisher = Publisher::once(Clip::plain(), &url);
        let mut found = None;
        wait_message(&mut player, |message| {
            if message.kind == DATA && message.holds("onMetaData") {
                found = Some(message.clone());
            }
            message.kind == VIDEO && message.payload[1] == 1
        });
        found
    };
    let rebuilt = metadata("on").expect("metadata with meta on");
    for name in ["width", "height", "framerate", "videocodecid", "audiocodecid"] {
        assert!(rebuilt.holds(name), "{name} in {rebuilt:?}");
    }
    let copied = metadata("copy").expect("metadata with meta copy");
    assert!(copied.holds("Lavf"), "what only the publisher can have said in {copied:?}");
    assert!(metadata("off").is_none());
}

#[track_caller]
fn wait_message(peer: &mut Peer, mut is_it: impl FnMut(&Message) -> bool) {
    while !is_it(&peer.receive().expect("the message before the end")) {}
}
