//! nginx's error log.

use std::cell::RefCell;
use std::ffi::CStr;
use std::fmt;
use std::io::Write;

use nginx_sys::{
    NGX_LOG_ALERT, NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE, NGX_LOG_WARN, ngx_connection_t,
    ngx_cycle, ngx_err_t, ngx_log_error_core, ngx_log_t, ngx_uint_t, u_char,
};

/// Who must act on a line: at `Alert` the developers of this module, at `Error` and `Warn` the
/// operator; `Notice` is what programs say that were started, at `Info` nobody (a peer's fault).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Level {
    Alert = NGX_LOG_ALERT,
    Error = NGX_LOG_ERR,
    Warn = NGX_LOG_WARN,
    Notice = NGX_LOG_NOTICE,
    Info = NGX_LOG_INFO,
}

/// Longest text of one line; nginx itself cuts lines at 2048 bytes.
const MAX_TEXT: usize = 1536;

/// Writes one line.
///
/// # Safety
///
/// `log` points to a valid log.
pub(super) unsafe fn write(
    log: *mut ngx_log_t,
    level: Level,
    errno: ngx_err_t,
    text: fmt::Arguments<'_>,
) {
    // SAFETY: the caller's promise.
    if unsafe { (*log).log_level } < level as ngx_uint_t {
        return;
    }
    let mut buffer = [0_u8; MAX_TEXT];
    let mut rest = &mut buffer[..];
    // A text that does not fit is cut, which is what an error here means.
    let _ = write!(rest, "{text}");
    let length = MAX_TEXT - rest.len();
    printable(&mut buffer[..length]);
    // SAFETY: the format takes a length and that many bytes.
    unsafe {
        ngx_log_error_core(
            level as ngx_uint_t,
            log,
            errno,
            c"%*s".as_ptr(),
            length,
            buffer.as_ptr(),
        );
    }
}

/// Writes one line to the log of the running cycle.
pub(super) fn cycle(level: Level, text: fmt::Arguments<'_>) {
    // SAFETY: nginx sets its cycle, and the cycle's log, before it loads any module.
    unsafe { write((*ngx_cycle).log, level, 0, text) }
}

/// Peers choose names: keep them from forging lines.
fn printable(text: &mut [u8]) {
    for byte in text {
        if byte.is_ascii_control() {
            *byte = b'?';
        }
    }
}

/// What the lines of one connection say after their text.
#[derive(Debug)]
pub(super) struct Context {
    facts: RefCell<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    client: String,
    server: String,
    application: String,
    stream: String,
}

impl Context {
    /// Makes a connection's log lines end with `client` and `server`, its addresses.
    ///
    /// The log keeps a pointer to the context: the connection's owner drops it after the
    /// connection.
    pub(super) fn install(c: &mut ngx_connection_t, client: String, server: String) -> Box<Self> {
        let facts = RefCell::new(Facts { client, server, ..Facts::default() });
        let context = Box::new(Self { facts });
        // SAFETY: a connection has a log of its own (ngx_event_accept).
        let log = unsafe { &mut *c.log };
        log.connection = c.number;
        log.data = (&raw const *context).cast_mut().cast();
        log.handler = Some(append_context);
        context
    }

    /// The client's address.
    pub(super) fn client(&self) -> String {
        self.facts.borrow().client.clone()
    }

    pub(super) fn set_client(&self, address: String) {
        self.facts.borrow_mut().client = address;
    }

    pub(super) fn set_application(&self, name: &str) {
        self.facts.borrow_mut().application = name.to_owned();
    }

    pub(super) fn set_stream(&self, name: &str) {
        self.facts.borrow_mut().stream = name.to_owned();
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts.borrow();
        write!(f, ", client: {}, server: {}", facts.client, facts.server)?;
        if !facts.application.is_empty() {
            write!(f, ", application: \"{}\"", facts.application)?;
        }
        if !facts.stream.is_empty() {
            write!(f, ", stream: \"{}\"", facts.stream)?;
        }
        Ok(())
    }
}

/// nginx's `log->handler`: appends the action and the context to the line in `buf`.
unsafe extern "C" fn append_context(
    log: *mut ngx_log_t,
    buf: *mut u_char,
    len: usize,
) -> *mut u_char {
    // SAFETY: nginx gives the log being written to, and a buffer of `len` bytes; `data` was set
    // with the handler, to a context that lives as long as its connection.
    let (log, buffer, context) = unsafe {
        let log = &*log;
        (log, std::slice::from_raw_parts_mut(buf, len), &*log.data.cast::<Context>())
    };
    let mut rest = &mut buffer[..];
    if !log.action.is_null() {
        // SAFETY: an action is a C string.
        let action = unsafe { CStr::from_ptr(log.action) };
        let _ = write!(rest, " while {}", action.to_string_lossy());
    }
    let _ = write!(rest, "{context}");
    let written = len - rest.len();
    printable(&mut buffer[..written]);
    // SAFETY: `written` is at most `len`.
    unsafe { buf.add(written) }
}
