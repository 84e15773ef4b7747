//! What block headers say of paras (runtime §1.4).

use codec::{Decode, Encode};
use headway_primitives::{BlockNumber, ParaId, ValidationCodeHash};
use scale_info::TypeInfo;

/// Engine id of the parachains protocol's digest items.
pub const PARACHAINS_ENGINE_ID: sp_runtime::ConsensusEngineId = *b"POL1";

/// What block headers say of paras.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum ConsensusLog {
	/// A para's code was switched.
	#[codec(index = 1)]
	ParaUpgradeCode(ParaId, ValidationCodeHash),
	/// A para's code will be switched from the relay parent on.
	#[codec(index = 2)]
	ParaScheduleUpgradeCode(ParaId, ValidationCodeHash, BlockNumber),
	/// Candidates up to the block count as approved.
	#[codec(index = 3)]
	ForceApprove(BlockNumber),
	/// The chain is to be reverted to before the block.
	#[codec(index = 4)]
	Revert(BlockNumber),
}

impl From<ConsensusLog> for sp_runtime::DigestItem {
	fn from(log: ConsensusLog) -> Self {
		Self::Consensus(PARACHAINS_ENGINE_ID, log.encode())
	}
}
