//! The version file.

use crate::Error;
use std::{
	fs,
	io::{ErrorKind, Write},
	path::Path,
};

/// The only version that this software reads and writes.
///
/// It is the version of the layout: which columns there are, and what they hold. Another kind of key in a column, one that
/// all other software of this version passes over, is no other layout: votes in backing and signed bitfields came so.
pub const VERSION: u32 = 6;
/// Name of the file that holds the version, in the database's directory: a decimal number.
pub const VERSION_FILE: &str = "parachain_db_version";

/// Longest part of a broken version file that an error repeats, characters.
const CONTENT_MAX: usize = 64;

/// Refuses databases of other versions. A missing file is fine.
pub(crate) fn check(directory: &Path) -> Result<(), Error> {
	let path = directory.join(VERSION_FILE);
	let content = match fs::read(&path) {
		Ok(content) => String::from_utf8_lossy(&content).into_owned(),
		Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
		Err(error) => return Err(Error::Io { path, error }),
	};
	match content.trim().parse() {
		Ok(VERSION) => Ok(()),
		Ok(found) => Err(Error::UnknownVersion { path: directory.to_owned(), found }),
		Err(_) => {
			let content = content.chars().take(CONTENT_MAX).collect();
			Err(Error::UnreadableVersion { path, content })
		},
	}
}

/// Writes the file, if it is not there: first under another name, so that a crash leaves no half of it.
pub(crate) fn write(directory: &Path) -> Result<(), Error> {
	let path = directory.join(VERSION_FILE);
	if path.exists() {
		return Ok(());
	}
	let temporary = directory.join(format!("{VERSION_FILE}.new"));
	let written = fs::File::create(&temporary).and_then(|mut file| {
		file.write_all(VERSION.to_string().as_bytes())?;
		file.sync_all()?;
		fs::rename(&temporary, &path)
	});
	written.map_err(|error| Error::Io { path, error })
}
