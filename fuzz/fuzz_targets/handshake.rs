//! Neither side cares how its input is split.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::rtmp::Error;
use ngx_rtmp_module::rtmp::handshake::{ClientHandshake, ServerHandshake};

fuzz_target!(|data: &[u8]| {
    let piece = usize::from(*data.last().unwrap_or(&0)) + 1;
    let serve = |piece| {
        let mut server = ServerHandshake::new(1);
        feed(data, piece, |input, out| server.handle_input(input, out))
    };
    assert_eq!(serve(piece), serve(data.len().max(1)));
    let connect = |piece| {
        let mut client = ClientHandshake::new(1);
        feed(data, piece, |input, out| client.handle_input(input, out))
    };
    assert_eq!(connect(piece), connect(data.len().max(1)));
});

/// What is answered to `data`, and how many bytes of it are left for the chunk reader.
fn feed(
    data: &[u8],
    piece: usize,
    mut handle: impl FnMut(&mut &[u8], &mut BytesMut) -> Result<bool, Error>,
) -> Result<(BytesMut, usize), Error> {
    let (mut out, mut left) = (BytesMut::new(), 0);
    for mut input in data.chunks(piece) {
        let complete = handle(&mut input, &mut out)?;
        assert!(complete || input.is_empty());
        left += input.len();
    }
    Ok((out, left))
}
