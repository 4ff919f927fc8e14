//! Work off the event loop: nginx's thread pool.

use std::ffi::c_void;
use std::mem;

use nginx_sys::{ngx_cycle, ngx_event_t};

#[cfg(not(ngx_feature = "threads"))]
use self::inline::{NginxTask, event_of, post};
#[cfg(ngx_feature = "threads")]
use self::threads::{NginxTask, event_of, post};
use super::worker::{self, Worker};
use super::{event, guard};

/// Something that takes too long for the event loop.
///
/// Only [`execute`](Self::execute) and [`fail`](Self::fail) run in a thread. The job is dropped with
/// the process if that ends before the job does.
pub(super) trait Job: 'static {
    /// Does it, in a thread.
    fn execute(&mut self);
    /// [`execute`](Self::execute) panicked.
    fn fail(&mut self);
    /// Takes in what has come of it, in the event loop.
    fn finish(self, worker: &mut Worker);
}

/// A job that a thread has, or will have, until its [`Job::finish`].
pub(super) struct InFlight<J>(*mut Task<J>);

struct Task<J> {
    /// nginx's part, linked into its queues by address.
    task: NginxTask,
    job: J,
}

impl<J: Job> InFlight<J> {
    /// Takes the job back.
    ///
    /// # Safety
    ///
    /// All threads have ended, and no event will be handled any more.
    pub(super) unsafe fn into_job(self) -> J {
        // SAFETY: `dispatch` made it, and nobody else takes it.
        unsafe { Box::from_raw(self.0) }.job
    }
}

/// Gives the job to a thread. Without one it is executed at once, and finished as if it had not been.
pub(super) fn dispatch<J: Job>(job: J) -> InFlight<J> {
    // SAFETY: all-zero is an idle task (ngx_thread_task_alloc).
    let task = Box::into_raw(Box::new(Task { task: unsafe { mem::zeroed() }, job }));
    // SAFETY: the task stays where it is until `done` has it; the cycle is there in a worker.
    unsafe {
        let event = event_of(&mut (*task).task);
        event.data = task.cast();
        event.handler = Some(done::<J>);
        event.log = (*ngx_cycle).log;
        if !post(&mut (*task).task, task.cast(), run::<J>) {
            run::<J>(task.cast());
            event::post(event_of(&mut (*task).task));
        }
    }
    InFlight(task)
}

/// Executes the job, in a thread.
unsafe fn run<J: Job>(task: *mut c_void) {
    // SAFETY: the thread has the task to itself until its event is posted.
    let job = unsafe { &raw mut (*task.cast::<Task<J>>()).job };
    guard(
        // SAFETY: as above.
        || unsafe { (*job).execute() },
        // SAFETY: as above; `execute` has been left.
        || unsafe { (*job).fail() },
    );
}

/// Takes the job back, in the event loop.
unsafe extern "C" fn done<J: Job>(event: *mut ngx_event_t) {
    // SAFETY: `dispatch` made the task; the pool is through with it.
    let task = unsafe { Box::from_raw((*event).data.cast::<Task<J>>()) };
    guard(|| worker::with(|worker| task.job.finish(worker)), || ());
}

/// Runs `work` in a thread, and `then` with its result in the event loop. There is none if `work`
/// panicked.
pub(super) fn run_then<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    then: impl FnOnce(&mut Worker, Option<T>) + 'static,
) {
    dispatch(Closure { work: Some(work), result: None, then });
}

struct Closure<W, T, F> {
    work: Option<W>,
    result: Option<T>,
    then: F,
}

impl<W, T, F> Job for Closure<W, T, F>
where
    W: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    F: FnOnce(&mut Worker, Option<T>) + 'static,
{
    fn execute(&mut self) {
        self.result = self.work.take().map(|work| work());
    }

    fn fail(&mut self) {}

    fn finish(self, worker: &mut Worker) {
        (self.then)(worker, self.result);
    }
}

#[cfg(ngx_feature = "threads")]
mod threads {
    use std::ffi::c_void;

    use nginx_sys::{
        NGX_OK, ngx_cycle, ngx_event_t, ngx_int_t, ngx_log_t, ngx_str_t, ngx_thread_pool_get,
        ngx_thread_task_post, ngx_thread_task_t,
    };

    /// The pool that nginx makes when none is configured.
    const POOL: &str = "default";

    /// What a thread gets, which is found by the task's `ctx`.
    pub(super) struct NginxTask {
        task: ngx_thread_task_t,
        call: Option<Call>,
    }

    #[derive(Clone, Copy)]
    struct Call {
        run: unsafe fn(*mut c_void),
        data: *mut c_void,
    }

    pub(super) fn event_of(task: &mut NginxTask) -> &mut ngx_event_t {
        &mut task.task.event
    }

    /// Has a thread call `run` with `data`, and post the task's event then. Whether it will.
    ///
    /// # Safety
    ///
    /// The task stays where it is until its event is handled.
    pub(super) unsafe fn post(
        task: &mut NginxTask,
        data: *mut c_void,
        run: unsafe fn(*mut c_void),
    ) -> bool {
        task.call = Some(Call { run, data });
        task.task.ctx = (&raw mut *task).cast();
        task.task.handler = Some(handle);
        let mut name = ngx_str_t { len: POOL.len(), data: POOL.as_ptr().cast_mut() };
        // SAFETY: the cycle is there in a worker; the name is only read; for the task see above.
        unsafe {
            let pool = ngx_thread_pool_get(ngx_cycle, &raw mut name);
            !pool.is_null() && ngx_thread_task_post(pool, &raw mut task.task) == NGX_OK as ngx_int_t
        }
    }

    unsafe extern "C" fn handle(task: *mut c_void, _log: *mut ngx_log_t) {
        // SAFETY: set by `post`, whose caller keeps the task.
        unsafe {
            if let Some(Call { run, data }) = (*task.cast::<NginxTask>()).call {
                run(data);
            }
        }
    }
}

#[cfg(not(ngx_feature = "threads"))]
mod inline {
    use std::ffi::c_void;

    use nginx_sys::ngx_event_t;

    pub(super) struct NginxTask(ngx_event_t);

    pub(super) fn event_of(task: &mut NginxTask) -> &mut ngx_event_t {
        &mut task.0
    }

    /// There are no threads.
    pub(super) unsafe fn post(
        _task: &mut NginxTask,
        _data: *mut c_void,
        _run: unsafe fn(*mut c_void),
    ) -> bool {
        false
    }
}
