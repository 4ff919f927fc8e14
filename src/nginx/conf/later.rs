//! Directives of packaging that the C modules have and this one does not have yet.

use std::ffi::CStr;

use super::directive::{Directive, EVERYWHERE, Setter};

pub(super) const DIRECTIVES: &[Directive] = &[
    later(c"hls_fragment_naming"),
    later(c"hls_fragment_naming_granularity"),
    later(c"hls_fragment_slicing"),
    later(c"hls_type"),
    later(c"hls_keys"),
    later(c"hls_key_path"),
    later(c"hls_key_url"),
    later(c"hls_fragments_per_key"),
    later(c"hls_datetime"),
    later(c"hls_allow_client_cache"),
    later(c"hls_dir_access"),
    later(c"dash"),
    later(c"dash_path"),
    later(c"dash_fragment"),
    later(c"dash_playlist_length"),
    later(c"dash_cleanup"),
    later(c"dash_nested"),
    later(c"dash_clock_compensation"),
    later(c"dash_clock_helper_uri"),
    later(c"dash_variant"),
    later(c"dash_repetition"),
];

const fn later(name: &'static CStr) -> Directive {
    Directive::new(name, EVERYWHERE, Setter::Later)
}
