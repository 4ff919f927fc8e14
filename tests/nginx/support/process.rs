//! Child processes that never outlive the test that started them.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{PATIENCE, wait_for};

/// A command whose process dies with the thread that starts it, so that even a killed test run
/// leaves nothing behind.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program.as_ref());
    command.stdin(Stdio::null());
    command
}

/// A running child in a process group of its own; dropping it kills the group.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command` with its error output in the file `stderr`.
    pub fn spawn(name: &str, command: &mut Command, stderr: &Path) -> Self {
        let stderr = File::create(stderr).expect("a file for stderr");
        let child = command
            .process_group(0)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { child, name: name.to_owned() }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the process, not to its group.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.rustix_pid(), signal).unwrap_or_else(|error| {
            panic!("cannot signal {}: {error}", self.name);
        });
    }

    /// Whether the process has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child to ask about").is_none()
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait_for(&what, || self.child.try_wait().expect("a child to wait for"))
    }

    /// Ends the process by `signal` and, if that does not do, by force. Tells whether the
    /// signal was enough.
    pub fn stop(&mut self, signal: Signal) -> bool {
        if !self.is_running() {
            return true;
        }
        self.signal(signal);
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        !self.is_running()
    }

    fn rustix_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Also when the child itself has ended: its own children may still be there.
        let _ = kill_process_group(self.rustix_pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end and gives what it printed, or panics with what it complained of.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("a command to run");
    assert!(
        output.status.success(),
        "{command:?} failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ends process `pid` at once, whoever started it.
pub fn kill(pid: u32) {
    let pid = Pid::from_raw(pid as i32).expect("a process");
    kill_process(pid, Signal::KILL).expect("to kill a process");
}

/// Whether process `pid` has ended, though nobody may have asked how.
pub fn has_ended(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.is_empty())
        || !Path::new(&format!("/proc/{pid}")).exists()
}

/// The children of process `parent`, each with its command line.
pub fn children(parent: u32) -> Vec<(u32, String)> {
    let pids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| parent_of(pid) == Some(parent))
        .filter_map(|pid| Some((pid, fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?)))
        .collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; behind it come the state and the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// The memory that process `pid` really occupies.
pub fn resident_kib(pid: u32) -> i64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How many files and sockets process `pid` has open.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process").count()
}
