//! ffmpeg as an encoder, ffprobe as a player.

use std::path::Path;
use std::process::Command;

use crate::source::VideoPacket;

/// By how much the muxer delays all times, in ticks of 90 kHz.
const DELAY: i64 = 63_000;

/// What ffprobe finds in a transport stream, in times of the source.
#[derive(Default)]
pub(crate) struct Packets {
    pub(crate) video: Vec<VideoPacket>,
    pub(crate) audio: Vec<i64>,
}

/// Runs a program to its end and gives what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    assert!(errors.is_empty(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// The packets of the file.
pub(crate) fn packets(path: &Path) -> Packets {
    let entries = "packet=codec_type,pts,dts,flags";
    let text = run(ffprobe().args(["-show_entries", entries, "-of", "csv=p=0"]).arg(path));
    let mut packets = Packets::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.trim_end_matches(',').split(',').collect();
        let &[kind, pts, dts, flags] = fields.as_slice() else { panic!("{line}") };
        let time = |field: &str| field.parse::<i64>().expect("a time") - DELAY;
        if kind == "audio" {
            packets.audio.push(time(pts));
        } else {
            let keyframe = flags.starts_with('K');
            packets.video.push(VideoPacket { pts: time(pts), dts: time(dts), keyframe });
        }
    }
    packets
}

/// How many video and audio frames a player can decode.
pub(crate) fn decoded_frames(playlist: &Path) -> (usize, usize) {
    let entries = "stream=codec_name,nb_read_frames";
    let text = run(ffprobe()
        .args(["-count_frames", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(playlist));
    let count = |codec: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(codec)?.strip_prefix(','));
        line.map_or(0, |count| count.trim_end_matches(',').parse().expect("a count"))
    };
    (count("h264"), count("aac"))
}

fn ffprobe() -> Command {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "warning", "-probesize", "50M", "-analyzeduration", "10M"]);
    command
}
