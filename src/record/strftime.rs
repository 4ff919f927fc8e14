//! Times in text, as `strftime` of the GNU C library writes them in the C locale.

use std::fmt::Write;
use std::iter;
use std::str::Chars;

use ::time::{OffsetDateTime, UtcOffset};

/// A text with conversions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat(Vec<Item>);

/// There is no such conversion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strftime has no conversion \"%{0}\"")]
pub struct UnknownConversion(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Text(char),
    Conversion(Option<Flag>, char),
}

/// How what a conversion gives is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    /// `-`: nothing is put before a number.
    Bare,
    /// `_`: spaces are.
    Spaces,
    /// `0`: zeros are.
    Zeros,
    /// `^`: it is in upper case.
    Upper,
}

/// What a conversion gives.
enum Value {
    /// With so many digits at least, or something in their place.
    Number(i64, usize, char),
    Text(String),
}

impl TimeFormat {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// It has a `%` that begins no conversion.
    pub fn parse(text: &str) -> Result<Self, UnknownConversion> {
        let (mut items, mut rest) = (Vec::new(), text.chars());
        while let Some(next) = rest.next() {
            match next {
                '%' => take_conversion(&mut rest, &mut items)?,
                other => items.push(Item::Text(other)),
            }
        }
        Ok(Self(items))
    }

    /// The text at `time`, which is local.
    pub fn at(&self, time: OffsetDateTime) -> String {
        let mut out = String::new();
        for item in &self.0 {
            match item {
                Item::Text(text) => out.push(*text),
                Item::Conversion(flag, kind) => convert(time, *flag, *kind, &mut out),
            }
        }
        out
    }
}

/// Takes what follows a `%`.
fn take_conversion(rest: &mut Chars<'_>, items: &mut Vec<Item>) -> Result<(), UnknownConversion> {
    const KNOWN: &str = "%aAbBCdeFgGhHIjklmMnpPsStuUVwWyYzZ";

    let (mut flag, mut text) = (None, String::new());
    for next in iter::from_fn(|| rest.next()) {
        text.push(next);
        match next {
            '-' => flag = Some(Flag::Bare),
            '_' => flag = Some(Flag::Spaces),
            '0' => flag = Some(Flag::Zeros),
            '^' => flag = Some(Flag::Upper),
            // Other eras and digits, of which the C locale has none.
            'E' | 'O' => {}
            kind => {
                match expansion(kind) {
                    Some(expansion) => items.extend(TimeFormat::parse(expansion)?.0),
                    None if KNOWN.contains(kind) => items.push(Item::Conversion(flag, kind)),
                    None => break,
                }
                return Ok(());
            }
        }
    }
    Err(UnknownConversion(text))
}

/// What a conversion is short for.
fn expansion(kind: char) -> Option<&'static str> {
    Some(match kind {
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'r' => "%I:%M:%S %p",
        'R' => "%H:%M",
        'T' | 'X' => "%H:%M:%S",
        _ => return None,
    })
}

fn convert(time: OffsetDateTime, flag: Option<Flag>, kind: char, out: &mut String) {
    // Writing to a string does not fail.
    let _ = match (value(time, kind), flag) {
        (Value::Number(number, _, _), Some(Flag::Bare)) => write!(out, "{number}"),
        (Value::Number(number, width, ' '), None | Some(Flag::Upper))
        | (Value::Number(number, width, _), Some(Flag::Spaces)) => write!(out, "{number:width$}"),
        (Value::Number(number, width, _), _) => write!(out, "{number:0width$}"),
        (Value::Text(text), Some(Flag::Upper)) => write!(out, "{}", text.to_uppercase()),
        (Value::Text(text), _) => write!(out, "{text}"),
    };
}

