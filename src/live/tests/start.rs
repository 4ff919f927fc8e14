//! What new players get, and when, as the directives have it.

use super::*;

fn stream_with(config: StreamConfig) -> Stream {
    let mut stream = Stream::new(Arc::new(config));
    stream.publish(NOW).unwrap();
    stream
}

fn push_all(stream: &mut Stream, messages: &[Message]) {
    messages.iter().for_each(|message| stream.push(NOW, message.clone()));
}

fn without_cache() -> LogLimits {
    LogLimits { gop: None, ..LogLimits::default() }
}

#[test]
fn without_gop_cache_a_player_waits_for_the_next_keyframe() {
    let mut stream = stream_with(StreamConfig { limits: without_cache(), ..config() });
    push_all(&mut stream, &[video(0, AVC), audio(0, AAC), video(0, KEY), audio(10, SOUND)]);
    let mut client = Client::new(&mut stream);
    push_all(&mut stream, &[video(40, INTER), audio(50, SOUND)]);
    assert_eq!(client.receive_all(&stream), []);
    stream.push(NOW, video(80, KEY));
    assert_eq!(client.receive_all(&stream), [video(80, AVC), audio(80, AAC), video(80, KEY)]);
}

#[test]
fn without_gop_cache_sound_alone_starts_with_the_next_frame() {
    let mut stream = stream_with(StreamConfig { limits: without_cache(), ..config() });
    push_all(&mut stream, &[audio(0, AAC), audio(0, SOUND)]);
    let mut client = Client::new(&mut stream);
    assert_eq!(client.receive_all(&stream), []);
    stream.push(NOW, audio(23, SOUND));
    assert_eq!(client.receive_all(&stream), [audio(23, AAC), audio(23, SOUND)]);
}

#[test]
fn without_wait_key_a_player_starts_at_the_live_edge() {
    let config = StreamConfig { limits: without_cache(), wait_key: false, ..config() };
    let mut stream = stream_with(config);
    push_all(&mut stream, &[video(0, AVC), audio(0, AAC), video(0, KEY), video(40, INTER)]);
    let mut client = Client::new(&mut stream);
    let expected = [video(40, AVC), audio(40, AAC), video(40, INTER)];
    assert_eq!(client.receive_all(&stream), expected);
    push_all(&mut stream, &[audio(50, SOUND), video(80, INTER)]);
    assert_eq!(client.receive_all(&stream), [audio(50, SOUND), video(80, INTER)]);
    let late = [video(80, AVC), audio(80, AAC), video(80, INTER)];
    assert_eq!(Client::new(&mut stream).receive_all(&stream), late);
}

#[test]
fn without_wait_key_a_kept_keyframe_is_still_the_better_start() {
    let gop = Some(GopLimits { frames: 3, ..GopLimits::default() });
    let limits = LogLimits { gop, ..LogLimits::default() };
    let mut stream = stream_with(StreamConfig { limits, wait_key: false, ..config() });
    push_all(&mut stream, &[video(0, AVC), video(0, KEY), video(40, INTER)]);
    let expected = [video(0, AVC), video(0, KEY), video(40, INTER)];
    assert_eq!(Client::new(&mut stream).receive_all(&stream), expected);
    push_all(&mut stream, &[video(80, INTER), video(120, INTER), video(160, INTER)]);
    let expected = [video(160, AVC), video(160, INTER)];
    assert_eq!(Client::new(&mut stream).receive_all(&stream), expected, "the cache was dropped");
}

#[test]
fn with_wait_video_there_is_no_sound_before_the_first_picture() {
    for wait_key in [true, false] {
        let mut stream = stream_with(StreamConfig { wait_video: true, wait_key, ..config() });
        let mut client = Client::new(&mut stream);
        for time in 0..300 {
            stream.push(NOW, audio(time, SOUND));
        }
        assert_eq!(client.receive_all(&stream), []);
        push_all(&mut stream, &[video(300, KEY), audio(300, SOUND)]);
        assert_eq!(client.receive_all(&stream), [video(300, KEY), audio(300, SOUND)]);
    }
}

#[test]
fn interleaved_sound_and_pictures_share_a_chunk_stream() {
    for (interleave, count) in [(false, 2), (true, 1)] {
        let mut stream = stream_with(StreamConfig { interleave, ..config() });
        push_all(&mut stream, &[video(0, KEY), audio(0, SOUND)]);
        let player = stream.play();
        let ids: std::collections::BTreeSet<u8> =
            player.gather(stream.log()).filter_map(|frame| frame.first().copied()).collect();
        assert_eq!(ids.len(), count);
    }
}

#[test]
fn players_are_told_of_publishers_as_far_as_that_is_wanted() {
    for (play_restart, publish_notify) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let config = StreamConfig { play_restart, publish_notify, ..config() };
        let mut stream = Stream::new(Arc::new(config));
        let mut client = Client::new(&mut stream);
        stream.publish(NOW).unwrap();
        let came = client.receive_all(&stream);
        stream.unpublish();
        let left = client.receive_all(&stream);
        let says = |messages: &[Message], code: &str| {
            messages.iter().any(|it| it.payload.windows(code.len()).any(|at| at == code.as_bytes()))
        };
        for (messages, restart, notify) in [
            (came, "NetStream.Play.Start", "NetStream.Play.PublishNotify"),
            (left, "NetStream.Play.Stop", "NetStream.Play.UnpublishNotify"),
        ] {
            let told = [says(&messages, restart), says(&messages, notify)];
            assert_eq!(told, [play_restart, publish_notify]);
        }
    }
}
