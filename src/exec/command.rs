//! A command of the configuration, and what it comes to for one stream.

use std::borrow::Cow;

use super::redirection::{Redirection, RedirectionError};
use super::template::Template;
use super::variable::{Scope, Variable};

/// How a word begins that is a filter.
const FILTER: &str = "name=";

/// A command as a directive has it: a program and its words, some of which have variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    program: String,
    words: Vec<Template>,
    redirections: Vec<Redirection<Template>>,
    /// The names of streams that it is for; none means all.
    names: Vec<String>,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// A path, or a name that is looked for in the directories of `PATH`.
    pub program: String,
    /// The words after it.
    pub words: Vec<String>,
    /// In this order.
    pub redirections: Vec<Redirection<String>>,
}

/// Why a directive's words are no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no program.
    #[error("names no program")]
    NoProgram,
    /// A word cannot be told to a program.
    #[error("has a zero byte in it")]
    ZeroByte,
    /// A redirection is not whole.
    #[error("has the redirection \"{0}\", which {1}")]
    Redirection(String, RedirectionError),
}

impl Command {
    /// Reads a directive's words, the program first. With `filters` words such as `name=cam` say
    /// which streams the command is for. Variables that there are not are added to `unknown`.
    ///
    /// # Errors
    ///
    /// See [`CommandError`].
    pub fn parse(
        scope: Scope,
        words: &[&str],
        filters: bool,
        unknown: &mut Vec<String>,
    ) -> Result<Self, CommandError> {
        if words.iter().any(|word| word.contains('\0')) {
            return Err(CommandError::ZeroByte);
        }
        let mut rest = words.iter().copied();
        let program = rest.next().filter(|program| !program.is_empty());
        let mut command = Self {
            program: program.ok_or(CommandError::NoProgram)?.to_owned(),
            words: Vec::new(),
            redirections: Vec::new(),
            names: Vec::new(),
        };
        while let Some(word) = rest.next() {
            if let Some(name) = word.strip_prefix(FILTER).filter(|_| filters) {
                command.names.push(name.to_owned());
                continue;
            }
            let redirection = Redirection::parse(scope, word, &mut rest, unknown)
                .map_err(|error| CommandError::Redirection(word.to_owned(), error))?;
            match redirection {
                Some(redirection) if !redirection.is_possible_after(&command.redirections) => {
                    let error = RedirectionError::NotOpen;
                    return Err(CommandError::Redirection(word.to_owned(), error));
                }
                Some(redirection) => command.redirections.push(redirection),
                None => command.words.push(Template::parse(scope, word, unknown)),
            }
        }
        Ok(command)
    }

    /// Whether the command is for the stream `name`.
    pub fn is_for(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|it| it == name)
    }

    /// The command with these values.
    pub fn expand<'a>(&self, value: impl Fn(Variable) -> Cow<'a, str>) -> Invocation {
        let file = |file: &Template| file.expand_path(&value);
        Invocation {
            program: self.program.clone(),
            words: self.words.iter().map(|word| word.expand(&value)).collect(),
            redirections: self.redirections.iter().map(|it| it.map(file)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::redirection::Target;
    use super::*;

    /// Reads words as `exec` does, without what is unknown.
    fn parse(words: &[&str], filters: bool) -> Result<Command, CommandError> {
        Command::parse(Scope::Push, words, filters, &mut Vec::new())
    }

    fn run(words: &[&str], name: &str) -> Invocation {
        let value = |variable| match variable {
            Variable::Name => name.to_owned().into(),
            _ => "".into(),
        };
        parse(words, false).unwrap().expand(value)
    }

    #[test]
    fn words_and_redirections() {
        let invocation = run(
            &["ffmpeg", "-i", "rtmp://localhost/src/$name", ">", "/dev/null", "-y", "2>&1", "<in"],
            "cam",
        );
        assert_eq!(invocation.program, "ffmpeg");
        assert_eq!(invocation.words, ["-i", "rtmp://localhost/src/cam", "-y"]);
        let targets: Vec<_> =
            invocation.redirections.into_iter().map(|it| (it.descriptor, it.target)).collect();
        let expected = [
            (1, Target::Write("/dev/null".to_owned())),
            (2, Target::Descriptor(1)),
            (0, Target::Read("in".to_owned())),
        ];
        assert_eq!(targets, expected);
    }

    #[test]
    fn a_name_is_one_word_whatever_it_is() {
        for name in
            ["$(touch x);&|", "a b\tc\nd", "\"'`", ">x", "2>&1", "name=cam", "\\", "${app}", "-y"]
        {
            let invocation = run(&["sh", "$name", "-$name-"], name);
            assert_eq!(invocation.words, [name.to_owned(), format!("-{name}-")]);
            assert_eq!(invocation.redirections, []);
        }
        assert_eq!(run(&["sh", "$name"], "").words, [""], "an empty word is a word");
        assert_eq!(run(&["sh", "$name"], "a\0b").words, ["ab"]);
    }

    #[test]
    fn every_filter_counts() {
        let words = ["ffmpeg", "name=one", "name=two", "-i", "name=three", "$name"];
        let command = parse(&words, true).unwrap();
        for (name, is_for) in
            [("one", true), ("two", true), ("three", true), ("four", false), ("on", false)]
        {
            assert_eq!(command.is_for(name), is_for, "{name}");
        }
        assert_eq!(command.expand(|_| "cam".into()).words, ["-i", "cam"]);
        let without = parse(&words, false).unwrap();
        assert!(without.is_for("four"));
        assert_eq!(without.expand(|_| "cam".into()).words.len(), 5);
    }

    #[test]
    fn what_was_opened_may_be_copied() {
        assert_eq!(run(&["a", "3>x", "2>&3", "1>&2"], "cam").redirections.len(), 3);
    }

    #[test]
    fn the_program_is_as_it_is() {
        assert_eq!(run(&["$name\\x"], "cam").program, "$name\\x");
        assert_eq!(run(&[">x"], "cam").program, ">x");
    }

    #[test]
    fn what_is_no_command() {
        for (words, text) in [
            (&[][..], "names no program"),
            (&[""], "names no program"),
            (&["a", "b\0"], "has a zero byte in it"),
            (
                &["a", "2>&3", "3>x"],
                "has the redirection \"2>&3\", which copies a descriptor that is not open",
            ),
            (&["a", "2>"], "has the redirection \"2>\", which names no file"),
            (
                &["a", "2>&x"],
                "has the redirection \"2>&x\", which is about a descriptor that is no number \
                 from 0 to 9",
            ),
        ] {
            assert_eq!(parse(words, false).unwrap_err().to_string(), text, "{words:?}");
        }
    }
}
