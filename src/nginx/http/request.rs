//! A request of nginx's HTTP server.

use std::ffi::c_void;
use std::mem;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::{iter, slice};

use nginx_sys::{
    NGX_DONE, NGX_ERROR, NGX_HTTP_DELETE, NGX_HTTP_GET, NGX_HTTP_HEAD,
    NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_OK, NGX_HTTP_POST, NGX_HTTP_SPECIAL_RESPONSE, NGX_OK,
    ngx_buf_t, ngx_chain_t, ngx_http_discard_request_body, ngx_http_finalize_request,
    ngx_http_output_filter, ngx_http_read_client_request_body, ngx_http_request_empty_handler,
    ngx_http_request_t, ngx_http_run_posted_requests, ngx_http_send_header, ngx_http_test_reading,
    ngx_int_t, ngx_list_push, ngx_list_t, ngx_palloc, ngx_pcalloc, ngx_pool_cleanup_add,
    ngx_pool_t, ngx_str_t, ngx_table_elt_t, ngx_uint_t,
};

use super::super::conf::HttpConf;
use super::super::inquiry::InquiryId;
use super::super::{guard, modules, worker};
use super::Response;
use crate::api::Method;

/// A request that is being answered. Who keeps one drops it when its [`hold`](Self::hold) ends.
#[derive(Clone, Copy)]
pub(in crate::nginx) struct Request(NonNull<ngx_http_request_t>);

impl Request {
    /// # Safety
    ///
    /// `r` is null or points to a request, which lives as long as the value is used.
    pub(super) unsafe fn from_raw(r: *mut ngx_http_request_t) -> Option<Self> {
        NonNull::new(r).map(Self)
    }

    pub(super) const fn raw(self) -> *mut ngx_http_request_t {
        self.0.as_ptr()
    }

    /// What its location says.
    pub(super) fn conf<'a>(self) -> &'a HttpConf {
        // SAFETY: a location has what `create_conf` made for it, as long as the cycle.
        unsafe { &*(*(*self.raw()).loc_conf.add(modules::http_index())).cast::<HttpConf>() }
    }

    /// The path, without percent-encoding; empty if it is not UTF-8.
    pub(super) fn path<'a>(self) -> &'a str {
        // SAFETY: the text lives as long as the request.
        unsafe { text(&raw const (*self.raw()).uri) }
    }

    /// What comes behind the `?`; empty if it is not UTF-8.
    pub(super) fn query<'a>(self) -> &'a str {
        // SAFETY: as above.
        unsafe { text(&raw const (*self.raw()).args) }
    }

    /// The method, as far as anything here has it.
    pub(super) fn method(self) -> Method {
        // SAFETY: the request is there.
        match unsafe { (*self.raw()).method } as u32 {
            NGX_HTTP_GET | NGX_HTTP_HEAD => Method::Get,
            NGX_HTTP_POST => Method::Post,
            NGX_HTTP_DELETE => Method::Delete,
            _ => Method::Other,
        }
    }

    /// Path and query as the client has sent them; empty if they are not UTF-8.
    pub(super) fn target<'a>(self) -> &'a str {
        // SAFETY: the text lives as long as the request.
        unsafe { text(&raw const (*self.raw()).unparsed_uri) }
    }

    /// The type of the body, if the client says one.
    pub(super) fn content_type<'a>(self) -> Option<&'a str> {
        // SAFETY: null or a header, which lives as long as the request.
        unsafe {
            let header = (*self.raw()).headers_in.content_type.as_ref()?;
            Some(text(&raw const header.value))
        }
    }

    /// How long the body is, as far as the client says.
    pub(super) fn content_length(self) -> usize {
        // SAFETY: the request is there. A negative length is none.
        unsafe { (*self.raw()).headers_in.content_length_n.try_into().unwrap_or(0) }
    }

    /// Adds a header to the response.
    pub(super) fn add_header(self, name: &'static str, value: &str) {
        // SAFETY: the request is there, and its pool gives memory, or null.
        let value = unsafe {
            let memory = ngx_palloc((*self.raw()).pool, value.len()).cast::<u8>();
            assert!(!memory.is_null(), "out of memory");
            memory.copy_from_nonoverlapping(value.as_ptr(), value.len());
            ngx_str_t { len: value.len(), data: memory }
        };
        self.push_header(name, value);
    }

