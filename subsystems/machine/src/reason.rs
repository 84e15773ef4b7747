//! What stages and reasons mean, in plain words, and what is lost by a drop.
//!
//! Most of what a node turns away is not a candidate but a message about one: a statement that came twice, a manifest from
//! a peer that should not have sent it. The candidate lives on. [`Loss`] tells these apart, so that noise never hides why a
//! candidate did not make it.

use crate::{Evidence, Reason, Stage};
use strum::{EnumIter, IntoStaticStr};

/// What is lost by a drop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Loss {
	/// A message. The candidate that it is about is where it was.
	Message,
	/// An offer: the candidate was not taken from its collator, or not taken further.
	Refused,
	/// The candidate, by its own fault: every honest validator finds the same.
	Invalid,
	/// The candidate, as far as this node is concerned.
	Dropped,
}

impl Loss {
	/// What is lost if this machine drops something for this reason.
	pub fn of(subsystem: &str, reason: Reason) -> Self {
		// Statement distribution carries messages: what it turns away is one of several ways to hear of a candidate.
		if subsystem == "statement-distribution" {
			return Self::Message;
		}
		let from_collator = subsystem == "collator-protocol";
		match reason.nature() {
			Nature::Noise => Self::Message,
			Nature::Sender if from_collator => Self::Refused,
			Nature::Sender => Self::Message,
			Nature::Candidate => Self::Invalid,
			Nature::Place if from_collator => Self::Refused,
			Nature::Place | Nature::Circumstance => Self::Dropped,
		}
	}

	/// As a label.
	pub fn label(self) -> &'static str {
		self.into()
	}
}

/// Where a reason lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Nature {
	/// In a message that says nothing new, or nothing at all.
	Noise,
	/// In who sent it.
	Sender,
	/// In the candidate.
	Candidate,
	/// In the relay chain, or in what the candidate builds on.
	Place,
	/// In how things went: time, capacity, transport.
	Circumstance,
}

impl Reason {
	fn nature(self) -> Nature {
		use Reason::*;
		match self {
			MalformedMessage | InvalidSignature | UnexpectedMessage | DuplicateMessage | AlreadyKnown
			| TopologyUnknown => Nature::Noise,
			UnknownPeer | UndeclaredPeer | DisabledValidator | ExcessiveMessages | NotValidator => {
				Nature::Sender
			},
			DescriptorVersion
			| UmpSignals
			| CandidateMismatch
			| ValidationDataMismatch
			| ErasureRootMismatch
			| PovTooLarge
			| PovHashMismatch
			| InvalidExecution
			| InvalidOutputs
			| ParaHeadMismatch
			| CommitmentsMismatch
			| ExecutionTimeout
			| SessionMismatch => Nature::Candidate,
			UnknownSchedulingParent
			| SchedulingParentNotInScope
			| RelayParentNotInScope
			| RelayParentMovedBackwards
			| UnknownSession
			| TooFewValidators
			| TooManyValidators
			| NotAssigned
			| ParaNotScheduled
			| NoClaimQueueSlot
			| NoClaimInReach
			| SynchronousBacking
			| CoreWithoutValidators
			| ForkChoice
			| Cycle
			| MultiplePaths
			| ConflictsWithPending
			| UnknownParentHead
			| ParentNotBacked
			| ConstraintsNotMet
			| CannotFollowChain
			| CodeHashMismatch => Nature::Place,
			TooFewVotes | CodeMissing | ExecutionFailed | FetchFailed | FetchTimeout | PovUnavailable
			| ChunkUnavailable | InvalidChunk | InvalidResponse | StorageFailed | EncodingFailed
			| RelayForkLost | SessionEnded | OutOfView | NotRequested | NotBacked | AssemblyTimeout
			| CapacityReached => Nature::Circumstance,
		}
	}

	/// How far behind what happened it lies. Where several nodes lost the same candidate, the highest one explains it: the others
	/// only saw what followed.
	pub fn depth(self) -> u8 {
		use Reason::*;
		match self {
			// Others have a reason.
			NotRequested | NotBacked => 1,
			// It waited in vain, or came to the wrong one.
			OutOfView
			| SchedulingParentNotInScope
			| UnknownSchedulingParent
			| UnknownParentHead
			| CannotFollowChain
			| NotAssigned
			| NotValidator => 2,
			ParentNotBacked => 3,
			reason if reason.nature() == Nature::Noise => 0,
			_ => 4,
		}
	}

