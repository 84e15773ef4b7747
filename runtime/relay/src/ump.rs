//! What happens to messages from paras: nothing yet. They are queued and taken off the queue again, each with
//! the event that it is of no supported format.

use frame_support::{
	traits::{ProcessMessage, ProcessMessageError, QueueFootprint},
	weights::WeightMeter,
};
use headway_runtime_parachains::inclusion::AggregateMessageOrigin;

/// Tells parachains what fits into their queues.
pub struct NoteQueue;

impl pallet_message_queue::OnQueueChanged<AggregateMessageOrigin> for NoteQueue {
	fn on_queue_changed(origin: AggregateMessageOrigin, footprint: QueueFootprint) {
		crate::ParaInclusion::note_upward_queue(origin, footprint);
	}
}

/// Executes no message.
pub struct NoExecutor;

impl ProcessMessage for NoExecutor {
	type Origin = AggregateMessageOrigin;

	fn process_message(
		_: &[u8],
		_: Self::Origin,
		_: &mut WeightMeter,
		_: &mut [u8; 32],
	) -> Result<bool, ProcessMessageError> {
		Err(ProcessMessageError::Unsupported)
	}
}
