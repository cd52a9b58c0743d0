//! One connection to one server process, many commands at once.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, Pipeline, RedisError, Value};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::store::StoreError;

/// A task that ends with whoever holds this.
pub(super) struct Owned(JoinHandle<()>);

impl Owned {
    /// Starts a task, where there is a runtime to start it on.
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Result<Self, StoreError> {
        let runtime = Handle::try_current().map_err(|_| StoreError::new("Redis needs a tokio runtime"))?;
        Ok(Self(runtime.spawn(task)))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that was made to a server that is fit for this.
pub(super) struct Live {
    connection: MultiplexedConnection,
    /// Which process answers, by a name that no other process has: what the next one knows may be less.
    run_id: Box<str>,
    closed: Arc<AtomicBool>,
    _driver: Owned,
}

impl Live {
    /// Drives the connection in a task of its own, and knows at once when it is closed.
    pub(super) fn new(
        connection: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let closed = Arc::new(AtomicBool::new(false));
        let noted = Closes(Arc::clone(&closed));
        let driver = Owned::spawn(async move {
            let _noted = noted;
            driver.await;
        })?;
        Ok(Self { connection, run_id: Box::default(), closed, _driver: driver })
    }

    pub(super) fn of_process(self, run_id: &str) -> Self {
        Self { run_id: run_id.into(), ..self }
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Sends commands in one go; one answer for each, an error of the server being an answer too.
    pub(super) async fn ask(&self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        self.connection.clone().send_packed_commands(commands, 0, commands.len()).await
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("run_id", &self.run_id).field("closed", &self.closed).finish_non_exhaustive()
    }
}

/// Notes the end of a task, however it ends.
struct Closes(Arc<AtomicBool>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What went wrong, without anything that was sent.
pub(super) fn in_words(error: &RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => StoreError::new("Redis did not answer in time"),
        ErrorKind::Io => StoreError::new(format!("the connection to Redis failed: {error}")),
        ErrorKind::AuthenticationFailed => StoreError::new("Redis refused user or password"),
        _ => match error.code() {
            Some("NOPERM") => StoreError::new("Redis: the user may not do this; see the guide for what it needs"),
            Some(code) => StoreError::new(format!("Redis answered {code}")),
            None => StoreError::new("Redis answered something that was not expected"),
        },
    }
}