	/// The reason in plain words: the end of a sentence that begins with "the candidate did not make it, because".
	pub fn explanation(self) -> &'static str {
		use Reason::*;
		match self {
			UnknownPeer => "it came from a peer that was not connected any more",
			UndeclaredPeer => "its collator had not said for which parachain it collates",
			MalformedMessage => "the message did not decode",
			DisabledValidator => "the validator that spoke for it is disabled",
			InvalidSignature => "the signature was wrong",
			UnexpectedMessage => "nobody had reason to send the message",
			ExcessiveMessages => "its sender had sent more at that relay block than it may",
			DuplicateMessage => "the same had come before",
			UnknownSchedulingParent => {
				"its scheduling parent is not, or not yet, in the node's view of the relay chain"
			},
			SchedulingParentNotInScope => {
				"its scheduling parent may not schedule candidates at this time, or no longer"
			},
			RelayParentNotInScope => "its relay parent is too old",
			RelayParentMovedBackwards => "its relay parent is older than that of the candidate that it builds on",
			UnknownSession => "the session of its relay parent is not known",
			TooFewValidators => "the session has one validator, and erasure coding takes at least two",
			TooManyValidators => "the session has more validators than erasure coding can serve",
			SessionMismatch => "it names another session than that of its relay parent or scheduling parent",
			NotAssigned => "the core that it is for is not the validator's group's",
			ParaNotScheduled => "its parachain has no core at its scheduling parent",
			NoClaimQueueSlot => {
				"the parachain's places in the claim queue were taken by other candidates of that scheduling parent"
			},
			NoClaimInReach => {
				"its parachain has no place in the claim queue of that core any more for which its scheduling parent is not too old"
			},
			NotValidator => "the validator that should speak for it is none in this session",
			SynchronousBacking => {
				"backing is synchronous: it has to build on the newest relay block and on the included head"
			},
			TopologyUnknown => "the gossip topology of the session is not known yet",
			RelayForkLost => "the relay block that it rests on lost its fork",
			SessionEnded => "the session of its scheduling parent ended",
			CoreWithoutValidators => "its core has no validators",
			AlreadyKnown => "the node had it already",
			ForkChoice => "it lost a fork: of the candidates on that parent, another one has the place in the chain",
			Cycle => "it leads back to a head that the chain had before",
			MultiplePaths => "another candidate of the chain produces the same head",
			ConflictsWithPending => {
				"it is on a losing fork: another candidate on that parent is backed on the relay chain already"
			},
			UnknownParentHead => "the parachain block that it builds on never arrived",
			ParentNotBacked => "the candidate that it builds on was never backed",
			ConstraintsNotMet => "it breaks a limit of the relay chain, as for messages, code upgrades or sizes",
			CannotFollowChain => "it has no place behind the candidates that the node knows of its parachain",
			DescriptorVersion => "its descriptor has a version that is unknown or not enabled",
			UmpSignals => "the core that it selects is not one that it may have",
			CandidateMismatch => "it is not what was announced",
			TooFewVotes => "there were not enough votes for it",
			ValidationDataMismatch => "it was built on other data than the relay chain has at its relay parent",
			ErasureRootMismatch => "its erasure root is not that of its data",
			PovTooLarge => "its proof of validity (PoV) is too large",
			PovHashMismatch => "its proof of validity (PoV) is another one than it promises",
			CodeHashMismatch => "it was built with other validation code than its parachain has",
			CodeMissing => "the parachain's validation code could not be read",
			InvalidExecution => "the parachain's validation function rejected its proof of validity (PoV)",
			InvalidOutputs => "the parachain's validation function returned what cannot be used",
			ParaHeadMismatch => "execution led to another head than it promises",
			CommitmentsMismatch => "execution led to other commitments than it promises",
			ExecutionTimeout => "its execution took too long",
			ExecutionFailed => "this node failed to execute it",
			FetchFailed => "it could not be fetched: the request failed",
			FetchTimeout => "it could not be fetched in time",
			PovUnavailable => "no validator that vouches for it handed out its proof of validity (PoV)",
			ChunkUnavailable => "no validator that backed it handed out this node's chunk",
			InvalidChunk => "the chunk that a validator handed out was not its",
			InvalidResponse => "the answer to a request for it did not decode",
			StorageFailed => "this node's database failed",
			EncodingFailed => "this node failed to erasure-code its data",
			OutOfView => "it was too late: its scheduling parent left the view before it came far enough",
			NotRequested => {
				"no validator asked for it in time: those of its group were out of reach, or have a reason, which they tell"
			},
			NotBacked => {
				"validators have it, but it was not backed in time: those of its group have a reason, which they tell"
			},
			AssemblyTimeout => "what goes into a relay block was not known in time",
			CapacityReached => "this node was busy with too many others",
		}
	}

	/// [`Self::explanation`], which names what it rests on.
	pub fn explanation_with(self, evidence: Option<Evidence>) -> String {
		match (self, evidence) {
			(Self::ForkChoice, Some(Evidence::Rival { candidate, parent_head })) => format!(
				"it lost a fork: another candidate, {candidate:?}, holds the place on parent head {parent_head:?}, \
				 because its hash is lower"
			),
			(Self::ConflictsWithPending, Some(Evidence::Rival { candidate, parent_head })) => format!(
				"it is on a losing fork: another candidate, {candidate:?}, holds the place on parent head \
				 {parent_head:?}, because it is backed on the relay chain already"
			),
			(
				Self::OutOfView | Self::SchedulingParentNotInScope,
				Some(Evidence::LeftView { number, blocks_ago }),
			) => {
				let since = match blocks_ago {
					0 => "with the newest relay block".into(),
					1 => "one relay block earlier".into(),
					more => format!("{more} relay blocks earlier"),
				};
				format!(
					"it was too late: its scheduling parent, block #{number}, left the allowed ancestry {since}"
				)
			},
			(Self::RelayForkLost, Some(Evidence::LostFork { lost, instead })) => {
				format!("its scheduling parent, {lost}, lost its fork: the chain went on with {instead}")
			},
			(Self::RelayForkLost, Some(Evidence::BackedOnLostFork { lost, instead })) => {
				format!("it was backed in {lost}, which lost its fork: the chain went on with {instead}")
			},
			(Self::SessionEnded, Some(Evidence::SessionEnded { session, last, was_backed })) => {
				let what = match was_backed {
					true => "what was backed but not included was taken off its core",
					false => "its scheduling parent may not schedule candidates any more",
				};
				format!("session {session} ended with {last}: {what}")
			},
			(Self::ParentNotBacked, Some(Evidence::Parent { candidate })) => {
				format!("the candidate that it builds on, {candidate:?}, was never backed")
			},
			(Self::CoreWithoutValidators, Some(Evidence::Core { core })) => {
				format!("core {} has no validators", core.0)
			},
			_ => self.explanation().into(),
		}
	}
}

