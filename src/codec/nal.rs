//! nal
