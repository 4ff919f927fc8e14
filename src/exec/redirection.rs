//! Redirections among the words of a command.

use super::template::Template;
use super::variable::Scope;

/// The highest descriptor that may be redirected, as in a shell.
const MAX_DESCRIPTOR: u32 = 9;

/// The last descriptor that every command has.
const LAST_STANDARD: u32 = 2;

/// Where a command reads from or writes to: `N>file`, `N>>file`, `N<file`, `N>&M`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection<F> {
    /// The command's descriptor.
    pub descriptor: u32,
    /// What it is.
    pub target: Target<F>,
}

/// What a descriptor is redirected to; `F` says which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<F> {
    /// A file to read.
    Read(F),
    /// A file to write from its beginning.
    Write(F),
    /// A file to write to the end of.
    Append(F),
    /// What another descriptor is at this point.
    Descriptor(u32),
}

/// Why a word is no redirection, though it begins like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectionError {
    /// No file is named.
    #[error("names no file")]
    NoFile,
    /// It is about a descriptor that is no number from 0 to 9.
    #[error("is about a descriptor that is no number from 0 to {MAX_DESCRIPTOR}")]
    Descriptor,
    /// It copies a descriptor that the command does not have.
    #[error("copies a descriptor that is not open")]
    NotOpen,
}

/// How a word begins that is a redirection.
struct Operator<'a> {
    descriptor: u32,
    kind: fn(Template) -> Target<Template>,
    /// The rest of the word.
    rest: &'a str,
}

impl<'a> Operator<'a> {
    fn find(word: &'a str) -> Result<Option<Self>, RedirectionError> {
        let after_digits = word.trim_start_matches(|char: char| char.is_ascii_digit());
        let digits = &word[..word.len() - after_digits.len()];
        let (default, kind, rest): (_, fn(_) -> _, _) =
            if let Some(rest) = after_digits.strip_prefix(">>") {
                (1, Target::Append, rest)
            } else if let Some(rest) = after_digits.strip_prefix('>') {
                (1, Target::Write, rest)
            } else if let Some(rest) = after_digits.strip_prefix('<') {
                (0, Target::Read, rest)
            } else {
                return Ok(None);
            };
        let descriptor = if digits.is_empty() { default } else { descriptor(digits)? };
        Ok(Some(Self { descriptor, kind, rest }))
    }
}

fn descriptor(digits: &str) -> Result<u32, RedirectionError> {
    let number = digits.parse().ok().filter(|&number| number <= MAX_DESCRIPTOR);
    number.ok_or(RedirectionError::Descriptor)
}

impl Redirection<Template> {
    /// The redirection that `word` is, or begins if the file is the next one of `words`; `None` if
    /// it is any other word. What is escaped or comes from a variable never is one.
    ///
    /// # Errors
    ///
    /// See [`RedirectionError`].
    pub fn parse<'a>(
        scope: Scope,
        word: &str,
        words: &mut impl Iterator<Item = &'a str>,
        unknown: &mut Vec<String>,
    ) -> Result<Option<Self>, RedirectionError> {
        let Some(Operator { descriptor: from, kind, rest }) = Operator::find(word)? else {
            return Ok(None);
        };
        let target = if let Some(digits) = rest.strip_prefix('&') {
            Target::Descriptor(descriptor(digits)?)
        } else {
            let file = if rest.is_empty() { words.next() } else { Some(rest) };
            let file = file.filter(|file| !file.is_empty()).ok_or(RedirectionError::NoFile)?;
            kind(Template::parse(scope, file, unknown))
        };
        Ok(Some(Self { descriptor: from, target }))
    }
}

impl<F> Redirection<F> {
    /// Whether the descriptor that it copies, if it does, is there after redirections `before`.
    pub(super) fn is_possible_after(&self, before: &[Self]) -> bool {
        match self.target {
            Target::Descriptor(other) if other > LAST_STANDARD => {
                before.iter().any(|it| it.descriptor == other)
            }
            _ => true,
        }
    }

    /// The same with the file as `name` has it.
    pub(super) fn map<G>(&self, name: impl FnOnce(&F) -> G) -> Redirection<G> {
        let target = match &self.target {
            Target::Read(file) => Target::Read(name(file)),
            Target::Write(file) => Target::Write(name(file)),
            Target::Append(file) => Target::Append(name(file)),
            Target::Descriptor(other) => Target::Descriptor(*other),
        };
        Redirection { descriptor: self.descriptor, target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(
        words: &[&'static str],
    ) -> Result<Option<(u32, Target<&'static str>)>, RedirectionError> {
        let mut words = words.iter().copied();
        let word = words.next().unwrap();
        let parsed = Redirection::parse(Scope::Push, word, &mut words, &mut Vec::new())?;
        Ok(parsed.map(|it| {
            let it = it.map(|file| &*file.expand(|_| "VALUE".into()).leak());
            (it.descriptor, it.target)
        }))
    }

    #[test]
    fn files_and_descriptors() {
        for (words, descriptor, target) in [
            (&[">f"][..], 1, Target::Write("f")),
            (&[">", "f"], 1, Target::Write("f")),
            (&[">>f"], 1, Target::Append("f")),
            (&[">>", "f"], 1, Target::Append("f")),
            (&["1>f"], 1, Target::Write("f")),
            (&["2>f"], 2, Target::Write("f")),
            (&["2>", "f"], 2, Target::Write("f")),
            (&["2>>f"], 2, Target::Append("f")),
            (&["2>>", "f"], 2, Target::Append("f")),
            (&["<f"], 0, Target::Read("f")),
            (&["<", "f"], 0, Target::Read("f")),
            (&["3<f"], 3, Target::Read("f")),
            (&["2>&1"], 2, Target::Descriptor(1)),
            (&[">&2"], 1, Target::Descriptor(2)),
            (&["<&3"], 0, Target::Descriptor(3)),
            (&["2>>/log/$name.log"], 2, Target::Append("/log/VALUE.log")),
            (&[">\\$name"], 1, Target::Write("$name")),
        ] {
            assert_eq!(parse(words), Ok(Some((descriptor, target))), "{words:?}");
        }
    }

    #[test]
    fn other_words() {
        for word in ["", "f", "2", "2x>f", "a>b", "\\>f", "\\2>f", "$name>f", "&>f", "-1>f"] {
            assert_eq!(parse(&[word]), Ok(None), "{word}");
        }
    }

    #[test]
    fn what_is_half_a_redirection() {
        for (words, error) in [
            (&[">"][..], RedirectionError::NoFile),
            (&["2>>"], RedirectionError::NoFile),
            (&[">", ""], RedirectionError::NoFile),
            (&["2>&"], RedirectionError::Descriptor),
            (&["2>&-"], RedirectionError::Descriptor),
            (&["10>f"], RedirectionError::Descriptor),
            (&["99999999999>f"], RedirectionError::Descriptor),
            (&[">&10"], RedirectionError::Descriptor),
        ] {
            assert_eq!(parse(words), Err(error), "{words:?}");
        }
    }
}
