//! Responses come to the same whether they arrive whole or in pieces, and what is kept is bounded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_rtmp_module::http::{Error, Head, Part, Response};
use ngx_rtmp_module::notify::Verdict;

/// What a response comes to.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    head: Option<Head>,
    body: Vec<u8>,
    reusable: Option<bool>,
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, response)) = data.split_first() else { return };
    let pieces = response.chunks(usize::from(size).max(1));
    let whole = feed([response].into_iter());
    assert_eq!(feed(pieces), whole);
});

fn feed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Seen, Error> {
    let (mut response, mut seen) = (Response::default(), Seen::default());
    for mut input in pieces {
        while let Some(part) = response.handle_input(&mut input)? {
            match part {
                Part::Head(head) => {
                    let _ = Verdict::of(&head);
                    seen.head = Some(head);
                }
                Part::Body(bytes) => seen.body.extend_from_slice(bytes),
                Part::End { reusable } => seen.reusable = Some(reusable),
            }
        }
    }
    if seen.reusable.is_none() {
        response.handle_eof()?;
    }
    Ok(seen)
}
