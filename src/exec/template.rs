//! One word of a command, with variables in it.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

use super::variable::{Scope, Variable};

/// A word with `$name` or `${name}` in it, where a name has letters only; `\` takes the next
/// character as it is. A `$` before anything else is itself. A variable that there is not is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

impl Template {
    /// Reads a word. Variables that there are not are added to `unknown`.
    pub fn parse(scope: Scope, text: &str, unknown: &mut Vec<String>) -> Self {
        let mut template = Self::default();
        if scope == Scope::Static {
            template.0.push(Part::Text(text.to_owned()));
            return template;
        }
        let mut rest = text.chars().peekable();
        while let Some(char) = rest.next() {
            match char {
                // A last one is dropped.
                '\\' => rest.next().into_iter().for_each(|char| template.push(char)),
                '$' => match name(&mut rest) {
                    None => template.push('$'),
                    Some(name) => match Variable::find(scope, &name) {
                        Some(variable) => template.0.push(Part::Variable(variable)),
                        None => unknown.push(name),
                    },
                },
                char => template.push(char),
            }
        }
        template
    }

    fn push(&mut self, char: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(char),
            _ => self.0.push(Part::Text(char.into())),
        }
    }

    /// The word as it is with these values. A zero byte cannot be in a word, and is left out.
    pub fn expand<'a>(&self, value: impl Fn(Variable) -> Cow<'a, str>) -> String {
        let mut word = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => word.push_str(text),
                Part::Variable(variable) => word.push_str(&value(*variable)),
            }
        }
        word.retain(|char| char != '\0');
        word
    }

    /// [`expand`](Self::expand) for a word that is a path: what a client says names no directory.
    pub fn expand_path<'a>(&self, value: impl Fn(Variable) -> Cow<'a, str>) -> String {
        self.expand(|variable| match value(variable) {
            text if !variable.is_of_file() && text.contains('/') => text.replace('/', "%2F").into(),
            text => text,
        })
    }
}

/// The name that follows a `$`, if one does: letters, or anything in braces. What lacks its closing
/// brace is a name too, which nothing has.
fn name(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    if rest.next_if_eq(&'{').is_some() {
        let mut name = String::new();
        return loop {
            match rest.next() {
                Some('}') => break Some(name),
                Some(char) => name.push(char),
                None => break Some(format!("{{{name}")),
            }
        };
    }
    let mut name = String::new();
    while let Some(letter) = rest.next_if(char::is_ascii_alphabetic) {
        name.push(letter);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(variable: Variable) -> Cow<'static, str> {
        match variable {
            Variable::Name => "cam/1".into(),
            Variable::App => "live".into(),
            Variable::Args => "a=b&c".into(),
            Variable::Path => "/rec/cam.flv".into(),
            Variable::TcUrl => "$name\\${app}\0".into(),
            _ => "".into(),
        }
    }

    fn expand(text: &str) -> String {
        Template::parse(Scope::Event, text, &mut Vec::new()).expand(value)
    }

    #[test]
    fn variables() {
        for (text, expanded) in [
            ("", ""),
            ("plain", "plain"),
            ("$name", "cam/1"),
            ("${name}", "cam/1"),
            ("rtmp://localhost/hls/$name_low", "rtmp://localhost/hls/cam/1_low"),
            ("rtmp://localhost/$app/${name}low?$args", "rtmp://localhost/live/cam/1low?a=b&c"),
            ("$app$name${app}", "livecam/1live"),
            ("$name1", "cam/11"),
            ("ä${app}ö", "äliveö"),
            // There are none of these.
            ("a$namexb", "a"),
            ("a${nope}b", "ab"),
            ("a${}b", "ab"),
            ("a${name", "a"),
            ("a$Name-", "a-"),
        ] {
            assert_eq!(expand(text), expanded, "{text}");
        }
    }

    #[test]
    fn escapes() {
        for (text, expanded) in [
            ("\\$name", "$name"),
            ("\\\\$app", "\\live"),
            ("\\\\\\$app", "\\$app"),
            ("a\\bc", "abc"),
            ("$app\\name", "livename"),
            ("$\\{name}", "${name}"),
            ("\\{$app\\}", "{live}"),
            ("\\>x", ">x"),
            ("\\ä", "ä"),
            ("ends\\", "ends"),
            // A `$` that begins no name.
            ("$", "$"),
            ("$$", "$$"),
            ("$$app", "$live"),
            ("$1 $? ${app}$", "$1 $? live$"),
        ] {
            assert_eq!(expand(text), expanded, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_told() {
        let mut unknown = Vec::new();
        Template::parse(Scope::Pull, "$name $args ${pid} ${app", &mut unknown);
        assert_eq!(unknown, ["args", "pid", "{app"]);
    }

    #[test]
    fn values_are_not_looked_into() {
        assert_eq!(expand("<$tcurl>"), "<$name\\${app}>");
    }

    #[test]
    fn static_words_are_as_they_are() {
        let text = "s/\\./$name${x}\\";
        let mut unknown = Vec::new();
        assert_eq!(Template::parse(Scope::Static, text, &mut unknown).expand(value), text);
        assert!(unknown.is_empty());
    }

    #[test]
    fn clients_name_no_directories() {
        let path = |text| Template::parse(Scope::Event, text, &mut Vec::new()).expand_path(value);
        assert_eq!(path("/log/$name.log"), "/log/cam%2F1.log");
        assert_eq!(path("$path.log"), "/rec/cam.flv.log");
    }
}
