//! nginx's thread pool as the executor of jobs.

use super::Job;

#[cfg(not(ngx_feature = "threads"))]
pub(super) use inline::{InFlight, dispatch};
#[cfg(ngx_feature = "threads")]
pub(super) use threads::{InFlight, dispatch};

#[cfg(ngx_feature = "threads")]
mod threads {
    use std::ffi::c_void;
    use std::mem;

    use nginx_sys::{
        NGX_OK, ngx_cycle, ngx_event_t, ngx_int_t, ngx_log_t, ngx_str_t, ngx_thread_pool_get,
        ngx_thread_pool_t, ngx_thread_task_post, ngx_thread_task_t,
    };

    use super::super::writer::WriteError;
    use super::Job;
    use crate::nginx::{guard, worker};

    /// The pool that nginx makes when none is configured.
    const POOL: &str = "default";

    /// A job that a thread has, or will have; [`done`] takes it back.
    pub(in super::super) struct InFlight(*mut Task);

    struct Task {
        /// nginx's part, linked into its queues by address.
        task: ngx_thread_task_t,
        job: Job,
    }

    /// Gives the job to a thread, or back if that cannot be done.
    pub(in super::super) fn dispatch(job: Job) -> Result<InFlight, Job> {
        let mut name = ngx_str_t { len: POOL.len(), data: POOL.as_ptr().cast_mut() };
        // SAFETY: the cycle is there in a worker; the name is only read.
        let pool = unsafe { ngx_thread_pool_get(ngx_cycle, &raw mut name) };
        if pool.is_null() { Err(job) } else { post(pool, job) }
    }

    fn post(pool: *mut ngx_thread_pool_t, job: Job) -> Result<InFlight, Job> {
        // SAFETY: all-zero is an idle task (ngx_thread_task_alloc).
        let task = Box::into_raw(Box::new(Task { task: unsafe { mem::zeroed() }, job }));
        // SAFETY: the task stays where it is until `done` has it.
        unsafe {
            let nginx_task = &mut (*task).task;
            nginx_task.ctx = task.cast();
            nginx_task.handler = Some(run);
            nginx_task.event.data = task.cast();
            nginx_task.event.handler = Some(done);
            nginx_task.event.log = (*ngx_cycle).log;
            if ngx_thread_task_post(pool, nginx_task) == NGX_OK as ngx_int_t {
                Ok(InFlight(task))
            } else {
                Err(Box::from_raw(task).job)
            }
        }
    }

    impl InFlight {
        /// Takes the job back.
        ///
        /// # Safety
        ///
        /// The thread has ended, and the task's event will not be handled any more.
        pub(in super::super) unsafe fn into_job(self) -> Job {
            // SAFETY: `post` made it, and nobody else takes it.
            unsafe { Box::from_raw(self.0) }.job
        }
    }

    /// Executes the job, in a thread.
    unsafe extern "C" fn run(task: *mut c_void, _log: *mut ngx_log_t) {
        // SAFETY: the thread has the task to itself until its event is posted.
        let job = unsafe { &raw mut (*task.cast::<Task>()).job };
        guard(
            // SAFETY: as above.
            || unsafe { (*job).execute() },
            // SAFETY: as above; `execute` has been left.
            || unsafe { (*job).outcome = Err(WriteError::bug()) },
        );
    }

    /// Takes the job back, in the event loop.
    unsafe extern "C" fn done(event: *mut ngx_event_t) {
        // SAFETY: `post` made the task; the pool is through with it.
        let task = unsafe { Box::from_raw((*event).data.cast::<Task>()) };
        guard(|| worker::with(|worker| worker.storage().finish(task.job)), || ());
    }
}

#[cfg(not(ngx_feature = "threads"))]
mod inline {
    use super::Job;

    /// Nothing is ever in flight.
    pub(in super::super) enum InFlight {}

    impl InFlight {
        pub(in super::super) unsafe fn into_job(self) -> Job {
            match self {}
        }
    }

    pub(in super::super) fn dispatch(job: Job) -> Result<InFlight, Job> {
        Err(job)
    }
}
