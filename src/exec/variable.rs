//! What a command may be told of the stream that it is started for.

use std::borrow::Cow;

use crate::client::{ClientInfo, Publication, Viewing};

/// Which variables there are for a command; it depends on what the command is started by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// nginx itself: none, and words are taken as they are.
    Static,
    /// A stream that is published.
    Push,
    /// A stream that is played.
    Pull,
    /// Something that has happened to a client's stream.
    Event,
}

/// Something that a command may be told, as `$name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The application.
    App,
    /// The client's number, which log lines have too.
    ClientId,
    /// The client's program and version, as it says.
    FlashVer,
    /// The player that the client was loaded from, as it says.
    SwfUrl,
    /// The URL that the client has connected to.
    TcUrl,
    /// The page that the client was loaded from, as it says.
    PageUrl,
    /// The client's address.
    Addr,
    /// The stream's name.
    Name,
    /// What follows the stream's name after a question mark.
    Args,
    /// The path of a recorded file.
    Path,
    /// The last component of [`Path`](Self::Path).
    FileName,
    /// [`FileName`](Self::FileName) without its extension.
    BaseName,
    /// All but the last component of [`Path`](Self::Path).
    DirName,
    /// The recorder that has made a file.
    Recorder,
}

impl Variable {
    /// The variable that `name` stands for in commands of a scope.
    pub fn find(scope: Scope, name: &str) -> Option<Self> {
        let variable = match name {
            "app" => Self::App,
            "clientid" => Self::ClientId,
            "flashver" => Self::FlashVer,
            "swfurl" => Self::SwfUrl,
            "tcurl" => Self::TcUrl,
            "pageurl" => Self::PageUrl,
            "addr" => Self::Addr,
            "name" => Self::Name,
            "args" => Self::Args,
            "path" => Self::Path,
            "filename" => Self::FileName,
            "basename" => Self::BaseName,
            "dirname" => Self::DirName,
            "recorder" => Self::Recorder,
            _ => return None,
        };
        variable.is_in(scope).then_some(variable)
    }

    fn is_in(self, scope: Scope) -> bool {
        match scope {
            Scope::Static => false,
            Scope::Pull => matches!(self, Self::App | Self::Name),
            Scope::Push => !self.is_of_file(),
            Scope::Event => true,
        }
    }

    /// Whether it is about a recorded file, and so not chosen by a client.
    pub fn is_of_file(self) -> bool {
        matches!(
            self,
            Self::Path | Self::FileName | Self::BaseName | Self::DirName | Self::Recorder
        )
    }
}

/// What a command is started for.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Whose stream it is.
    pub client: &'a ClientInfo,
    /// The stream's name.
    pub name: &'a str,
    /// The query of the name, without the `?`.
    pub args: &'a str,
    /// The path of the recorded file that it is about; else empty.
    pub path: &'a str,
    /// The recorder of that file.
    pub recorder: &'a str,
}

impl<'a> Facts<'a> {
    /// Of a stream that is published.
    pub fn of_publication(publication: &'a Publication) -> Self {
        let Publication { client, name, args, .. } = publication;
        Self { client, name, args, path: "", recorder: "" }
    }

    /// Of a stream that is played.
    pub fn of_viewing(viewing: &'a Viewing) -> Self {
        let Viewing { client, name, args } = viewing;
        Self { client, name, args, path: "", recorder: "" }
    }

    /// What a variable stands for.
    pub fn value(&self, variable: Variable) -> Cow<'a, str> {
        let (directory, file) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        let text = match variable {
            Variable::App => &self.client.app,
            Variable::ClientId => return self.client.id.to_string().into(),
            Variable::FlashVer => &self.client.flash_ver,
            Variable::SwfUrl => &self.client.swf_url,
            Variable::TcUrl => &self.client.tc_url,
            Variable::PageUrl => &self.client.page_url,
            Variable::Addr => &self.client.addr,
            Variable::Name => self.name,
            Variable::Args => self.args,
            Variable::Path => self.path,
            Variable::FileName => file,
            Variable::BaseName => file.rsplit_once('.').map_or(file, |(base, _)| base),
            Variable::DirName => directory,
            Variable::Recorder => self.recorder,
        };
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: [&str; 9] =
        ["app", "clientid", "flashver", "swfurl", "tcurl", "pageurl", "addr", "name", "args"];
    const FILE: [&str; 5] = ["path", "filename", "basename", "dirname", "recorder"];

    #[test]
    fn each_scope_has_its_variables() {
        let has = |scope, name| Variable::find(scope, name).is_some();
        for name in SESSION {
            assert!(has(Scope::Push, name) && has(Scope::Event, name), "{name}");
            assert_eq!(has(Scope::Pull, name), name == "app" || name == "name", "{name}");
        }
        for name in FILE {
            assert!(has(Scope::Event, name) && !has(Scope::Push, name), "{name}");
            assert!(!has(Scope::Pull, name), "{name}");
        }
        for name in SESSION.into_iter().chain(FILE) {
            assert!(!has(Scope::Static, name), "{name}");
        }
        assert!(!has(Scope::Event, "") && !has(Scope::Event, "Name") && !has(Scope::Event, "pid"));
    }

    #[test]
    fn facts_have_their_values() {
        let client = ClientInfo {
            app: "live".into(),
            flash_ver: "FMLE/3.0".into(),
            swf_url: "swf".into(),
            tc_url: "rtmp://host/live".into(),
            page_url: "page".into(),
            addr: "10.0.0.1".into(),
            id: 7,
            ..ClientInfo::default()
        };
        let path = "/rec/of.day/cam-1.x.flv";
        let facts = Facts { client: &client, name: "cam", args: "a=b", path, recorder: "rec1" };
        let names: Vec<_> = SESSION.into_iter().chain(FILE).collect();
        let value = |name| facts.value(Variable::find(Scope::Event, name).unwrap()).into_owned();
        let values: Vec<_> = names.into_iter().map(value).collect();
        assert_eq!(
            values,
            [
                "live",
                "7",
                "FMLE/3.0",
                "swf",
                "rtmp://host/live",
                "page",
                "10.0.0.1",
                "cam",
                "a=b",
                path,
                "cam-1.x.flv",
                "cam-1.x",
                "/rec/of.day",
                "rec1",
            ]
        );
        let none = Facts { path: "", ..facts };
        assert_eq!(none.value(Variable::BaseName), "");
        let bare = Facts { path: "x", ..facts };
        assert_eq!(
            (bare.value(Variable::DirName), bare.value(Variable::BaseName)),
            ("".into(), "x".into())
        );
    }
}
