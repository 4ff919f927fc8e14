//! What a command may be told of the stream that it is started for.

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
}
