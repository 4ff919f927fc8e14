//! Starts a program in a process of its own.
//!
//! The process begins in this one's memory, as with `posix_spawn`, and the thread that makes it waits
//! until it is another program: no memory is copied, and an error is told without a pipe. nginx
//! collects all children of a worker, so a process is known by its pidfd from the beginning.

use std::ffi::{CString, NulError, c_char, c_int, c_uint, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::exec::{Invocation, Target};

/// The stack of the process until it is another program.
const STACK: usize = 128 << 10;

/// The first number of a descriptor that a program has besides those that it is told of.
const FIRST_HIDDEN: c_int = 10;

/// How long a program may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// It gets a signal when the worker ends, if not before.
    Worker {
        /// The signal's number.
        signal: c_int,
    },
    /// It ends by itself.
    Own,
}

/// A process that was started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Process,
    /// What its error output comes from.
    pub(super) output: OwnedFd,
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    /// Its number, which is its group's too.
    pub(super) pid: libc::pid_t,
    /// Readable once it has ended.
    pub(super) pidfd: OwnedFd,
}

/// Why no program was started.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    #[error("a word has a zero byte in it")]
    ZeroByte(#[from] NulError),
    #[error("starting a process failed: {0}")]
    Process(io::Error),
    #[error("running it failed: {0}")]
    Program(io::Error),
    #[error("redirecting descriptor {0} failed: {1}")]
    Redirection(u32, io::Error),
    #[error("bug: starting it panicked")]
    Bug,
}

/// Starts what `invocation` says, with its error output going to a pipe. Takes as long as it takes to
/// open its files.
///
/// # Errors
///
/// See [`SpawnError`].
pub(super) fn spawn(
    invocation: &Invocation,
    stderr: Pipe,
    lifetime: Lifetime,
) -> Result<Started, SpawnError> {
    let process = start(&mut Image::new(invocation, &stderr, lifetime)?)?;
    Ok(Started { process, output: stderr.read })
}

fn start(image: &mut Image) -> Result<Process, SpawnError> {
    let image = &raw mut *image;
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack is large enough, aligned, and there until the process has left it, as the
    // call returns only then. Signals are blocked, so none of nginx's handlers runs on it.
    let (pid, error) = unsafe {
        let (mut all, mut before) = (mem::zeroed(), mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let top = stack.as_mut_ptr_range().end.cast();
        let pid = libc::clone(run, top, flags, image.cast(), &raw mut pidfd);
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        (pid, error)
    };
    if pid < 0 {
        return Err(SpawnError::Process(error));
    }
    if pidfd < 0 {
        // Only systems before Linux 5.2 have none.
        // SAFETY: a child that was just started.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        return Err(SpawnError::Process(io::ErrorKind::Unsupported.into()));
    }
    // SAFETY: the system made it for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // SAFETY: the process has written it, and does not any more.
    match unsafe { (&raw const (*image).failure).read_volatile() } {
        None => Ok(Process { pid, pidfd }),
        Some(failure) => Err(failure.into()),
    }
}

/// The two ends of the pipe that a program's error output goes through.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) read: OwnedFd,
    pub(super) write: OwnedFd,
}

/// Everything that the process needs, prepared: it may not allocate.
struct Image {
    program: CString,
    /// Words of `_words`, ended by null.
    arguments: Vec<*const c_char>,
    _words: Vec<CString>,
    redirections: Vec<(c_int, Step)>,
    stderr: RawFd,
    /// An end of the pipe that the program has too, so that it may write when the worker is gone.
    kept: Option<RawFd>,
    death_signal: Option<c_int>,
    worker: libc::pid_t,
    failure: Option<Failure>,
}

enum Step {
    Open(CString, c_int),
    Copy(c_int),
}

/// What the process could not do, and the system's number of why.
#[derive(Clone, Copy)]
enum Failure {
    Prepare(c_int),
    Redirect(c_int, c_int),
    Execute(c_int),
}

impl From<Failure> for SpawnError {
    fn from(failure: Failure) -> Self {
        let error = io::Error::from_raw_os_error;
        match failure {
            Failure::Prepare(number) => Self::Process(error(number)),
            Failure::Redirect(descriptor, number) => {
                Self::Redirection(descriptor as u32, error(number))
            }
            Failure::Execute(number) => Self::Program(error(number)),
        }
    }
}

