//! The values of directives, in nginx's notations. Errors end the sentence
//! `"NAME" directive ... in FILE:LINE`.

use std::ops::RangeInclusive;
use std::time::Duration;

use nginx_sys::{ngx_parse_size, ngx_parse_time, ngx_str_t};

pub(super) fn flag(value: &ngx_str_t) -> Result<bool, String> {
    match value.as_bytes() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(format!("has the invalid value \"{value}\", it must be \"on\" or \"off\"")),
    }
}

/// A time in nginx's units, greater than zero; a bare number is seconds.
pub(super) fn time(value: &ngx_str_t) -> Result<Duration, String> {
    time_or_off(value).and_then(|time| match time.is_zero() {
        true => Err(format!("has the invalid value \"{value}\", it must be greater than 0")),
        false => Ok(time),
    })
}

/// A time in nginx's units, or `off` or 0.
pub(super) fn time_or_off(value: &ngx_str_t) -> Result<Duration, String> {
    if value.as_bytes() == b"off" {
        return Ok(Duration::ZERO);
    }
    // SAFETY: ngx_parse_time only reads the string.
    let millis = unsafe { ngx_parse_time((&raw const *value).cast_mut(), 0) };
    u64::try_from(millis).map(Duration::from_millis).map_err(|_| {
        format!("has the invalid value \"{value}\", it must be a time such as 500ms, 10s or 1m")
    })
}

pub(super) fn number(value: &ngx_str_t, range: &RangeInclusive<u32>) -> Result<u32, String> {
    value.to_str().ok().and_then(|text| text.parse().ok()).filter(|n| range.contains(n)).ok_or_else(
        || {
            let (least, most) = range.clone().into_inner();
            format!("has the invalid value \"{value}\", it must be a number from {least} to {most}")
        },
    )
}

pub(super) fn size(value: &ngx_str_t, range: &RangeInclusive<usize>) -> Result<usize, String> {
    value.to_str().ok().and_then(bytes).filter(|size| range.contains(size)).ok_or_else(|| {
        let (least, most) = range.clone().into_inner();
        format!(
            "has the invalid value \"{value}\", it must be a size such as 512, 64k or 1m, from \
             {least} to {most}"
        )
    })
}

/// A number of bytes in nginx's units.
pub(super) fn bytes(text: &str) -> Option<usize> {
    let mut text = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: ngx_parse_size only reads the string.
    usize::try_from(unsafe { ngx_parse_size(&raw mut text) }).ok()
}
