//! Action Message Format 0: the values in RTMP commands and metadata (AMF 0 specification, 2).

use bytes::{Buf, BufMut, BytesMut, TryGetError};

/// How deep values may nest; real ones reach three or four levels.
pub const MAX_DEPTH: usize = 32;

/// One AMF0 value.
///
/// What RTMP peers do not send is decoded to its nearest relative: a typed object is an
/// [`Object`](Self::Object) without its class name, an XML document a [`String`](Self::String), the
/// "unsupported" marker [`Undefined`](Self::Undefined).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An IEEE 754 double (2.2); AMF0 has no other number.
    Number(f64),
    /// A boolean (2.3).
    Boolean(bool),
    /// A string (2.4) or, past 65535 bytes, a long string (2.14).
    String(String),
    /// Properties in their order on the wire (2.5).
    Object(Vec<(String, Self)>),
    /// Null (2.7).
    Null,
    /// Undefined (2.8).
    Undefined,
    /// Properties in their order on the wire, as an associative array (2.10).
    EcmaArray(Vec<(String, Self)>),
    /// Values without names (2.12).
    StrictArray(Vec<Self>),
    /// A point in time (2.13); its time zone is reserved and not kept.
    Date {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        millis: f64,
    },
}

/// Why bytes are not AMF0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input ends within a value.
    #[error("AMF0 value is cut short")]
    Truncated,
    /// Values nest deeper than [`MAX_DEPTH`].
    #[error("AMF0 value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A marker that is unknown, reserved, a reference (2.9) or a switch to AMF3 (3.1).
    #[error("AMF0 value with unsupported marker {0:#04x}")]
    Marker(u8),
}

impl Value {
    /// Takes one value off the front of `input`, which after an error is left anywhere.
    ///
    /// Invalid UTF-8 is decoded with replacement characters, and an ECMA array may lack its end
    /// marker at the end of the input: encoders send both. Memory is taken for what has been
    /// decoded, never for a declared count.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        decode_value(input, MAX_DEPTH)
    }

    /// The values that `payload` consists of.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub fn decode_all(mut payload: &[u8]) -> Result<Vec<Self>, Error> {
        let mut values = Vec::new();
        while !payload.is_empty() {
            values.push(Self::decode(&mut payload)?);
        }
        Ok(values)
    }

    /// Appends the value to `out`. The name of a property is cut to 65535 bytes.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Number(number) => {
                out.put_u8(marker::NUMBER);
                out.put_f64(*number);
            }
            Self::Boolean(boolean) => {
                out.put_u8(marker::BOOLEAN);
                out.put_u8(u8::from(*boolean));
            }
            Self::String(string) => encode_string(string, out),
            Self::Object(properties) => {
                out.put_u8(marker::OBJECT);
                encode_properties(properties, out);
            }
            Self::Null => out.put_u8(marker::NULL),
            Self::Undefined => out.put_u8(marker::UNDEFINED),
            Self::EcmaArray(properties) => {
                out.put_u8(marker::ECMA_ARRAY);
                out.put_u32(properties.len() as u32);
                encode_properties(properties, out);
            }
            Self::StrictArray(values) => {
                out.put_u8(marker::STRICT_ARRAY);
                out.put_u32(values.len() as u32);
                values.iter().for_each(|value| value.encode(out));
            }
            Self::Date { millis } => {
                out.put_u8(marker::DATE);
                out.put_f64(*millis);
                out.put_i16(0);
            }
        }
    }

    /// The number, if the value is one.
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if the value is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The string, if the value is one.
    pub const fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(string) => Some(string.as_str()),
            _ => None,
        }
    }

    /// The properties of an object or an ECMA array.
    pub const fn as_properties(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(properties) | Self::EcmaArray(properties) => Some(properties.as_slice()),
            _ => None,
        }
    }

    /// The first property called `name`, if the value is an object or an ECMA array that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let (_, value) = self.as_properties()?.iter().find(|(key, _)| key == name)?;
        Some(value)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Self {
        Self::String(string.to_owned())
    }
}

