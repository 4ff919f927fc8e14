//! Directives of recording, and the block `recorder`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::client_tls::ClientContexts;
use super::directive::{
    APPLICATION, Conf, Directive, EVERYWHERE, Failure, Level, RECORDER, Setter, set_once,
};
use super::{Block, RecordCommands, Settings, parse, settings};
use crate::log_mask::LogMask;
use crate::nginx::notify::Notify;
use crate::notify::Hook;
use crate::record::{Format, Limits, Media, RecorderConfig, Suffix, Video};

settings! {
    /// Settings of recording.
    RecordSettings {
        flags: Flags,
        format: Format,
        path: PathBuf,
        suffix: Suffix,
        unique: bool,
        append: bool,
        lock: bool,
        max_size: usize,
        max_frames: usize,
        interval: Duration,
        interval_size: usize,
        notify: bool,
    }
}

const RECORDING: usize = EVERYWHERE | RECORDER;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"recorder", APPLICATION, Setter::NamedBlock(set_recorder)),
    Directive::new(c"record", RECORDING, Setter::Arguments(set_record)),
    Directive::new(c"record_format", RECORDING, Setter::Argument(set_format)),
    Directive::new(c"record_path", RECORDING, Setter::Path(|s| &mut s.record.path)),
    Directive::new(c"record_suffix", RECORDING, Setter::Argument(set_suffix)),
    Directive::new(c"record_unique", RECORDING, Setter::Flag(|s| &mut s.record.unique)),
    Directive::new(c"record_append", RECORDING, Setter::Flag(|s| &mut s.record.append)),
    Directive::new(c"record_lock", RECORDING, Setter::Flag(|s| &mut s.record.lock)),
    Directive::new(
        c"record_max_size",
        RECORDING,
        Setter::Size(|s| &mut s.record.max_size, 0..=usize::MAX),
    ),
    Directive::new(
        c"record_max_frames",
        RECORDING,
        Setter::Size(|s| &mut s.record.max_frames, 0..=usize::MAX),
    ),
    Directive::new(c"record_interval", RECORDING, Setter::Argument(set_interval)),
    Directive::new(
        c"record_interval_size",
        RECORDING,
        Setter::Size(|s| &mut s.record.interval_size, 0..=usize::MAX),
    ),
    Directive::new(c"record_notify", RECORDING, Setter::Flag(|s| &mut s.record.notify)),
];

/// What `record` says.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::nginx::conf) struct Flags {
    off: bool,
    audio: bool,
    video: bool,
    keyframes: bool,
    data: bool,
    manual: bool,
}

impl Flags {
    /// What is recorded.
    fn media(self) -> Option<Media> {
        let video = match self {
            Self { video: true, .. } => Video::All,
            Self { keyframes: true, .. } => Video::Keyframes,
            _ => Video::None,
        };
        let media = Media { audio: self.audio, video, data: self.data };
        let is_anything = media.audio || media.video != Video::None;
        (is_anything && !self.off).then_some(media)
    }
}

/// A recorder.
#[derive(Debug)]
pub(in crate::nginx) struct Recorder {
    pub(in crate::nginx) config: Arc<RecorderConfig>,
    /// Whether the publisher is told of its files.
    pub(in crate::nginx) notify: bool,
    /// Who else is told of them.
    pub(in crate::nginx) callbacks: Arc<Notify>,
    /// What is run for them.
    pub(in crate::nginx) commands: RecordCommands,
    /// What the log keeps to itself.
    pub(in crate::nginx) log_mask: LogMask,
}

impl Recorder {
    /// Whether anybody wants to know of a file that has begun.
    pub(in crate::nginx) fn tells_beginnings(&self) -> bool {
        self.callbacks.callbacks.has(Hook::RecordStarted) || !self.commands.started.is_empty()
    }
}

/// `recorder ID { }` in `application {}`.
fn set_recorder(conf: &mut Conf, application: &mut Block) -> Result<(), Failure> {
    let name = conf.text(1)?.to_owned();
    if application.children.iter().any(|recorder| recorder.name == name) {
        conf.warn(format_args!("recorder \"{name}\" is defined twice, the first one is used"));
    }
    let mut recorder = Block { name, ..Block::default() };
    conf.parse_block(Level::Recorder, &mut recorder)?;
    application.children.push(recorder);
    Ok(())
}

