//! The texts that Prometheus reads metrics from: its own format (version 0.0.4), and OpenMetrics 1.0.

use std::fmt::{self, Display, Write};

use crate::time::UnixMillis;

/// A text format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextFormat {
    /// Prometheus' own, version 0.0.4.
    #[default]
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl TextFormat {
    /// The one that a request's `Accept` asks for (RFC 9110, 12.5.1): OpenMetrics if it is named and
    /// wanted no less than plain text.
    pub fn negotiate(accept: &str) -> Self {
        let (mut open_metrics, mut plain) = (0, None);
        for range in accept.split(',').filter_map(Range::parse) {
            if range.is_open_metrics() {
                open_metrics = open_metrics.max(range.quality);
            } else if let Some(specificity) = range.specificity_to_plain() {
                plain = plain.max(Some((specificity, range.quality)));
            }
        }
        let plain = plain.map_or(0, |(_, quality)| quality);
        match open_metrics {
            1.. if open_metrics >= plain => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    /// The `Content-Type` of the text.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A media range of an `Accept`.
struct Range<'a> {
    media: &'a str,
    version: Option<&'a str>,
    /// In thousandths.
    quality: u32,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Self { media: parts.next()?, version: None, quality: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.eq_ignore_ascii_case("version") {
                range.version = Some(value.trim_matches('"'));
            } else if name.eq_ignore_ascii_case("q") {
                range.quality = (value.parse::<f32>().ok()?.clamp(0.0, 1.0) * 1000.0) as u32;
            }
        }
        Some(range)
    }

    fn is_open_metrics(&self) -> bool {
        self.media.eq_ignore_ascii_case("application/openmetrics-text")
            && self.version.is_none_or(|version| version == "1.0.0")
    }

    /// How closely it describes plain text, if it does.
    fn specificity_to_plain(&self) -> Option<u32> {
        match self.media.to_ascii_lowercase().as_str() {
            "text/plain" if self.version.is_none_or(|version| version == "0.0.4") => Some(2),
            "text/*" => Some(1),
            "*/*" => Some(0),
            _ => None,
        }
    }
}

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counts that only grow, from a time on.
    Counter {
        /// Since when it is counted, if that is the same for all samples.
        since: Option<UnixMillis>,
    },
    /// Values that come and go.
    Gauge,
    /// Texts, in labels.
    Info,
}

/// Metrics of one name, without what the formats append to it.
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// One line, without backslashes and quotes.
    pub(super) help: &'a str,
}

impl Family<'_> {
    /// The base unit, which is the name's end.
    fn unit(&self) -> Option<&str> {
        let (_, last) = self.name.rsplit_once('_')?;
        ["seconds", "bytes"].contains(&last).then_some(last)
    }

    /// What names of samples end with.
    const fn suffix(&self) -> &'static str {
        match self.kind {
            Kind::Counter { .. } => "_total",
            Kind::Gauge => "",
            Kind::Info => "_info",
        }
    }
}

/// Labels as they are written, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels(String);

impl Labels {
    /// One label more.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let separator = if self.0.is_empty() { "" } else { "," };
        Self(format!("{}{separator}{name}=\"{}\"", self.0, Escaped(value)))
    }
}

/// A text that is being written.
pub(super) struct Exposition {
    format: TextFormat,
    text: String,
}

impl Exposition {
    pub(super) const fn new(format: TextFormat) -> Self {
        Self { format, text: String::new() }
    }

    /// Adds a family and its samples, no two of which have the same labels.
    pub(super) fn family<V: Display>(
        &mut self,
        family: &Family<'_>,
        samples: impl IntoIterator<Item = (Labels, V)>,
    ) {
        self.describe(family);
        let Family { name, kind, .. } = *family;
        let suffix = family.suffix();
        for (Labels(labels), value) in samples {
            let labels = match labels.as_str() {
                "" => labels,
                _ => format!("{{{labels}}}"),
            };
            self.line(format_args!("{name}{suffix}{labels} {value}"));
            if let (TextFormat::OpenMetrics, Kind::Counter { since: Some(since) }) =
                (self.format, kind)
            {
                let (seconds, millis) = (since.0 / 1000, since.0 % 1000);
                self.line(format_args!("{name}_created{labels} {seconds}.{millis:03}"));
            }
        }
    }

