//! Makes blocks: the runtime selects from what an author offers, and executes what is left.

use super::ledger::{Ledger, Overlay};
use codec::{Decode, Encode};
use headway_primitives::{
	runtime_api::ParachainHost, Block, Hash, Header, InherentData as ParachainsInherentData,
	PARACHAINS_INHERENT_IDENTIFIER, RELAY_CHAIN_SLOT_DURATION_MILLIS,
};
use headway_provisioner::ProvisionedData;
use headway_relay_runtime::{Executive, Runtime, RuntimeCall, UncheckedExtrinsic};
use headway_runtime_parachains::paras_inherent::{self, DropReason};
use sc_block_builder::BlockBuilderBuilder;
use sp_api::{ApiError, Core as _, ProvideRuntimeApi};
use sp_consensus_babe::{
	digests::{PreDigest, SecondaryPlainPreDigest},
	BABE_ENGINE_ID,
};
use sp_runtime::{
	traits::{Block as _, Header as _},
	Digest, DigestItem,
};

/// What an author makes a block of.
#[derive(Clone, Debug)]
pub struct Offer {
	/// The parent.
	pub parent: Hash,
	/// Slot of the block.
	pub slot: u64,
	/// Place of the author among the authorities.
	pub authority: u32,
	/// What its provisioner gave.
	pub data: ProvisionedData,
}

/// A new block.
#[derive(Clone, Debug)]
pub struct Made {
	/// The block.
	pub hash: Hash,
	/// Its header.
	pub header: Header,
	/// What is in its inherent.
	pub entered: ParachainsInherentData,
	/// What the runtime left out of the offer, and why; but for what nobody could know: that no candidate is backed in the
	/// last block of a session, which only the slot of the block decides.
	pub dropped: Vec<String>,
}

/// Something that the runtime does not take.
struct LeftOut {
	what: String,
	/// There is no core for the candidate's para.
	for_want_of_core: bool,
}

/// Why there is no block.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The runtime does not make or accept it.
	#[error("block is not made: {0}")]
	Block(#[from] sp_blockchain::Error),
	/// The runtime does not answer.
	#[error("runtime call: {0}")]
	Call(#[from] ApiError),
	/// The parent is unknown.
	#[error("parent {0:?} is unknown")]
	UnknownParent(Hash),
	/// Inherent data is given twice.
	#[error("inherent data: {0}")]
	InherentData(#[from] sp_inherents::Error),
	/// The author's runtime made no inherent of the parachains.
	#[error("there is no inherent of the parachains")]
	NoInherent,
}

impl Ledger {
	/// Makes a block, executes it again as those who import it do, and adds it.
	pub fn make_block(&self, offer: Offer) -> Result<Made, Error> {
		let Offer { parent, slot, authority, data } = offer;
		let parent_header = self.get(parent).ok_or(Error::UnknownParent(parent))?;
		let digest = SecondaryPlainPreDigest { authority_index: authority, slot: slot.into() };
		let digest = PreDigest::SecondaryPlain(digest).encode();
		let digest = Digest { logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, digest)] };
		let ProvisionedData { bitfields, backed_candidates, disputes } = data;
		let offered = ParachainsInherentData {
			bitfields,
			backed_candidates,
			disputes,
			parent_header: parent_header.clone(),
		};
		let mut inherents = sp_inherents::InherentData::new();
		inherents.put_data(sp_timestamp::INHERENT_IDENTIFIER, &(slot * RELAY_CHAIN_SLOT_DURATION_MILLIS))?;
		inherents.put_data(PARACHAINS_INHERENT_IDENTIFIER, &offered)?;

		let mut builder = BlockBuilderBuilder::<Block, _>::new(self)
			.on_parent_block(parent)
			.with_parent_block_number(parent_header.number)
			.with_inherent_digests(digest.clone())
			.build()?;
		let mut entered = None;
		for extrinsic in builder.create_inherents(inherents)? {
			entered = entered.or_else(|| parachains_inherent(&extrinsic.encode()));
			builder.push(extrinsic)?;
		}
		let entered = entered.ok_or(Error::NoInherent)?;
		let dropped = if entered == offered {
			Vec::new()
		} else {
			let number = parent_header.number + 1;
			let header = Header::new(number, Default::default(), Default::default(), parent, digest);
			self.explain(&header, offered)?
		};
		let (block, changes) = builder.build()?.into_inner();
		self.runtime_api().execute_block(parent, block.clone().into())?;
		let (header, _) = block.deconstruct();
		let hash = header.hash();
		self.import(header.clone(), changes.transaction);
		let session = |at| self.runtime_api().session_index_for_child(at);
		let ends_session = !dropped.is_empty() && session(parent)? != session(hash)?;
		let unexpected =
			|left_out: LeftOut| (!ends_session || !left_out.for_want_of_core).then_some(left_out.what);
		let dropped = dropped.into_iter().filter_map(unexpected).collect();
		Ok(Made { hash, header, entered, dropped })
	}

	/// Why the runtime does not take all of what is offered.
	fn explain(&self, header: &Header, offered: ParachainsInherentData) -> Result<Vec<LeftOut>, ApiError> {
		self.run(header.parent_hash, &mut Overlay::default(), || {
			Executive::initialize_block(header);
			match paras_inherent::Pallet::<Runtime>::process(offered) {
				Ok(processed) => {
					let candidates = processed.dropped.iter().map(|(para, hash, reason)| LeftOut {
						what: format!("candidate {:?} of para {}: {reason}", hash.0, para.0),
						// What is behind such a candidate goes with it.
						for_want_of_core: matches!(
							reason,
							DropReason::NoEligibleCore | DropReason::Behind(_)
						),
					});
					let bitfields = processed.dropped_bitfields.iter().map(|(validator, reason)| LeftOut {
						what: format!("bitfield of validator {}: {reason}", validator.0),
						for_want_of_core: false,
					});
					candidates.chain(bitfields).collect()
				},
				Err(error) => {
					vec![LeftOut { what: format!("all: {:?}", error.error), for_want_of_core: false }]
				},
			}
		})
	}
}

/// The parachains' data in an extrinsic, if that is what it carries.
fn parachains_inherent(extrinsic: &[u8]) -> Option<ParachainsInherentData> {
	match UncheckedExtrinsic::decode(&mut &extrinsic[..]).ok()?.function {
		RuntimeCall::ParaInherent(paras_inherent::Call::enter { data }) => Some(data),
		_ => None,
	}
}