    /// Sends the header `ETag` with the response, or has nginx respond that it is what the client has.
    pub(super) fn set_etag(self, etag: &'static str) {
        let header = self.push_header("ETag", static_text(etag));
        // SAFETY: the request is there.
        unsafe { (*self.raw()).headers_out.etag = header }
    }

    /// `value` lives as long as the request.
    fn push_header(self, name: &'static str, value: ngx_str_t) -> *mut ngx_table_elt_t {
        // SAFETY: the request is there; the list gives room for a header. All-zero is one, to which
        // newer versions of nginx add fields.
        unsafe {
            let slot = ngx_list_push(&raw mut (*self.raw()).headers_out.headers);
            assert!(!slot.is_null(), "out of memory");
            let mut header: ngx_table_elt_t = mem::zeroed();
            header.hash = 1;
            (header.key, header.value) = (static_text(name), value);
            let slot = slot.cast::<ngx_table_elt_t>();
            slot.write(header);
            slot
        }
    }

    /// Has nginx read the body, retain the request and call `handler` then. Gives what nginx is to be
    /// told.
    pub(super) fn read_body(
        self,
        handler: unsafe extern "C" fn(*mut ngx_http_request_t),
    ) -> ngx_int_t {
        // SAFETY: the request is there.
        let code = unsafe { ngx_http_read_client_request_body(self.raw(), Some(handler)) };
        if code >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t { code } else { NGX_DONE as ngx_int_t }
    }

