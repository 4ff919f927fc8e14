//! The JSON API that operators' programs use: `.../api/v1/...`, which `docs/openapi.json` describes.
//!
//! [`Call::route`] makes a call of a request, or a [`Problem`]. A call that [reads](Read) is answered
//! from what all workers [report](crate::stat); one that [changes](Change) something is carried out by
//! whichever worker has what it is about.

mod answer;
mod body;
mod call;
mod change;
mod list;
mod problem;
mod resource;

pub use answer::root;
pub use body::MAX_BODY;
pub use call::{Call, Change, Read, Request, Unfinished};
pub use list::{Filter, List, Page};
pub use problem::Problem;
pub use resource::{Method, StreamPath};
