//! The C module's directives for several workers, which this one does not need.

use std::ffi::{c_char, c_void};

use nginx_sys::{ngx_command_t, ngx_conf_t, ngx_str_t};

use super::directive::{self, Conf, Failure, value_command};
use super::parse;

pub(super) const COMMANDS: [ngx_command_t; 3] = [
    value_command(c"rtmp_auto_push", set_auto_push),
    value_command(c"rtmp_auto_push_reconnect", set_reconnect),
    value_command(c"rtmp_socket_dir", set_directory),
];

extern "C" fn set_auto_push(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    _slot: *mut c_void,
) -> *mut c_char {
    directive::answer(cf, |conf| check_unused(conf, |value| parse::flag(value).map(drop)))
}

extern "C" fn set_reconnect(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    _slot: *mut c_void,
) -> *mut c_char {
    directive::answer(cf, |conf| check_unused(conf, |value| parse::time_or_off(value).map(drop)))
}

extern "C" fn set_directory(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    _slot: *mut c_void,
) -> *mut c_char {
    directive::answer(cf, |conf| {
        conf.path(1)?;
        check_unused(conf, |_| Ok(()))
    })
}

fn check_unused(
    conf: &mut Conf,
    check: impl FnOnce(&ngx_str_t) -> Result<(), String>,
) -> Result<(), Failure> {
    check(&conf.args()[1])?;
    let name = conf.text(0)?.to_owned();
    conf.warn(format_args!(
        "\"{name}\" has no effect: every stream plays from every worker without it"
    ));
    Ok(())
}
