//! Directives as data, and the one function through which nginx sets them all.

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::ptr;
use std::time::Duration;

use nginx_sys::{
    NGX_CONF_1MORE, NGX_CONF_BLOCK, NGX_CONF_FLAG, NGX_CONF_NOARGS, NGX_CONF_TAKE1, NGX_CONF_TAKE2,
    NGX_CONF_TAKE12, NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF,
    NGX_HTTP_SRV_CONF, NGX_LOG_EMERG, NGX_LOG_WARN, NGX_MAIN_CONF, NGX_OK, ngx_command_t,
    ngx_conf_log_error, ngx_conf_parse, ngx_conf_t, ngx_int_t, ngx_pcalloc, ngx_pool_cleanup_add,
    ngx_str_t, ngx_uint_t,
};

use super::{Block, Settings, parse};
use crate::nginx::{guard, modules};

/// Where a directive may stand. The bits are nginx's own of the `http` module, which cannot be
/// confused with ours: blocks of different module types do not nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(in crate::nginx) enum Level {
    Main = 0x0200_0000,
    Server = 0x0400_0000,
    Application = 0x0800_0000,
    Recorder = 0x1000_0000,
}

pub(super) const MAIN: usize = Level::Main as usize;
pub(super) const SERVER: usize = Level::Server as usize;
pub(super) const APPLICATION: usize = Level::Application as usize;
pub(super) const RECORDER: usize = Level::Recorder as usize;
/// But in `recorder {}`.
pub(super) const EVERYWHERE: usize = MAIN | SERVER | APPLICATION;

/// A directive valid inside `rtmp {}`.
pub(super) struct Directive {
    name: &'static CStr,
    /// A union of [`Level`] bits.
    levels: usize,
    setter: Setter,
}

