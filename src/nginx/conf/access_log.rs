//! The directives `access_log`, `log_format`, `log_interval`, `log_size` and `log_mask_key`.

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use nginx_sys::{NGX_HTTP_LOG_PATH, ngx_conf_open_file, ngx_str_t};

use super::directive::{Conf, Directive, EVERYWHERE, Failure, Level, Setter};
use super::{Block, settings};
use crate::access_log::Format;
use crate::log_mask::LogMask;
use crate::nginx::access_log::{AccessLog, LogFile, Output};

settings! {
    /// Settings of the access log.
    AccessLogSettings {
        logs: Logs,
        interval: Duration,
        size: usize,
        mask_key: bool,
    }
}

/// What a block says by `access_log`.
#[derive(Clone, Debug)]
pub(super) enum Logs {
    Off,
    To(Vec<Log>),
}

/// A file and the format of its lines.
#[derive(Clone, Debug)]
pub(super) struct Log {
    file: LogFile,
    format: String,
    /// Where the directive stands.
    place: String,
}

/// A format that a block defines; it is known in all blocks.
#[derive(Debug)]
pub(super) struct LogFormat {
    name: String,
    format: Arc<Format>,
    /// Where the directive stands.
    place: String,
}

const COMBINED: &str = "combined";
const DEFAULT_SIZE: usize = 1 << 20;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"access_log", EVERYWHERE, Setter::OneOrTwo(set_access_log)),
    Directive::new(c"log_format", EVERYWHERE, Setter::Arguments(set_log_format)),
    Directive::new(c"log_interval", EVERYWHERE, Setter::TimeOrOff(|s| &mut s.access_log.interval)),
    Directive::new(
        c"log_size",
        EVERYWHERE,
        Setter::Size(|s| &mut s.access_log.size, 64..=16 << 20),
    ),
    Directive::new(c"log_mask_key", EVERYWHERE, Setter::Flag(|s| &mut s.access_log.mask_key)),
];

/// `access_log off | PATH [FORMAT]`
fn set_access_log(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let (path, is_alone) = (conf.text(1)?.to_owned(), conf.args().len() == 2);
    let word = conf.args()[1];
    let logs = &mut block.settings.access_log.logs;
    if path == "off" && is_alone {
        *logs = Some(Logs::Off);
        return Ok(());
    }
    if path.is_empty() || path.starts_with("syslog:") {
        return Err(format!("has the invalid path \"{path}\", it must be \"off\" or a file").into());
    }
    let format = if is_alone { COMBINED.to_owned() } else { conf.text(2)?.to_owned() };
    let log = Log { file: open(conf, word)?, format, place: conf.place() };
    match logs.get_or_insert_with(|| Logs::To(Vec::new())) {
        Logs::Off => {}
        Logs::To(logs) => logs.push(log),
    }
    Ok(())
}

/// Has nginx open the file, when it has read all of the configuration.
fn open(conf: &mut Conf, mut path: ngx_str_t) -> Result<LogFile, Failure> {
    // SAFETY: the cycle is there while a configuration is parsed; the path is in its memory.
    let file = unsafe { ngx_conf_open_file(conf.raw().cycle, &raw mut path) };
    let file = NonNull::new(file).ok_or_else(|| "is out of memory".to_owned())?;
    // SAFETY: it is in that cycle's list.
    Ok(unsafe { LogFile::new(file) })
}

/// `log_format NAME [escape=default|json|none] STRING...`
fn set_log_format(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let words: Vec<&str> =
        (2..conf.args().len()).map(|index| conf.text(index)).collect::<Result<_, _>>()?;
    let format = Format::parse(&words).map_err(|error| error.to_string())?;
    let (name, place) = (conf.text(1)?.to_owned(), conf.place());
    block.formats.push(LogFormat { name, format: Arc::new(format), place });
    if conf.raw().cmd_type != Level::Main as usize {
        let text = "\"log_format\" belongs in \"rtmp\", and is known in all of it wherever it is";
        conf.warn(format_args!("{text}"));
    }
    Ok(())
}

/// Every format there is.
pub(super) struct Formats(HashMap<String, Arc<Format>>);

impl Formats {
    /// Those of `main` and of the blocks in it.
    pub(super) fn gather(main: &Block) -> Result<Self, Failure> {
        let servers = main.children.iter();
        let applications = servers.clone().flat_map(|server| &server.children);
        let blocks = std::iter::once(main).chain(servers).chain(applications);
        let mut all = HashMap::from([(COMBINED.to_owned(), Arc::new(Format::combined()))]);
        for LogFormat { name, format, place } in blocks.flat_map(|block| &block.formats) {
            if all.insert(name.clone(), Arc::clone(format)).is_some() {
                return Err(
                    format!("has a duplicate \"log_format\" name \"{name}\", at {place}").into()
                );
            }
        }
        Ok(Self(all))
    }

    fn find(&self, Log { format, place, .. }: &Log) -> Result<Arc<Format>, Failure> {
        let found = self.0.get(format).map(Arc::clone);
        found.ok_or_else(|| format!("has the unknown log format \"{format}\", at {place}").into())
    }
}

impl AccessLogSettings {
    /// What logs keep to themselves.
    pub(super) fn mask(&self) -> LogMask {
        LogMask(self.mask_key.unwrap_or(false))
    }

    /// What is logged; where nothing is said, as the C module does, what nginx's http server logs to
    /// where nothing is said.
    pub(super) fn resolve(
        &self,
        conf: &mut Conf,
        formats: &Formats,
    ) -> Result<Arc<AccessLog>, Failure> {
        let logs = match &self.logs {
            Some(Logs::Off) => Vec::new(),
            Some(Logs::To(logs)) => logs.clone(),
            None => {
                let path = conf.copy(&NGX_HTTP_LOG_PATH.to_string_lossy())?;
                let (format, place) = (COMBINED.to_owned(), conf.place());
                vec![Log { file: open(conf, path)?, format, place }]
            }
        };
        let output = |log: &Log| Ok(Output::new(log.file, formats.find(log)?));
        let outputs = logs.iter().map(output).collect::<Result<_, Failure>>()?;
        let interval = self.interval.filter(|interval| !interval.is_zero());
        Ok(Arc::new(AccessLog::new(outputs, interval, self.size.unwrap_or(DEFAULT_SIZE))))
    }
}
