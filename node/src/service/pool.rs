//! Tasks of the transaction pool.
//!
//! One of them waits in a way that nothing interrupts, until the pool is gone. So it ends after all others when the node
//! does, and would be taken for an essential task that failed. Here the end of a task is told to another one, which is
//! essential in its place, and which the end of the node interrupts as it should.

use futures::{channel::mpsc, future::BoxFuture, FutureExt, StreamExt};
use sc_service::{SpawnTaskHandle, TaskManager};
use sp_core::traits::SpawnEssentialNamed;
use std::{future::Future, panic::AssertUnwindSafe};

/// Spawns the tasks of the pool. Each is as essential as if the task manager had spawned it.
#[derive(Clone)]
pub struct PoolSpawner {
	tasks: SpawnTaskHandle,
	/// Names of tasks that ended.
	ended: mpsc::UnboundedSender<&'static str>,
}

impl PoolSpawner {
	/// Spawns by this task manager.
	pub fn new(task_manager: &TaskManager) -> Self {
		let (ended, mut names) = mpsc::unbounded();
		task_manager.spawn_essential_handle().spawn(
			"transaction-pool",
			Some("transaction-pool"),
			async move {
				match names.next().await {
					Some(name) => tracing::error!(target: "headway", "{name} of the transaction pool ended"),
					// All were interrupted: the node ends.
					None => std::future::pending().await,
				}
			},
		);
		Self { tasks: task_manager.spawn_handle(), ended }
	}

	fn watched(&self, name: &'static str, task: BoxFuture<'static, ()>) -> impl Future<Output = ()> + Send {
		let ended = self.ended.clone();
		async move {
			// A panic was logged where it happened.
			let _ = AssertUnwindSafe(task).catch_unwind().await;
			// Nobody listens when the node ends.
			let _ = ended.unbounded_send(name);
		}
	}
}

impl SpawnEssentialNamed for PoolSpawner {
	fn spawn_essential_blocking(
		&self,
		name: &'static str,
		group: Option<&'static str>,
		future: BoxFuture<'static, ()>,
	) {
		self.tasks.spawn_blocking(name, group, self.watched(name, future));
	}

	fn spawn_essential(
		&self,
		name: &'static str,
		group: Option<&'static str>,
		future: BoxFuture<'static, ()>,
	) {
		self.tasks.spawn(name, group, self.watched(name, future));
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Whether the node ends, by itself, when this task does.
	async fn ends_the_node(task: BoxFuture<'static, ()>, is_blocking: bool) -> bool {
		let mut task_manager = TaskManager::new(tokio::runtime::Handle::current(), None)
			.expect("without a registry there is no metric that is registered twice");
		let spawner = PoolSpawner::new(&task_manager);
		match is_blocking {
			true => spawner.spawn_essential_blocking("task", None, task),
			false => spawner.spawn_essential("task", None, task),
		}
		drop(spawner);
		task_manager.future().await.is_err()
	}

	async fn fails() {
		panic!("a task fails")
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn the_node_ends_with_a_task_of_the_pool_however_that_one_ends() {
		for is_blocking in [false, true] {
			assert!(ends_the_node(async {}.boxed(), is_blocking).await);
			assert!(ends_the_node(fails().boxed(), is_blocking).await);
		}
	}
}
