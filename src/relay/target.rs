//! What `push` and `pull` say: a server, and what the stream is there.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::template::Template;
use crate::client::Publication;
use crate::rtmp::client::{ClientConfig, LIVE, LIVE_OR_RECORDED, Role};

/// RTMP's port, and the one that services use for RTMP over TLS.
const PORT: u16 = 1935;
const TLS_PORT: u16 = 443;

/// What the C module says it is.
const FLASH_VER: &str = "LNX.11,1,102,55";

/// Which way a stream goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the other server.
    #[default]
    Push,
    /// From it.
    Pull,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Pull => "pull",
        })
    }
}

/// Another server, and the stream there.
#[derive(Clone, Debug)]
pub struct Target {
    direction: Direction,
    /// A name, or an address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    /// The one stream that it is for; all if there is none.
    pub name: Option<String>,
    /// Whether to pull though nobody plays the stream.
    pub is_static: bool,
    app: Option<Template>,
    play_path: Option<Template>,
    tc_url: Option<Template>,
    page_url: Option<Template>,
    swf_url: Option<Template>,
    flash_ver: Option<Template>,
    start: i64,
}

/// Why a target is refused. The text ends the sentence `"push" directive ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an URL.
    #[error("has the invalid URL \"{url}\", {reason}")]
    Url {
        /// The URL, with stars in the place of the stream's name and the query: those may be keys.
        url: String,
        /// What is wrong with it, or would be right.
        reason: &'static str,
    },
    /// No such parameter.
    #[error("has the unknown parameter \"{0}\"")]
    Parameter(String),
    /// A parameter that needs a number.
    #[error("has the invalid parameter \"{0}\", its value must be a number")]
    Number(String),
    /// `static` is for pulls.
    #[error("cannot be \"static\", only \"pull\" can")]
    StaticPush,
    /// A static pull without `name`.
    #[error("is \"static\" and needs \"name=\", the stream that is pulled")]
    StaticWithoutName,
}

/// Where a stream goes to, or comes from: a target with its variables filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The application, as the server is to be asked for.
    pub app: String,
    /// The stream there, with its query.
    pub name: String,
    tc_url: String,
    page_url: String,
    swf_url: String,
    flash_ver: String,
    role: Role,
}

impl Target {
    /// The target of a directive with these words after its name.
    ///
    /// # Errors
    ///
    /// What is wrong with the words.
    pub fn parse(direction: Direction, words: &[&str]) -> Result<Self, Error> {
        let (url, parameters) = words.split_first().unwrap_or((&"", &[]));
        let mut target = Self::of_url(direction, url)?;
        for parameter in parameters {
            target.set(parameter)?;
        }
        match (direction, target.is_static, &target.name) {
            (Direction::Push, true, _) => Err(Error::StaticPush),
            (Direction::Pull, true, None) => Err(Error::StaticWithoutName),
            _ => Ok(target),
        }
    }

    fn of_url(direction: Direction, url: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::Url { url: without_key(url), reason };
        let (tls, rest) = strip_scheme(url).ok_or_else(|| {
            invalid("it must be \"rtmp://\" or \"rtmps://\", a host, an application and a stream")
        })?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_port(authority)
            .ok_or_else(|| invalid("a host may be followed by \":\" and a port from 1 to 65535"))?;
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(invalid("it has no host"));
        }
        let (app, play_path) = path.split_once('/').unwrap_or((path, ""));
        let template = |text: &str| (!text.is_empty()).then(|| Template::new(text));
        Ok(Self {
            direction,
            host: host.to_owned(),
            port: port.unwrap_or(if tls { TLS_PORT } else { PORT }),
            tls,
            name: None,
            is_static: false,
            app: template(app),
            play_path: template(play_path),
            tc_url: None,
            page_url: None,
            swf_url: None,
            flash_ver: None,
            start: LIVE_OR_RECORDED,
        })
    }

    /// Sets a parameter, `key=value` or `key` for `key=1`.
    fn set(&mut self, parameter: &str) -> Result<(), Error> {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, "1"));
        let number = || value.parse().map_err(|_| Error::Number(parameter.to_owned()));
        let template = Some(Template::new(value));
        match key.to_ascii_lowercase().as_str() {
            "app" => self.app = template,
            "name" => self.name = Some(value.to_owned()),
            "tcurl" => self.tc_url = template,
            "pageurl" => self.page_url = template,
            "swfurl" => self.swf_url = template,
            "flashver" => self.flash_ver = template,
            "playpath" => self.play_path = template,
            "live" => self.start = if number()? != 0 { LIVE } else { self.start },
            "start" => self.start = number()?,
            // The end of the piece to play, which the C module takes and does not use.
            "stop" => drop(number()?),
            "static" => self.is_static = number()? != 0,
            _ => return Err(Error::Parameter(parameter.to_owned())),
        }
        Ok(())
    }

    /// Where `publication` goes to, or comes from, without what may be secret: the name that the
    /// stream has there, which is often a key.
    pub fn masked_url(&self, publication: &Publication) -> String {
        let route = self.route(publication);
        // An application may have a query, which may hold a token.
        let app = route.app.split('?').next().unwrap_or_default();
        format!("{self}/{app}/***")
    }

    /// Whether the target is for the stream.
    pub fn takes(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|filter| filter == name)
    }

    /// Where `publication` goes to, or comes from.
    pub fn route(&self, publication: &Publication) -> Route {
        let expand =
            |template: &Option<Template>| template.as_ref().map(|it| it.expand(publication));
        let text = |template| expand(template).unwrap_or_default();
        let app = expand(&self.app).unwrap_or_else(|| publication.client.app.clone());
        Route {
            name: expand(&self.play_path).unwrap_or_else(|| publication.name.clone()),
            tc_url: expand(&self.tc_url).unwrap_or_else(|| format!("{self}/{app}")),
            page_url: text(&self.page_url),
            swf_url: text(&self.swf_url),
            flash_ver: expand(&self.flash_ver).unwrap_or_else(|| FLASH_VER.to_owned()),
            role: match self.direction {
                Direction::Push => Role::Publish,
                Direction::Pull => Role::Play { start: self.start },
            },
            app,
        }
    }
}