/// What a directive takes, and where it goes.
#[cfg_attr(not(ngx_feature = "ssl"), allow(dead_code))]
pub(super) enum Setter {
    /// `on` or `off`.
    Flag(Slot<bool>),
    /// A time greater than zero; a bare number is seconds.
    Time(Slot<Duration>),
    /// A time, or `off` or 0.
    TimeOrOff(Slot<Duration>),
    /// A number within bounds.
    Number(Slot<u32>, RangeInclusive<u32>),
    /// A number of bytes (or of messages, in the C module's usage), with `k` or `m`, within bounds.
    Size(Slot<usize>, RangeInclusive<usize>),
    /// A path, relative to nginx's prefix.
    Path(Slot<PathBuf>),
    /// One word.
    Word(Slot<ngx_str_t>),
    /// One word, in addition to those of the block that there are.
    Words(Slot<Vec<ngx_str_t>>),
    /// A name and a value, in addition to those of the block that there are.
    Pairs(Slot<Vec<(ngx_str_t, ngx_str_t)>>),
    /// One argument, of a grammar of its own.
    Argument(fn(&mut Conf, &mut Block) -> Result<(), Failure>),
    /// One or two arguments, of a grammar of its own.
    OneOrTwo(fn(&mut Conf, &mut Block) -> Result<(), Failure>),
    /// Two arguments, of a grammar of its own.
    TwoArguments(fn(&mut Conf, &mut Block) -> Result<(), Failure>),
    /// One argument or more, of a grammar of its own.
    Arguments(fn(&mut Conf, &mut Block) -> Result<(), Failure>),
    /// One value, which the C module needs and this one does not; the text says why.
    Unused(&'static str),
    /// As [`Unused`](Self::Unused), with any number of values.
    UnusedMany(&'static str),
    /// Any number of values, of what is refused as it is not there yet.
    Later,
    /// A block without arguments.
    Block(fn(&mut Conf, &mut Block) -> Result<(), Failure>),
    /// A block with a name.
    NamedBlock(fn(&mut Conf, &mut Block) -> Result<(), Failure>),
}

type Slot<T> = fn(&mut Settings) -> &mut Option<T>;

impl Directive {
    pub(super) const fn new(name: &'static CStr, levels: usize, setter: Setter) -> Self {
        Self { name, levels, setter }
    }

    /// The directive as nginx's tables have it.
    pub(super) const fn command(&'static self) -> ngx_command_t {
        let arity = match self.setter {
            Setter::Flag(_) => NGX_CONF_FLAG,
            Setter::Time(_)
            | Setter::TimeOrOff(_)
            | Setter::Number(..)
            | Setter::Size(..)
            | Setter::Path(_)
            | Setter::Word(_)
            | Setter::Words(_)
            | Setter::Argument(_)
            | Setter::Unused(_) => NGX_CONF_TAKE1,
            Setter::Pairs(_) | Setter::TwoArguments(_) => NGX_CONF_TAKE2,
            Setter::OneOrTwo(_) => NGX_CONF_TAKE12,
            Setter::Arguments(_) | Setter::UnusedMany(_) | Setter::Later => NGX_CONF_1MORE,
            Setter::Block(_) => NGX_CONF_BLOCK | NGX_CONF_NOARGS,
            Setter::NamedBlock(_) => NGX_CONF_BLOCK | NGX_CONF_TAKE1,
        };
        ngx_command_t {
            name: str_of(self.name),
            type_: self.levels | arity as usize,
            set: Some(set),
            conf: 0,
            offset: 0,
            post: (&raw const *self).cast_mut().cast(),
        }
    }

    fn apply(&self, conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
        let settings = &mut block.settings;
        match &self.setter {
            Setter::Flag(slot) => conf.fill(slot(settings), parse::flag),
            Setter::Time(slot) => conf.fill(slot(settings), parse::time),
            Setter::TimeOrOff(slot) => conf.fill(slot(settings), parse::time_or_off),
            Setter::Number(slot, range) => conf.fill(slot(settings), |v| parse::number(v, range)),
            Setter::Size(slot, range) => conf.fill(slot(settings), |v| parse::size(v, range)),
            Setter::Path(slot) => {
                let path = conf.path(1)?;
                conf.fill(slot(settings), |_| Ok(path))
            }
            Setter::Word(slot) => conf.fill(slot(settings), |word| Ok(*word)),
            Setter::Words(slot) => {
                slot(settings).get_or_insert_default().push(conf.args()[1]);
                Ok(())
            }
            Setter::Pairs(slot) => {
                slot(settings).get_or_insert_default().push((conf.args()[1], conf.args()[2]));
                Ok(())
            }
            Setter::Later => {
                Err("is not supported by this version yet, remove it".to_owned().into())
            }
            Setter::Unused(reason) | Setter::UnusedMany(reason) => {
                conf.warn(format_args!(
                    "\"{}\" has no effect: {reason}",
                    self.name.to_string_lossy()
                ));
                Ok(())
            }
            Setter::Argument(set)
            | Setter::OneOrTwo(set)
            | Setter::TwoArguments(set)
            | Setter::Arguments(set)
            | Setter::Block(set)
            | Setter::NamedBlock(set) => set(conf, block),
        }
    }
}

/// nginx's `set` of every directive inside `rtmp {}`; `block` is the block it stands in.
extern "C" fn set(cf: *mut ngx_conf_t, cmd: *mut ngx_command_t, block: *mut c_void) -> *mut c_char {
    answer(cf, |conf| {
        // SAFETY: every command in the table points to its directive, and `parse_block` gave
        // nginx the block to hand back.
        let (directive, block) = unsafe { (&*(*cmd).post.cast::<Directive>(), &mut *block.cast()) };
        directive.apply(conf, block)
    })
}

/// Why a configuration is refused.
#[derive(Debug)]
pub(in crate::nginx) enum Failure {
    /// The text of a line yet to be logged; nginx adds file and line.
    Text(String),
    /// It has been logged.
    Logged,
}

impl Failure {
    pub(super) fn duplicate() -> Self {
        Self::Text("is duplicate".to_owned())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Runs a setter and answers nginx in its own terms.
pub(super) fn answer(
    cf: *mut ngx_conf_t,
    setter: impl FnOnce(&mut Conf) -> Result<(), Failure>,
) -> *mut c_char {
    // NGX_CONF_ERROR
    let error: *mut c_char = ptr::without_provenance_mut(usize::MAX);
    guard(
        || {
            // SAFETY: nginx calls setters with a valid configuration.
            let conf = unsafe { &mut *cf.cast::<Conf>() };
            // A block's setter is left with the words of the last directive in it.
            let name = conf.text(0).unwrap_or_default().to_owned();
            match setter(conf) {
                Ok(()) => ptr::null_mut(),
                Err(Failure::Logged) => error,
                Err(Failure::Text(text)) => {
                    conf.log(NGX_LOG_EMERG, format_args!("\"{name}\" directive {text}"));
                    error
                }
            }
        },
        || error,
    )
}

/// nginx's configuration while it is parsed.
#[repr(transparent)]
pub(in crate::nginx) struct Conf(ngx_conf_t);

impl Conf {
    /// The word at `index`, 0 being the directive's name.
    pub(super) fn text(&self, index: usize) -> Result<&str, Failure> {
        let word = self.args().get(index).ok_or_else(|| "lacks an argument".to_owned())?;
        word.to_str().map_err(|_| "has an argument that is not UTF-8".to_owned().into())
    }

    /// The path at `index`; a relative one is taken from nginx's prefix.
    pub(super) fn path(&mut self, index: usize) -> Result<PathBuf, Failure> {
        let text = self.text(index)?;
        if text.is_empty() || text.contains('\0') {
            return Err(format!("has the invalid path \"{text}\"").into());
        }
        // SAFETY: the cycle is there while a configuration is parsed, and so is its prefix.
        let prefix = unsafe { &(*self.0.cycle).prefix };
        Ok(PathBuf::from(prefix.to_string()).join(text))
    }

    /// Sets `slot` from the first argument, once.
    fn fill<T>(
        &mut self,
        slot: &mut Option<T>,
        parse: impl FnOnce(&ngx_str_t) -> Result<T, String>,
    ) -> Result<(), Failure> {
        if slot.is_some() {
            return Err(Failure::duplicate());
        }
        let [_, value, ..] = self.args() else {
            return Err("lacks an argument".to_owned().into());
        };
        *slot = Some(parse(value)?);
        Ok(())
    }

    /// Parses what follows up to the closing brace into `block`.
    pub(super) fn parse_block(&mut self, level: Level, block: &mut Block) -> Result<(), Failure> {
        let saved = self.0;
        // nginx finds what it gives to `set` by *(ctx + cmd->conf)[module->ctx_index].
        let mut confs = [(&raw mut *block).cast::<c_void>()];
        let mut context = confs.as_mut_ptr();
        self.0.ctx = (&raw mut context).cast();
        self.0.module_type = modules::RTMP_MODULE;
        self.0.cmd_type = level as ngx_uint_t;
        // SAFETY: as ngx_http_block does; context and block outlive the call.
        let parsed = unsafe { ngx_conf_parse(&raw mut self.0, ptr::null_mut()) };
        self.0 = saved;
        if parsed.is_null() { Ok(()) } else { Err(Failure::Logged) }
    }

    /// Moves `value` to the heap, to be dropped with the cycle.
    pub(in crate::nginx) fn keep<T>(&mut self, value: T) -> *mut T {
        unsafe extern "C" fn drop_box<T>(data: *mut c_void) {
            // SAFETY: `data` is the box below, and a pool cleans up once.
            drop(unsafe { Box::from_raw(data.cast::<T>()) });
        }

        // SAFETY: a configuration has a pool.
        let cleanup = unsafe { ngx_pool_cleanup_add(self.0.pool, 0) };
        assert!(!cleanup.is_null(), "out of memory");
        let kept = Box::into_raw(Box::new(value));
        // SAFETY: the pool made the cleanup.
        unsafe {
            (*cleanup).data = kept.cast();
            (*cleanup).handler = Some(drop_box::<T>);
        }
        kept
    }

    /// The name of this machine.
    pub(super) fn hostname(&self) -> String {
        // SAFETY: the cycle is there while a configuration is parsed, and so is its host's name.
        unsafe { (*self.0.cycle).hostname.to_string() }
    }

    /// The text in the configuration's memory, ended by zero.
    pub(in crate::nginx) fn copy(&mut self, text: &str) -> Result<ngx_str_t, Failure> {
        // SAFETY: a configuration has a pool.
        let data = unsafe { ngx_pcalloc(self.0.pool, text.len() + 1) }.cast::<u8>();
        if data.is_null() {
            return Err("is out of memory".to_owned().into());
        }
        // SAFETY: there is room for the text.
        unsafe { data.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        Ok(ngx_str_t { len: text.len(), data })
    }

    /// Asks nginx for its default thread pool.
    #[cfg(ngx_feature = "threads")]
    pub(super) fn use_threads(&mut self) -> Result<(), Failure> {
        // SAFETY: a null name is the pool "default", made on first use.
        let pool = unsafe { nginx_sys::ngx_thread_pool_add(&raw mut self.0, ptr::null_mut()) };
        if pool.is_null() { Err(Failure::Logged) } else { Ok(()) }
    }

    /// This nginx has no threads; files are written inline.
    #[cfg(not(ngx_feature = "threads"))]
    pub(super) fn use_threads(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// The file and line that is being parsed, as nginx prints it.
    pub(super) fn place(&self) -> String {
        // SAFETY: set while a directive is parsed from a file or from the command line.
        let file = unsafe { &*self.0.conf_file };
        format!("{}:{}", file.file.name, file.line)
    }

    /// Logs a warning with the directive's file and line.
    pub(super) fn warn(&mut self, text: fmt::Arguments<'_>) {
        self.log(NGX_LOG_WARN, text);
    }

    /// The raw configuration, for nginx's functions.
    pub(in crate::nginx) fn raw(&mut self) -> &mut ngx_conf_t {
        &mut self.0
    }

    fn log(&mut self, level: u32, text: fmt::Arguments<'_>) {
        let text = text.to_string();
        // SAFETY: the format takes a length and that many bytes.
        unsafe {
            ngx_conf_log_error(
                level as ngx_uint_t,
                &raw mut self.0,
                0,
                c"%*s".as_ptr(),
                text.len(),
                text.as_ptr(),
            );
        }
    }

    /// The directive's words. They live as long as the configuration.
    pub(super) fn args(&self) -> &[ngx_str_t] {
        // SAFETY: while a directive is set, `args` holds its words.
        unsafe { (*self.0.args).as_slice() }
    }
}

/// Sets what a directive with a grammar of its own is about, once.
pub(super) fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Failure> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Failure::duplicate()),
    }
}

/// nginx's type of a function that sets a directive.
type Set = extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

/// The command of a block that nginx knows outside all blocks.
pub(super) const fn block_command(name: &'static CStr, set: Set) -> ngx_command_t {
    main_command(name, NGX_CONF_BLOCK | NGX_CONF_NOARGS, set)
}

/// The command of a directive with one value that nginx knows outside all blocks.
pub(super) const fn value_command(name: &'static CStr, set: Set) -> ngx_command_t {
    main_command(name, NGX_CONF_TAKE1, set)
}

/// The command of a directive with any number of values, valid anywhere in `http {}`.
pub(super) const fn http_words_command(name: &'static CStr, set: Set) -> ngx_command_t {
    http_command(name, HTTP | NGX_CONF_1MORE, set)
}

/// The command of a directive with one value, valid anywhere in `http {}`.
pub(super) const fn http_value_command(name: &'static CStr, set: Set) -> ngx_command_t {
    http_command(name, HTTP | NGX_CONF_TAKE1, set)
}

/// The command of a directive with at most one value, valid anywhere in `http {}`.
pub(super) const fn http_optional_command(name: &'static CStr, set: Set) -> ngx_command_t {
    http_command(name, HTTP | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set)
}

/// The command of a directive without values, valid in locations of `http {}`.
pub(super) const fn location_command(name: &'static CStr, set: Set) -> ngx_command_t {
    http_command(name, NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set)
}

/// Anywhere in `http {}`.
const HTTP: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

const fn http_command(name: &'static CStr, levels_and_arity: u32, set: Set) -> ngx_command_t {
    ngx_command_t {
        name: str_of(name),
        type_: levels_and_arity as ngx_uint_t,
        set: Some(set),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset: 0,
        post: ptr::null_mut(),
    }
}

const fn main_command(name: &'static CStr, arity: u32, set: Set) -> ngx_command_t {
    ngx_command_t {
        name: str_of(name),
        type_: (NGX_MAIN_CONF | arity) as ngx_uint_t,
        set: Some(set),
        conf: 0,
        offset: 0,
        post: ptr::null_mut(),
    }
}

const fn str_of(text: &'static CStr) -> ngx_str_t {
    ngx_str_t { len: text.count_bytes(), data: text.as_ptr().cast_mut().cast() }
}

/// Turns nginx's return codes into results, for functions that log their own errors.
pub(in crate::nginx) fn check(code: ngx_int_t) -> Result<(), Failure> {
    if code == NGX_OK as ngx_int_t { Ok(()) } else { Err(Failure::Logged) }
}
