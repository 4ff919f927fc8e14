use super::*;

/// What a response comes to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    status: u16,
    body: Vec<u8>,
    /// Whether the connection may be used again; `None` if the response has not ended.
    reusable: Option<bool>,
    /// Bytes after it.
    left: usize,
}

/// Feeds the pieces; the end of the connection comes after them if `closes`.
fn feed(pieces: &[&[u8]], closes: bool) -> Result<Seen, Error> {
    let (mut response, mut seen) = (Response::default(), Seen::default());
    for piece in pieces {
        let mut input = *piece;
        while let Some(part) = response.handle_input(&mut input)? {
            match part {
                Part::Head(head) => seen.status = head.status,
                Part::Body(bytes) => seen.body.extend_from_slice(bytes),
                Part::End { reusable } => seen.reusable = Some(reusable),
            }
        }
        seen.left += input.len();
    }
    if closes && seen.reusable.is_none() {
        let Part::End { reusable } = response.handle_eof()? else { panic!("no end") };
        seen.reusable = Some(reusable);
    }
    Ok(seen)
}

/// Feeds the text whole, split at every byte, and byte by byte, which makes no difference.
#[track_caller]
fn see(text: &str, closes: bool) -> Result<Seen, Error> {
    let bytes = text.as_bytes();
    let whole = feed(&[bytes], closes);
    for at in 0..bytes.len() {
        assert_eq!(feed(&[&bytes[..at], &bytes[at..]], closes), whole, "{text:?} split at {at}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(feed(&single, closes), whole, "{text:?} byte by byte");
    whole
}

fn seen(status: u16, body: &str, reusable: bool) -> Result<Seen, Error> {
    Ok(Seen { status, body: body.into(), reusable: Some(reusable), left: 0 })
}

#[test]
fn a_body_ends_by_its_length() {
    assert_eq!(
        see("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false),
        seen(200, "abc", true)
    );
    assert_eq!(see("HTTP/1.1 204 No\r\n\r\n", false), seen(204, "", true));
    assert_eq!(see("HTTP/1.1 302\r\nContent-Length: 0\r\n\r\n", false), seen(302, "", true));
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(see(twice, false), seen(200, "a", true));
    let rest = see("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1", false).unwrap();
    assert_eq!((rest.body, rest.left), (b"a".to_vec(), 8));
}

#[test]
fn a_body_ends_by_its_chunks() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n";
    let chunks = "\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    assert_eq!(see(&format!("{head}{chunks}"), false), seen(200, "abc0123456789", true));
    let both = format!("{head}Content-Length: 3\r\n{chunks}");
    assert_eq!(see(&both, false), seen(200, "abc0123456789", false));
}

#[test]
fn a_body_ends_with_the_connection() {
    assert_eq!(see("HTTP/1.0 200 OK\r\n\r\nabc", true), seen(200, "abc", false));
    assert_eq!(see("HTTP/1.1 200 OK\r\n\r\n", true), seen(200, "", false));
}

#[test]
fn connections_live_on_as_the_server_says() {
    let of = |version: &str, connection: &str| {
        let text = format!("HTTP/1.{version} 200 OK\r\nContent-Length: 0\r\n{connection}\r\n");
        see(&text, false).unwrap().reusable
    };
    assert_eq!(of("1", ""), Some(true));
    assert_eq!(of("1", "connection: foo, Close\r\n"), Some(false));
    assert_eq!(of("0", ""), Some(false));
    assert_eq!(of("0", "Connection: Keep-Alive\r\n"), Some(true));
}

#[test]
fn interim_responses_are_left_out() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n\
                HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(see(text, false), seen(200, "a", true));
    assert!(see("HTTP/1.1 101 Switching\r\n\r\n", false).is_err());
}

#[test]
fn fields_are_found_whatever_their_case() {
    let mut response = Response::default();
    let mut input = &b"HTTP/1.1 302 Found\r\nLOCATION:  a b \r\nx: \xff\r\n\r\n"[..];
    let Some(Part::Head(head)) = response.handle_input(&mut input).unwrap() else { panic!() };
    assert_eq!(head.field("Location"), Some("a b"));
    assert_eq!(head.field("X"), None);
    assert_eq!(head.field("None"), None);
}

#[test]
fn half_a_response_is_none() {
    assert_eq!(see("", true), Err(Error::Empty));
    for text in [
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        assert_eq!(see(text, true), Err(Error::Truncated), "{text}");
        assert_eq!(see(text, false).unwrap().reusable, None, "{text}");
    }
}

#[test]
fn what_is_no_response_is_refused() {
    let with = |field: &str| see(&format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n"), false);
    assert!(matches!(see("RTMP", false), Err(Error::Syntax(_))));
    for length in ["x", "-1", "+1", "1, 2", "99999999999999999999"] {
        assert_eq!(with(&format!("Content-Length: {length}")), Err(Error::Length), "{length}");
    }
    assert_eq!(with("Transfer-Encoding: gzip"), Err(Error::Chunks));
    for chunks in ["x\r\n", "\r\n", "-1\r\n", "3\r\nabcd\r\n", "10000000000000000\r\n"] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(feed(&[text.as_bytes()], false), Err(Error::Chunks), "{chunks}");
    }
}

#[test]
fn nothing_grows_without_bounds() {
    let field = format!("X: {}\r\n", "y".repeat(1000));
    let head = format!("HTTP/1.1 200 OK\r\n{}", field.repeat(20));
    assert_eq!(feed(&[head.as_bytes()], false), Err(Error::LongHead));
    let pieces: Vec<_> = head.as_bytes().chunks(100).collect();
    assert_eq!(feed(&pieces, false), Err(Error::LongHead));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for endless in ["0".repeat(5000), format!("0\r\n{}", field.repeat(10))] {
        let text = format!("{chunked}{endless}");
        assert_eq!(feed(&[text.as_bytes()], false), Err(Error::Chunks));
    }
}
