//! The methods and their errors.

use crate::views::{CandidateUpdate, CandidateView, CandidatesOptions, FragmentChainInfo, ParaCandidates};
use headway_primitives::{CandidateHash, Hash, ParaId};
use jsonrpsee::{core::SubscriptionResult, proc_macros::rpc, types::ErrorObjectOwned};

/// Candidates in an answer if the question names no limit.
pub const LIMIT_DEFAULT: u32 = 20;
/// Most candidates in an answer.
pub const LIMIT_MAX: u32 = 128;
/// Most subscriptions at a time, of all connections together.
pub const SUBSCRIPTIONS_MAX: usize = 64;

/// What became of candidates, as far as this node saw.
#[rpc(client, server, namespace = "parachain")]
pub trait ParachainApi {
	/// What became of the newest candidates of a para, newest first, and how many were dropped for which reason since the
	/// node was started. At most [`LIMIT_MAX`] candidates, [`LIMIT_DEFAULT`] if nothing is said.
	///
	/// Errors: [`Error::UnknownPara`].
	#[method(name = "candidates")]
	fn candidates(
		&self,
		para_id: ParaId,
		options: Option<CandidatesOptions>,
	) -> Result<ParaCandidates, Error>;

	/// What became of a candidate.
	///
	/// Errors: [`Error::UnknownCandidate`].
	#[method(name = "candidate")]
	fn candidate(&self, candidate_hash: CandidateHash) -> Result<CandidateView, Error>;

	/// The fragment chain of a para as it is now: the best chain, and the candidates beside it. At a relay block that may
	/// schedule candidates, or else at the newest leaf.
	///
	/// Errors: [`Error::UnknownPara`], [`Error::UnknownSchedulingParent`], [`Error::NoFragmentChains`], [`Error::Stopped`].
	#[method(name = "fragmentChain")]
	async fn fragment_chain(
		&self,
		para_id: ParaId,
		scheduling_parent: Option<Hash>,
	) -> Result<FragmentChainInfo, Error>;

	/// What happens to candidates from now on, of one para or of all. Messages that take nothing away are left out. A
	/// subscriber that is too slow hears how many items it lost. At most [`SUBSCRIPTIONS_MAX`] at a time.
	///
	/// Errors: [`Error::TooManySubscriptions`].
	#[subscription(
		name = "subscribeCandidates" => "candidateUpdate",
		unsubscribe = "unsubscribeCandidates",
		item = CandidateUpdate
	)]
	async fn subscribe_candidates(&self, para_id: Option<ParaId>) -> SubscriptionResult;
}

/// Why a question has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
	/// Nothing was heard of the para, or it has no core where it was asked for.
	#[error("this node has heard nothing of para {0} since it was started, or the para has no core there")]
	UnknownPara(ParaId),
	/// Nothing was heard of the candidate, or it was too long ago.
	#[error("this node does not know candidate {0:?}: it never heard of it since it was started, or it has forgotten it")]
	UnknownCandidate(CandidateHash),
	/// The relay block is not one that may schedule candidates now.
	#[error(
		"relay block {0:?} is not in this node's view: only the newest blocks can be scheduling parents"
	)]
	UnknownSchedulingParent(Hash),
	/// A collator keeps none.
	#[error("this node keeps no fragment chains: ask a validator or a full node")]
	NoFragmentChains,
	/// The node is shutting down.
	#[error("the node is shutting down")]
	Stopped,
	/// All places are taken.
	#[error("there are {SUBSCRIPTIONS_MAX} subscriptions of candidates already")]
	TooManySubscriptions,
}

impl Error {
	/// The code in a JSON-RPC answer.
	pub fn code(&self) -> i32 {
		match self {
			Self::UnknownPara(_) => 12_001,
			Self::UnknownCandidate(_) => 12_002,
			Self::UnknownSchedulingParent(_) => 12_003,
			Self::NoFragmentChains => 12_004,
			Self::Stopped => 12_005,
			Self::TooManySubscriptions => 12_006,
		}
	}
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		ErrorObjectOwned::owned(error.code(), error.to_string(), None::<()>)
	}
}
