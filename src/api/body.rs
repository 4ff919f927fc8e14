//! What the bodies of requests say.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 16 << 10;

/// What a client goes on with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redirection {
    /// The stream's name.
    pub(super) name: String,
}

/// # Errors
///
/// The body is no such value.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::Body(error.to_string()))
}
