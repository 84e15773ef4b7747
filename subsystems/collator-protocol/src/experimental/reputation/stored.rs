//! The form in which scores are stored: keys and values of the reference, so that either node reads the
//! other's database.
//!
//! | key | value |
//! |---|---|
//! | `Rep_per_para` and the para, big-endian | list of peer id (bytes), score (u16), time of the last bump (u128, ms) |
//! | `Rep_meta` | option of the height up to which blocks were processed (u32) |
//! | `Rep_paralist` | list of the paras |

use codec::{DecodeAll, Encode};
use headway_machine::{Column, PeerId, StorageKey, Timestamp, WriteOp};
use headway_primitives::{BlockNumber, ParaId};
use std::collections::BTreeSet;

const PER_PARA: &[u8] = b"Rep_per_para";
const META: &[u8] = b"Rep_meta";
const LIST: &[u8] = b"Rep_paralist";
/// Bytes of a peer id, at most.
const PEER_ID_MAX: usize = 64;

/// Why something that is stored cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
	/// The key is none of ours.
	#[error("stored scores of collators have an unknown key of {0} bytes")]
	UnknownKey(usize),
	/// The scores of a para do not decode.
	#[error("stored scores of collators of para {0:?} do not decode")]
	Para(ParaId),
	/// The height does not decode.
	#[error("stored height of the scores of collators does not decode")]
	Height,
	/// The list of paras does not decode.
	#[error("stored list of paras with scores does not decode")]
	List,
}

/// What stands under a key.
pub(super) enum Entry {
	Para(ParaId, Vec<(PeerId, u16, Timestamp)>),
	Height(Option<BlockNumber>),
	/// The list of paras, which the keys of the others say as well.
	List,
}

pub(super) fn read(key: &[u8], mut value: &[u8]) -> Result<Entry, LoadError> {
	if key == META {
		return Option::decode_all(&mut value).map(Entry::Height).map_err(|_| LoadError::Height);
	}
	if key == LIST {
		return Vec::<ParaId>::decode_all(&mut value).map(|_| Entry::List).map_err(|_| LoadError::List);
	}
	let para = key.strip_prefix(PER_PARA).and_then(|para| <[u8; 4]>::try_from(para).ok());
	let para = ParaId(u32::from_be_bytes(para.ok_or(LoadError::UnknownKey(key.len()))?));
	let of_para = Vec::<(Vec<u8>, (u16, u128))>::decode_all(&mut value).map_err(|_| LoadError::Para(para))?;
	let of_para = of_para.into_iter().map(|(peer, (score, bumped_ms))| {
		let bumped_ms = u64::try_from(bumped_ms).ok().filter(|_| peer.len() <= PEER_ID_MAX)?;
		Some((PeerId::from_bytes(&peer), score, Timestamp::from_unix_ms(bumped_ms)))
	});
	Ok(Entry::Para(para, of_para.collect::<Option<_>>().ok_or(LoadError::Para(para))?))
}

fn key(key: Vec<u8>) -> StorageKey {
	StorageKey { column: Column::Scores, key }
}

fn key_of(para: ParaId) -> StorageKey {
	key([PER_PARA, &para.0.to_be_bytes()].concat())
}

pub(super) fn para<'a>(para: ParaId, scores: impl Iterator<Item = (&'a PeerId, u16, Timestamp)>) -> WriteOp {
	let scores = scores.map(|(peer, score, since)| (peer.as_bytes(), (score, u128::from(since.unix_ms))));
	WriteOp::Put { key: key_of(para), value: scores.collect::<Vec<_>>().encode() }
}

pub(super) fn no_para(para: ParaId) -> WriteOp {
	WriteOp::Delete { key: key_of(para) }
}

pub(super) fn height(height: Option<BlockNumber>) -> WriteOp {
	WriteOp::Put { key: key(META.to_vec()), value: height.encode() }
}

pub(super) fn list(paras: &BTreeSet<ParaId>) -> WriteOp {
	WriteOp::Put { key: key(LIST.to_vec()), value: paras.iter().collect::<Vec<_>>().encode() }
}
