//! The server under load: one worker, on a processor of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The processor that servers run on; the load has the other ones.
const PROCESSOR: &str = "0";

/// Where Debian has its modules.
const C_MODULES: &str = "/usr/lib/nginx/modules";

/// A server that is stopped when dropped.
pub struct Server {
    child: Child,
    _directory: tempfile::TempDir,
    pub port: u16,
    /// Where it answers with its statistics.
    pub http_port: u16,
    worker: u32,
}

impl Server {
    /// Starts nginx with a module and the body of its RTMP server's application.
    pub fn start(module: &Path, application: &str, server: &str) -> Self {
        let directory = tempfile::TempDir::new().expect("a directory");
        let (port, http_port) = (free_port(), free_port());
        let json = match module.starts_with(C_MODULES) {
            true => "",
            false => "location = /json { rtmp_stat all; rtmp_stat_format json; }",
        };
        fs::create_dir(directory.path().join("logs")).expect("a directory");
        let text = format!(
            "load_module {}; user root; worker_processes 1; daemon off; pid nginx.pid;
            error_log logs/error.log warn; worker_rlimit_nofile 20000;
            events {{ worker_connections 8192; }}
            rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; {server}
                application live {{ live on; {application} }} }} }}
            http {{ access_log off; server {{ listen 127.0.0.1:{http_port}; keepalive_requests 100000;
                location = /none {{ return 204; }} location = /stat {{ rtmp_stat all; }} {json} }} }}",
            module.display()
        )
        .replace("@prefix@", directory.path().to_str().expect("UTF-8"));
        fs::write(directory.path().join("nginx.conf"), text).expect("to write nginx.conf");
        let child = Command::new("taskset")
            .args(["-c", PROCESSOR, "/usr/sbin/nginx", "-c", "nginx.conf", "-p"])
            .arg(directory.path())
            .spawn()
            .expect("to start nginx");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not start");
            thread::sleep(Duration::from_millis(20));
        }
        let worker = loop {
            assert!(Instant::now() < deadline, "nginx starts no worker");
            match child_of(child.id()) {
                Some(worker) => break worker,
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        Self { child, _directory: directory, port, http_port, worker }
    }

    /// Processor time of the worker so far, in seconds.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.worker)
    }

    /// Resident memory of the worker, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.worker)).expect("a worker");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|it| it.parse::<u64>().ok()).expect("KiB") << 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The module under test, and the C module of Debian's package libnginx-mod-rtmp.
pub fn modules() -> [PathBuf; 2] {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/module/ngx_rtmp_module.so");
    let theirs = Path::new(C_MODULES).join("ngx_rtmp_module.so");
    for module in [&ours, &theirs] {
        assert!(module.exists(), "no module at {}: run scripts/bench", module.display());
    }
    [ours, theirs]
}

/// Processor time of a process, in seconds (proc(5): utime and stime, in hundredths).
pub fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process");
    let (_, rest) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(2).map(|it| it.parse().unwrap_or(0)).sum();
    ticks as f64 / 100.0
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn child_of(parent: u32) -> Option<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}
