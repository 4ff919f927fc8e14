//! HTTP/1.1 from the client's side (RFC 9112), without a socket: the URL that is asked, the bytes
//! of a request, and what comes back on the connection.

mod request;
mod response;
mod url;

pub use request::{Method, NotAHeader, Request, check_header};
pub use response::{Error, Head, Part, Response};
pub use url::{NotAUrl, Scheme, Url};
