//! AMF0 values (Action Message Format, AMF 0, Adobe 2007): decoding and encoding.
