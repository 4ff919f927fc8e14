//! Which file a client means by the name of a stream.

use crate::mp4::TrackChoice;

/// The longest name of a file, relative to its directory.
const MAX_LENGTH: usize = 1024;

/// The name of a stream as that of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Relative, without `..`.
    path: String,
    extension: &'static str,
    /// Whether it has a prefix, which names of live streams have not.
    is_explicit: bool,
}

/// Why a name is no file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name may leave its directory")]
pub struct NameError;

impl FileName {
    /// The file that `name` means: `mp4:x` and `x.mp4` an MP4 file, anything else, as `flv:x`, an FLV
    /// file. Prefix and extension are recognised whatever their case.
    ///
    /// # Errors
    ///
    /// The name is absolute or empty, or has a `..` or a zero byte in it.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let prefixes = [("mp4:", ".mp4"), ("flv:", ".flv")];
        let explicit = prefixes.into_iter().find_map(|(prefix, extension)| {
            let rest = name.split_at_checked(prefix.len())?;
            rest.0.eq_ignore_ascii_case(prefix).then_some((rest.1, extension))
        });
        let implied = if has_extension(name, ".mp4") { ".mp4" } else { ".flv" };
        let (path, extension) = explicit.unwrap_or((name, implied));
        let leaves = path.starts_with('/') || path.split('/').any(|part| part == "..");
        let is_odd = path.is_empty() || path.ends_with('/') || path.len() > MAX_LENGTH;
        if leaves || is_odd || path.contains('\0') {
            return Err(NameError);
        }
        Ok(Self { path: path.to_owned(), extension, is_explicit: explicit.is_some() })
    }

    /// Where the file may be, below a directory, the likeliest first.
    pub fn candidates(&self) -> Vec<String> {
        if has_extension(&self.path, self.extension) {
            return vec![self.path.clone()];
        }
        vec![format!("{}{}", self.path, self.extension), self.path.clone()]
    }

    /// Whether it is said that a file is meant, and no live stream.
    pub const fn is_explicit(&self) -> bool {
        self.is_explicit
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    let start = path.len().checked_sub(extension.len());
    let end = start.and_then(|start| path.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(extension))
}

/// The tracks that the query of a name chooses: `vindex` and `aindex`, counted from 0.
pub fn track_choice(args: &str) -> TrackChoice {
    let find = |name| {
        let mut pairs = args.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok())
    };
    TrackChoice { video: find("vindex"), audio: find("aindex") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(name: &str) -> Vec<String> {
        FileName::parse(name).unwrap().candidates()
    }

    #[test]
    fn names_of_files() {
        for (name, paths) in [
            ("x", &["x.flv", "x"][..]),
            ("x.flv", &["x.flv"]),
            ("flv:x", &["x.flv", "x"]),
            ("FLV:x.FLV", &["x.FLV"]),
            ("x.mp4", &["x.mp4"]),
            ("mp4:x", &["x.mp4", "x"]),
            ("MP4:x.mp4", &["x.mp4"]),
            ("mp4:a/b..c/x.m4v", &["a/b..c/x.m4v.mp4", "a/b..c/x.m4v"]),
            ("x:y", &["x:y.flv", "x:y"]),
            ("\u{e9}\u{e9}\u{e9}", &["\u{e9}\u{e9}\u{e9}.flv", "\u{e9}\u{e9}\u{e9}"]),
        ] {
            assert_eq!(candidates(name), paths, "{name}");
        }
        assert!(FileName::parse("mp4:x").unwrap().is_explicit());
        assert!(!FileName::parse("x.mp4").unwrap().is_explicit());
    }

    #[test]
    fn names_that_leave_are_refused() {
        for name in
            ["", "mp4:", "/x", "flv:/x", "..", "../x", "a/../x", "a/..", "mp4:../x", "x\0", "a/"]
        {
            assert_eq!(FileName::parse(name), Err(NameError), "{name}");
        }
        assert_eq!(FileName::parse(&"x".repeat(MAX_LENGTH + 1)), Err(NameError));
    }

    #[test]
    fn tracks_are_chosen_by_the_query() {
        let choice = |video, audio| TrackChoice { video, audio };
        assert_eq!(track_choice(""), choice(None, None));
        assert_eq!(track_choice("vindex=1&a=b&aindex=0"), choice(Some(1), Some(0)));
        assert_eq!(track_choice("vindex=x&aindex=-1"), choice(None, None));
    }
}