/// `record off|[all] [av] [audio] [video] [keyframes] [data] [manual]`
fn set_record(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let flags = block.settings.record.flags.get_or_insert_default();
    for index in 1..conf.args().len() {
        match conf.text(index)? {
            "off" => flags.off = true,
            "all" | "av" => (flags.audio, flags.video) = (true, true),
            "audio" => flags.audio = true,
            "video" => flags.video = true,
            "keyframes" => flags.keyframes = true,
            "data" => flags.data = true,
            "manual" => flags.manual = true,
            other => {
                return Err(format!(
                    "has the invalid value \"{other}\", it must be \"off\", or of \"all\", \
                     \"audio\", \"video\", \"keyframes\", \"av\", \"data\" and \"manual\""
                )
                .into());
            }
        }
    }
    Ok(())
}

/// `record_format flv|mp4`
fn set_format(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let format = match conf.text(1)? {
        "flv" => Format::Flv,
        "mp4" => Format::Mp4,
        other => {
            return Err(format!(
                "has the invalid value \"{other}\", it must be \"flv\" or \"mp4\""
            )
            .into());
        }
    };
    set_once(&mut block.settings.record.format, format)
}

fn set_suffix(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let text = conf.text(1)?;
    let suffix = Suffix::parse(text).map_err(|error| {
        format!(
            "has the invalid value \"{text}\", its \"%\" must be conversions of strftime: {error}"
        )
    })?;
    set_once(&mut block.settings.record.suffix, suffix)
}

/// A time, or 0, which is none at all: a file for each group of pictures.
fn set_interval(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let interval = match conf.text(1)? {
        "0" => Duration::ZERO,
        _ => parse::time(&conf.args()[1])?,
    };
    set_once(&mut block.settings.record.interval, interval)
}

impl RecordSettings {
    /// What is recorded by a block of that id, if anything is.
    fn recorder(&self, id: &str) -> Option<RecorderConfig> {
        let some = |limit: Option<usize>| limit.filter(|&it| it > 0).map(|it| it as u64);
        let format = self.format.unwrap_or_default();
        let suffix = match format {
            Format::Flv => ".flv",
            Format::Mp4 => ".mp4",
        };
        let append = self.append.unwrap_or(false);
        // MP4 is not continued, and what there is must not be replaced.
        let unique = self.unique.unwrap_or(false) || append && format == Format::Mp4;
        Some(RecorderConfig {
            id: id.to_owned(),
            manual: self.flags?.manual,
            media: self.flags?.media()?,
            format,
            path: self.path.clone()?,
            suffix: self.suffix.clone().unwrap_or_else(|| Suffix::Fixed(suffix.to_owned())),
            unique,
            append: append && !unique,
            named_after_id: false,
            lock: self.lock.unwrap_or(false),
            limits: Limits {
                max_size: some(self.max_size),
                max_frames: some(self.max_frames),
                interval: self.interval,
                interval_size: some(self.interval_size),
            },
        })
    }
}

/// The recorders of an application: its own, and those of its blocks.
pub(super) fn recorders(
    conf: &mut Conf,
    application: &Block,
    contexts: &mut ClientContexts,
) -> Result<Vec<Arc<Recorder>>, Failure> {
    let mut configs: Vec<(RecorderConfig, &Settings)> = Vec::new();
    let own = (&application.settings, "");
    let blocks = application.children.iter().map(|block| (&block.settings, block.name.as_str()));
    for (settings, id) in [own].into_iter().chain(blocks) {
        let Some(mut config) = settings.record.recorder(id) else { continue };
        if configs.iter().any(|(other, _)| other.id == id) {
            continue;
        }
        config.named_after_id = configs.iter().any(|(other, _)| {
            (&other.path, &other.suffix, other.unique)
                == (&config.path, &config.suffix, config.unique)
        });
        configs.push((config, settings));
    }
    let resolve = |(config, settings): (_, &Settings)| {
        let notify = settings.record.notify.unwrap_or(false);
        let callbacks = settings.notify.resolve(conf, contexts)?;
        let commands = settings.exec.record_commands();
        let (config, log_mask) = (Arc::new(config), settings.access_log.mask());
        Ok(Arc::new(Recorder { config, notify, callbacks, commands, log_mask }))
    };
    configs.into_iter().map(resolve).collect()
}

/// Warns of an application that would record, if it had a place to.
pub(super) fn check(conf: &mut Conf, application: &Block) {
    let blocks = application.children.iter().chain([application]);
    let is_lost = |block: &&Block| {
        let settings = &block.settings.record;
        settings.flags.and_then(Flags::media).is_some() && settings.path.is_none()
    };
    if blocks.filter(is_lost).count() > 0 {
        let name = &application.name;
        conf.warn(format_args!(
            "\"record\" has no effect without \"record_path\", in application \"{name}\""
        ));
    }
}
