//! What workers are asked to do, and what has come of it.

use serde::Serialize;

use super::call::Change;
use super::problem::Problem;
use crate::control::{Act, Order, Switch, Switched, Target, Verb};
use crate::inquiry::{Answer, Question};
use crate::stat::Application;

/// What has come of a recorder.
#[derive(Serialize)]
struct Recorded<'a> {
    path: &'a str,
}

/// What has come of a push.
#[derive(Serialize)]
struct Pushed {
    id: u64,
    href: String,
}

impl Change {
    /// What all workers are asked, whose configuration has these applications.
    ///
    /// # Errors
    ///
    /// It has not the one that the change is about.
    pub fn question(&self, servers: &[Vec<Application>]) -> Result<Question, Problem> {
        let (path, verb) = match self {
            Self::Client(id, act) => return Ok(Question::Client(*id, act.clone())),
            Self::Unpublish(path) => (path, Verb::Do(Act::Drop)),
            Self::Record(path, switch, recorder) => (path, Verb::Record(*switch, recorder.clone())),
            Self::Push(path, words) => (path, Verb::Push(words.clone())),
            Self::StopPush(path, id) => (path, Verb::StopPush(*id)),
        };
        Ok(Question::Control(Order {
            verb,
            target: Target::Publisher,
            applications: vec![path.application(servers)?.0],
            name: Some(path.name.clone()),
            addr: None,
            client: None,
        }))
    }

    /// The status of a response that tells something.
    pub fn status(&self) -> u16 {
        if matches!(self, Self::Push(..)) { 201 } else { 200 }
    }

    /// What the client is told of what the workers have done, if there is anything to tell.
    ///
    /// # Errors
    ///
    /// Nothing has been done.
    pub fn answer(&self, answer: &Answer) -> Result<Option<String>, Problem> {
        match (self, answer) {
            (_, Answer::Done(1..)) => Ok(None),
            (Self::Client(id, _), Answer::Done(_)) => Err(Problem::NoClient(*id)),
            (Self::Unpublish(path), Answer::Done(_)) => {
                Err(Problem::NotPublished(path.name.clone()))
            }
            (Self::Record(path, switch, recorder), Answer::Recorded(switched)) => match switched {
                Switched { streams: 0, .. } => Err(Problem::NotPublished(path.name.clone())),
                Switched { recorders: 0, .. } => Err(Problem::NoRecorder(recorder.clone())),
                Switched { files, .. } => files.first().map_or(
                    Err(match switch {
                        Switch::Start => Problem::NotStarted,
                        Switch::Stop => Problem::NotStopped,
                    }),
                    // Nothing that could fail.
                    |path| Ok(serde_json::to_string(&Recorded { path }).ok()),
                ),
            },
            (Self::StopPush(_, id), Answer::Done(_)) => Err(Problem::NoRelay(*id)),
            (Self::Push(path, _), Answer::Pushing(ids)) => match ids.first() {
                // Nothing that could fail.
                Some(&id) => Ok(serde_json::to_string(&Pushed { id, href: path.relay(id) }).ok()),
                None => Err(Problem::NotPublished(path.name.clone())),
            },
            // This worker's answer is to its own question.
            _ => Err(Problem::NoAnswer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::StreamPath;
    use crate::live::ApplicationId;

    fn cam(server: usize) -> StreamPath {
        StreamPath { server, application: "live".into(), name: "cam".into() }
    }

    fn record(switch: Switch) -> Change {
        Change::Record(cam(0), switch, "tape".into())
    }

    #[test]
    fn changes_of_streams_are_orders_to_the_right_application() {
        let live = |id| Application {
            id: ApplicationId(id),
            name: "live".into(),
            live: true,
            play: false,
        };
        let servers = [vec![live(1)], vec![live(2)]];
        let Ok(Question::Control(order)) = Change::Unpublish(cam(1)).question(&servers) else {
            panic!("no order");
        };
        assert_eq!((order.verb, order.target), (Verb::Do(Act::Drop), Target::Publisher));
        assert_eq!((order.applications, order.name), (vec![2], Some("cam".into())));
        assert_eq!(Change::Unpublish(cam(2)).question(&servers), Err(Problem::NoServer(2)));
        let client = Change::Client(7, Act::Drop);
        assert_eq!(client.question(&servers), Ok(Question::Client(7, Act::Drop)));
    }

    #[test]
    fn what_was_not_done_is_a_problem() {
        let switched = |streams, recorders, files: &[&str]| {
            let files = files.iter().map(|&it| it.to_owned()).collect();
            Answer::Recorded(Switched { streams, recorders, files })
        };
        let start = record(Switch::Start);
        for (change, answer, told) in [
            (&Change::Unpublish(cam(0)), Answer::Done(1), Ok(None)),
            (&Change::Unpublish(cam(0)), Answer::Done(0), Err(Problem::NotPublished("cam".into()))),
            (&Change::Client(7, Act::Drop), Answer::Done(0), Err(Problem::NoClient(7))),
            (&start, switched(1, 1, &["/a\"b"]), Ok(Some("{\"path\":\"/a\\\"b\"}".into()))),
            (&start, switched(1, 1, &[]), Err(Problem::NotStarted)),
            (&record(Switch::Stop), switched(1, 1, &[]), Err(Problem::NotStopped)),
            (&start, switched(1, 0, &[]), Err(Problem::NoRecorder("tape".into()))),
            (&start, switched(0, 0, &[]), Err(Problem::NotPublished("cam".into()))),
            (&start, Answer::Done(0), Err(Problem::NoAnswer)),
            (&Change::StopPush(cam(0), 5), Answer::Done(0), Err(Problem::NoRelay(5))),
            (
                &Change::Push(cam(1), Vec::new()),
                Answer::Pushing(vec![5]),
                Ok(Some("{\"id\":5,\"href\":\"streams/live/cam/relays/5?server=1\"}".into())),
            ),
            (
                &Change::Push(cam(0), Vec::new()),
                Answer::Pushing(Vec::new()),
                Err(Problem::NotPublished("cam".into())),
            ),
        ] {
            assert_eq!(change.answer(&answer), told, "{change:?} {answer:?}");
        }
    }
}
