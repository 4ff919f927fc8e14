//! nginx with the module under test, in a directory and on ports of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, children, command, has_ended, kill};
use super::{wait_for, wait_until};

/// The C module, from Debian's package `libnginx-mod-rtmp`, and the nginx that it is for.
pub const C_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
pub const C_NGINX: &str = "/usr/sbin/nginx";

/// The parts of `nginx.conf` that a scenario chooses. In each of them `@prefix@`, `@rtmp@`, `@port@`
/// and `@http@` stand for the directory, the address for RTMP, its port, and the address for HTTP.
#[derive(Clone)]
pub struct Conf {
    /// At the top of the file.
    pub main: String,
    /// In `rtmp {}`, before its one server; other servers may be put here. Without an `access_log`
    /// here there is none, as it would be the machine's.
    pub rtmp: String,
    /// The line in `rtmp { server {} }` that says where to listen.
    pub listen: String,
    /// In `rtmp { server {} }`.
    pub server: String,
    /// In the one `server {}` of `http {}`, which serves the directory.
    pub http: String,
    /// In `events {}`.
    pub events: String,
    /// How many worker processes.
    pub workers: u32,
    /// Mounts a disk of that size, such as `64k`, at `@prefix@/disk`, for this nginx only; see
    /// [`can_mount`].
    pub disk: Option<&'static str>,
    /// Has a process start nginx that ends then: nginx ignores the signal to start a new binary
    /// while the process that started it is there.
    pub orphan: bool,
    /// Whether to start the C module, with the nginx that it is for, instead of the one under test.
    pub c_module: bool,
}

impl Default for Conf {
    fn default() -> Self {
        Self {
            main: String::new(),
            rtmp: String::new(),
            listen: "listen @rtmp@;".into(),
            server: String::new(),
            http: String::new(),
            events: String::new(),
            workers: 1,
            disk: None,
            orphan: false,
            c_module: false,
        }
    }
}

impl Conf {
    /// A configuration whose RTMP server holds `server`.
    pub fn server(server: &str) -> Self {
        Self { server: server.into(), ..Self::default() }
    }

    /// Whether there are processes beside the one that is started.
    fn has_workers(&self) -> bool {
        !self.main.contains("master_process off;")
    }

    fn render(&self, prefix: &Path, rtmp_port: u16, http_port: u16) -> String {
        let Self { main, rtmp, listen, server, http, events, workers, c_module, .. } = self;
        let module = if *c_module { PathBuf::from(C_MODULE) } else { module() };
        let module = module.display();
        let access_log = if rtmp.contains("access_log") { "" } else { "access_log off;" };
        // Workers of a root's nginx would be `nobody`, who may not write here.
        let user = if is_root() { "user root;" } else { "" };
        format!(
            "load_module {module};
            {user}
            worker_processes {workers};
            pid nginx.pid;
            error_log logs/error.log info;
            {main}
            events {{ worker_connections 1024; {events} }}
            rtmp {{
                {access_log} {rtmp}
                server {{
                    {listen}
                    {server}
                }}
            }}
            http {{
                access_log off; log_not_found off;
                client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
                uwsgi_temp_path tmp; scgi_temp_path tmp;
                server {{
                    listen @http@;
                    root @prefix@;
                    {http}
                }}
            }}"
        )
        .replace("@prefix@", prefix.to_str().expect("a prefix in UTF-8"))
        .replace("@port@", &rtmp_port.to_string())
        .replace("@rtmp@", &format!("127.0.0.1:{rtmp_port}"))
        .replace("@http@", &format!("127.0.0.1:{http_port}"))
    }
}

/// A running nginx. Dropping it stops it and fails the test if its log holds an alert.
pub struct Nginx {
    process: Process,
    orphan: bool,
    prefix: TempDir,
    rtmp_port: u16,
    http_port: u16,
    allowed: Mutex<Vec<String>>,
}

impl Nginx {
    /// Starts nginx with `server` as the body of the RTMP server.
    #[track_caller]
    pub fn start(server: &str) -> Self {
        Self::start_conf(&Conf::server(server))
    }

    /// Starts nginx with `conf`, and waits until its ports accept.
    #[track_caller]
    pub fn start_conf(conf: &Conf) -> Self {
        // Between the choice of a port and its use somebody else may take it.
        for _ in 0..5 {
            if let Some(nginx) = Self::try_start(conf) {
                return nginx;
            }
        }
        panic!("found no free ports");
    }

