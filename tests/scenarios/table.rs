//! Tables of scenarios: which tests cover a scenario of a specification, or why none does.
//!
//! A table has three columns: the scenario; its tests, separated by `, `, or a dash; a remark, which is the reason where there is
//! no test. What is checked: every scenario has exactly one row, and every test that is named exists.
//!
//! This file is a module of those tests that hold a table to its word. It knows no table.

use std::{
	collections::{BTreeMap, BTreeSet},
	fs,
	path::{Path, PathBuf},
};

/// A source file: path of its module, and its text.
type Source = (Vec<String>, String);

/// A table, and what is needed to check it.
pub(crate) struct Table<'a> {
	/// The file.
	pub(crate) file: PathBuf,
	/// Scenarios of the specification: group, and how many it has.
	pub(crate) groups: &'a [(&'a str, u32)],
	/// Folders in which a test's sources are (those that are not there count as empty), and the test's path in them.
	///
	/// Tests are written `folder: path` or `path`; without a folder, that of the test before in the same row is added first.
	pub(crate) locate: fn(&str) -> (Vec<PathBuf>, String),
}

struct Row {
	tests: Vec<String>,
	has_remark: bool,
}

impl Table<'_> {
	/// Panics with everything that is wrong.
	pub(crate) fn hold(&self) {
		let problems = self.problems();
		assert!(problems.is_empty(), "{}:\n{}", self.file.display(), problems.join("\n"));
	}

	/// Everything that is wrong.
	pub(crate) fn problems(&self) -> Vec<String> {
		let (rows, mut wrong) = self.rows();
		let scenarios = |(group, n): &(&str, u32)| {
			let group = group.to_string();
			(1..=*n).map(move |i| format!("{group}-{i}"))
		};
		let expected: BTreeSet<_> = self.groups.iter().flat_map(scenarios).collect();
		wrong.extend(
			expected.iter().filter(|id| !rows.contains_key(*id)).map(|id| format!("{id} has no row")),
		);
		wrong.extend(
			rows.keys().filter(|id| !expected.contains(*id)).map(|id| format!("{id} is no scenario")),
		);

		let mut sources = BTreeMap::new();
		for (id, row) in &rows {
			if row.tests.is_empty() && !row.has_remark {
				wrong.push(format!("{id} has neither test nor reason"));
			}
			for test in &row.tests {
				let (folders, path) = (self.locate)(test);
				let exists = folders.into_iter().any(|folder| {
					let found = sources.entry(folder).or_insert_with_key(|folder| modules(folder));
					found.iter().any(|source| is_in(&path, source))
				});
				if !exists {
					wrong.push(format!("{id}: there is no test {test}"));
				}
			}
		}
		let tested = rows.values().filter(|row| !row.tests.is_empty()).count();
		println!("{tested} of {} scenarios have tests", expected.len());
		wrong
	}

	/// Rows by scenario, and what cannot be read.
	fn rows(&self) -> (BTreeMap<String, Row>, Vec<String>) {
		let text = fs::read_to_string(&self.file).unwrap_or_default();
		let (mut rows, mut wrong) = (BTreeMap::new(), Vec::new());
		for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Scenario")) {
			let cells: Vec<_> = line.split('|').map(str::trim).collect();
			let [_, id, tests, remark, _] = cells[..] else {
				wrong.push(format!("not three columns: {line}"));
				continue;
			};
			let row = Row { tests: with_folders(tests), has_remark: !remark.is_empty() };
			if rows.insert(unpadded(id), row).is_some() {
				wrong.push(format!("{id} has two rows"));
			}
		}
		(rows, wrong)
	}
}

/// Specifications write `BK-01` where tables may write `BK-1`.
fn unpadded(id: &str) -> String {
	let number = id.split_once('-').and_then(|(group, number)| Some((group, number.parse::<u32>().ok()?)));
	number.map_or(id.into(), |(group, number)| format!("{group}-{number}"))
}

fn with_folders(cell: &str) -> Vec<String> {
	let mut folder = String::new();
	let mut tests = Vec::new();
	for test in cell.split(',').map(str::trim).filter(|test| !matches!(*test, "—" | "")) {
		match test.split_once(": ") {
			Some((named, _)) => {
				folder = format!("{named}: ");
				tests.push(test.to_string());
			},
			None => tests.push(format!("{folder}{test}")),
		}
	}
	tests
}

/// Source files below a folder.
fn modules(folder: &Path) -> Vec<Source> {
	let mut found = Vec::new();
	let mut folders = vec![folder.to_owned()];
	while let Some(next) = folders.pop() {
		for entry in fs::read_dir(&next).into_iter().flatten() {
			let path = entry.expect("sources are readable").path();
			if path.is_dir() {
				folders.push(path);
			} else if path.extension().is_some_and(|extension| extension == "rs") {
				let below = path.strip_prefix(folder).expect("it was found there").with_extension("");
				let mut module: Vec<_> =
					below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
				if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
					module.pop();
				}
				found.push((module, fs::read_to_string(&path).expect("sources are readable")));
			}
		}
	}
	found
}

/// Whether a source has the test. Its path is written as cargo's filter takes it: in full, or the end of it.
fn is_in(test: &str, (module, source): &Source) -> bool {
	let mut segments: Vec<_> = test.split("::").collect();
	let Some(name) = segments.pop() else { return false };
	let fits = |n: usize| {
		let (outer, inner) = segments.split_at(n);
		module.ends_with(&outer.iter().map(|part| part.to_string()).collect::<Vec<_>>())
			&& inner.iter().all(|part| source.contains(&format!("mod {part} {{")))
	};
	(0..=segments.len()).any(fits) && has_test(source, name)
}

/// Whether the text has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
	let function = format!("fn {name}(");
	let mut attributed = false;
	source.lines().map(str::trim).any(|line| {
		let found = attributed && line.contains(&function);
		match line {
			line if line.starts_with("#[test]") || line.starts_with("#[tokio::test") => attributed = true,
			// Between the attribute and the function there may be others, and comments.
			line if line.starts_with("#[") || line.starts_with("//") => {},
			_ => attributed = false,
		}
		found
	})
}
