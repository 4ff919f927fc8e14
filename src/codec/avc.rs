//! avc