/// Why no chunks are made of data.
impl From<&headway_erasure_coding::Error> for Reason {
	fn from(error: &headway_erasure_coding::Error) -> Self {
		use headway_erasure_coding::Error;
		match error {
			Error::NotEnoughValidators { .. } => Self::TooFewValidators,
			Error::TooManyValidators { .. } => Self::TooManyValidators,
			// What chunks and proofs may be accused of is not said of data: what is left is a coder that fails.
			_ => Self::EncodingFailed,
		}
	}
}

impl Stage {
	/// The stage in plain words: the end of a sentence that begins with "the candidate".
	pub fn explanation(self) -> &'static str {
		match self {
			Self::Built => "was built by its collator",
			Self::Advertised => "was advertised",
			Self::Fetching => "was asked for",
			Self::Fetched => "was fetched",
			Self::Validated => "was executed and found valid",
			Self::Seconded => "was seconded by this validator",
			Self::Statement => "got this validator's vote",
			Self::Introduced => "got a place among the prospective candidates",
			Self::Backable => "had enough votes to be backed",
			Self::Provisioned => "was handed to the block author",
			Self::Backed => "was backed on the relay chain",
			Self::ChunkStored => "was stored here, as far as this node has to",
			Self::Available => "was available: more than two thirds of the validators have their chunks",
			Self::Included => "was included",
			Self::TimedOut => "was taken off its core: it was not available in time",
			Self::Finalized => "is final",
			Self::NoPlace(_) => "had no place among the prospective candidates",
			Self::Duplicate => "was heard of again",
			Self::Dropped(_) => "was dropped",
		}
	}

	/// Whether only the relay chain itself can tell.
	pub fn is_on_chain(self) -> bool {
		matches!(self, Self::Backed | Self::Included | Self::TimedOut | Self::Finalized)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{BlockRef, Timestamp, Trace};
	use headway_primitives::{CandidateHash, CoreIndex, Hash};
	use std::collections::BTreeSet;
	use strum::IntoEnumIterator;

	#[test]
	fn every_reason_has_words_of_its_own() {
		let mut seen = BTreeSet::new();
		for reason in Reason::iter() {
			let text = reason.explanation();
			assert!(seen.insert(text), "{text} explains two reasons");
			assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text} ends no sentence");
		}
	}

	#[test]
	fn what_a_reason_rests_on_is_named() {
		let (candidate, parent_head) = (CandidateHash(Hash::repeat_byte(1)), Hash::repeat_byte(2));
		let rival = Some(Evidence::Rival { candidate, parent_head });
		for reason in [Reason::ForkChoice, Reason::ConflictsWithPending] {
			let text = reason.explanation_with(rival);
			assert!(text.contains(&format!("another candidate, {candidate:?}")), "{text}");
			assert!(text.contains(&format!("parent head {parent_head:?}")), "{text}");
		}
		let late = |blocks_ago| Some(Evidence::LeftView { number: 7, blocks_ago });
		let text = Reason::OutOfView.explanation_with(late(3));
		assert!(text.ends_with("block #7, left the allowed ancestry 3 relay blocks earlier"), "{text}");
		assert!(Reason::OutOfView.explanation_with(late(0)).ends_with("with the newest relay block"));
		for reason in Reason::iter() {
			assert_eq!(reason.explanation_with(None), reason.explanation());
		}
	}

	#[test]
	fn what_proves_a_reason_says_more_than_it() {
		let block = |number, byte| BlockRef { number, hash: Hash::repeat_byte(byte) };
		let (lost, instead) = (block(7, 1), block(7, 2));
		let candidate = CandidateHash(Hash::repeat_byte(3));
		let proofs = [
			Evidence::LostFork { lost, instead },
			Evidence::BackedOnLostFork { lost, instead },
			Evidence::SessionEnded { session: 4, last: lost, was_backed: false },
			Evidence::SessionEnded { session: 4, last: lost, was_backed: true },
			Evidence::Parent { candidate },
			Evidence::Core { core: CoreIndex(2) },
		];
		let mut seen = BTreeSet::new();
		for evidence in proofs {
			let reason = evidence.reason().expect("it proves one");
			let text = reason.explanation_with(Some(evidence));
			assert_ne!(text, reason.explanation());
			assert!(seen.insert(text.clone()), "{text} says two things");
			let trace = Trace::new(Timestamp::default(), "test", Stage::Dropped(Reason::OutOfView));
			assert_eq!(trace.evidence(Some(evidence)).explanation(), text);
		}
		let fork = Reason::RelayForkLost.explanation_with(Some(Evidence::LostFork { lost, instead }));
		assert!(fork.contains(&lost.to_string()) && fork.contains(&instead.to_string()), "{fork}");
	}

	#[test]
	fn messages_are_told_apart_from_candidates() {
		use Loss::*;
		let cases = [
			("statement-distribution", Reason::UnexpectedMessage, Message),
			("statement-distribution", Reason::OutOfView, Message),
			("candidate-backing", Reason::UnexpectedMessage, Message),
			("candidate-backing", Reason::AlreadyKnown, Message),
			("collator-protocol", Reason::DuplicateMessage, Message),
			("collator-protocol", Reason::UndeclaredPeer, Refused),
			("collator-protocol", Reason::NoClaimQueueSlot, Refused),
			("collator-protocol", Reason::OutOfView, Dropped),
			("candidate-validation", Reason::InvalidExecution, Invalid),
			("prospective-parachains", Reason::ForkChoice, Dropped),
			("availability", Reason::DuplicateMessage, Message),
			("availability", Reason::ChunkUnavailable, Dropped),
		];
		for (subsystem, reason, loss) in cases {
			assert_eq!(Loss::of(subsystem, reason), loss, "{subsystem} {}", reason.label());
		}
	}
}
