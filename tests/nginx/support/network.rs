//! Networks of their own, as of several machines. Making one takes root.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use super::process::{Process, command, run};
use super::wait_until;

/// A machine's network: a namespace, which is gone with the last process in it.
pub struct Network {
    holder: Process,
    namespace: File,
}

impl Network {
    /// A network with nothing but the loopback device.
    #[track_caller]
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let stderr = directory.path().join("stderr");
        let mut unshare = command("unshare");
        let mut holder =
            Process::spawn("unshare", unshare.args(["--net", "--", "sleep", "3600"]), &stderr);
        let ours = fs::read_link(current()).expect("a network namespace");
        let path = PathBuf::from(format!("/proc/{}/ns/net", holder.pid()));
        wait_until("a network namespace", || {
            let complaint = || fs::read_to_string(&stderr).unwrap_or_default();
            assert!(holder.is_running(), "no network namespace (are you root?): {}", complaint());
            fs::read_link(&path).is_ok_and(|theirs| theirs != ours)
        });
        let namespace = File::open(path).expect("the namespace");
        let network = Self { holder, namespace };
        network.enter(|| ip(&["link", "set", "lo", "up"]));
        network
    }

    /// Lays a cable to `other`, with these addresses at its ends.
    pub fn connect(&self, address: Ipv4Addr, other: &Self, others: Ipv4Addr) {
        let (name, peer) = (format!("to-{}", other.holder.pid()), self.holder.pid().to_string());
        let back = format!("to-{peer}");
        other.enter(|| {
            ip(&["link", "add", &back, "type", "veth", "peer", "name", &name, "netns", &peer]);
            plug(&back, others);
        });
        self.enter(|| plug(&name, address));
    }

    /// Does `work` in this network: what it connects to is there, and so are processes it starts.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _home = Home(File::open(current()).expect("the network namespace"));
        move_into(&self.namespace);
        work()
    }
}

/// The network that the thread returns to, however it leaves another one.
struct Home(File);

impl Drop for Home {
    fn drop(&mut self) {
        move_into(&self.0);
    }
}

fn current() -> &'static Path {
    Path::new("/proc/thread-self/ns/net")
}

fn move_into(namespace: &File) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("to enter a network namespace, as root may");
}

fn plug(device: &str, address: Ipv4Addr) {
    ip(&["address", "add", &format!("{address}/24"), "dev", device]);
    ip(&["link", "set", device, "up"]);
}

fn ip(arguments: &[&str]) {
    run(command("ip").args(arguments));
}
