//! Compiled code on disk: who is it for, how long does it stay (availability, approval, disputes §4.4).
//!
//! Artifacts never survive the node: they are native code that will be executed, and what lies on a disk while nobody watches
//! cannot be trusted. The folder is emptied at start; the hash of each artifact is kept in memory only, and compared each time it is
//! loaded.
//!
//! # Bounds
//!
//! On disk, [`CACHE_BYTES_MAX`] as long as what exceeds it has not been used for [`UNUSED_MIN`]. In memory, one entry per
//! code that was prepared or failed to within that time; codes are on chain, and bringing one there costs a deposit.

use crate::{engine, error::PrepareError};
use headway_primitives::{ExecutorParams, ValidationCodeHash};
use std::{
	collections::HashMap,
	fs, io,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// Size of all artifacts, bytes, above which unused ones go.
pub const CACHE_BYTES_MAX: u64 = 10 << 30;
/// How long an artifact stays unused at least before it goes.
pub const UNUSED_MIN: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a preparation that failed by chance is tried.
pub const PREPARATIONS_MAX: u32 = 5;

/// File name extension of artifacts.
const EXTENSION: &str = "pvf";
/// File name extension of artifacts that are being written.
const EXTENSION_UNFINISHED: &str = "tmp";

/// Which code, compiled in which way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ArtifactId {
	/// The code.
	pub code_hash: ValidationCodeHash,
	/// Hash of what matters of the environment.
	pub preparation_hash: [u8; 32],
}

impl ArtifactId {
	/// For the code in this environment.
	pub fn new(code_hash: ValidationCodeHash, params: &ExecutorParams) -> Self {
		Self { code_hash, preparation_hash: engine::preparation_hash(params) }
	}

	/// Where its artifact is, in `folder`.
	pub(crate) fn path(&self, folder: &Path, node_version: &str) -> PathBuf {
		use codec::Encode;
		let key = (self.code_hash, self.preparation_hash, engine::ENGINE, node_version).encode();
		let name = sp_crypto_hashing::blake2_256(&key).map(|byte| format!("{byte:02x}")).concat();
		folder.join(name).with_extension(EXTENSION)
	}
}

/// A compiled code, on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
	/// Its file.
	pub path: PathBuf,
	/// TwoX-256 of the file.
	pub checksum: [u8; 32],
	/// Size of the file, bytes.
	pub size: u64,
}

/// Where one preparation's outcome appears.
pub(crate) type Outcome = watch::Receiver<Option<Result<Artifact, PrepareError>>>;

enum State {
	Preparing { outcome: Outcome, failures: u32 },
	Prepared { artifact: Artifact, last_used: Instant },
	Failed { error: PrepareError, at: Instant, failures: u32 },
}

/// What is known of artifacts.
pub(crate) struct Artifacts {
	states: HashMap<ArtifactId, State>,
	retry_after: Duration,
}

/// What to do for somebody who wants an artifact.
pub(crate) enum Lookup {
	/// Use it.
	Ready(Artifact),
	/// Wait for it.
	Wait(Outcome),
	/// It failed before.
	Failed(PrepareError),
	/// Prepare it, and publish the outcome there.
	Prepare(watch::Sender<Option<Result<Artifact, PrepareError>>>, Outcome),
}

impl Artifacts {
	pub(crate) fn new(retry_after: Duration) -> Self {
		Self { states: HashMap::new(), retry_after }
	}

	/// Looks for an artifact. With `retry`, a preparation that failed by chance is done again after a while.
	pub(crate) fn look_up(&mut self, id: ArtifactId, now: Instant, retry: bool) -> Lookup {
		let failures = match self.states.get_mut(&id) {
			Some(State::Preparing { outcome, .. }) => return Lookup::Wait(outcome.clone()),
			Some(State::Prepared { artifact, last_used }) if artifact.path.exists() => {
				*last_used = now;
				return Lookup::Ready(artifact.clone());
			},
			Some(State::Failed { error, at, failures }) => {
				let again = retry
					&& !error.is_deterministic()
					&& *failures < PREPARATIONS_MAX
					&& now.saturating_duration_since(*at) >= self.retry_after;
				if !again {
					return Lookup::Failed(error.clone());
				}
				*failures
			},
			Some(State::Prepared { .. }) | None => 0,
		};
		let (sender, outcome) = watch::channel(None);
		self.states.insert(id, State::Preparing { outcome: outcome.clone(), failures });
		Lookup::Prepare(sender, outcome)
	}

	/// A preparation ended. Answers the files to delete.
	pub(crate) fn concluded(
		&mut self,
		id: ArtifactId,
		now: Instant,
		result: &Result<Artifact, PrepareError>,
	) -> Vec<PathBuf> {
		let failures = match self.states.get(&id) {
			Some(State::Preparing { failures, .. }) => *failures,
			_ => 0,
		};
		let state = match result {
			Ok(artifact) => State::Prepared { artifact: artifact.clone(), last_used: now },
			Err(error) => State::Failed { error: error.clone(), at: now, failures: failures + 1 },
		};
		self.states.insert(id, state);
		self.prune(now, CACHE_BYTES_MAX)
	}

	/// Forgets an artifact that turned out to be broken, unless it was replaced meanwhile.
	pub(crate) fn forget(&mut self, id: ArtifactId, broken: &Artifact) {
		if matches!(self.states.get(&id), Some(State::Prepared { artifact, .. }) if artifact == broken) {
			self.states.remove(&id);
		}
	}

