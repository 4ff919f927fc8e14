//! Why a request is not answered with what it wants (RFC 9457).

use serde::Serialize;

use super::body::MAX_BODY;

/// A problem, whose text says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing has such an address.
    #[error("the API has nothing of this address; what it has begins at its root, api/v1")]
    NoResource,
    /// A part of the address.
    #[error("a part of the address is not UTF-8, percent-encoded")]
    NotUtf8,
    /// The method is not one of these.
    #[error("the method must be one of {0}")]
    Method(&'static str),
    /// `rtmp_control` does not open the section.
    #[error("this needs the section \"{0}\" of the directive rtmp_control")]
    Closed(&'static str),
    /// A `POST` that a page of another site could send.
    #[error("a POST needs the header \"Content-Type: application/json\"")]
    NotJson,
    /// A body that is longer than [`MAX_BODY`].
    #[error("the body has more than {MAX_BODY} bytes")]
    TooLarge,
    /// A body that is not what the call needs.
    #[error("the body is not what it must be: {0}")]
    Body(String),
    /// A query argument.
    #[error("the argument \"{name}\" must be {right}")]
    Argument {
        /// Its name.
        name: &'static str,
        /// What would be right.
        right: &'static str,
    },
    /// The configuration has no such server.
    #[error("there is no server with the index {0}")]
    NoServer(usize),
    /// The server has no such application.
    #[error("the server has no application \"{0}\"")]
    NoApplication(String),
    /// No worker has the stream.
    #[error("there is no stream \"{0}\" in the application")]
    NoStream(String),
    /// No worker has the client.
    #[error("there is no client with the id {0}")]
    NoClient(u64),
    /// The stream is not published, or by another server.
    #[error("the stream \"{0}\" has no publisher here")]
    NotPublished(String),
    /// The application has no such recorder.
    #[error("the application has no recorder \"{0}\"")]
    NoRecorder(String),
    /// The stream has no relay, or no push, of this id.
    #[error("the stream has no relay with the id {0} that this could be done with")]
    NoRelay(u64),
    /// The recorder has begun no file.
    #[error("the recorder has not started: it has already, or its file has no valid name")]
    NotStarted,
    /// The recorder has completed no file.
    #[error("the recorder has not stopped: it is not started")]
    NotStopped,
    /// No worker has answered.
    #[error("no worker process has answered")]
    NoAnswer,
}

#[derive(Serialize)]
struct Document {
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    /// The status of the response (RFC 9110, 15).
    pub fn status(&self) -> u16 {
        match self {
            Self::NotUtf8 | Self::Body(_) | Self::Argument { .. } => 400,
            Self::Closed(_) => 403,
            Self::NoResource
            | Self::NoServer(_)
            | Self::NoApplication(_)
            | Self::NoStream(_)
            | Self::NoClient(_)
            | Self::NotPublished(_)
            | Self::NoRecorder(_)
            | Self::NoRelay(_) => 404,
            Self::Method(_) => 405,
            Self::NotStarted | Self::NotStopped => 409,
            Self::TooLarge => 413,
            Self::NotJson => 415,
            Self::NoAnswer => 500,
        }
    }

    /// The value of the response's header `Allow`, if it needs one.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method(allowed) => Some(allowed),
            _ => None,
        }
    }

    /// The problem as `application/problem+json`. Its type is `about:blank`, as the status says all that
    /// programs need.
    pub fn to_json(&self) -> String {
        let status = self.status();
        let document = Document { title: phrase(status), status, detail: self.to_string() };
        // No map has anything but strings for keys, so nothing can fail.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_would_be_right() {
        let json = Problem::Argument { name: "limit", right: "a \"number\"" }.to_json();
        assert_eq!(
            json,
            "{\"title\":\"Bad Request\",\"status\":400,\
             \"detail\":\"the argument \\\"limit\\\" must be a \\\"number\\\"\"}"
        );
        let problem = Problem::Method("GET, HEAD");
        assert_eq!((problem.status(), problem.allow()), (405, Some("GET, HEAD")));
    }
}
