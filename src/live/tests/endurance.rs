//! What real encoders do over time: clocks that wrap and leap, headers that change, hours of media.

use std::time::Duration;

use super::*;

fn timestamps(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| message.timestamp).collect()
}

#[test]
fn timestamps_wrap_and_leap_and_nobody_loses_a_frame() {
    let mut stream = stream(LogLimits::default());
    stream.publish(NOW).unwrap();
    let mut client = Client::new(&mut stream);
    let times = [u32::MAX - 60, u32::MAX - 20, 19, 59, 3_600_000, 3_600_040, 10, 50, u32::MAX / 2];
    stream.push(NOW, video(times[0], AVC));
    for time in times {
        stream.push(NOW, video(time, KEY));
        stream.push(NOW, audio(time, SOUND));
        let received = client.receive_all(&stream);
        assert_eq!(timestamps(&received[received.len() - 2..]), [time; 2]);
        let late = Client::new(&mut stream).receive_all(&stream);
        assert_eq!(late, [video(time, AVC), video(time, KEY), audio(time, SOUND)]);
    }
    assert_eq!(client.player.skipped_frames(), 0);
}

#[test]
fn after_a_change_of_resolution_only_the_new_header_counts() {
    let mut stream = stream(LogLimits::default());
    stream.publish(NOW).unwrap();
    let mut early = Client::new(&mut stream);
    for message in [video(0, AVC), video(0, KEY), video(40, INTER)] {
        stream.push(NOW, message);
    }
    early.receive_all(&stream);
    for message in [video(80, AVC_2), video(80, KEY), video(120, INTER)] {
        stream.push(NOW, message);
    }
    let switched = [video(80, AVC_2), video(80, KEY), video(120, INTER)];
    assert_eq!(early.receive_all(&stream), switched, "the header comes before its keyframe");
    assert_eq!(Client::new(&mut stream).receive_all(&stream), switched);
    // One that starts between the header and its keyframe has the old pictures and gets the rest.
    stream.push(NOW, video(160, AVC));
    let mut between = Client::new(&mut stream);
    let before = [&switched[..], &[video(160, AVC)]].concat();
    assert_eq!(between.receive_all(&stream), before);
    stream.push(NOW, video(160, KEY));
    assert_eq!(between.receive_all(&stream), [video(160, KEY)]);
}

#[test]
fn a_player_that_falls_behind_in_time_skips_to_the_newest_keyframe() {
    let age = Duration::from_secs(2);
    let lag = LagLimits { age, ..LogLimits::default().lag };
    let mut stream = stream(LogLimits { lag, ..LogLimits::default() });
    stream.publish(NOW).unwrap();
    let mut client = Client::new(&mut stream);
    // One picture a second, far within what the bounds in frames and bytes allow.
    let push = |stream: &mut Stream, seconds: std::ops::Range<u32>| {
        for second in seconds {
            let now = Instant::from_millis(u64::from(second) * 1000);
            stream.push(now, video(second * 1000, if second % 3 == 0 { KEY } else { INTER }));
        }
    };
    push(&mut stream, 0..1);
    client.receive_all(&stream);
    push(&mut stream, 1..4);
    assert_eq!(timestamps(&client.receive_all(&stream)), [1000, 2000, 3000], "just in time");
    push(&mut stream, 4..8);
    assert_eq!(timestamps(&client.receive_all(&stream)), [6000, 7000]);
    assert_eq!(client.player.skipped_frames(), 2);
}

/// 25 pictures and 43 sounds a second for two hours, with keyframes every two seconds, metadata
/// repeated, and headers that change every ten minutes.
#[test]
fn two_hours_pass() {
    let limits = LogLimits::default();
    let mut stream = stream(limits);
    stream.publish(NOW).unwrap();
    let (mut steady, mut slow) = (Client::new(&mut stream), Client::new(&mut stream));
    let (mut pictures, mut seen, mut slow_seen) = (0_u32, 0, 0);
    for second in 0..7200_u32 {
        if second % 600 == 0 {
            let header = if second % 1200 == 0 { AVC } else { AVC_2 };
            stream.push(NOW, data(0, METADATA));
            stream.push(NOW, video(second * 1000, header));
            stream.push(NOW, audio(second * 1000, AAC));
        }
        for frame in 0..43 {
            let now = second * 1000 + frame * 23;
            let at = Instant::from_millis(now.into());
            stream.push(at, audio(now, SOUND));
            if frame < 25 {
                let is_key = second % 2 == 0 && frame == 0;
                stream
                    .push(at, video(second * 1000 + frame * 40, if is_key { KEY } else { INTER }));
                pictures += 1;
            }
        }
        let is_picture = |message: &&Message| message.payload == KEY || message.payload == INTER;
        seen += steady.receive_all(&stream).iter().filter(is_picture).count();
        if second % 60 == 59 {
            slow_seen += slow.receive_all(&stream).iter().filter(is_picture).count();
        }
        let held = stream.log().end() - stream.log().start();
        assert!(held <= 600, "{held} frames held after {second} s");
    }
    assert_eq!(seen, pictures as usize, "who keeps up loses nothing");
    assert!(stream.log().end() > 480_000);
    let late = Client::new(&mut stream).receive_all(&stream);
    assert_eq!(timestamps(&late[1..4]), [7_198_000; 3], "headers, then the newest keyframe");
    assert!(slow_seen >= 119 * 25, "who looks once a minute gets the last seconds: {slow_seen}");
    assert!(slow.player.skipped_frames() > 400_000);
}
