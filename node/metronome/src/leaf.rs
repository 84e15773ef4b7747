//! What the collator needs of a relay block, from the runtime.

use crate::chain::{Effects, OnChain, Pending};
use headway_metronome_pvf::InboundMessage;
use headway_primitives::{
	constraints::Constraints, runtime_api::ParachainHost, Block, BlockNumber, CommittedCandidateReceiptV2,
	CoreIndex, Hash, OccupiedCoreAssumption, ParaId, PersistedValidationData, SessionIndex,
};
use sp_api::{ApiError, ApiExt, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use std::collections::BTreeSet;

/// Length of the claim queue where the runtime does not tell.
const LOOKAHEAD_DEFAULT: u32 = 3;

/// A relay block that blocks can be built at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
	/// Its hash.
	pub hash: Hash,
	/// Its number.
	pub number: BlockNumber,
	/// Cores that its claim queue gives to the para next, ascending.
	pub cores: Vec<CoreIndex>,
	/// What it says about the para's chain.
	pub on_chain: OnChain,
	/// Validation data for a block on the included head.
	pub validation_data: PersistedValidationData,
	/// What a block on the included head has to respect.
	pub constraints: Constraints,
	/// Messages of the relay chain that wait, oldest first.
	pub downward: Vec<Vec<u8>>,
	/// Messages of other paras that wait, those of each sender oldest first.
	pub horizontal: Vec<InboundMessage>,
	/// Session of its children.
	pub session_index: SessionIndex,
}

/// Why a relay block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
	/// The runtime failed.
	#[error("runtime: {0}")]
	Api(#[from] ApiError),
	/// The database failed.
	#[error("database: {0}")]
	Blockchain(#[from] sp_blockchain::Error),
	/// The block is not there.
	#[error("block {0:?} is unknown")]
	Unknown(Hash),
}

/// Reads a relay block. None if the para has no head there, or no core.
pub fn read<Client>(client: &Client, hash: Hash, para: ParaId) -> Result<Option<Leaf>, LeafError>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block>,
	Client::Api: ParachainHost<Block>,
{
	let header = client.header(hash)?.ok_or(LeafError::Unknown(hash))?;
	let api = client.runtime_api();
	let queue = api.claim_queue(hash)?;
	let cores: Vec<CoreIndex> =
		queue.into_iter().filter(|(_, paras)| paras.front() == Some(&para)).map(|(core, _)| core).collect();
	if cores.is_empty() {
		return Ok(None);
	}
	// With this assumption what is pending is left out: the head is the included one.
	let assumption = OccupiedCoreAssumption::TimedOut;
	let validation_data = api.persisted_validation_data(hash, para, assumption)?;
	let (Some(validation_data), Some(constraints)) = (validation_data, api.backing_constraints(hash, para)?)
	else {
		return Ok(None);
	};
	let pending = api.candidates_pending_availability(hash, para)?;
	let pending: Result<_, _> = pending.into_iter().map(|candidate| pending_of(client, candidate)).collect();
	let downward = api.dmq_contents(hash, para)?.into_iter().map(|message| message.msg).collect();
	let horizontal = api.inbound_hrmp_channels_contents(hash, para)?;
	let horizontal = horizontal.into_iter().flat_map(|(sender, messages)| {
		let inbound = move |message: headway_primitives::InboundHrmpMessage| InboundMessage {
			sender: sender.0,
			sent_at: message.sent_at,
			data: message.data,
		};
		messages.into_iter().map(inbound)
	});
	let synchronous = api.async_backing_params(hash)?.is_synchronous();
	let session_index = api.session_index_for_child(hash)?;
	let window = window(client, hash, session_index, synchronous)?;
	let on_chain = OnChain {
		included: validation_data.parent_head.clone(),
		pending: pending?,
		synchronous,
		window,
		cores: cores.len(),
	};
	Ok(Some(Leaf {
		hash,
		number: header.number,
		cores,
		on_chain,
		validation_data,
		constraints,
		downward,
		horizontal: horizontal.collect(),
		session_index,
	}))
}

fn pending_of<Client: HeaderBackend<Block>>(
	client: &Client,
	candidate: CommittedCandidateReceiptV2,
) -> Result<Pending, LeafError> {
	let relay_parent = candidate.descriptor.relay_parent;
	let relay_parent_number = client.number(relay_parent)?.ok_or(LeafError::Unknown(relay_parent))?;
	let commitments = candidate.commitments;
	let effects = Effects {
		relay_parent_number,
		processed_downward: commitments.processed_downward_messages,
		sent: commitments.horizontal_messages.len() as u32,
		proposes_code: commitments.new_validation_code.is_some(),
	};
	Ok(Pending { head: commitments.head_data, effects })
}

/// The leaf and the ancestors of its session that may be relay parents of candidates that are backed on it.
fn window<Client>(
	client: &Client,
	leaf: Hash,
	session_index: SessionIndex,
	synchronous: bool,
) -> Result<BTreeSet<Hash>, LeafError>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block>,
	Client::Api: ParachainHost<Block>,
{
	let api = client.runtime_api();
	let lookahead = match api.api_version::<dyn ParachainHost<Block>>(leaf)? {
		_ if synchronous => 1,
		Some(version) if version >= 13 => api.scheduling_lookahead(leaf)?,
		_ => LOOKAHEAD_DEFAULT,
	};
	let mut window = BTreeSet::from([leaf]);
	let mut hash = leaf;
	for _ in 1..lookahead {
		let header = client.header(hash)?.ok_or(LeafError::Unknown(hash))?;
		if header.number == 0
			|| client.runtime_api().session_index_for_child(header.parent_hash)? != session_index
		{
			break;
		}
		hash = header.parent_hash;
		window.insert(hash);
	}
	Ok(window)
}
