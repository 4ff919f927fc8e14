//! What decodes is encoded to bytes that decode to the same.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::amf0::Value;

fuzz_target!(|data: &[u8]| {
    if let Ok(values) = Value::decode_all(data) {
        let once = encode(&values);
        let again = Value::decode_all(&once).expect("our own encoding decodes");
        assert_eq!(encode(&again), once);
    }
});

fn encode(values: &[Value]) -> BytesMut {
    let mut out = BytesMut::new();
    values.iter().for_each(|value| value.encode(&mut out));
    out
}