    fn describe(&mut self, family: &Family<'_>) {
        let Family { name, kind, help } = family;
        let (suffix, kind) = match (self.format, kind) {
            (TextFormat::OpenMetrics, Kind::Info) => ("", "info"),
            (TextFormat::OpenMetrics, Kind::Counter { .. }) => ("", "counter"),
            (TextFormat::Prometheus, Kind::Counter { .. }) => (family.suffix(), "counter"),
            (_, Kind::Gauge | Kind::Info) => (family.suffix(), "gauge"),
        };
        self.line(format_args!("# HELP {name}{suffix} {help}"));
        self.line(format_args!("# TYPE {name}{suffix} {kind}"));
        if let (TextFormat::OpenMetrics, Some(unit)) = (self.format, family.unit()) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == TextFormat::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.text
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // A string takes all that is written to it.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }
}

/// A label's value. Zero ends a text for Prometheus, whatever is around it.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                '\0' => f.write_char('\u{fffd}')?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: Family<'_> = Family {
        name: "a_sent_bytes",
        kind: Kind::Counter { since: Some(UnixMillis(1_700_000_000_050)) },
        help: "What went.",
    };

    fn text(format: TextFormat, family: &Family<'_>, labels: Labels, value: u64) -> String {
        let mut exposition = Exposition::new(format);
        exposition.family(family, [(labels, value)]);
        exposition.finish()
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants_it() {
        let labels = Labels::default().with("b", "c").with("d", "e");
        assert_eq!(
            text(TextFormat::Prometheus, &COUNTER, labels.clone(), 7),
            "# HELP a_sent_bytes_total What went.\n# TYPE a_sent_bytes_total counter\n\
             a_sent_bytes_total{b=\"c\",d=\"e\"} 7\n"
        );
        assert_eq!(
            text(TextFormat::OpenMetrics, &COUNTER, labels, 7),
            "# HELP a_sent_bytes What went.\n# TYPE a_sent_bytes counter\n\
             # UNIT a_sent_bytes bytes\na_sent_bytes_total{b=\"c\",d=\"e\"} 7\n\
             a_sent_bytes_created{b=\"c\",d=\"e\"} 1700000000.050\n# EOF\n"
        );
    }

    #[test]
    fn gauges_and_texts_are_named_as_each_format_wants_them() {
        let gauge = Family { name: "a_players", kind: Kind::Gauge, help: "Who watches." };
        let info = Family { name: "a_build", kind: Kind::Info, help: "What it is." };
        for (format, is, end) in
            [(TextFormat::Prometheus, "gauge", ""), (TextFormat::OpenMetrics, "info", "# EOF\n")]
        {
            assert_eq!(
                text(format, &gauge, Labels::default(), 1),
                format!(
                    "# HELP a_players Who watches.\n# TYPE a_players gauge\na_players 1\n{end}"
                )
            );
            let name = if is == "info" { "a_build" } else { "a_build_info" };
            assert_eq!(
                text(format, &info, Labels::default(), 1),
                format!("# HELP {name} What it is.\n# TYPE {name} {is}\na_build_info 1\n{end}")
            );
        }
    }

    #[test]
    fn labels_cannot_forge_samples() {
        let labels = Labels::default().with("a", "\\\"} 1\n\0é\u{fffd}");
        assert_eq!(labels.0, "a=\"\\\\\\\"} 1\\n\u{fffd}é\u{fffd}\"");
    }

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        use TextFormat::{OpenMetrics, Prometheus};
        for (accept, format) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0; Q=0.1", OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Prometheus),
            ("application/openmetrics-text; q=0", Prometheus),
            ("application/openmetrics-text; q=much, */*", Prometheus),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.6,*/*;q=0.1", Prometheus),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.4,*/*", OpenMetrics),
            ("application/openmetrics-text;q=0.5,text/*;q=0.4,*/*", OpenMetrics),
            // Prometheus 2.42, then 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                 version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics,
            ),
        ] {
            assert_eq!(TextFormat::negotiate(accept), format, "{accept}");
        }
    }
}