    /// The body, once it was read; none if it has more than `limit` bytes, or cannot be had.
    pub(super) fn body(self, limit: usize) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        // SAFETY: the request is there, and has its body as a chain of buffers, if it has one.
        unsafe {
            let mut link =
                (*self.raw()).request_body.as_ref().map_or(ptr::null_mut(), |it| it.bufs);
            while let Some(&ngx_chain_t { buf, next }) = link.as_ref() {
                append(&*buf, limit, &mut body)?;
                link = next;
            }
        }
        Some(body)
    }

    /// The values of `Accept`, separated by commas.
    pub(super) fn accept(self) -> String {
        // SAFETY: the request is there, and its header fields live as long.
        let fields = unsafe { fields(&raw const (*self.raw()).headers_in.headers) };
        let accepts = fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"accept"));
        let values = accepts.filter_map(|(_, value)| str::from_utf8(value).ok());
        values.collect::<Vec<_>>().join(",")
    }

    /// Has nginx throw away what the client sends besides.
    pub(super) fn discard_body(self) -> Result<(), ngx_int_t> {
        // SAFETY: the request is there.
        match unsafe { ngx_http_discard_request_body(self.raw()) } {
            code if code == NGX_OK as ngx_int_t => Ok(()),
            code => Err(code),
        }
    }

    /// Sends the response. Gives what nginx is to be told of it.
    pub(super) fn respond(self, response: Response) -> ngx_int_t {
        let Response { status, content_type, body } = response;
        // SAFETY: the request is there.
        let chain = unsafe { chain_of((*self.raw()).pool, body.as_bytes()) };
        self.send(status, content_type, body.len(), chain)
    }

    /// Sends what the module holds as the response. Gives what nginx is to be told of it.
    pub(super) fn respond_static(
        self,
        content_type: &'static str,
        body: &'static str,
    ) -> ngx_int_t {
        // SAFETY: the request is there, and nginx only reads what is "memory".
        let chain = unsafe { chain_to((*self.raw()).pool, body.as_ptr().cast_mut(), body.len()) };
        if let Some(chain) = chain {
            // SAFETY: the chain was made with its buffer.
            unsafe { (*(*chain).buf).set_memory(1) };
        }
        self.send(NGX_HTTP_OK, content_type, body.len(), chain)
    }

    fn send(
        self,
        status: u32,
        content_type: &'static str,
        length: usize,
        chain: Option<*mut ngx_chain_t>,
    ) -> ngx_int_t {
        let r = self.raw();
        let Some(chain) = chain else { return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t };
        // SAFETY: the request is there, and what is put into it lives as long as its pool, or for
        // ever.
        unsafe {
            let headers = &mut (*r).headers_out;
            headers.status = status as ngx_uint_t;
            headers.content_length_n = length as i64;
            headers.content_type =
                ngx_str_t { len: content_type.len(), data: content_type.as_ptr().cast_mut() };
            // Without parameters: what `gzip_types` compares, and where a `charset` would be added.
            headers.content_type_len = content_type.find(';').unwrap_or(content_type.len());
            headers.content_type_lowcase = ptr::null_mut();
            let sent = ngx_http_send_header(r);
            if sent == NGX_ERROR as ngx_int_t
                || sent > NGX_OK as ngx_int_t
                || (*r).header_only() != 0
            {
                return sent;
            }
            ngx_http_output_filter(r, chain)
        }
    }

    /// Has nginx keep the request until it is finished.
    pub(super) fn retain(self) {
        // SAFETY: the request is there; as ngx_http_read_client_request_body does.
        unsafe {
            let main = (*self.raw()).main;
            (*main).set_count((*main).count() + 1);
        }
    }

    /// Waits with a [retained](Self::retain) request until it is [finished](Self::finish). A client that
    /// goes away meanwhile takes the inquiry with it.
    pub(super) fn hold(self, id: InquiryId) {
        self.keep(id.0, ngx_http_request_empty_handler, on_gone);
    }

    /// Gives a [retained](Self::retain) request a number. `on_writable` is called when more can be
    /// sent, and `on_gone`, with the number, when nginx has done with it.
    pub(super) fn keep(self, number: u64, on_writable: OnEvent, on_gone: OnGone) {
        let r = self.raw();
        // SAFETY: the request is there; as ngx_http_read_client_request_body does.
        unsafe {
            (*r).read_event_handler = Some(ngx_http_test_reading);
            (*r).write_event_handler = Some(on_writable);
            let cleanup = ngx_pool_cleanup_add((*r).pool, 0);
            assert!(!cleanup.is_null(), "out of memory");
            let number = ptr::without_provenance_mut(number as usize);
            (*(*r).ctx.add(modules::http_index())) = number;
            (*cleanup).data = number;
            (*cleanup).handler = Some(on_gone);
        }
    }

    /// The number that [`keep`](Self::keep) has given it.
    pub(super) fn number(self) -> u64 {
        // SAFETY: the request is there, with a place for each module.
        unsafe { (*(*self.raw()).ctx.add(modules::http_index())).addr() as u64 }
    }

    /// Sends the response to a request that was held.
    pub(in crate::nginx) fn finish(self, response: Response) {
        self.close(self.respond(response));
    }

    /// Tells nginx what has come of a retained request, whoever's the event is.
    pub(super) fn close(self, code: ngx_int_t) {
        // SAFETY: the request is there; nginx keeps connections in memory that are closed
        // (ngx_http_upstream_handler).
        unsafe {
            let connection = (*self.raw()).connection;
            self.finalize(code);
            ngx_http_run_posted_requests(connection);
        }
    }

    /// Tells nginx what has come of a retained request, in an event of its.
    pub(super) fn finalize(self, code: ngx_int_t) {
        // SAFETY: the request is there.
        unsafe { ngx_http_finalize_request(self.raw(), code) }
    }
}

/// An event of a request.
type OnEvent = unsafe extern "C" fn(*mut ngx_http_request_t);

/// The end of a request with that number.
type OnGone = unsafe extern "C" fn(*mut c_void);

/// A request is over.
unsafe extern "C" fn on_gone(data: *mut c_void) {
    let id = InquiryId(data.addr() as u64);
    guard(|| worker::with(|worker| worker.inquiries.forget(id)), || ());
}