	/// Forgets what was unused for long: failures, and the oldest artifacts as far as all are too large. Answers the files.
	fn prune(&mut self, now: Instant, bytes_max: u64) -> Vec<PathBuf> {
		self.states.retain(|_, state| match state {
			State::Failed { at, .. } => now.saturating_duration_since(*at) < UNUSED_MIN,
			_ => true,
		});
		let mut total = 0u64;
		let mut by_age = Vec::new();
		for (id, state) in &self.states {
			if let State::Prepared { artifact, last_used } = state {
				total += artifact.size;
				by_age.push((*last_used, *id, artifact.size));
			}
		}
		by_age.sort_by_key(|(last_used, ..)| *last_used);
		let mut files = Vec::new();
		for (last_used, id, size) in by_age {
			if total <= bytes_max || now.saturating_duration_since(last_used) < UNUSED_MIN {
				break;
			}
			total -= size;
			if let Some(State::Prepared { artifact, .. }) = self.states.remove(&id) {
				files.push(artifact.path);
			}
		}
		files
	}
}

/// Makes the folder, and empties it of earlier artifacts.
pub(crate) fn prepare_folder(folder: &Path) -> io::Result<()> {
	fs::create_dir_all(folder)?;
	for entry in fs::read_dir(folder)? {
		let path = entry?.path();
		let extension = path.extension().and_then(|extension| extension.to_str());
		if matches!(extension, Some(EXTENSION | EXTENSION_UNFINISHED)) {
			fs::remove_file(path)?;
		}
	}
	Ok(())
}

/// The name under which an artifact is written before it is complete.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
	path.with_extension(EXTENSION_UNFINISHED)
}

#[cfg(test)]
mod tests {
	use super::*;

	fn id(n: u8) -> ArtifactId {
		ArtifactId::new(
			ValidationCodeHash::from(headway_primitives::Hash::repeat_byte(n)),
			&ExecutorParams::default(),
		)
	}

	fn artifact(folder: &Path, n: u8, size: u64) -> Artifact {
		let path = id(n).path(folder, "1");
		fs::write(&path, []).unwrap();
		Artifact { path, checksum: [n; 32], size }
	}

	/// V3, V4
	#[test]
	fn failures_by_chance_are_tried_again_after_a_while_and_not_for_ever() {
		let minute = Duration::from_secs(60);
		let (start, mut artifacts) = (Instant::now(), Artifacts::new(15 * minute));
		let mut now = start;
		for _ in 0..PREPARATIONS_MAX {
			assert!(matches!(artifacts.look_up(id(1), now, true), Lookup::Prepare(..)));
			assert!(matches!(artifacts.look_up(id(1), now, true), Lookup::Wait(_)));
			artifacts.concluded(id(1), now, &Err(PrepareError::TimedOut));
			assert!(matches!(
				artifacts.look_up(id(1), now + 14 * minute, true),
				Lookup::Failed(PrepareError::TimedOut)
			));
			now += 15 * minute;
			assert!(matches!(artifacts.look_up(id(1), now, false), Lookup::Failed(_)));
		}
		assert!(matches!(artifacts.look_up(id(1), now, true), Lookup::Failed(_)));

		assert!(matches!(artifacts.look_up(id(2), start, true), Lookup::Prepare(..)));
		artifacts.concluded(id(2), start, &Err(PrepareError::OutOfMemory));
		assert!(matches!(artifacts.look_up(id(2), start + 60 * minute, true), Lookup::Failed(_)));
	}

	/// V6
	#[test]
	fn an_artifact_whose_file_is_gone_is_prepared_again() {
		let folder = tempfile::tempdir().unwrap();
		let (now, mut artifacts) = (Instant::now(), Artifacts::new(Duration::ZERO));
		let prepared = artifact(folder.path(), 1, 1);
		artifacts.concluded(id(1), now, &Ok(prepared.clone()));
		assert!(matches!(artifacts.look_up(id(1), now, true), Lookup::Ready(found) if found == prepared));
		fs::remove_file(prepared.path).unwrap();
		assert!(matches!(artifacts.look_up(id(1), now, true), Lookup::Prepare(..)));
	}

	/// V20
	#[test]
	fn only_what_was_unused_for_long_is_pruned() {
		let folder = tempfile::tempdir().unwrap();
		let (start, mut artifacts) = (Instant::now(), Artifacts::new(Duration::ZERO));
		let old = artifact(folder.path(), 1, 60);
		artifacts.concluded(id(1), start, &Ok(old.clone()));
		artifacts.concluded(id(2), start, &Ok(artifact(folder.path(), 2, 60)));
		let later = start + UNUSED_MIN;
		assert!(matches!(artifacts.look_up(id(2), later, true), Lookup::Ready(_)));
		assert_eq!(artifacts.prune(later, 120), Vec::<PathBuf>::new());
		assert_eq!(artifacts.prune(later, 10), vec![old.path]);
		assert!(matches!(artifacts.look_up(id(2), later, true), Lookup::Ready(_)));
	}

	/// V21
	#[test]
	fn leftovers_are_deleted_at_start() {
		let folder = tempfile::tempdir().unwrap();
		let left = artifact(folder.path(), 1, 1).path;
		fs::write(unfinished(&left), []).unwrap();
		fs::write(folder.path().join("note.txt"), []).unwrap();
		prepare_folder(folder.path()).unwrap();
		let names: Vec<_> =
			fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
		assert_eq!(names, ["note.txt"]);
	}
}