impl From<TryGetError> for Error {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

/// Decodes a value that may hold `depth` levels of others.
fn decode_value(input: &mut &[u8], depth: usize) -> Result<Value, Error> {
    Ok(match input.try_get_u8()? {
        marker::NUMBER => Value::Number(input.try_get_f64()?),
        marker::BOOLEAN => Value::Boolean(input.try_get_u8()? != 0),
        marker::STRING => Value::String(decode_short_string(input)?),
        marker::OBJECT => Value::Object(decode_object(input, depth)?),
        marker::NULL => Value::Null,
        marker::UNDEFINED | marker::UNSUPPORTED => Value::Undefined,
        marker::ECMA_ARRAY => Value::EcmaArray(decode_ecma_array(input, depth)?),
        marker::STRICT_ARRAY => Value::StrictArray(decode_strict_array(input, depth)?),
        marker::DATE => decode_date(input)?,
        marker::LONG_STRING | marker::XML_DOCUMENT => Value::String(decode_long_string(input)?),
        marker::TYPED_OBJECT => {
            decode_short_string(input)?;
            Value::Object(decode_object(input, depth)?)
        }
        marker => return Err(Error::Marker(marker)),
    })
}

fn decode_short_string(input: &mut &[u8]) -> Result<String, Error> {
    let length = input.try_get_u16()?;
    decode_utf8(input, usize::from(length))
}

fn decode_long_string(input: &mut &[u8]) -> Result<String, Error> {
    let length = input.try_get_u32()?;
    decode_utf8(input, usize::try_from(length).unwrap_or(usize::MAX))
}

fn decode_utf8(input: &mut &[u8], length: usize) -> Result<String, Error> {
    let bytes = input.split_off(..length).ok_or(Error::Truncated)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn decode_object(input: &mut &[u8], depth: usize) -> Result<Vec<(String, Value)>, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    let mut properties = Vec::new();
    while !take_object_end(input) {
        properties.push(decode_property(input, depth)?);
    }
    Ok(properties)
}

/// The declared count is not looked at: encoders that append properties leave it wrong, often zero.
fn decode_ecma_array(input: &mut &[u8], depth: usize) -> Result<Vec<(String, Value)>, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    input.try_get_u32()?;
    let mut properties = Vec::new();
    while !input.is_empty() && !take_object_end(input) {
        properties.push(decode_property(input, depth)?);
    }
    Ok(properties)
}

fn decode_property(input: &mut &[u8], depth: usize) -> Result<(String, Value), Error> {
    Ok((decode_short_string(input)?, decode_value(input, depth)?))
}

fn decode_strict_array(input: &mut &[u8], depth: usize) -> Result<Vec<Value>, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    let count = input.try_get_u32()?;
    (0..count).map(|_| decode_value(input, depth)).collect()
}

fn decode_date(input: &mut &[u8]) -> Result<Value, Error> {
    let millis = input.try_get_f64()?;
    input.try_get_i16()?;
    Ok(Value::Date { millis })
}

/// Takes the end of an object off the front of `input`, if that is next.
fn take_object_end(input: &mut &[u8]) -> bool {
    let rest = input.strip_prefix(&OBJECT_END);
    *input = rest.unwrap_or(input);
    rest.is_some()
}

fn encode_string(string: &str, out: &mut BytesMut) {
    match u16::try_from(string.len()) {
        Ok(length) => {
            out.put_u8(marker::STRING);
            out.put_u16(length);
        }
        Err(_) => {
            out.put_u8(marker::LONG_STRING);
            out.put_u32(string.len() as u32);
        }
    }
    out.put_slice(string.as_bytes());
}

fn encode_properties(properties: &[(String, Value)], out: &mut BytesMut) {
    for (name, value) in properties {
        let length = name.floor_char_boundary(usize::from(u16::MAX));
        out.put_u16(length as u16);
        out.put_slice(&name.as_bytes()[..length]);
        value.encode(out);
    }
    out.put_slice(&OBJECT_END);
}

/// An empty name, then the object end marker (2.11).
const OBJECT_END: [u8; 3] = [0, 0, 9];