/// Only the server: what follows may be secret.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.tls { ("rtmps", TLS_PORT) } else { ("rtmp", PORT) };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]", self.host)?,
            false => write!(f, "{scheme}://{}", self.host)?,
        }
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Route {
    /// What a client does that takes this way; `limits` says what else it needs to know.
    pub fn client_config(&self, limits: ClientConfig) -> ClientConfig {
        ClientConfig {
            role: self.role,
            app: self.app.clone(),
            tc_url: self.tc_url.clone(),
            page_url: self.page_url.clone(),
            swf_url: self.swf_url.clone(),
            flash_ver: self.flash_ver.clone(),
            name: self.name.clone(),
            ..limits
        }
    }
}

/// Whether to speak TLS, and what follows the scheme. `rtmp://` may be left out.
fn strip_scheme(url: &str) -> Option<(bool, &str)> {
    match url.split_once("://") {
        None => Some((false, url)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("rtmp") => Some((false, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("rtmps") => Some((true, rest)),
        Some(_) => None,
    }
}

/// The host, without the brackets of an IPv6 address, and the port, if there is one.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, after) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match after.strip_prefix(':') {
        None => after.is_empty().then_some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok().filter(|&port| port != 0)?))),
    }
}

/// A URL, right or wrong, with stars in the place of what comes behind the application.
fn without_key(url: &str) -> String {
    let slashes = url.match_indices('/').map(|(at, _)| at + 1);
    let scheme = if url.contains("://") { 2 } else { 0 };
    let mut parts: Vec<_> = slashes.chain(url.find('?').map(|at| at + 1)).collect();
    parts.sort_unstable();
    // Before it are those of the scheme, and the one before the application.
    match parts.get(scheme + 1) {
        Some(&at) if at < url.len() => format!("{}***", &url[..at]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::client::ClientInfo;
    use crate::rtmp::command::PublishKind;

    fn publication() -> Publication {
        let client = ClientInfo { app: "live".into(), ..ClientInfo::default() };
        let (name, args) = ("cam".to_owned(), "t=1".to_owned());
        Publication { client: Arc::new(client), name, args, kind: PublishKind::Live }
    }

    fn push(words: &[&str]) -> Target {
        Target::parse(Direction::Push, words).unwrap()
    }

    #[test]
    fn urls() {
        for (url, server, app, name) in [
            ("rtmp://a.example/app/key", "rtmp://a.example", "app", "key"),
            ("rtmp://a.example:1936/app", "rtmp://a.example:1936", "app", "cam"),
            ("a.example", "rtmp://a.example", "live", "cam"),
            ("a.example:1935/x/y/z?t=$args", "rtmp://a.example", "x", "y/z?t=t=1"),
            ("RTMPS://[::1]/rtmp/$name", "rtmps://[::1]", "rtmp", "cam"),
            ("rtmps://a.example:443/rtmp/", "rtmps://a.example", "rtmp", "cam"),
            ("rtmp://[2001:db8::7]:80/a/b", "rtmp://[2001:db8::7]:80", "a", "b"),
        ] {
            let target = push(&[url]);
            let route = target.route(&publication());
            assert_eq!(
                (target.to_string().as_str(), &*route.app, &*route.name),
                (server, app, name)
            );
            assert_eq!(route.tc_url, format!("{server}/{app}"));
            assert_eq!(target.masked_url(&publication()), format!("{server}/{app}/***"));
        }
    }

    #[test]
    fn parameters_override_the_url() {
        let target = Target::parse(
            Direction::Pull,
            &["rtmp://h/a/b", "APP=c", "playpath=d", "live=1", "name=blah", "pageUrl=p", "static"],
        )
        .unwrap();
        let route = target.route(&publication());
        assert_eq!((&*route.app, &*route.name, &*route.page_url), ("c", "d", "p"));
        assert_eq!(route.role, Role::Play { start: LIVE });
        assert!(target.is_static && target.takes("blah") && !target.takes("blahb"));
        assert!(push(&["rtmp://h/a"]).takes("anything"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (direction, words, text) in [
            (Direction::Push, &["http://h/a"][..], "has the invalid URL \"http://h/a\", it must"),
            (Direction::Push, &["http://h/a/key?k=1"], "URL \"http://h/a/***\", it must"),
            (Direction::Push, &["rtmp://h:0/a?k=/1"], "URL \"rtmp://h:0/a?***\", a host"),
            (Direction::Push, &["rtmp://h:0/a"], "a host may be followed by"),
            (Direction::Push, &["rtmp://h:65536/a"], "a host may be followed by"),
            (Direction::Push, &["rtmp://[::1/a"], "a host may be followed by"),
            (Direction::Push, &["rtmp:///a"], "it has no host"),
            (Direction::Push, &["h", "nope=1"], "has the unknown parameter \"nope=1\""),
            (Direction::Push, &["h", "live=x"], "has the invalid parameter \"live=x\""),
            (Direction::Push, &["h", "static"], "cannot be \"static\""),
            (Direction::Pull, &["h", "static"], "needs \"name=\""),
        ] {
            let error = Target::parse(direction, words).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
