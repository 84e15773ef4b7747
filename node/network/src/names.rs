//! Protocol names, versions, sizes and timeouts (backing pipeline §8.1, §8.2).

use headway_machine::wire::{CollationVersion, RequestProtocol};
use headway_primitives::Hash;
use sc_network::ProtocolName;
use std::time::Duration;

/// Most bytes of a request.
pub const REQUEST_SIZE_MAX: u64 = 1000;
/// Most bytes of a response that carries a proof of validity or a chunk.
pub const RESPONSE_SIZE_MAX: u64 = 16 * 1024 * 1024;
/// Most bytes of an attested candidate.
pub const ATTESTED_CANDIDATE_RESPONSE_SIZE_MAX: u64 = 8 * 1024 * 1024;

/// Names of all protocols on one chain.
#[derive(Clone, Debug)]
pub struct ProtocolNames {
	prefix: String,
}

/// Limits of a request protocol.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
	/// Most bytes of a response.
	pub response_size_max: u64,
	/// How long to wait for an answer.
	pub timeout: Duration,
	/// Requests of peers that wait to be answered; more are refused at once.
	pub queue_len_max: usize,
}

impl ProtocolNames {
	/// Names on the chain with this genesis block and, if the chain spec has one, fork id.
	pub fn new(genesis_hash: Hash, fork_id: Option<&str>) -> Self {
		let genesis: String = genesis_hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
		let prefix = match fork_id {
			Some(fork_id) => format!("/{genesis}/{fork_id}"),
			None => format!("/{genesis}"),
		};
		Self { prefix }
	}

	/// The validation peer set.
	pub fn validation(&self) -> ProtocolName {
		format!("{}/validation/3", self.prefix).into()
	}

	/// The collation peer set in one version.
	pub fn collation(&self, version: CollationVersion) -> ProtocolName {
		match version {
			CollationVersion::V1 => "/polkadot/collation/1".into(),
			CollationVersion::V2 => format!("{}/collation/2", self.prefix).into(),
			CollationVersion::V3 => format!("{}/collation/3", self.prefix).into(),
			CollationVersion::V4 => format!("{}/collation/4", self.prefix).into(),
		}
	}

	/// A request protocol.
	pub fn request(&self, protocol: RequestProtocol) -> ProtocolName {
		let name = match protocol {
			RequestProtocol::ChunkV1 => "req_chunk/1",
			RequestProtocol::ChunkV2 => "req_chunk/2",
			RequestProtocol::CollationV1 => "req_collation/1",
			RequestProtocol::CollationV2 => "req_collation/2",
			RequestProtocol::CollationV3 => "req_collation/3",
			RequestProtocol::PoV => "req_pov/1",
			RequestProtocol::AvailableData => "req_available_data/1",
			RequestProtocol::AttestedCandidate => "req_attested_candidate/2",
		};
		format!("{}/{name}", self.prefix).into()
	}

	/// The name of a request protocol from before genesis prefixes.
	pub fn legacy_request(protocol: RequestProtocol) -> Option<ProtocolName> {
		match protocol {
			RequestProtocol::ChunkV1 => Some("/polkadot/req_chunk/1".into()),
			RequestProtocol::CollationV1 => Some("/polkadot/req_collation/1".into()),
			RequestProtocol::PoV => Some("/polkadot/req_pov/1".into()),
			RequestProtocol::AvailableData => Some("/polkadot/req_available_data/1".into()),
			_ => None,
		}
	}

	/// Limits of a request protocol.
	pub fn limits(protocol: RequestProtocol) -> RequestLimits {
		let (response_size_max, timeout_ms, queue_len_max) = match protocol {
			RequestProtocol::ChunkV1 | RequestProtocol::ChunkV2 => (RESPONSE_SIZE_MAX, 1000, 100),
			RequestProtocol::CollationV1 | RequestProtocol::CollationV2 | RequestProtocol::CollationV3 => {
				(RESPONSE_SIZE_MAX, 2000, 10)
			},
			RequestProtocol::PoV => (RESPONSE_SIZE_MAX, 2000, 10),
			RequestProtocol::AvailableData => (RESPONSE_SIZE_MAX, 2000, 100),
			RequestProtocol::AttestedCandidate => (ATTESTED_CANDIDATE_RESPONSE_SIZE_MAX, 2500, 5),
		};
		RequestLimits { response_size_max, timeout: Duration::from_millis(timeout_ms), queue_len_max }
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn request_protocols_have_the_names_and_limits_of_the_specification() {
		const MIB: u64 = 1024 * 1024;
		let names = ProtocolNames::new(Hash::zero(), None);
		let cases = [
			(RequestProtocol::ChunkV1, "req_chunk/1", true, 16, 1_000, 100),
			(RequestProtocol::ChunkV2, "req_chunk/2", false, 16, 1_000, 100),
			(RequestProtocol::CollationV1, "req_collation/1", true, 16, 2_000, 10),
			(RequestProtocol::CollationV2, "req_collation/2", false, 16, 2_000, 10),
			(RequestProtocol::CollationV3, "req_collation/3", false, 16, 2_000, 10),
			(RequestProtocol::PoV, "req_pov/1", true, 16, 2_000, 10),
			(RequestProtocol::AvailableData, "req_available_data/1", true, 16, 2_000, 100),
			(RequestProtocol::AttestedCandidate, "req_attested_candidate/2", false, 8, 2_500, 5),
		];
		assert_eq!(cases.map(|case| case.0), RequestProtocol::ALL);
		for (protocol, name, has_legacy_name, response_mib, timeout_ms, queue) in cases {
			assert_eq!(names.request(protocol).to_string(), format!("/{}/{name}", "0".repeat(64)));
			let legacy = ProtocolNames::legacy_request(protocol).map(|name| name.to_string());
			assert_eq!(legacy, has_legacy_name.then(|| format!("/polkadot/{name}")));
			let RequestLimits { response_size_max, timeout, queue_len_max } = ProtocolNames::limits(protocol);
			assert_eq!(
				(response_size_max, timeout, queue_len_max),
				(response_mib * MIB, Duration::from_millis(timeout_ms), queue)
			);
		}
	}

	#[test]
	fn names_carry_genesis_and_fork_id() {
		let genesis = Hash::repeat_byte(0xab);
		let prefix = format!("/{}", "ab".repeat(32));
		let names = ProtocolNames::new(genesis, None);
		assert_eq!(names.validation().to_string(), format!("{prefix}/validation/3"));
		assert_eq!(names.collation(CollationVersion::V1).to_string(), "/polkadot/collation/1");
		assert_eq!(names.request(RequestProtocol::ChunkV2).to_string(), format!("{prefix}/req_chunk/2"));
		let names = ProtocolNames::new(genesis, Some("x"));
		assert_eq!(names.collation(CollationVersion::V3).to_string(), format!("{prefix}/x/collation/3"));
	}
}
