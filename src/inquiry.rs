//! What one worker asks all others, to answer for all of them.

use serde::{Deserialize, Serialize};

use crate::control::{Act, Order, Switched};
use crate::stat::Report;

/// What a worker is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// What it has.
    Report,
    /// To do something to its clients.
    Control(Order),
    /// To do something to the client of this number, whatever it does.
    Client(u64, Act),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// What it has.
    Report(Box<Report>),
    /// To how many clients it was done.
    Done(u64),
    /// What has come of switching recorders.
    Recorded(Switched),
    /// The numbers of the relays that have begun.
    Pushing(Vec<u64>),
}

impl Answer {
    /// Adds what another worker answers to the same question.
    pub fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Report(report), Self::Report(other)) => {
                **report = Report::merge([std::mem::take(&mut **report), *other]);
            }
            (Self::Done(count), Self::Done(other)) => *count += other,
            (Self::Recorded(switched), Self::Recorded(other)) => switched.merge(other),
            (Self::Pushing(ids), Self::Pushing(other)) => ids.extend(other),
            // No worker answers a question that it was not asked.
            (Self::Report(_) | Self::Done(_) | Self::Recorded(_) | Self::Pushing(_), _) => {}
        }
    }
}
