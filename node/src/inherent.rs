//! What an author puts into a block besides transactions: slot, time, and the parachains' data.
//!
//! The parachains' data is awaited for a part of the slot, and never prevents a block: when the protocol has nothing to say
//! in time, the block carries no candidates (service composition §6).

use async_trait::async_trait;
use futures::future::{select, Either};
use headway_primitives::{
	Block, Hash, InherentData as ParachainsInherentData, PARACHAINS_INHERENT_IDENTIFIER,
};
use headway_provisioner::ProvisionedData;
use sp_blockchain::HeaderBackend;
use sp_consensus_babe::{inherents::InherentDataProvider as SlotProvider, SlotDuration};
use sp_inherents::{CreateInherentDataProviders, InherentData, InherentIdentifier};
use sp_timestamp::InherentDataProvider as TimestampProvider;
use std::{error::Error, sync::Arc, time::Duration};

/// The longest time that a block waits for the parachains' data.
const PROVISION_TIMEOUT_MAX: Duration = Duration::from_millis(2500);

/// Knows what the parachains bring into a block.
#[async_trait]
pub trait ProvisionInherent: Send + Sync {
	/// What a child of `parent` may carry; none if that is not known, for example because `parent` is no leaf any more.
	async fn provision(&self, parent: Hash) -> Option<ProvisionedData>;
}

/// Provider of the inherent `parachn0`.
pub struct ParachainsProvider<C> {
	client: Arc<C>,
	provisioner: Option<Arc<dyn ProvisionInherent>>,
	parent: Hash,
	timeout: Duration,
}

impl<C: HeaderBackend<Block>> ParachainsProvider<C> {
	/// Asks `provisioner`, if there is one, and waits for `timeout` at most.
	pub fn new(
		client: Arc<C>,
		provisioner: Option<Arc<dyn ProvisionInherent>>,
		parent: Hash,
		timeout: Duration,
	) -> Self {
		Self { client, provisioner, parent, timeout }
	}

	async fn provisioned(&self) -> ProvisionedData {
		let Some(provisioner) = &self.provisioner else { return ProvisionedData::default() };
		let timeout = futures_timer::Delay::new(self.timeout);
		let data = match select(provisioner.provision(self.parent), timeout).await {
			Either::Left((data, _)) => data,
			Either::Right(_) => {
				tracing::warn!(
					target: "parachain::inherent",
					parent = ?self.parent,
					timeout_ms = self.timeout.as_millis() as u64,
					"the parachains' data was not ready in time: the block carries no candidates",
				);
				return ProvisionedData::default();
			},
		};
		data.unwrap_or_else(|| {
			tracing::debug!(
				target: "parachain::inherent",
				parent = ?self.parent,
				"nothing is known of the parachains: the block carries no candidates",
			);
			ProvisionedData::default()
		})
	}
}

#[async_trait]
impl<C: HeaderBackend<Block>> sp_inherents::InherentDataProvider for ParachainsProvider<C> {
	// An error here would cost the slot, so there is none.
	async fn provide_inherent_data(&self, inherents: &mut InherentData) -> Result<(), sp_inherents::Error> {
		let parent_header = match self.client.header(self.parent) {
			Ok(Some(header)) => header,
			Ok(None) | Err(_) => {
				tracing::warn!(
					target: "parachain::inherent",
					parent = ?self.parent,
					"the header of the parent block is not in the database",
				);
				return Ok(());
			},
		};
		let ProvisionedData { bitfields, backed_candidates, disputes } = self.provisioned().await;
		let data = ParachainsInherentData { bitfields, backed_candidates, disputes, parent_header };
		inherents.put_data(PARACHAINS_INHERENT_IDENTIFIER, &data)
	}

	async fn try_handle_error(
		&self,
		_: &InherentIdentifier,
		_: &[u8],
	) -> Option<Result<(), sp_inherents::Error>> {
		None
	}
}

/// Makes the providers of blocks that this node authors.
pub struct AuthoringInherents<C> {
	client: Arc<C>,
	provisioner: Option<Arc<dyn ProvisionInherent>>,
	slot_duration: SlotDuration,
}

impl<C> AuthoringInherents<C> {
	/// Providers that ask `provisioner` for the parachains' data.
	pub fn new(
		client: Arc<C>,
		provisioner: Option<Arc<dyn ProvisionInherent>>,
		slot_duration: SlotDuration,
	) -> Self {
		Self { client, provisioner, slot_duration }
	}
}

/// How long a block waits for the parachains' data: 2.5 s of a slot of 6 s, the same share of shorter ones.
fn provision_timeout(slot_duration: SlotDuration) -> Duration {
	PROVISION_TIMEOUT_MAX.min(slot_duration.as_duration() * 5 / 12)
}

/// Slot and time of this moment. The slot comes first: BABE reads it from there.
fn slot_and_time(slot_duration: SlotDuration) -> (SlotProvider, TimestampProvider) {
	let time = TimestampProvider::from_system_time();
	(SlotProvider::from_timestamp_and_slot_duration(*time, slot_duration), time)
}

#[async_trait]
impl<C: HeaderBackend<Block> + 'static> CreateInherentDataProviders<Block, ()> for AuthoringInherents<C> {
	type InherentDataProviders = (SlotProvider, TimestampProvider, ParachainsProvider<C>);

	async fn create_inherent_data_providers(
		&self,
		parent: Hash,
		(): (),
	) -> Result<Self::InherentDataProviders, Box<dyn Error + Send + Sync>> {
		let (slot, time) = slot_and_time(self.slot_duration);
		let timeout = provision_timeout(self.slot_duration);
		let parachains =
			ParachainsProvider::new(self.client.clone(), self.provisioner.clone(), parent, timeout);
		Ok((slot, time, parachains))
	}
}

/// Makes the providers that blocks of others are checked against: the parachains' data is checked by the runtime alone.
#[derive(Clone)]
pub struct ImportInherents {
	/// Length of a slot.
	pub slot_duration: SlotDuration,
}

#[async_trait]
impl CreateInherentDataProviders<Block, ()> for ImportInherents {
	type InherentDataProviders = (SlotProvider, TimestampProvider);

	async fn create_inherent_data_providers(
		&self,
		_: Hash,
		(): (),
	) -> Result<Self::InherentDataProviders, Box<dyn Error + Send + Sync>> {
		Ok(slot_and_time(self.slot_duration))
	}
}

#[cfg(test)]
mod tests;
