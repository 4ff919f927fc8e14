//! Packaging: access units in, file operations out.

mod hls;
mod layout;
mod master;
mod name;
mod playlist;
mod probe;
mod segmenter;
mod served;

pub use hls::{Hls, HlsConfig};
pub use master::{NotRendition, Rendition, Variant};
pub use name::NameError;
pub(crate) use name::percent_encode;