    fn try_start(conf: &Conf) -> Option<Self> {
        let (prefix, rtmp_port, http_port) = (new_prefix(), free_port(), free_port());
        write_conf(prefix.path(), &conf.render(prefix.path(), rtmp_port, http_port));
        let mut nginx = match (conf.disk, conf.orphan) {
            (Some(size), _) => with_disk(&prefix, size),
            (None, true) => orphan(),
            (None, false) if conf.c_module => command(C_NGINX),
            (None, false) => command(binary()),
        };
        nginx.args(["-c", "nginx.conf", "-g", "daemon off;", "-p"]).arg(prefix.path());
        let process = Process::spawn("nginx", &mut nginx, &prefix.path().join("stderr"));
        let (orphan, allowed) = (conf.orphan, Mutex::new(Vec::new()));
        let mut nginx = Self { process, orphan, prefix, rtmp_port, http_port, allowed };
        nginx.wait_ready(conf.has_workers()).then_some(nginx)
    }

    /// Waits until all ports accept; `false` if a port was taken.
    fn wait_ready(&mut self, has_workers: bool) -> bool {
        let ports = [self.rtmp_port, self.http_port];
        wait_for("nginx to start", || {
            if self.process.is_running() {
                // The pid file is written when all addresses are bound.
                let bound = self.prefix.path().join("nginx.pid").exists();
                let open =
                    || ports.iter().any(|&port| TcpStream::connect(("127.0.0.1", port)).is_ok());
                let works = || !has_workers || !self.workers().is_empty();
                return (bound && open() && works()).then_some(true);
            }
            let log = self.log();
            assert!(log.contains("Address already in use"), "nginx did not start:\n{log}");
            self.allow("Address already in use");
            self.allow("still could not bind()");
            Some(false)
        })
    }

    /// The directory in which nginx lives.
    pub fn prefix(&self) -> &Path {
        self.prefix.path()
    }

    /// The port of RTMP on 127.0.0.1.
    pub fn rtmp_port(&self) -> u16 {
        self.rtmp_port
    }

    /// The URL of stream `name` in application `live`.
    pub fn live(&self, name: &str) -> String {
        self.rtmp(&format!("live/{name}"))
    }

    /// The RTMP URL of `path`.
    pub fn rtmp(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.rtmp_port)
    }

    /// The HTTP URL of the file `path` in the prefix.
    pub fn http(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.http_port)
    }

    /// The error log, and what went to stderr before there was one.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read(self.prefix.path().join(name)).unwrap_or_default();
        let bytes = [read("stderr"), read("logs/error.log")].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a line in the error log that holds all of `parts`.
    #[track_caller]
    pub fn wait_log(&self, parts: &[&str]) -> String {
        wait_for(&format!("{parts:?} in the log"), || {
            let log = self.log();
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        })
    }

    /// Accepts alerts whose line holds `part`.
    pub fn allow(&self, part: &str) {
        self.allowed.lock().unwrap().push(part.to_owned());
    }

    /// The process id of the master.
    pub fn master(&self) -> u32 {
        if !self.orphan {
            return self.process.pid();
        }
        wait_for("a master process", || {
            fs::read_to_string(self.prefix.path().join("nginx.pid")).ok()?.trim().parse().ok()
        })
    }

    /// The process ids of the workers that accept connections.
    pub fn workers(&self) -> Vec<u32> {
        self.processes("nginx: worker process", false)
    }

    /// The process ids of the workers that only wait for their last connections to end.
    pub fn old_workers(&self) -> Vec<u32> {
        self.processes("nginx: worker process", true)
    }

    fn processes(&self, title: &str, leaving: bool) -> Vec<u32> {
        let is_wanted =
            |line: &str| line.starts_with(title) && line.contains("is shutting down") == leaving;
        let all = children(self.master()).into_iter();
        all.filter(|(_, line)| is_wanted(line)).map(|(pid, _)| pid).collect()
    }

    /// Reloads the configuration and waits until only new workers accept connections.
    #[track_caller]
    pub fn reload(&self) {
        let before = self.workers();
        self.process.signal(Signal::HUP);
        wait_until("new workers", || {
            let now = self.workers();
            !now.is_empty() && now.iter().all(|pid| !before.contains(pid))
        });
    }

    /// Replaces the configuration file; takes effect at the next [`Nginx::reload`].
    pub fn rewrite_conf(&self, conf: &Conf) {
        let text = conf.render(self.prefix.path(), self.rtmp_port, self.http_port);
        write_conf(self.prefix.path(), &text);
    }

    /// Sends `signal` to the master.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether the master has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Waits until the master has ended, which it does after all its workers.
    #[track_caller]
    pub fn wait_exit(&mut self) {
        let status = self.process.wait();
        assert!(status.success(), "nginx ended with {status}");
    }

    /// Ends all processes of nginx at once, as the end of a machine does.
    pub fn kill(mut self) {
        let workers = self.workers();
        // The master first, or it would start others.
        kill(self.master());
        self.process.wait();
        workers.iter().copied().for_each(kill);
        wait_until("the workers' end", || workers.iter().all(|&pid| has_ended(pid)));
    }

    fn alerts(&self) -> Vec<String> {
        const ALARMING: [&str; 4] = ["[alert]", "[crit]", "[emerg]", "panicked"];
        let allowed = self.allowed.lock().unwrap();
        let log = self.log();
        log.lines()
            .filter(|line| ALARMING.iter().any(|word| line.contains(word)))
            .filter(|line| !allowed.iter().any(|part| line.contains(part.as_str())))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let stopped = self.process.stop(Signal::TERM);
        if thread::panicking() {
            eprintln!("--- error log of nginx\n{}---", self.log());
            return;
        }
        assert!(stopped, "nginx does not stop:\n{}", self.log());
        let alerts = self.alerts();
        assert!(alerts.is_empty(), "alerts in the log:\n{}", alerts.join("\n"));
    }
}

