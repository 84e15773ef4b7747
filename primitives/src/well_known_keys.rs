//! Storage keys that parachains and tools read by Merkle proof (runtime §1.5).
//!
//! They follow from pallet and item names; the runtime's integrity test computes them from its metadata and compares.

use crate::ParaId;
use alloc::vec::Vec;
use codec::Encode;

macro_rules! keys {
	($($(#[$doc:meta])* $name:ident = $hex:literal;)*) => { $(
		$(#[$doc])*
		pub const $name: &[u8] = &hex_literal($hex);
	)* };
}

/// Decodes a hex literal of 32 bytes at compile time.
const fn hex_literal(hex: &str) -> [u8; 32] {
	const fn nibble(c: u8) -> u8 {
		match c {
			b'0'..=b'9' => c - b'0',
			b'a'..=b'f' => c - b'a' + 10,
			_ => panic!("not a lower case hex digit"),
		}
	}
	let hex = hex.as_bytes();
	assert!(hex.len() == 64);
	let mut bytes = [0; 32];
	let mut i = 0;
	while i < 32 {
		bytes[i] = nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]);
		i += 1;
	}
	bytes
}

keys! {
	/// `Babe.EpochIndex`: u64.
	EPOCH_INDEX = "1cb6f36e027abb2091cfb5110ab5087f38316cbf8fa0da822a20ac1c55bf1be3";
	/// `Babe.AuthorVrfRandomness`: optional 32 bytes.
	CURRENT_BLOCK_RANDOMNESS = "1cb6f36e027abb2091cfb5110ab5087fd077dfdb8adb10f78f10a5df8742c545";
	/// `Babe.NextRandomness`: 32 bytes.
	ONE_EPOCH_AGO_RANDOMNESS = "1cb6f36e027abb2091cfb5110ab5087f7ce678799d3eff024253b90e84927cc6";
	/// `Babe.Randomness`: 32 bytes.
	TWO_EPOCHS_AGO_RANDOMNESS = "1cb6f36e027abb2091cfb5110ab5087f7a414cb008e0e61e46722aa60abdd672";
	/// `Babe.CurrentSlot`: u64.
	CURRENT_SLOT = "1cb6f36e027abb2091cfb5110ab5087f06155b3cd9a8c9e5e9a23fd5dc13a5ed";
	/// `Babe.Authorities`.
	AUTHORITIES = "1cb6f36e027abb2091cfb5110ab5087f5e0621c4869aa60c02be9adcc98a0d1d";
	/// `Babe.NextAuthorities`.
	NEXT_AUTHORITIES = "1cb6f36e027abb2091cfb5110ab5087faacf00b9b41fda7a9268821c2a2b3e4c";
	/// `Configuration.ActiveConfig`: a prefix of it decodes as [`crate::AbridgedHostConfiguration`].
	ACTIVE_CONFIG = "06de3d8a54d27e44a9d5ce189618f22db4b49d95320d9021994c850f25b8e385";
	/// Prefix of `Paras.Heads`.
	PARAS_HEADS = "cd710b30bd2eab0352ddcc26417aa1941b3c252fcb29d88eff4f3de5de4476c3";
	/// Prefix of `Paras.UpgradeGoAheadSignal`.
	PARAS_UPGRADE_GO_AHEAD_SIGNAL = "cd710b30bd2eab0352ddcc26417aa1949e94c040f5e73d9b7addd6cb603d15d3";
	/// Prefix of `Paras.UpgradeRestrictionSignal`.
	PARAS_UPGRADE_RESTRICTION_SIGNAL = "cd710b30bd2eab0352ddcc26417aa194f27bbb460270642b5bcaf032ea04d56a";
	/// Prefix of `Dmp.DownwardMessageQueueHeads`.
	DMP_QUEUE_HEADS = "63f78c98723ddc9073523ef3beefda0c4d7fefc408aac59dbfe80a72ac8e3ce5";
	/// Prefix of `Hrmp.HrmpIngressChannelsIndex`.
	HRMP_INGRESS_CHANNELS_INDEX = "6a0da05ca59913bc38a8630590f2627c1d3719f5b0b12c7105c073c507445948";
	/// Prefix of `Hrmp.HrmpEgressChannelsIndex`.
	HRMP_EGRESS_CHANNELS_INDEX = "6a0da05ca59913bc38a8630590f2627cf12b746dcf32e843354583c9702cc020";
	/// Prefix of `Hrmp.HrmpChannels`, keyed by sender and recipient.
	HRMP_CHANNELS = "6a0da05ca59913bc38a8630590f2627cb6604cff828a6e3f579ca6c59ace013d";
	/// Prefix of the queue size of the retired pallet `Ump`, kept for old parachains.
	RELAY_DISPATCH_QUEUE_SIZE = "f5207f03cfdce586301014700e2c2593fad157e461d71fd4c1f936839a5f1f3e";
	/// `ParaScheduler.CoreDescriptors`: tools rewrite it in raw genesis storage.
	SCHEDULER_CORE_DESCRIPTORS = "94eadf0156a8ad5156507773d0471e4a04e6ac775a3245623103ffec2cb2c92f";
	/// `ParaScheduler.ValidatorGroups`: tools rewrite it in raw genesis storage.
	SCHEDULER_VALIDATOR_GROUPS = "94eadf0156a8ad5156507773d0471e4a16973e1142f5bd30d9464076794007db";
	/// Prefix of `ParaSessionInfo.Sessions`, Identity hasher.
	SESSION_INFO_SESSIONS = "4da2c41eaffa8e1a791c5d65beeefd1f028685274e698e781f7f2766cba0cc83";
}

