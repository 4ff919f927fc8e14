//! What the bodies of requests say.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::relay::{Direction, Target};

/// The longest body, in bytes.
pub const MAX_BODY: usize = 16 << 10;

/// What a client goes on with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redirection {
    /// The stream's name.
    pub(super) name: String,
}

/// Where a stream is pushed to: what the directive `push` says, but for which streams.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Pushing {
    url: String,
    app: Option<String>,
    play_path: Option<String>,
    tc_url: Option<String>,
    page_url: Option<String>,
    swf_url: Option<String>,
    flash_ver: Option<String>,
}

impl Pushing {
    /// The words of the directive.
    ///
    /// # Errors
    ///
    /// They are wrong.
    pub(super) fn words(self) -> Result<Vec<String>, Problem> {
        let parameters = [
            ("app", self.app),
            ("playPath", self.play_path),
            ("tcUrl", self.tc_url),
            ("pageUrl", self.page_url),
            ("swfUrl", self.swf_url),
            ("flashVer", self.flash_ver),
        ];
        let parameters = parameters.into_iter().filter_map(|(key, value)| {
            let value = value?;
            Some(format!("{key}={value}"))
        });
        let words: Vec<_> = std::iter::once(self.url).chain(parameters).collect();
        let parsed =
            Target::parse(Direction::Push, &words.iter().map(String::as_str).collect::<Vec<_>>());
        parsed.map(|_| words).map_err(|error| Problem::Body(format!("the target {error}")))
    }
}

/// # Errors
///
/// The body is no such value.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::Body(error.to_string()))
}
