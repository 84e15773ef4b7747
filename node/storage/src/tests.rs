use super::*;
use std::fs;
use tempfile::{tempdir, TempDir};

fn put(column: Column, key: &[u8], value: &[u8]) -> Write {
	Write::Put { column, key: key.to_vec(), value: value.to_vec() }
}

fn delete(column: Column, key: &[u8]) -> Write {
	Write::Delete { column, key: key.to_vec() }
}

fn fresh() -> (TempDir, Storage) {
	let directory = tempdir().unwrap();
	let storage = Storage::open(directory.path().join("parachains/db")).unwrap();
	(directory, storage)
}

fn keys(storage: &Storage, column: Column, prefix: &[u8]) -> Vec<Vec<u8>> {
	storage.iter_prefix(column, prefix).map(|entry| entry.unwrap().0.into_vec()).collect()
}

#[test]
fn columns_do_not_share_keys() {
	let (_directory, storage) = fresh();
	for (n, column) in (0..).zip(Column::ALL) {
		assert_eq!(storage.get(column, b"key").unwrap(), None);
		storage.write_batch([put(column, b"key", &[n])]).unwrap();
	}
	for (n, column) in (0..).zip(Column::ALL) {
		assert_eq!(storage.get(column, b"key").unwrap(), Some(vec![n]));
		assert_eq!(keys(&storage, column, b""), [b"key"]);
	}
}

#[test]
fn changes_of_a_batch_apply_in_order() {
	let (_directory, storage) = fresh();
	let column = Column::AvailabilityMeta;
	let batch =
		[put(column, b"a", b"1"), put(column, b"b", b"1"), delete(column, b"a"), put(column, b"b", b"2")];
	storage.write_batch(batch).unwrap();
	assert_eq!(storage.get(column, b"a").unwrap(), None);
	assert_eq!(storage.get(column, b"b").unwrap(), Some(b"2".to_vec()));
	storage.write_batch([delete(column, b"nothing")]).unwrap();
	storage.write_batch([]).unwrap();
}

#[test]
fn prefixes_are_iterated_in_order_and_end_where_they_end() {
	let (_directory, storage) = fresh();
	let column = Column::AvailabilityMeta;
	let entries: [&[u8]; 6] = [b"metb", b"meta\x00", b"meta", b"meta\xff\xff", b"prune", b"met"];
	storage.write_batch(entries.map(|key| put(column, key, key))).unwrap();
	assert_eq!(keys(&storage, column, b"meta"), [&b"meta"[..], b"meta\x00", b"meta\xff\xff"]);
	assert_eq!(keys(&storage, column, b"zzz"), Vec::<Vec<u8>>::new());
	assert_eq!(keys(&storage, column, b"").len(), 6);
	let (key, value) = storage.iter_prefix(column, b"prune").next().unwrap().unwrap();
	assert_eq!((&key[..], &value[..]), (&b"prune"[..], &b"prune"[..]));
}

#[test]
fn contents_survive_reopening() {
	let (directory, storage) = fresh();
	let value = vec![7; 3_000_000];
	storage.write_batch([put(Column::AvailabilityData, b"chunk", &value)]).unwrap();
	drop(storage);
	let path = directory.path().join("parachains/db");
	assert_eq!(fs::read_to_string(path.join(VERSION_FILE)).unwrap(), "6");
	let storage = Storage::open(&path).unwrap();
	assert_eq!(storage.get(Column::AvailabilityData, b"chunk").unwrap(), Some(value));
}

#[test]
fn databases_of_other_versions_are_refused_by_name() {
	for version in ["5", "7", "0", "4294967295"] {
		let directory = tempdir().unwrap();
		fs::write(directory.path().join(VERSION_FILE), version).unwrap();
		let error = Storage::open(directory.path()).unwrap_err();
		assert!(
			matches!(&error, Error::UnknownVersion { found, path }
				if found.to_string() == version && path == directory.path()),
			"{error:?}"
		);
		let text = error.to_string();
		assert!(
			text.contains(&format!("has version {version}, but this node reads only version 6")),
			"{text}"
		);
		let files = fs::read_dir(directory.path()).unwrap().count();
		assert_eq!(files, 1, "nothing is touched");
	}
}

#[test]
fn unreadable_version_is_refused() {
	let long = "x".repeat(1_000);
	for content in ["", "six", "-1", "4294967296", "6 7", &long] {
		let directory = tempdir().unwrap();
		fs::write(directory.path().join(VERSION_FILE), content).unwrap();
		match Storage::open(directory.path()) {
			Err(Error::UnreadableVersion { content: shown, .. }) => assert!(shown.len() <= 64),
			other => panic!("{other:?}"),
		}
	}
	let directory = tempdir().unwrap();
	fs::write(directory.path().join(VERSION_FILE), "6\n").unwrap();
	assert!(Storage::open(directory.path()).is_ok(), "a newline does no harm");
}

#[test]
fn missing_version_file_means_the_current_version() {
	let (directory, storage) = fresh();
	storage.write_batch([put(Column::Disputes, b"vote", b"yes")]).unwrap();
	drop(storage);
	let path = directory.path().join("parachains/db");
	fs::remove_file(path.join(VERSION_FILE)).unwrap();
	let storage = Storage::open(&path).unwrap();
	assert_eq!(storage.get(Column::Disputes, b"vote").unwrap(), Some(b"yes".to_vec()));
	assert!(path.join(VERSION_FILE).exists());
}

#[test]
fn database_in_use_and_paths_that_are_no_directory_are_errors() {
	let (directory, _storage) = fresh();
	let error = Storage::open(directory.path().join("parachains/db")).unwrap_err();
	assert!(matches!(error, Error::Open { .. }), "{error:?}");

	let file = directory.path().join("file");
	fs::write(&file, "").unwrap();
	assert!(matches!(Storage::open(&file), Err(Error::Io { .. })));
}

#[test]
fn storage_is_shared_between_threads() {
	let (_directory, storage) = fresh();
	std::thread::scope(|scope| {
		for n in 0..4u8 {
			let storage = &storage;
			scope.spawn(move || storage.write_batch([put(Column::Approval, &[n], &[n])]).unwrap());
		}
	});
	assert_eq!(keys(&storage, Column::Approval, b"").len(), 4);
}