/// Appends what a buffer holds, if it does not come to more than `limit` bytes.
///
/// # Safety
///
/// The buffer is of a body that nginx has read: in memory, or in a file.
unsafe fn append(buffer: &ngx_buf_t, limit: usize, body: &mut Vec<u8>) -> Option<()> {
    let start = body.len();
    if buffer.in_file() == 0 {
        // An empty body's buffer has no memory.
        if buffer.pos.is_null() {
            return Some(());
        }
        // SAFETY: both point into the buffer's memory.
        let bytes = unsafe {
            slice::from_raw_parts(buffer.pos, buffer.last.offset_from_unsigned(buffer.pos))
        };
        body.extend_from_slice(bytes.get(..bytes.len().min(limit + 1))?);
        return (body.len() <= limit).then_some(());
    }
    let length = usize::try_from(buffer.file_last - buffer.file_pos).ok()?;
    if start + length > limit {
        return None;
    }
    body.resize(start + length, 0);
    // SAFETY: nginx keeps the file open as long as the request.
    let file = unsafe { BorrowedFd::borrow_raw((*buffer.file).fd) };
    let read = rustix::io::pread(file, &mut body[start..], buffer.file_pos as u64).ok()?;
    (read == length).then_some(())
}

/// A text that lives for ever.
const fn static_text(text: &'static str) -> ngx_str_t {
    ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() }
}

/// The text; empty if it is not UTF-8.
///
/// # Safety
///
/// `text` points to a text that lives as long as the result.
unsafe fn text<'a>(text: *const ngx_str_t) -> &'a str {
    // SAFETY: the caller's promise.
    unsafe { (*text).to_str().unwrap_or_default() }
}

/// The names and values of header fields.
///
/// # Safety
///
/// `list` points to a list of header fields that lives as long as the result.
unsafe fn fields<'a>(list: *const ngx_list_t) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    // SAFETY: the caller's promise; the first part is in the list itself.
    let first = unsafe { &raw const (*list).part };
    let parts = iter::successors(Some(first), |&part| {
        // SAFETY: a part has a pointer to the next one, or null (ngx_list.h).
        let next = unsafe { (*part).next };
        (!next.is_null()).then_some(next.cast_const())
    });
    parts.flat_map(|part| {
        // SAFETY: a part has so many fields; it has no place for them until it has any.
        let fields: &[ngx_table_elt_t] = unsafe {
            match (*part).nelts {
                0 => &[],
                count => slice::from_raw_parts((*part).elts.cast(), count),
            }
        };
        fields.iter().map(|field| (field.key.as_bytes(), field.value.as_bytes()))
    })
}

/// A copy of the bytes in the pool's memory, as the whole of a response.
///
/// # Safety
///
/// `pool` is a pool.
unsafe fn chain_of(pool: *mut ngx_pool_t, bytes: &[u8]) -> Option<*mut ngx_chain_t> {
    // SAFETY: the pool gives memory for what is written into it, or null.
    unsafe {
        let memory = NonNull::new(ngx_palloc(pool, bytes.len()).cast::<u8>())?.as_ptr();
        memory.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        let chain = chain_to(pool, memory, bytes.len())?;
        (*(*chain).buf).set_temporary(1);
        Some(chain)
    }
}

/// The bytes at `data` as the whole of a response, of a kind that is to be said yet.
///
/// # Safety
///
/// `pool` is a pool, and there are so many bytes at `data` as long as it is there.
unsafe fn chain_to(
    pool: *mut ngx_pool_t,
    data: *mut u8,
    length: usize,
) -> Option<*mut ngx_chain_t> {
    // SAFETY: the pool gives memory for what is written into it, or null.
    unsafe {
        let buffer = NonNull::new(ngx_pcalloc(pool, size_of::<ngx_buf_t>()))?;
        let buffer = buffer.cast::<ngx_buf_t>().as_ptr();
        (*buffer).pos = data;
        (*buffer).last = data.add(length);
        (*buffer).set_last_buf(1);
        (*buffer).set_last_in_chain(1);
        let chain = NonNull::new(ngx_pcalloc(pool, size_of::<ngx_chain_t>()))?;
        let chain = chain.cast::<ngx_chain_t>().as_ptr();
        (*chain).buf = buffer;
        Some(chain)
    }
}
