//! Source media, encoded once per test run, and the frames of a stream as ffmpeg sees them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::process::{command, run};

/// One compressed or decoded frame. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Decoding time.
    pub dts: i64,
    /// Presentation time.
    pub pts: i64,
    /// Digest of the payload.
    pub md5: String,
}

/// The frames of a stream, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    pub video: Vec<Frame>,
    pub audio: Vec<Frame>,
}

impl Frames {
    /// Reads the output of ffmpeg's `framemd5` muxer; a last line without its end is left out.
    pub fn parse(text: &str) -> Self {
        let mut frames = Self::default();
        let mut streams: Vec<(f64, bool)> = Vec::new();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            if let Some(tail) = line.strip_prefix("#tb ") {
                let (number, base) = tail.split_once(": ").expect("#tb STREAM: BASE");
                let (num, den) = base.split_once('/').expect("a time base");
                let base = num.parse::<f64>().unwrap() / den.parse::<f64>().unwrap();
                assert_eq!(number.parse(), Ok(streams.len()));
                streams.push((base, false));
            } else if let Some(tail) = line.strip_prefix("#media_type ") {
                let (number, kind) = tail.split_once(": ").expect("#media_type STREAM: KIND");
                assert!(matches!(kind, "video" | "audio"), "ffmpeg sees a track of {kind}");
                streams[number.parse::<usize>().unwrap()].1 = kind == "video";
            } else if !line.starts_with('#') {
                let (stream, dts, pts, md5) = parse_line(line);
                let (base, is_video) = streams[stream];
                let ms = |ticks: i64| (ticks as f64 * base * 1000.0).round() as i64;
                let list = if is_video { &mut frames.video } else { &mut frames.audio };
                list.push(Frame { dts: ms(dts), pts: ms(pts), md5 });
            }
        }
        frames
    }

    /// The compressed frames of a file or of a live playlist that has ended.
    pub fn of(input: impl AsRef<Path>) -> Self {
        Self::read(input.as_ref(), &["-c", "copy"])
    }

    /// The decoded pictures and blocks of samples of `input`.
    pub fn decoded(input: impl AsRef<Path>) -> Self {
        Self::read(
            input.as_ref(),
            &["-fps_mode", "passthrough", "-enc_time_base", "-1", "-c:a", "pcm_s16le"],
        )
    }

    fn read(input: &Path, how: &[&str]) -> Self {
        let mut ffmpeg = command("ffmpeg");
        ffmpeg.args(["-v", "error", "-copyts", "-i"]).arg(input).args(["-map", "0"]);
        Self::parse(&run(ffmpeg.args(how).args(["-f", "framemd5", "-"])))
    }
}

/// `STREAM, DTS, PTS, DURATION, SIZE, MD5`
fn parse_line(line: &str) -> (usize, i64, i64, String) {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let number = |at: usize| fields[at].parse::<i64>().unwrap_or_else(|_| panic!("{line}"));
    (number(0) as usize, number(1), number(2), fields[5].to_owned())
}

/// A source file, its frames, and how many pictures there are from keyframe to keyframe.
pub struct Clip {
    pub path: PathBuf,
    pub frames: Frames,
    pub gop: usize,
}

impl Clip {
    /// Five seconds of 320x180 with sound: 25 pictures a second, two B-frames in a row, a
    /// keyframe each second.
    pub fn plain() -> &'static Self {
        static CLIP: OnceLock<Clip> = OnceLock::new();
        CLIP.get_or_init(|| Self::encode("plain", 25, "320x180", 5, &["-bf", "2", "-b:v", "200k"]))
    }

    /// Eight seconds as [`Clip::plain`], with no keyframe but the first.
    pub fn one_keyframe() -> &'static Self {
        static CLIP: OnceLock<Clip> = OnceLock::new();
        CLIP.get_or_init(|| Self::encode("one", 1000, "320x180", 8, &["-bf", "0", "-b:v", "200k"]))
    }

    /// Two seconds of 1080p in which each picture is a keyframe of more than 64 KiB.
    pub fn large() -> &'static Self {
        static CLIP: OnceLock<Clip> = OnceLock::new();
        CLIP.get_or_init(|| {
            let clip =
                Self::encode("large", 1, "1920x1080", 2, &["-qp", "33", "-vf", "noise=alls=12"]);
            let bytes = std::fs::metadata(&clip.path).unwrap().len();
            assert!(bytes > 65536 * clip.frames.video.len() as u64, "frames too small: {bytes}");
            clip
        })
    }

    /// Whether picture `index` of the clip is a keyframe.
    pub fn is_keyframe(&self, index: usize) -> bool {
        index.is_multiple_of(self.gop)
    }

    fn encode(name: &str, gop: usize, size: &str, seconds: u32, video: &[&str]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.flv"));
        // Complete before it gets its name, as another test run may read it.
        let new = path.with_extension(format!("{}.flv", std::process::id()));
        let picture = format!("testsrc2=size={size}:rate=25");
        // Noise, so that no two blocks of sound have the same digest.
        let sound =
            "anoisesrc=sample_rate=44100:amplitude=0.1:seed=7,aformat=channel_layouts=stereo";
        let mut ffmpeg = command("ffmpeg");
        ffmpeg
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", sound]);
        ffmpeg.args(["-t", &seconds.to_string(), "-c:v", "libx264", "-preset", "ultrafast"]);
        ffmpeg.args(["-pix_fmt", "yuv420p", "-g", &gop.to_string(), "-sc_threshold", "0"]);
        ffmpeg.args(video).args(["-c:a", "aac", "-b:a", "64k"]).arg(&new);
        run(&mut ffmpeg);
        std::fs::rename(&new, &path).expect("to rename the clip");
        let frames = Frames::of(&path);
        assert_eq!(frames.video.len(), 25 * seconds as usize);
        Self { path, frames, gop }
    }
}

/// Asserts that `got` is a part of the endlessly repeated `source` without a gap or a repetition.
/// Gives the place in `source` where it begins.
#[track_caller]
pub fn assert_unbroken(got: &[Frame], source: &[Frame]) -> usize {
    let first = got.first().expect("at least one frame");
    let start = source
        .iter()
        .position(|frame| frame.md5 == first.md5)
        .expect("the first frame to be one of the source");
    for (index, frame) in got.iter().enumerate() {
        let expected = &source[(start + index) % source.len()];
        assert_eq!(frame.md5, expected.md5, "frame {index}, begun at {start} of the source");
    }
    if let Some(pair) = got.windows(2).find(|pair| pair[0].dts > pair[1].dts) {
        panic!("decoding times go back: {pair:?}");
    }
    start
}

/// The tags of the FLV file at `path`: type, timestamp, payload.
pub fn flv_tags(path: &Path) -> Vec<(u8, u32, Vec<u8>)> {
    let bytes = std::fs::read(path).expect("an FLV file");
    let mut tags = Vec::new();
    // The header of the file and the size of the tag that is not before the first one.
    let mut rest = &bytes[9 + 4..];
    while let [kind, l0, l1, l2, t0, t1, t2, t3, _, _, _, tail @ ..] = rest {
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        let timestamp = u32::from_be_bytes([*t3, *t0, *t1, *t2]);
        tags.push((*kind, timestamp, tail[..length].to_vec()));
        rest = &tail[length + 4..];
    }
    tags
}
