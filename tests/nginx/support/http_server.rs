//! An HTTP server for callbacks, which answers as the scenario says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::wait_for;

/// A request that has come.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The connection it came on, from 0 on.
    pub connection: usize,
    /// Method, target and version.
    pub line: String,
    /// The header fields.
    pub fields: Vec<String>,
    pub body: String,
}

impl Asked {
    /// Whether it is about that call, in whatever format.
    pub fn is_about(&self, call: &str) -> bool {
        let text = format!("{}&{}&", self.line.replace(' ', "&"), self.body);
        text.contains(&format!("&call={call}&")) || text.contains(&format!("\"call\":\"{call}\""))
    }

    /// The value of a header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body, with the number that `name` has in it replaced by `N`.
    pub fn body_without(&self, name: &str) -> String {
        let (before, rest) = self.body.split_once(&format!("{name}=")).expect(name);
        let end = rest.find('&').unwrap_or(rest.len());
        assert!(rest[..end].bytes().all(|byte| byte.is_ascii_digit()), "{}", self.body);
        format!("{before}{name}=N{}", &rest[end..])
    }
}

/// What the server does with a request.
pub enum Answer {
    /// Sends a status with what follows up to the empty line, and keeps the connection.
    Reply(&'static str),
    /// 302 with a `Location`, and keeps the connection.
    Redirect(String),
    /// As `Reply`, and closes the connection without having said so.
    ReplyAndClose(&'static str),
    /// Nothing, as long as the client waits.
    Silence,
}

/// Everybody is welcome.
pub const OK: Answer = Answer::Reply("200 OK\r\nContent-Length: 2\r\n\r\nok");

/// Nobody is.
pub const FORBIDDEN: Answer = Answer::Reply("403 Forbidden\r\nContent-Length: 0\r\n\r\n");

/// A server in a thread for each connection; they end with the test's process.
pub struct HttpServer {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
}

impl HttpServer {
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (asked, connections) = (Arc::default(), Arc::default());
        let server =
            Self { port, asked: Arc::clone(&asked), connections: Arc::clone(&connections) };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(stream, connection, &*answer, &asked));
            }
        });
        server
    }

    /// A URL of the server.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits for the first request about that call.
    #[track_caller]
    pub fn wait(&self, call: &str) -> Asked {
        wait_for(&format!("the call {call}"), || {
            self.asked().into_iter().find(|asked| asked.is_about(call))
        })
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    answer: &dyn Fn(&Asked) -> Answer,
    all: &Mutex<Vec<Asked>>,
) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    while let Some(asked) = read(&mut reader, connection) {
        all.lock().unwrap().push(asked.clone());
        match answer(&asked) {
            Answer::Reply(text) if write!(writer, "HTTP/1.1 {text}").is_ok() => {}
            Answer::Redirect(to) => {
                let text = format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                if write!(writer, "HTTP/1.1 {text}").is_err() {
                    return;
                }
            }
            Answer::ReplyAndClose(text) => {
                let _ = write!(writer, "HTTP/1.1 {text}");
                return;
            }
            Answer::Reply(_) => return,
            Answer::Silence => {
                let _ = reader.read(&mut [0]);
                return;
            }
        }
    }
}

fn read(reader: &mut impl BufRead, connection: usize) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let mut asked = Asked { connection, line, fields: lines, body: String::new() };
    let length = asked.field("Content-Length").map_or(0, |text| text.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).expect("text");
    Some(asked)
}