impl Image {
    fn new(invocation: &Invocation, stderr: &Pipe, lifetime: Lifetime) -> Result<Self, SpawnError> {
        let program = CString::new(invocation.program.as_str())?;
        let words: Result<Vec<_>, _> =
            invocation.words.iter().map(|word| CString::new(word.as_str())).collect();
        let words = words?;
        let arguments = [program.as_ptr()].into_iter().chain(words.iter().map(|it| it.as_ptr()));
        let redirections: Result<_, NulError> = invocation
            .redirections
            .iter()
            .map(|it| Ok((it.descriptor as c_int, Step::new(&it.target)?)))
            .collect();
        let (death_signal, kept) = match lifetime {
            Lifetime::Worker { signal } => (Some(signal), None),
            Lifetime::Own => (None, Some(stderr.read.as_raw_fd())),
        };
        Ok(Self {
            arguments: arguments.chain([ptr::null()]).collect(),
            program,
            _words: words,
            redirections: redirections?,
            stderr: stderr.write.as_raw_fd(),
            kept,
            death_signal,
            // SAFETY: always succeeds.
            worker: unsafe { libc::getpid() },
            failure: None,
        })
    }

    /// Becomes the program; what comes back is why it did not.
    ///
    /// # Safety
    ///
    /// This is the process, and its other one waits.
    unsafe fn execute(&self) -> Failure {
        // SAFETY: calls of the system with prepared memory. Descriptors and handlers are the
        // process's own copies.
        unsafe {
            if let Err(number) = self.prepare() {
                return Failure::Prepare(number);
            }
            for (descriptor, step) in &self.redirections {
                if let Err(number) = step.redirect(*descriptor) {
                    return Failure::Redirect(*descriptor, number);
                }
            }
            let mut none = mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            libc::execvp(self.program.as_ptr(), self.arguments.as_ptr());
            Failure::Execute(errno())
        }
    }

    /// Leaves what the process has of nginx: its group, signals and descriptors.
    unsafe fn prepare(&self) -> Result<(), c_int> {
        // SAFETY: as in `execute`.
        unsafe {
            check(libc::setpgid(0, 0))?;
            for signal in 1..=libc::SIGRTMAX() {
                // Fails for those that have no handler.
                libc::signal(signal, libc::SIG_DFL);
            }
            if let Some(signal) = self.death_signal {
                check(libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0))?;
                if libc::getppid() != self.worker {
                    return Err(libc::ESRCH);
                }
            }
            hide_descriptors();
            let null = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC))?;
            check(libc::dup2(null, 0))?;
            check(libc::dup2(null, 1))?;
            check(libc::dup2(self.stderr, 2))?;
            if let Some(kept) = self.kept {
                check(libc::fcntl(kept, libc::F_DUPFD, FIRST_HIDDEN))?;
            }
            Ok(())
        }
    }
}

impl Step {
    fn new(target: &Target<String>) -> Result<Self, NulError> {
        let create = libc::O_WRONLY | libc::O_CREAT;
        let (file, flags) = match target {
            Target::Read(file) => (file, libc::O_RDONLY),
            Target::Write(file) => (file, create | libc::O_TRUNC),
            Target::Append(file) => (file, create | libc::O_APPEND),
            Target::Descriptor(other) => return Ok(Self::Copy(*other as c_int)),
        };
        Ok(Self::Open(CString::new(file.as_str())?, flags))
    }

    unsafe fn redirect(&self, descriptor: c_int) -> Result<(), c_int> {
        // SAFETY: as in `Image::execute`.
        unsafe {
            match self {
                Self::Copy(other) => check(libc::dup2(*other, descriptor)).map(drop),
                Self::Open(file, flags) => {
                    let mode: c_uint = 0o644;
                    let opened = check(libc::open(file.as_ptr(), *flags, mode))?;
                    if opened != descriptor {
                        check(libc::dup2(opened, descriptor))?;
                        libc::close(opened);
                    }
                    Ok(())
                }
            }
        }
    }
}

/// The first function of the process.
extern "C" fn run(image: *mut c_void) -> c_int {
    let image = image.cast::<Image>();
    // SAFETY: `spawn` gives its image, and waits; what comes back is written where it looks.
    unsafe {
        let failure = (*image).execute();
        (&raw mut (*image).failure).write_volatile(Some(failure));
        libc::_exit(127)
    }
}

/// Has the program get none of nginx's descriptors.
unsafe fn hide_descriptors() {
    // SAFETY: calls of the system about the process's own descriptors.
    unsafe {
        let on_exec = libc::CLOSE_RANGE_CLOEXEC as c_uint;
        if libc::syscall(libc::SYS_close_range, 3, c_uint::MAX, on_exec) == 0 {
            return;
        }
        // Linux before 5.11.
        let last = libc::sysconf(libc::_SC_OPEN_MAX).clamp(0, 1 << 20) as c_int;
        for descriptor in 3..last {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

fn check(result: c_int) -> Result<c_int, c_int> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

fn errno() -> c_int {
    // SAFETY: the address of the thread's number.
    unsafe { *libc::__errno_location() }
}
