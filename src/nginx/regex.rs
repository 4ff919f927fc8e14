//! Regular expressions, as this nginx has them.

use super::conf::{Conf, Failure};
use crate::virtual_host::Pattern;

#[cfg(ngx_feature = "pcre")]
mod pcre {
    use std::{mem, ptr};

    use nginx_sys::{
        NGX_OK, NGX_REGEX_CASELESS, ngx_int_t, ngx_regex_compile, ngx_regex_compile_t,
        ngx_regex_exec, ngx_regex_t, ngx_str_t,
    };

    use super::{Conf, Failure, Pattern};

    /// Room for the text of what is wrong with an expression (NGX_MAX_CONF_ERRSTR).
    const MAX_ERROR: usize = 1024;

    /// A compiled expression, in the memory of the configuration that has it.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::nginx) struct Regex(*mut ngx_regex_t);

    // SAFETY: nginx's workers have one thread that executes expressions.
    unsafe impl Send for Regex {}
    // SAFETY: as above.
    unsafe impl Sync for Regex {}

    impl Regex {
        /// Compiles `text`, without regard to case.
        pub(in crate::nginx) fn compile(conf: &mut Conf, text: &str) -> Result<Self, Failure> {
            let mut error = [0_u8; MAX_ERROR];
            // PCRE reads up to a zero in some versions.
            let text = conf.copy(text)?;
            // SAFETY: all-zero is what nginx starts from (ngx_memzero).
            let mut compile: ngx_regex_compile_t = unsafe { mem::zeroed() };
            compile.pattern = text;
            compile.pool = conf.raw().pool;
            compile.options = NGX_REGEX_CASELESS as _;
            compile.err = ngx_str_t { len: error.len(), data: error.as_mut_ptr() };
            // SAFETY: the text and the pool live as long as the configuration.
            if unsafe { ngx_regex_compile(&raw mut compile) } != NGX_OK as ngx_int_t {
                return Err(format!("has an invalid expression: {}", compile.err).into());
            }
            Ok(Self(compile.regex))
        }
    }

    impl Pattern for Regex {
        fn matches(&self, host: &str) -> bool {
            let mut text = ngx_str_t { len: host.len(), data: host.as_ptr().cast_mut() };
            // SAFETY: the expression lives as long as its configuration, and only reads the text.
            unsafe { ngx_regex_exec(self.0, &raw mut text, ptr::null_mut(), 0) >= 0 }
        }
    }
}

#[cfg(not(ngx_feature = "pcre"))]
mod pcre {
    use std::convert::Infallible;

    use super::{Conf, Failure, Pattern};

    /// There is none.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::nginx) struct Regex(Infallible);

    impl Regex {
        /// Says why there is none.
        pub(in crate::nginx) fn compile(_conf: &mut Conf, text: &str) -> Result<Self, Failure> {
            Err(format!("has the expression \"{text}\", but this nginx was built without PCRE")
                .into())
        }
    }

    impl Pattern for Regex {
        fn matches(&self, _host: &str) -> bool {
            match self.0 {}
        }
    }
}

pub(super) use pcre::Regex;
