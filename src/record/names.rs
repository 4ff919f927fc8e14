//! What files are called.

use std::path::PathBuf;

use ::time::{OffsetDateTime, UtcOffset};

use super::Now;
use super::config::RecorderConfig;
use super::strftime::{TimeFormat, UnknownConversion};
use crate::package::{NameError, percent_encode};

/// The longest part of a file's name that stands for its stream, in bytes: with a time and most
/// suffixes it is no longer than file systems allow.
const MAX_STEM: usize = 200;

/// What the names of files end with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suffix {
    /// The same for all.
    Fixed(String),
    /// When the file was begun, in local time.
    Dated(TimeFormat),
}

impl Suffix {
    /// A suffix, with conversions as `strftime` has them in the C locale.
    ///
    /// # Errors
    ///
    /// A conversion that there is not.
    pub fn parse(text: &str) -> Result<Self, UnknownConversion> {
        if !text.contains('%') {
            return Ok(Self::Fixed(text.to_owned()));
        }
        TimeFormat::parse(text).map(Self::Dated)
    }

    fn at(&self, unix_seconds: u64, utc_offset: UtcOffset) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Dated(format) => i64::try_from(unix_seconds)
                .ok()
                .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
                .map(|time| format.at(time.to_offset(utc_offset)))
                .unwrap_or_default(),
        }
    }
}

/// The names of one stream's files, one after the other.
#[derive(Debug)]
pub(super) struct Names {
    directory: PathBuf,
    stem: String,
    suffix: Suffix,
    unique: bool,
    append: bool,
    /// The last time that was part of a name.
    last_stamp: u64,
    last_dated: Option<PathBuf>,
}

impl Names {
    /// The names of the stream `name`'s files.
    ///
    /// # Errors
    ///
    /// There is nothing left of the name, or it is too long.
    pub(super) fn new(config: &RecorderConfig, name: &str) -> Result<Self, NameError> {
        let mut stem = stem(name)?;
        if config.named_after_id {
            stem = format!("{stem}-{}", percent_encode(&config.id));
        }
        if stem.len() > MAX_STEM {
            return Err(NameError::TooLong);
        }
        Ok(Self {
            directory: config.path.clone(),
            stem,
            suffix: config.suffix.clone(),
            unique: config.unique,
            append: config.append,
            last_stamp: 0,
            last_dated: None,
        })
    }

    /// Whether a file gets another name than the one before.
    pub(super) const fn vary(&self) -> bool {
        self.unique || !self.append && matches!(self.suffix, Suffix::Dated(_))
    }

    /// The name of a file that begins `now`.
    pub(super) fn next(&mut self, now: Now) -> PathBuf {
        if self.unique {
            return self.next_stamped(now);
        }
        let path = self.path("", now);
        match self.suffix {
            _ if self.append => path,
            Suffix::Fixed(_) => path,
            // Two begun in the same second, minute or whatever is told.
            Suffix::Dated(_) if self.last_dated.as_ref() == Some(&path) => self.next_stamped(now),
            Suffix::Dated(_) => self.last_dated.insert(path).clone(),
        }
    }

    /// The name of a file that begins `now` and is not to be in place of any other.
    pub(super) fn next_stamped(&mut self, now: Now) -> PathBuf {
        self.last_stamp = (now.unix.0 / 1000).max(self.last_stamp + 1);
        self.path(&format!("-{}", self.last_stamp), now)
    }

    fn path(&self, stamp: &str, now: Now) -> PathBuf {
        let mut path = self.directory.clone().into_os_string();
        let suffix = self.suffix.at(now.unix.0 / 1000, now.utc_offset);
        // Not by `join`: a suffix may hold slashes.
        path.push(format!("/{}{stamp}{suffix}", self.stem));
        path.into()
    }
}

/// A stream's name as the beginning of a file's, which has no slash in it and leads nowhere.
fn stem(name: &str) -> Result<String, NameError> {
    let name = name.split("/../").next().unwrap_or_default();
    match name {
        "" => Err(NameError::Empty),
        "." | ".." => Ok(name.replace('.', "%2E")),
        _ => Ok(percent_encode(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{at, config};

    fn names(suffix: &str, unique: bool) -> Names {
        let suffix = Suffix::parse(suffix).unwrap();
        Names::new(&RecorderConfig { suffix, unique, ..config() }, "cam").unwrap()
    }

    fn next(names: &mut Names, millis: u64) -> String {
        names.next(at(millis)).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_leads_nowhere() {
        for (name, expected) in [
            ("cam", "cam"),
            ("a/b c%", "a%2Fb%20c%25"),
            ("a/../b", "a"),
            ("../../etc/passwd", ".."),
            ("..", ".."),
            ("...", "..."),
            ("nul\0", "nul%00"),
        ] {
            let expected = if expected == ".." { "%2E%2E" } else { expected };
            assert_eq!(stem(name).as_deref(), Ok(expected), "{name}");
        }
        assert_eq!(stem("/../a"), Err(NameError::Empty));
        assert_eq!(Names::new(&config(), &"x".repeat(201)).err(), Some(NameError::TooLong));
    }

    #[test]
    fn names_with_the_time_differ() {
        let mut names = names(".flv", true);
        assert_eq!(next(&mut names, 1_700_000_000_500), "/rec/cam-1700000000.flv");
        assert_eq!(next(&mut names, 1_700_000_000_900), "/rec/cam-1700000001.flv");
        assert_eq!(next(&mut names, 1_700_000_009_000), "/rec/cam-1700000009.flv");
    }

    #[test]
    fn suffixes_tell_local_time() {
        let mut names = names("-%Y%m%d-%H%M%%.flv", false);
        assert_eq!(next(&mut names, 1_700_000_000_000), "/rec/cam-20231114-2313%.flv");
        // 2023-11-14 22:13:20 in UTC, and an hour later in the tests' time zone.
        assert_eq!(next(&mut names, 1_700_000_001_000), "/rec/cam-1700000001-20231114-2313%.flv");
        assert_eq!(next(&mut names, 1_700_000_060_000), "/rec/cam-20231114-2314%.flv");
        assert!(Suffix::parse("%Q.flv").is_err());
        assert!(Suffix::parse("%").is_err());
    }

    #[test]
    fn an_id_tells_files_of_two_recorders_apart() {
        let config = RecorderConfig { id: "a/b".into(), named_after_id: true, ..config() };
        let mut names = Names::new(&config, "cam").unwrap();
        assert_eq!(next(&mut names, 0), "/rec/cam-a%2Fb.flv");
    }
}