/// What `nginx -t` says of a configuration.
pub struct Verdict {
    pub accepted: bool,
    pub text: String,
}

/// Lets nginx test a whole configuration file, to which the line that loads the module is added
/// at the end of the first line, so that line numbers stay true. Without an `access_log` in it there
/// is none, as it would be the machine's.
pub fn test_conf(text: &str) -> Verdict {
    test_conf_with(&binary(), &module(), text)
}

/// [`test_conf`] with another nginx and module than those under test.
pub fn test_conf_with(nginx: &Path, module: &Path, text: &str) -> Verdict {
    let prefix = new_prefix();
    let text = match text.contains("access_log") {
        true => text.to_owned(),
        false => text.replacen("rtmp {", "rtmp { access_log off;", 1),
    };
    let text = format!("load_module {}; pid nginx.pid; {text}", module.display());
    write_conf(prefix.path(), &text.replace("@prefix@", prefix.path().to_str().unwrap()));
    let mut nginx = Command::new(nginx);
    nginx.args(["-t", "-e", "stderr", "-c", "nginx.conf", "-p"]).arg(prefix.path());
    let output = nginx.output().expect("nginx to run");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Verdict { accepted: output.status.success(), text }
}

/// The nginx under test: `NGX_RTMP_NGINX`, else Debian's.
fn binary() -> PathBuf {
    std::env::var_os("NGX_RTMP_NGINX").map_or_else(|| "/usr/sbin/nginx".into(), PathBuf::from)
}

/// The module under test: `NGX_RTMP_MODULE`, else what `scripts/build` leaves.
fn module() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/module/ngx_rtmp_module.so");
    let path = std::env::var_os("NGX_RTMP_MODULE").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "no module at {}: run scripts/build first", path.display());
    path
}

/// An nginx whose parent ends. It is of the group of the process that does not.
fn orphan() -> Command {
    let mut shell = command("sh");
    shell.args(["-c", "(\"$@\" & sleep 1); exec sleep 3600", "sh"]).arg(binary());
    shell
}

/// nginx in a mount namespace of its own, so that the disk is gone with its processes.
fn with_disk(prefix: &TempDir, size: &str) -> Command {
    fs::create_dir(prefix.path().join("disk")).expect("a mount point");
    let script = "mount -t tmpfs -o size=$1 disk $2 && shift 2 && exec \"$@\"";
    let mut unshare = command("unshare");
    unshare.args(["--mount", "--", "sh", "-c", script, "sh", size]);
    unshare.arg(prefix.path().join("disk")).arg(binary());
    unshare
}

fn new_prefix() -> TempDir {
    let prefix = TempDir::new().expect("a prefix");
    for name in ["logs", "tmp"] {
        fs::create_dir(prefix.path().join(name)).expect("a directory in the prefix");
    }
    prefix
}

fn write_conf(prefix: &Path, text: &str) {
    fs::write(prefix.join("nginx.conf"), text).expect("to write nginx.conf");
}

fn free_port() -> u16 {
    /// Below those that the system gives to outgoing connections, which would take one between its
    /// choice and its use.
    const PORTS: Range<u32> = 10_000..32_000;
    static CHOSEN: AtomicU32 = AtomicU32::new(0);
    // Other runs of the tests begin elsewhere.
    let first = std::process::id().wrapping_mul(7919);
    loop {
        let number = first.wrapping_add(CHOSEN.fetch_add(1, Relaxed)) % PORTS.len() as u32;
        let port = (PORTS.start + number) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Whether [`Conf::disk`] can be used: roots of some containers may not mount.
pub fn can_mount() -> bool {
    let trial = ["--mount", "--", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    Command::new("unshare").args(trial).output().is_ok_and(|output| output.status.success())
}

/// Whether the tests run as root.
fn is_root() -> bool {
    fs::metadata("/proc/self").expect("/proc/self").uid() == 0
}
