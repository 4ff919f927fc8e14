//! What the access log says of a session.

use std::ffi::CStr;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use nginx_sys::{
    NGINX_VERSION, ngx_cached_http_log_iso8601, ngx_cached_http_log_time, ngx_cycle, ngx_pid,
    ngx_random, ngx_str_t,
};

use super::super::access_log::AccessLog;
use super::super::event;
use super::super::schedule::Due;
use super::super::worker::Shared;
use super::{End, Peer};
use crate::access::Action;
use crate::access_log::{Command, Entry, Usage};
use crate::log_mask::LogMask;

/// What a session has done, as far as its lines say.
pub(super) struct Activity {
    command: Command,
    name: String,
    args: String,
    /// What lines have told of already.
    logged: Usage,
    request_id: u128,
}

impl Activity {
    pub(super) fn new() -> Self {
        let request_id = (0..4).fold(0, |id, _| id << 32 | u128::from(ngx_random() as u32));
        let (command, logged) = (Command::default(), Usage::default());
        Self { command, name: String::new(), args: String::new(), logged, request_id }
    }

    /// The client has asked for a stream.
    pub(super) fn note(&mut self, action: Action, name: &str, args: &str) {
        match action {
            Action::Publish => self.command.publish = true,
            Action::Play => self.command.play = true,
        }
        (self.name, self.args) = (name.to_owned(), args.to_owned());
    }
}

impl Peer {
    /// A line is due while the session goes on. `connection` is the one that it was set for.
    pub(in crate::nginx) fn on_line_due(
        &mut self,
        connection: u64,
        shared: &mut Shared,
    ) -> Result<(), End> {
        if connection == self.connection.number() {
            self.write_line();
            self.schedule_line(shared);
        }
        Ok(())
    }

    /// The session has come to its end.
    pub(super) fn log_session(&mut self, shared: &mut Shared) {
        shared.schedule.cancel(self.line_due());
        // Load balancers that look whether the port is open would fill the disk.
        if self.session.connect().is_some() {
            self.write_line();
        }
    }

    /// Has lines written while the session goes on, if the configuration asks for that.
    pub(super) fn schedule_line(&self, shared: &mut Shared) {
        if let Some(interval) = self.access_log().interval {
            shared.schedule.set(self.line_due(), event::now() + interval);
        }
    }

    fn line_due(&self) -> Due {
        Due::Line { session: self.id, connection: self.connection.number() }
    }

    /// The application's, or the server's before there is one.
    fn access_log(&self) -> &Arc<AccessLog> {
        self.application.as_ref().map_or(&self.endpoint.server.access_log, |it| &it.access_log)
    }

    /// What logs keep to themselves.
    pub(super) fn log_mask(&self) -> LogMask {
        self.application.as_ref().map_or(self.endpoint.server.log_mask, |it| it.log_mask)
    }

    /// The path of a file that is played, as logs tell it.
    pub(super) fn masked(&self, path: &Path) -> String {
        self.log_mask().text(&path.to_string_lossy(), &self.activity.name).into_owned()
    }

    fn write_line(&mut self) {
        let log = Arc::clone(self.access_log());
        if log.is_off() {
            return;
        }
        let received = self.session.bytes_received();
        let total = Usage { sent: self.connection.bytes_sent(), received };
        let remote_addr = self.context.client();
        let connection = &self.connection;
        let Activity { command, name, args, logged, request_id } = &self.activity;
        let mask = self.log_mask();
        log.write(&Entry {
            client: &mask.client(&self.info),
            connection: connection.number(),
            remote_addr: &remote_addr,
            remote_ip: self.client,
            // Behind a proxy it is the proxy's.
            remote_port: connection.client_port().filter(|_| !self.endpoint.proxy_protocol),
            server_name: &self.endpoint.server.name,
            command: *command,
            name: &mask.name(name),
            args: &mask.query(args),
            usage: total.since(*logged),
            duration: event::now().saturating_since(self.began),
            now: event::unix_now(),
            // SAFETY: nginx updates these between two events only.
            time_local: unsafe { bytes(&raw const ngx_cached_http_log_time) },
            // SAFETY: as above.
            time_iso8601: unsafe { bytes(&raw const ngx_cached_http_log_iso8601) },
            request_id: *request_id,
            // SAFETY: set when the process starts.
            pid: unsafe { ngx_pid } as u32,
            // SAFETY: the cycle is there in a worker.
            hostname: unsafe { bytes(&raw const (*ngx_cycle).hostname) },
            nginx_version: CStr::to_bytes(NGINX_VERSION),
            server_address: &|| connection.server_address(),
            tcp_info: &|| connection.tcp_info(),
        });
        self.activity.logged = total;
    }
}

/// # Safety
///
/// `text` points to a string that does not change as long as the result is used.
unsafe fn bytes<'a>(text: *const ngx_str_t) -> &'a [u8] {
    // SAFETY: the caller's promise; nginx's strings are as long as they say.
    unsafe { slice::from_raw_parts((*text).data, (*text).len) }
}
