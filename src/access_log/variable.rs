//! The variables of formats.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::entry::{Entry, TcpInfo};
use crate::virtual_host::host_of;

/// Something that a line may say, as `$name`.
#[derive(Clone, Debug)]
pub(super) enum Variable {
    /// One of [`VARIABLES`].
    Named(Getter),
    /// `$arg_NAME`: the value of NAME, in lower case, in the query of the stream's name.
    Arg(String),
}

/// The value in an entry; none if there is no such thing there.
type Getter = for<'a> fn(&'a Entry<'_>) -> Value<'a>;
type Value<'a> = Option<Cow<'a, [u8]>>;

/// Those of the C module's `log_format`, those of a session in nginx-http-flv-module, and nginx's
/// `$time_iso8601`.
const VARIABLES: &[(&str, Getter)] = &[
    ("app", |it| text(&it.client.app)),
    ("args", |it| text(it.args)),
    ("binary_remote_addr", binary_remote_addr),
    ("bytes_received", |it| display(it.usage.received)),
    ("bytes_sent", |it| display(it.usage.sent)),
    ("command", |it| display(it.command)),
    ("connection", |it| display(it.connection)),
    ("flashver", |it| text(&it.client.flash_ver)),
    ("host", |it| text(&host_of(&it.client.tc_url)?).map(into_owned)),
    ("hostname", |it| Some(it.hostname.into())),
    ("is_args", |it| text(if it.args.is_empty() { "" } else { "?" })),
    ("msec", |it| display(Seconds(Duration::from_millis(it.now.0)))),
    ("name", |it| text(it.name)),
    ("nginx_version", |it| Some(it.nginx_version.into())),
    ("pageurl", |it| text(&it.client.page_url)),
    ("pid", |it| display(it.pid)),
    ("query_string", |it| text(it.args)),
    ("remote_addr", |it| text(it.remote_addr)),
    ("remote_port", |it| display(it.remote_port?)),
    ("request_id", |it| display(format_args!("{:032x}", it.request_id))),
    ("request_time", |it| display(Seconds(it.duration))),
    ("request_uri", |it| match it.args {
        "" => display(uri(it)),
        args => display(format_args!("{}?{args}", uri(it))),
    }),
    ("server_addr", |it| server(it, |address| address.ip().to_string())),
    ("server_name", |it| text(it.server_name)),
    ("server_port", |it| server(it, |address| address.port().to_string())),
    ("session_readable_time", |it| display(Readable(it.duration))),
    ("session_time", |it| display(it.duration.as_secs())),
    ("swfurl", |it| text(&it.client.swf_url)),
    ("tcpinfo_rcv_space", |it| tcp_info(it, |info| info.rcv_space)),
    ("tcpinfo_rtt", |it| tcp_info(it, |info| info.rtt)),
    ("tcpinfo_rttvar", |it| tcp_info(it, |info| info.rttvar)),
    ("tcpinfo_snd_cwnd", |it| tcp_info(it, |info| info.snd_cwnd)),
    ("tcurl", |it| text(&it.client.tc_url)),
    ("time_iso8601", |it| Some(it.time_iso8601.into())),
    ("time_local", |it| Some(it.time_local.into())),
    ("uri", |it| display(uri(it))),
];

impl Variable {
    /// The variable of that name.
    pub(super) fn find(name: &str) -> Option<Self> {
        if let Some(argument) = name.strip_prefix("arg_").filter(|name| !name.is_empty()) {
            return Some(Self::Arg(argument.to_ascii_lowercase()));
        }
        VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, getter)| Self::Named(*getter))
    }

    pub(super) fn value<'a>(&self, entry: &'a Entry<'_>) -> Value<'a> {
        match self {
            Self::Named(getter) => getter(entry),
            Self::Arg(name) => text(argument(entry.args, name)?),
        }
    }
}

fn text(text: &str) -> Value<'_> {
    Some(text.as_bytes().into())
}

fn display(value: impl fmt::Display) -> Value<'static> {
    Some(value.to_string().into_bytes().into())
}

fn into_owned(value: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    value.into_owned().into()
}

fn binary_remote_addr<'a>(entry: &'a Entry<'_>) -> Value<'a> {
    Some(match entry.remote_ip? {
        IpAddr::V4(address) => address.octets().to_vec().into(),
        IpAddr::V6(address) => address.octets().to_vec().into(),
    })
}

/// `/APP/NAME`, as far as the client has said.
fn uri(entry: &Entry<'_>) -> String {
    match (entry.client.app.as_str(), entry.name) {
        (app, "") => format!("/{app}"),
        (app, name) => format!("/{app}/{name}"),
    }
}

fn server(entry: &Entry<'_>, part: impl Fn(SocketAddr) -> String) -> Value<'static> {
    display(part((entry.server_address)()?))
}

fn tcp_info(entry: &Entry<'_>, part: impl Fn(TcpInfo) -> u32) -> Value<'static> {
    display(part((entry.tcp_info)()?))
}

/// The value of `name` in a query. Names are compared whatever their case is, as by nginx.
fn argument<'a>(args: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = args.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Seconds with milliseconds.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

/// `1d 2h 3m 4s`, from the first that is not zero.
struct Readable(Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let [days, hours, minutes] = [86_400, 3600, 60].map(|unit| seconds / unit);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        if hours > 0 {
            write!(f, "{}h ", hours % 24)?;
        }
        if minutes > 0 {
            write!(f, "{}m ", minutes % 60)?;
        }
        write!(f, "{}s", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3725, "1h 2m 5s"),
            (86_400, "1d 0h 0m 0s"),
            (190_861, "2d 5h 1m 1s"),
        ] {
            assert_eq!(Readable(Duration::from_secs(seconds)).to_string(), text);
        }
        assert_eq!(Seconds(Duration::from_millis(61_007)).to_string(), "61.007");
    }

    #[test]
    fn arguments_are_found_by_their_whole_name() {
        let args = "user=a&USER=b&xuser=c&empty=&flag&e=1=2";
        for (name, value) in [
            ("user", Some("a")),
            ("xuser", Some("c")),
            ("empty", Some("")),
            ("flag", None),
            ("e", Some("1=2")),
            ("ser", None),
        ] {
            assert_eq!(argument(args, name), value, "{name}");
        }
    }

    #[test]
    fn names_are_in_order() {
        assert!(VARIABLES.is_sorted_by_key(|(name, _)| *name));
        assert!(Variable::find("arg_").is_none() && Variable::find("App").is_none());
    }
}
