//! Peers, and what machines get from the network and ask of it.

use crate::wire::{CollationMessage, CollationVersion, Request, ValidationMessage, ViewMessage};
use headway_primitives::{AuthorityDiscoveryId, SessionIndex};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Identity of a peer: the bytes of its libp2p peer id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<[u8]>);

impl PeerId {
	/// A peer id from its bytes, at most 64.
	pub fn from_bytes(bytes: &[u8]) -> Self {
		Self(bytes.into())
	}

	/// Its bytes.
	pub fn as_bytes(&self) -> &[u8] {
		&self.0
	}
}

impl fmt::Debug for PeerId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let tail = &self.0[self.0.len().saturating_sub(4)..];
		write!(f, "peer:")?;
		tail.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
	}
}

/// A set of peers that speak one notification protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerSet {
	/// Validators among themselves.
	Validation,
	/// Collators with validators.
	Collation,
}

/// What a peer says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObservedRole {
	/// A full node.
	Full,
	/// A light client.
	Light,
	/// A validator.
	Authority,
}

/// Change of a peer's reputation, on the protocol's scale (backing pipeline §4.3). The text says why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reputation {
	/// -100 000.
	CostMinor(&'static str),
	/// -200 000.
	CostMinorRepeated(&'static str),
	/// -300 000.
	CostMajor(&'static str),
	/// -600 000.
	CostMajorRepeated(&'static str),
	/// The peer is banned.
	Malicious(&'static str),
	/// 10 000.
	BenefitMinor(&'static str),
	/// 15 000.
	BenefitMinorFirst(&'static str),
	/// 200 000.
	BenefitMajor(&'static str),
	/// 300 000.
	BenefitMajorFirst(&'static str),
}

impl Reputation {
	/// The change.
	pub fn value(self) -> i32 {
		match self {
			Self::CostMinor(_) => -100_000,
			Self::CostMinorRepeated(_) => -200_000,
			Self::CostMajor(_) => -300_000,
			Self::CostMajorRepeated(_) => -600_000,
			Self::Malicious(_) => i32::MIN,
			Self::BenefitMinor(_) => 10_000,
			Self::BenefitMinorFirst(_) => 15_000,
			Self::BenefitMajor(_) => 200_000,
			Self::BenefitMajorFirst(_) => 300_000,
		}
	}

	/// Why.
	pub fn reason(self) -> &'static str {
		match self {
			Self::CostMinor(why)
			| Self::CostMinorRepeated(why)
			| Self::CostMajor(why)
			| Self::CostMajorRepeated(why)
			| Self::Malicious(why)
			| Self::BenefitMinor(why)
			| Self::BenefitMinorFirst(why)
			| Self::BenefitMajor(why)
			| Self::BenefitMajorFirst(why) => why,
		}
	}
}

/// Names a question of a machine, unique within the machine; the answer carries it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

/// Hands out tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens(u64);

impl Tokens {
	/// A token that was not handed out before.
	// Nobody iterates: it never ends.
	#[allow(clippy::should_implement_trait)]
	pub fn next(&mut self) -> Token {
		self.0 += 1;
		Token(self.0)
	}
}

/// Names a request that a peer made of us; the driver knows how to answer it. Unanswered ones must be refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InboundRequestId(pub u64);

/// Whom a request goes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recipient {
	/// A connected peer.
	Peer(PeerId),
	/// A validator, wherever it is; fails if it is not connected.
	Authority(AuthorityDiscoveryId),
}

/// Why a request brought no answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum RequestError {
	/// The peer is not connected or could not be reached.
	#[error("peer is not connected")]
	NotConnected,
	/// No answer in time.
	#[error("no answer in time")]
	Timeout,
	/// The peer refused to answer.
	#[error("peer refused to answer")]
	Refused,
	/// The peer does not speak the protocol.
	#[error("peer does not speak the protocol")]
	UnsupportedProtocol,
	/// Another failure of the network.
	#[error("network failure")]
	Network,
}

/// What the network tells machines.
#[derive(Clone, Debug)]
pub enum NetworkEvent {
	/// A peer opened a substream of a peer set. Its view is empty until it says otherwise.
	PeerConnected {
		/// The peer.
		peer: PeerId,
		/// Which set.
		set: PeerSet,
		/// Negotiated version of the collation protocol (3 for the validation protocol).
		version: CollationVersion,
		/// What it says that it is.
		role: ObservedRole,
		/// Discovery keys that the peer is known to hold; empty if none.
		authority_ids: BTreeSet<AuthorityDiscoveryId>,
	},
	/// The substream is closed.
	PeerDisconnected {
		/// The peer.
		peer: PeerId,
		/// Which set.
		set: PeerSet,
	},
	/// A peer's view changed.
	PeerViewChange {
		/// The peer.
		peer: PeerId,
		/// Which set.
		set: PeerSet,
		/// Its new view, at most 5 heads.
		view: ViewMessage,
	},
	/// Discovery keys of a connected peer became known or changed.
	UpdatedAuthorityIds {
		/// The peer.
		peer: PeerId,
		/// Its keys.
		authority_ids: BTreeSet<AuthorityDiscoveryId>,
	},
	/// The gossip topology of a session.
	NewTopology {
		/// The session.
		session: SessionIndex,
		/// The topology.
		topology: Arc<crate::grid::Topology>,
	},
	/// A notification on the validation set.
	Validation {
		/// Sender.
		peer: PeerId,
		/// What it says.
		message: ValidationMessage,
	},
	/// A notification on the collation set.
	Collation {
		/// Sender.
		peer: PeerId,
		/// What it says.
		message: CollationMessage,
	},
}

/// What machines ask of the network.
#[derive(Clone, PartialEq, Debug)]
pub enum NetworkEffect {
	/// Sends a notification on the validation set. Encoded once, whatever the number of peers.
	SendValidation {
		/// To whom.
		peers: Vec<PeerId>,
		/// What.
		message: ValidationMessage,
	},
	/// Sends a notification on the collation set. The driver encodes it for the peers' version.
	SendCollation {
		/// To whom; all with the same protocol version as the message.
		peers: Vec<PeerId>,
		/// What.
		message: CollationMessage,
	},
	/// Changes a peer's reputation.
	Report {
		/// Whose.
		peer: PeerId,
		/// By how much, and why.
		change: Reputation,
	},
	/// Closes the substream.
	Disconnect {
		/// Whose.
		peer: PeerId,
		/// Which.
		set: PeerSet,
	},
	/// Replaces the validators that we want to be connected to on a peer set.
	ConnectToValidators {
		/// Their discovery keys.
		validators: Vec<AuthorityDiscoveryId>,
		/// Which set.
		set: PeerSet,
	},
	/// Asks a peer. The answer comes as an event with the token.
	Request {
		/// Names the question.
		token: Token,
		/// Whom.
		recipient: Recipient,
		/// What.
		request: Request,
	},
	/// Answers a peer's request; none refuses it.
	Respond {
		/// The request.
		id: InboundRequestId,
		/// The encoded response.
		response: Option<Vec<u8>>,
		/// What the peer's request was worth.
		reputation: Option<Reputation>,
	},
}
