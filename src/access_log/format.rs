//! The directive `log_format`: how a line is worded.

use super::entry::Entry;
use super::escape::Escape;
use super::variable::Variable;

/// A line with variables in it: `$name` or `${name}`.
#[derive(Clone, Debug)]
pub struct Format {
    escape: Escape,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// What is wrong with a format, in nginx's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is nothing after the name.
    #[error("has no text")]
    Empty,
    /// `escape=` and something else than a way to escape.
    #[error(
        "has the unknown log format escaping \"{0}\", it must be \"default\", \"json\" or \"none\""
    )]
    Escape(String),
    /// A `$` without a name.
    #[error("has an invalid parameter \"{0}\", a variable's name must follow the \"$\"")]
    Name(String),
    /// `${name` without its end.
    #[error("lacks the closing bracket in \"{0}\" variable")]
    Bracket(String),
    /// There is no such variable.
    #[error("has an unknown \"{0}\" variable")]
    Unknown(String),
}

/// The format of a log that names none.
const COMBINED: &str = "$remote_addr [$time_local] $command \"$app\" \"$name\" \"$args\" - \
                        $bytes_received $bytes_sent \"$pageurl\" \"$flashver\" \
                        ($session_readable_time)";

impl Format {
    /// Reads the words after the name of a `log_format`; they follow each other without a space.
    ///
    /// # Errors
    ///
    /// [`FormatError`]; what it says ends the sentence that begins with the directive.
    pub fn parse(words: &[&str]) -> Result<Self, FormatError> {
        let mut words = words.iter().copied().peekable();
        let asked = words.next_if(|word| word.starts_with("escape="));
        let escape = match asked.map(|word| &word["escape=".len()..]) {
            None => Escape::Default,
            Some(name) => Escape::find(name).ok_or_else(|| FormatError::Escape(name.to_owned()))?,
        };
        if words.peek().is_none() {
            return Err(FormatError::Empty);
        }
        let mut format = Self { escape, parts: Vec::new() };
        words.try_for_each(|word| format.read(word))?;
        Ok(format)
    }

    /// The format `combined`, which there always is.
    pub fn combined() -> Self {
        let mut format = Self { escape: Escape::Default, parts: Vec::new() };
        let read = format.read(COMBINED);
        debug_assert_eq!(read, Ok(()));
        format
    }

    fn read(&mut self, mut rest: &str) -> Result<(), FormatError> {
        while let Some((text, after)) = rest.split_once('$') {
            self.push(text);
            let (name, end) = match after.strip_prefix('{') {
                None => {
                    let end = after.find(|char| !is_of_name(char)).unwrap_or(after.len());
                    (&after[..end], &after[end..])
                }
                Some(braced) => {
                    let end = braced.find(|char| !is_of_name(char)).unwrap_or(braced.len());
                    let bracket = || FormatError::Bracket(braced[..end].to_owned());
                    (&braced[..end], braced[end..].strip_prefix('}').ok_or_else(bracket)?)
                }
            };
            if name.is_empty() {
                return Err(FormatError::Name(format!("${after}")));
            }
            let variable =
                Variable::find(name).ok_or_else(|| FormatError::Unknown(name.to_owned()))?;
            self.parts.push(Part::Variable(variable));
            rest = end;
        }
        self.push(rest);
        Ok(())
    }

    fn push(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// The line of an entry, with its line feed: at most `size` bytes, of a longer one the first.
    pub fn line(&self, entry: &Entry<'_>, size: usize) -> Vec<u8> {
        let mut line = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => {
                    self.escape.append(&mut line, variable.value(entry).as_deref());
                }
            }
        }
        line.truncate(size.saturating_sub(1));
        line.push(b'\n');
        line
    }
}

const fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::super::entry::{Command, TcpInfo, Usage};
    use super::*;
    use crate::client::ClientInfo;
    use crate::time::UnixMillis;

    fn client() -> ClientInfo {
        ClientInfo {
            app: "live".into(),
            flash_ver: "FMLE/3.0\n".into(),
            swf_url: "http://s/x.swf".into(),
            tc_url: "rtmp://Example.com:1935/live".into(),
            page_url: "http://p/\"".into(),
            ..ClientInfo::default()
        }
    }

    fn rendered(words: &[&str], entry: &Entry<'_>) -> String {
        let line = Format::parse(words).unwrap().line(entry, 1 << 20);
        String::from_utf8(line).unwrap().strip_suffix('\n').unwrap().to_owned()
    }

    fn with_entry<T>(client: &ClientInfo, test: impl FnOnce(&mut Entry<'_>) -> T) -> T {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        test(&mut Entry {
            client,
            connection: 42,
            remote_addr: "192.0.2.7",
            remote_ip: Some(address),
            remote_port: Some(40000),
            server_name: "example.com",
            command: Command { play: false, publish: true },
            name: "cam",
            args: "st=secret&E=5",
            usage: Usage { sent: 5_000_000_000, received: 6_000_000_000 },
            duration: Duration::from_millis(3_725_040),
            now: UnixMillis(1_700_000_000_012),
            time_local: b"14/Nov/2023:22:13:20 +0000",
            time_iso8601: b"2023-11-14T22:13:20+00:00",
            request_id: 0xABC,
            pid: 7,
            hostname: b"host",
            nginx_version: b"1.22.1",
            server_address: &|| Some(([127, 0, 0, 1], 1935).into()),
            tcp_info: &|| Some(TcpInfo { rtt: 1, rttvar: 2, snd_cwnd: 3, rcv_space: 4 }),
        })
    }

    #[test]
    fn combined_is_as_in_the_c_module() {
        with_entry(&client(), |entry| {
            let line = Format::combined().line(entry, 1 << 20);
            let text = "192.0.2.7 [14/Nov/2023:22:13:20 +0000] PUBLISH \"live\" \"cam\" \
                        \"st=secret&E=5\" - 6000000000 5000000000 \"http://p/\\x22\" \
                        \"FMLE/3.0\\x0A\" (1h 2m 5s)\n";
            assert_eq!(String::from_utf8(line).unwrap(), text);
        });
    }

    #[test]
    fn every_variable_has_its_value() {
        let values = [
            ("$connection|$host|$hostname|$pid", "42|example.com|host|7"),
            ("$uri $request_uri", "/live/cam /live/cam?st=secret&E=5"),
            ("$is_args$query_string", "?st=secret&E=5"),
            ("$arg_st,$arg_e,$arg_none", "secret,5,-"),
            ("$binary_remote_addr", "\\xC0\\x00\\x02\\x07"),
            ("$remote_port $server_addr:$server_port", "40000 127.0.0.1:1935"),
            ("$msec $request_time $session_time", "1700000000.012 3725.040 3725"),
            ("$request_id", "00000000000000000000000000000abc"),
            ("$tcpinfo_rtt$tcpinfo_rttvar$tcpinfo_snd_cwnd$tcpinfo_rcv_space", "1234"),
            ("$time_iso8601", "2023-11-14T22:13:20+00:00"),
            ("$nginx_version $server_name", "1.22.1 example.com"),
            ("$swfurl $tcurl", "http://s/x.swf rtmp://Example.com:1935/live"),
        ];
        with_entry(&client(), |entry| {
            for (text, value) in values {
                assert_eq!(rendered(&[text], entry), value, "{text}");
            }
        });
    }

    #[test]
    fn commands_are_named() {
        with_entry(&client(), |entry| {
            for (play, publish, text) in
                [(false, false, "NONE"), (true, false, "PLAY"), (true, true, "PLAY+PUBLISH")]
            {
                entry.command = Command { play, publish };
                assert_eq!(rendered(&["$command"], entry), text);
            }
        });
    }

    #[test]
    fn who_says_nothing_has_a_line_too() {
        let nobody = ClientInfo::default();
        with_entry(&nobody, |entry| {
            (entry.name, entry.args, entry.remote_ip, entry.remote_port) = ("", "", None, None);
            (entry.server_address, entry.tcp_info) = (&|| None, &|| None);
            let text = "\"$app\" $uri $request_uri$is_args $host $server_port $tcpinfo_rtt \
                        $remote_port $binary_remote_addr";
            assert_eq!(rendered(&[text], entry), "\"\" / / - - - - -");
        });
    }

    #[test]
    fn words_follow_each_other_and_escape_as_they_say() {
        with_entry(&client(), |entry| {
            let json = ["escape=json", "{\"page\":\"$pageurl\",", "\"none\":\"$arg_x\"}"];
            assert_eq!(rendered(&json, entry), r#"{"page":"http://p/\"","none":""}"#);
            assert_eq!(rendered(&["escape=none", "$pageurl"], entry), "http://p/\"");
            assert_eq!(rendered(&["escape=default", "${pageurl}x"], entry), "http://p/\\x22x");
            assert_eq!(rendered(&["a\"b", "${app}s$name."], entry), "a\"blivescam.");
        });
    }

    #[test]
    fn long_lines_are_cut() {
        with_entry(&client(), |entry| {
            assert_eq!(Format::parse(&["$app$name"]).unwrap().line(entry, 5), b"live\n");
        });
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (words, error) in [
            (&[][..], FormatError::Empty),
            (&["escape=json"], FormatError::Empty),
            (&["escape=xml", "x"], FormatError::Escape("xml".into())),
            (&["a $"], FormatError::Name("$".into())),
            (&["a $-b"], FormatError::Name("$-b".into())),
            (&["${}"], FormatError::Name("${}".into())),
            (&["${app"], FormatError::Bracket("app".into())),
            (&["$remote_user"], FormatError::Unknown("remote_user".into())),
            (&["x", "$apps"], FormatError::Unknown("apps".into())),
        ] {
            assert_eq!(Format::parse(words).unwrap_err(), error, "{words:?}");
        }
    }
}