fn value(time: OffsetDateTime, kind: char) -> Value {
    let short = |name: String| Value::Text(name.chars().take(3).collect());
    let two = |number: i64| Value::Number(number, 2, '0');
    let year = i64::from(time.year());
    let (iso_year, iso_week, _) = time.to_iso_week_date();
    let hour = i64::from(time.hour());
    let (hour_of_12, half) = ((hour + 11) % 12 + 1, if hour < 12 { "am" } else { "pm" });
    match kind {
        'a' => short(time.weekday().to_string()),
        'A' => Value::Text(time.weekday().to_string()),
        'b' | 'h' => short(time.month().to_string()),
        'B' => Value::Text(time.month().to_string()),
        'C' => two(year.div_euclid(100)),
        'd' => two(time.day().into()),
        'e' => Value::Number(time.day().into(), 2, ' '),
        'g' => two(i64::from(iso_year).rem_euclid(100)),
        'G' => Value::Number(iso_year.into(), 1, '0'),
        'H' => two(hour),
        'I' => two(hour_of_12),
        'j' => Value::Number(time.ordinal().into(), 3, '0'),
        'k' => Value::Number(hour, 2, ' '),
        'l' => Value::Number(hour_of_12, 2, ' '),
        'm' => two(u8::from(time.month()).into()),
        'M' => two(time.minute().into()),
        'n' => Value::Text("\n".to_owned()),
        'p' => Value::Text(half.to_uppercase()),
        'P' => Value::Text(half.to_owned()),
        's' => Value::Number(time.unix_timestamp(), 1, '0'),
        'S' => two(time.second().into()),
        't' => Value::Text("\t".to_owned()),
        'u' => Value::Number(time.weekday().number_from_monday().into(), 1, '0'),
        'U' => two(time.sunday_based_week().into()),
        'V' => two(iso_week.into()),
        'w' => Value::Number(time.weekday().number_days_from_sunday().into(), 1, '0'),
        'W' => two(time.monday_based_week().into()),
        'y' => two(year.rem_euclid(100)),
        'Y' => Value::Number(year, 1, '0'),
        'z' => Value::Text(offset(time.offset(), true)),
        'Z' => Value::Text(zone(time.offset())),
        other => Value::Text(other.to_string()),
    }
}

/// `+0130`, or where minutes are not needed `+01`.
fn offset(offset: UtcOffset, needs_minutes: bool) -> String {
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
    match minutes == 0 && !needs_minutes {
        true => format!("{sign}{hours:02}"),
        false => format!("{sign}{hours:02}{minutes:02}"),
    }
}

/// The name of a time zone that has none of its own.
fn zone(of: UtcOffset) -> String {
    if of.is_utc() { "UTC".to_owned() } else { offset(of, false) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Before and after turns of years, on all days of the week, in February, before noon and after.
    const TIMES: [i64; 12] = [
        0,
        946_713_599,
        951_778_805,
        1_230_764_459,
        1_483_218_000,
        1_483_221_600,
        1_699_740_800,
        1_699_833_600,
        1_704_067_199,
        1_704_085_200,
        1_709_208_000,
        1_735_689_661,
    ];

    fn format(text: &str, time: i64, offset: UtcOffset) -> String {
        let time = OffsetDateTime::from_unix_timestamp(time).unwrap().to_offset(offset);
        TimeFormat::parse(text).unwrap().at(time)
    }

    #[test]
    fn texts_are_those_of_the_c_library() {
        const ALL: &str = "x%%y|%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|\
            %P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|\
            %-d|%-m|%-H|%-j|%_d|%_j|%0e|%0k|%^a|%^B|%^h|%Ey|%EY|%Od|%OS|\u{e9}";
        let offset = UtcOffset::from_hms(5, 30, 0).unwrap();
        for time in TIMES {
            let mut date = Command::new("date");
            date.env("TZ", "UTC-5:30").env("LC_ALL", "C");
            // `date` has another %c and %r than strftime in some locales, but not in this one.
            date.arg(format!("--date=@{time}")).arg(format!("+{ALL}"));
            let expected = String::from_utf8(date.output().unwrap().stdout).unwrap();
            assert_eq!(format(ALL, time, offset), expected.trim_end_matches('\n'), "{time}");
        }
    }

    #[test]
    fn zones_are_named_by_what_they_are_ahead() {
        let at = |hours, minutes| {
            format("%Z %z", 0, UtcOffset::from_hms(hours, minutes, 0).expect("an offset"))
        };
        assert_eq!(at(0, 0), "UTC +0000");
        assert_eq!(at(1, 0), "+01 +0100");
        assert_eq!(at(-3, -30), "-0330 -0330");
    }

    #[test]
    fn other_conversions_are_named() {
        for (text, unknown) in [("a%Q.flv", "Q"), ("%", ""), ("%-", "-"), ("%-N", "N")] {
            let error = TimeFormat::parse(text).unwrap_err();
            assert!(error.0.ends_with(unknown), "{text}: {error}");
        }
    }
}
