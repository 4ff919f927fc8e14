//! Responses that have no end yet, sent as they come (ngx_http_upstream's unbuffered ones).

use std::ptr::{self, NonNull};

use nginx_sys::{
    NGX_ERROR, NGX_HTTP_FLUSH, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_LAST,
    NGX_HTTP_REQUEST_TIME_OUT, NGX_OK, ngx_add_timer, ngx_chain_t, ngx_connection_t, ngx_del_timer,
    ngx_handle_write_event, ngx_http_core_loc_conf_t, ngx_http_core_module, ngx_http_output_filter,
    ngx_http_send_header, ngx_http_send_special, ngx_int_t, ngx_palloc, ngx_str_t, ngx_tcp_nodelay,
    ngx_uint_t,
};

use super::Request;

impl Request {
    /// Sends the head of a response of that type, whose length is not known.
    ///
    /// # Errors
    ///
    /// There is no more to send, or nothing can be: what the request is to be finalised with.
    pub(super) fn begin(self, content_type: &str) -> Result<(), ngx_int_t> {
        self.add_header("Cache-Control", "no-store");
        let r = self.raw();
        let error = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
        // SAFETY: the request is there, and its pool gives memory for what is written, or null.
        unsafe {
            let text = NonNull::new(ngx_palloc((*r).pool, content_type.len())).ok_or(error)?;
            let text = text.cast::<u8>().as_ptr();
            text.copy_from_nonoverlapping(content_type.as_ptr(), content_type.len());
            let headers = &mut (*r).headers_out;
            headers.status = 200;
            headers.content_length_n = -1;
            headers.content_type = ngx_str_t { len: content_type.len(), data: text };
            // Without parameters, for `gzip_types` and the like.
            headers.content_type_len = content_type.find(';').unwrap_or(content_type.len());
            headers.content_type_lowcase = ptr::null_mut();
            let sent = ngx_http_send_header(r);
            if sent == NGX_ERROR as ngx_int_t
                || sent > NGX_OK as ngx_int_t
                || (*r).header_only() != 0
            {
                return Err(sent);
            }
            if self.core().tcp_nodelay != 0
                && ngx_tcp_nodelay(self.connection()) != NGX_OK as ngx_int_t
            {
                return Err(NGX_ERROR as ngx_int_t);
            }
            // It may be a while until there is more to send.
            match ngx_http_send_special(r, NGX_HTTP_FLUSH as ngx_uint_t) {
                code if code == NGX_ERROR as ngx_int_t => Err(code),
                _ => Ok(()),
            }
        }
    }

    /// Gives nginx more of the response, or with null has it go on with what it has.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub(super) fn pass(self, chain: *mut ngx_chain_t) -> Result<(), ngx_int_t> {
        // SAFETY: the request is there.
        match unsafe { ngx_http_output_filter(self.raw(), chain) } {
            code if code == NGX_ERROR as ngx_int_t => Err(code),
            _ => Ok(()),
        }
    }

    /// Ends the response. Gives what the request is to be finalised with.
    pub(super) fn end(self) -> ngx_int_t {
        // SAFETY: the request is there.
        unsafe { ngx_http_send_special(self.raw(), NGX_HTTP_LAST as ngx_uint_t) }
    }

    /// Waits until more can be sent, if nginx has anything left to send. The client has its
    /// `send_timeout` to take some of it, from now on if something has moved.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub(super) fn wait_writable(self, has_moved: bool) -> Result<(), ngx_int_t> {
        let core = self.core();
        // SAFETY: the request is there, and its connection's event; timers are nginx's.
        unsafe {
            let event = (*self.connection()).write;
            let has_timer = (*event).timer_set() != 0;
            // With `limit_rate` the timer says when to go on.
            if (*event).delayed() == 0 {
                if !self.is_sending() && has_timer {
                    ngx_del_timer(event);
                } else if self.is_sending() && (has_moved || !has_timer) {
                    ngx_add_timer(event, core.send_timeout);
                }
            }
            match ngx_handle_write_event(event, core.send_lowat) {
                code if code == NGX_OK as ngx_int_t => Ok(()),
                _ => Err(NGX_ERROR as ngx_int_t),
            }
        }
    }

    /// More can be sent: has nginx send what it has. Whether there was anything.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin); the client has taken nothing for too long.
    pub(super) fn resume(self) -> Result<bool, ngx_int_t> {
        let connection = self.connection();
        // SAFETY: the request is there, and its connection's event.
        unsafe {
            if (*(*connection).write).timedout() != 0 {
                (*connection).set_timedout(1);
                return Err(NGX_HTTP_REQUEST_TIME_OUT as ngx_int_t);
            }
            if (*(*connection).write).delayed() != 0 || !self.is_sending() {
                return Ok(false);
            }
        }
        self.pass(ptr::null_mut())?;
        Ok(true)
    }

    /// Whether nginx has something left to send.
    fn is_sending(self) -> bool {
        // SAFETY: the request is there, and its connection.
        unsafe { (*self.raw()).buffered() != 0 || (*self.connection()).buffered() != 0 }
    }

    fn connection(self) -> *mut ngx_connection_t {
        // SAFETY: the request is there.
        unsafe { (*self.raw()).connection }
    }

    /// What its location says of HTTP.
    fn core<'a>(self) -> &'a ngx_http_core_loc_conf_t {
        // SAFETY: a location has the core module's configuration, as long as the cycle
        // (ngx_http_get_module_loc_conf).
        unsafe { &*(*(*self.raw()).loc_conf.add(ngx_http_core_module.ctx_index)).cast() }
    }
}
