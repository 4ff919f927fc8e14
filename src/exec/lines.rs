//! What a command writes to its error output, as lines of a log.

use std::time::Duration;

use crate::time::Instant;

/// The longest line in bytes; a longer one goes on in the next.
const MAX_LINE: usize = 1024;

/// Most lines in [`PERIOD`]; the rest is left out.
const MAX_LINES: u32 = 100;

/// What [`MAX_LINES`] is about.
const PERIOD: Duration = Duration::from_secs(1);

/// Cuts bytes into lines. Those that a terminal would write over, as they end with a carriage return
/// alone, and empty ones are left out.
#[derive(Debug, Default)]
pub struct Lines {
    /// The line that has not ended yet.
    rest: Vec<u8>,
    /// Whether a carriage return has come after it.
    returned: bool,
    /// The beginning of the period, and how many lines have come in it.
    period: Option<(Instant, u32)>,
}

impl Lines {
    /// Takes bytes that have come by `now`, and calls `take` with each line that is whole.
    pub fn push(&mut self, now: Instant, bytes: &[u8], mut take: impl FnMut(&str)) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end(now, &mut take),
                b'\r' => self.returned = true,
                byte => {
                    if self.returned {
                        self.returned = false;
                        self.rest.clear();
                    }
                    if self.rest.len() == MAX_LINE {
                        self.end(now, &mut take);
                    }
                    self.rest.push(byte);
                }
            }
        }
    }

    /// There will be no more.
    pub fn finish(mut self, now: Instant, mut take: impl FnMut(&str)) {
        self.end(now, &mut take);
    }

    fn end(&mut self, now: Instant, take: &mut impl FnMut(&str)) {
        self.returned = false;
        if self.rest.is_empty() {
            return;
        }
        self.start_period(now, take);
        if let Some((_, lines)) = &mut self.period {
            *lines = lines.saturating_add(1);
            if *lines <= MAX_LINES {
                take(&String::from_utf8_lossy(&self.rest));
            }
        }
        self.rest.clear();
    }

    fn start_period(&mut self, now: Instant, take: &mut impl FnMut(&str)) {
        match self.period {
            Some((start, _)) if now.saturating_since(start) < PERIOD => return,
            Some((_, lines)) if lines > MAX_LINES => {
                take(&format!("{} lines were left out", lines - MAX_LINES));
            }
            _ => {}
        }
        self.period = Some((now, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of texts, each of which comes at its time in milliseconds.
    fn lines(texts: &[(u64, &[u8])]) -> Vec<String> {
        let (mut lines, mut taken) = (Lines::default(), Vec::new());
        let mut last = Instant::from_millis(0);
        for &(at, text) in texts {
            last = Instant::from_millis(at);
            lines.push(last, text, |line| taken.push(line.to_owned()));
        }
        lines.finish(last, |line| taken.push(line.to_owned()));
        taken
    }

    #[test]
    fn lines_are_cut_wherever_they_come_apart() {
        let text = b"one\ntwo\r\n\nprogress 1\rprogress 2\rthree\nlast";
        for split in 0..=text.len() {
            let parts = [(0, &text[..split]), (5, &text[split..])];
            assert_eq!(lines(&parts), ["one", "two", "three", "last"], "{split}");
        }
        assert_eq!(lines(&[(0, b"\xff\n")]), ["\u{fffd}"]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn a_long_line_becomes_several() {
        let taken = lines(&[(0, &[b'x'; 2 * MAX_LINE + 1])]);
        let lengths: Vec<_> = taken.iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE, MAX_LINE, 1]);
    }

    #[test]
    fn a_flood_is_left_out_and_counted() {
        let flood = b"x\n".repeat(1000);
        let taken = lines(&[(0, &flood), (999, b"y\n"), (1000, b"z\n")]);
        assert_eq!(taken.len(), 102);
        assert_eq!(taken[99..], ["x", "901 lines were left out", "z"]);
    }
}