/// The byte that each value begins with (2.1).
mod marker {
    pub(super) const NUMBER: u8 = 0;
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const OBJECT: u8 = 3;
    pub(super) const NULL: u8 = 5;
    pub(super) const UNDEFINED: u8 = 6;
    pub(super) const ECMA_ARRAY: u8 = 8;
    pub(super) const STRICT_ARRAY: u8 = 10;
    pub(super) const DATE: u8 = 11;
    pub(super) const LONG_STRING: u8 = 12;
    pub(super) const UNSUPPORTED: u8 = 13;
    pub(super) const XML_DOCUMENT: u8 = 15;
    pub(super) const TYPED_OBJECT: u8 = 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &Value) -> BytesMut {
        let mut out = BytesMut::new();
        value.encode(&mut out);
        out
    }

    fn property(name: &str, value: impl Into<Value>) -> (String, Value) {
        (name.to_owned(), value.into())
    }

    fn one_of_each() -> Value {
        Value::Object(vec![
            property("number", -0.5),
            property("boolean", true),
            property("string", "h\u{e9}"),
            property("long", "x".repeat(70_000).as_str()),
            property("object", Value::Object(vec![])),
            property("null", Value::Null),
            property("undefined", Value::Undefined),
            property("array", Value::EcmaArray(vec![property("", 1.0)])),
            property("strict", Value::StrictArray(vec![Value::Null, 2.0.into()])),
            property("date", Value::Date { millis: 1e12 }),
        ])
    }

    #[test]
    fn every_kind_round_trips() {
        let bytes = encoded(&one_of_each());
        let mut input = &bytes[..];
        assert_eq!(Value::decode(&mut input), Ok(one_of_each()));
        assert!(input.is_empty());
    }

    #[test]
    fn every_proper_prefix_is_truncated() {
        let bytes = encoded(&Value::Object(vec![
            property("app", "live"),
            property("list", Value::StrictArray(vec![1.0.into(), true.into()])),
        ]));
        for length in 0..bytes.len() {
            assert_eq!(Value::decode(&mut &bytes[..length]), Err(Error::Truncated), "{length}");
        }
    }

    #[test]
    fn a_connect_command_decodes() {
        // The start of what ffmpeg sends.
        let payload = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\
            \x03\x00\x03app\x02\x00\x04live\x00\x04type\x02\x00\x0anonprivate\x00\x00\x09";
        let values = Value::decode_all(payload).unwrap();
        assert_eq!(values[0].as_str(), Some("connect"));
        assert_eq!(values[1].as_number(), Some(1.0));
        assert_eq!(values[2].get("app").and_then(Value::as_str), Some("live"));
        assert_eq!(values[2].get("flashVer"), None);

        let mut out = BytesMut::new();
        values.iter().for_each(|value| value.encode(&mut out));
        assert_eq!(&out[..], payload);
    }

    #[test]
    fn an_ecma_array_may_lack_its_end_at_the_end_of_the_input() {
        let payload = b"\x08\x00\x00\x00\x00\x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00";
        let expected = Value::EcmaArray(vec![property("width", 1280.0)]);
        assert_eq!(Value::decode_all(payload), Ok(vec![expected]));
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let decoded = Value::decode(&mut &b"\x02\x00\x03a\xffb"[..]);
        assert_eq!(decoded, Ok("a\u{fffd}b".into()));
    }

    #[test]
    fn relatives_are_decoded_and_the_rest_refused() {
        let typed = b"\x10\x00\x01C\x00\x01k\x01\x01\x00\x00\x09";
        assert_eq!(Value::decode(&mut &typed[..]), Ok(Value::Object(vec![property("k", true)])));
        assert_eq!(Value::decode(&mut &b"\x0f\x00\x00\x00\x02<>"[..]), Ok("<>".into()));
        assert_eq!(Value::decode(&mut &b"\x0d"[..]), Ok(Value::Undefined));
        for marker in [4, 7, 9, 14, 17, 18, 255] {
            assert_eq!(Value::decode(&mut &[marker, 0, 0][..]), Err(Error::Marker(marker)));
        }
    }

    #[test]
    fn hostile_counts_and_depths_are_refused() {
        for bytes in [&b"\x0a\xff\xff\xff\xff\x05"[..], b"\x0c\xff\xff\xff\xff", b"\x02\xff\xff"] {
            assert_eq!(Value::decode(&mut &*bytes), Err(Error::Truncated));
        }
        let nested = |levels| b"\x0a\x00\x00\x00\x01".repeat(levels);
        let deepest = [nested(MAX_DEPTH), vec![5]].concat();
        assert!(Value::decode(&mut &deepest[..]).is_ok());
        let too_deep = nested(100_000);
        assert_eq!(Value::decode(&mut &too_deep[..]), Err(Error::TooDeep));
    }

    #[test]
    fn an_overlong_name_is_cut_between_characters() {
        let value = Value::Object(vec![property(&"\u{e9}".repeat(40_000), Value::Null)]);
        let decoded = Value::decode(&mut &encoded(&value)[..]).unwrap();
        assert_eq!(decoded.as_properties().unwrap()[0].0.len(), 65_534);
    }

    #[test]
    fn rml_amf0_agrees() {
        use rml_amf0::Amf0Value;

        let values = vec![
            Amf0Value::Utf8String("connect".to_owned()),
            Amf0Value::Number(1.0),
            Amf0Value::Object([("app".to_owned(), Amf0Value::Boolean(true))].into()),
            Amf0Value::StrictArray(vec![Amf0Value::Null, Amf0Value::Undefined]),
        ];
        let bytes = rml_amf0::serialize(&values).unwrap();
        let ours = Value::decode_all(&bytes).unwrap();
        assert_eq!(
            ours,
            [
                "connect".into(),
                1.0.into(),
                Value::Object(vec![property("app", true)]),
                Value::StrictArray(vec![Value::Null, Value::Undefined]),
            ]
        );
        let mut out = BytesMut::new();
        ours.iter().for_each(|value| value.encode(&mut out));
        assert_eq!(rml_amf0::deserialize(&mut &out[..]).unwrap(), values);
    }
}