fn twox64_concat(prefix: &[u8], key: &impl Encode) -> Vec<u8> {
	let key = key.encode();
	let mut full = prefix.to_vec();
	full.extend_from_slice(&sp_crypto_hashing::twox_64(&key));
	full.extend_from_slice(&key);
	full
}

/// Key of `Paras.Heads` for a para.
pub fn para_head(para: ParaId) -> Vec<u8> {
	twox64_concat(PARAS_HEADS, &para)
}

/// Key of `Paras.UpgradeGoAheadSignal` for a para.
pub fn upgrade_go_ahead_signal(para: ParaId) -> Vec<u8> {
	twox64_concat(PARAS_UPGRADE_GO_AHEAD_SIGNAL, &para)
}

/// Key of `Paras.UpgradeRestrictionSignal` for a para.
pub fn upgrade_restriction_signal(para: ParaId) -> Vec<u8> {
	twox64_concat(PARAS_UPGRADE_RESTRICTION_SIGNAL, &para)
}

/// Key of `Dmp.DownwardMessageQueueHeads` for a para.
pub fn dmq_mqc_head(para: ParaId) -> Vec<u8> {
	twox64_concat(DMP_QUEUE_HEADS, &para)
}

/// Key of `Hrmp.HrmpIngressChannelsIndex` for a para.
pub fn hrmp_ingress_channel_index(para: ParaId) -> Vec<u8> {
	twox64_concat(HRMP_INGRESS_CHANNELS_INDEX, &para)
}

/// Key of `Hrmp.HrmpEgressChannelsIndex` for a para.
pub fn hrmp_egress_channel_index(para: ParaId) -> Vec<u8> {
	twox64_concat(HRMP_EGRESS_CHANNELS_INDEX, &para)
}

/// Key of `Hrmp.HrmpChannels` for a channel.
pub fn hrmp_channel(sender: ParaId, recipient: ParaId) -> Vec<u8> {
	twox64_concat(HRMP_CHANNELS, &(sender, recipient))
}

/// Raw key of the legacy queue size of a para: (count, bytes), u32 each.
pub fn relay_dispatch_queue_size(para: ParaId) -> Vec<u8> {
	twox64_concat(RELAY_DISPATCH_QUEUE_SIZE, &para)
}

/// Raw key of what still fits in a para's upward queue: (count, bytes), u32 each.
pub fn relay_dispatch_queue_remaining_capacity(para: ParaId) -> Vec<u8> {
	let mut key = b":relay_dispatch_queue_remaining_capacity".to_vec();
	para.encode_to(&mut key);
	key
}
