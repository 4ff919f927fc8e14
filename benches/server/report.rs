//! Figures of several runs, as a table in Markdown.

/// What each server came to in each run, a column a server.
pub struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Vec<f64>>)>,
}

impl Table {
    /// The first column is what the others are compared with.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&it| it.to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row whose runs are added next.
    pub fn row(&mut self, name: &str) {
        self.rows.push((name.to_owned(), vec![Vec::new(); self.columns.len()]));
    }

    pub fn add(&mut self, column: usize, value: f64) {
        if let Some((_, runs)) = self.rows.last_mut() {
            runs[column].push(value);
        }
    }

    /// Prints medians, and the medians of the ratios of runs that belong together.
    pub fn print(&self) {
        println!("\n| {} | {} |", self.title, self.columns.join(" | "));
        println!("|{}", "---|".repeat(self.columns.len() + 1));
        for (name, runs) in &self.rows {
            let cells: Vec<_> = runs.iter().map(|column| cell(column, &runs[0])).collect();
            println!("| {name} | {} |", cells.join(" | "));
        }
    }
}

fn cell(column: &[f64], base: &[f64]) -> String {
    let ratios: Vec<f64> = column.iter().zip(base).map(|(value, base)| value / base).collect();
    match (median(column), median(&ratios)) {
        (Some(value), Some(ratio)) => format!("{} ({ratio:.2})", number(value)),
        _ => "-".to_owned(),
    }
}

fn number(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50)
}

pub fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?)).copied()
}
