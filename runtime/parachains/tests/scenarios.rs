//! Holds `SCENARIOS.md` to its word: every scenario has a row, every row names tests that exist, or a reason.

use std::{
	collections::BTreeMap,
	fs,
	path::{Path, PathBuf},
};

/// Scenarios of the specification: group, and how many it has.
const GROUPS: &[(&str, u32)] = &[
	("CFG", 17),
	("SHR", 11),
	("INI", 6),
	("PAR", 33),
	("REG", 5),
	("SUD", 2),
	("SCH", 19),
	("ODM", 10),
	("INC", 26),
	("PIN", 34),
	("DIS", 11),
	("SLA", 6),
	("SES", 3),
	("DMP", 6),
	("HRM", 15),
	("UMP", 2),
	("API", 6),
	("GEN", 4),
	("COR", 11),
	("E2E", 6),
];

/// Where the tests are whose path begins so; all others are in this crate's `src`.
const ELSEWHERE: &[(&str, &str)] = &[("relay", "../relay/src"), ("e2e", "../../tests/e2e/tests")];

struct Row {
	tests: Vec<String>,
	remark: String,
}

fn root() -> PathBuf {
	PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rows() -> BTreeMap<String, Row> {
	let table = fs::read_to_string(root().join("SCENARIOS.md")).expect("the table is beside Cargo.toml");
	let mut rows = BTreeMap::new();
	for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Scenario")) {
		let cells: Vec<_> = line.split('|').map(str::trim).collect();
		let [_, id, tests, remark, _] = cells[..] else { panic!("not three columns: {line}") };
		let tests = tests.split(", ").filter(|test| *test != "—").map(String::from).collect();
		let row = Row { tests, remark: remark.into() };
		assert!(rows.insert(id.to_owned(), row).is_none(), "{id} has two rows");
	}
	rows
}

/// Source files below a folder, each with the path of its module.
fn modules(folder: &Path) -> Vec<(Vec<String>, String)> {
	let mut found = Vec::new();
	let mut folders = vec![folder.to_owned()];
	while let Some(next) = folders.pop() {
		for entry in fs::read_dir(&next).expect("sources are readable") {
			let path = entry.expect("sources are readable").path();
			if path.is_dir() {
				folders.push(path);
			} else if path.extension().is_some_and(|extension| extension == "rs") {
				let below = path.strip_prefix(folder).expect("it was found there").with_extension("");
				let mut module: Vec<_> =
					below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
				if module.last().is_some_and(|last| last == "mod" || last == "lib") {
					module.pop();
				}
				found.push((module, fs::read_to_string(&path).expect("sources are readable")));
			}
		}
	}
	found
}

/// Whether the text has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
	let function = format!("fn {name}(");
	let mut lines = source.lines().map(str::trim);
	let mut attributed = false;
	lines.any(|line| {
		let is_it = line.contains(&function);
		let found = is_it && attributed;
		match line {
			line if line.starts_with("#[test]") || line.starts_with("#[tokio::test") => attributed = true,
			// Between the attribute and the function there may be others, and comments.
			line if line.starts_with("#[") || line.starts_with("//") => {},
			_ => attributed = false,
		}
		found
	})
}

fn exists(test: &str, sources: &BTreeMap<&str, Vec<(Vec<String>, String)>>) -> bool {
	let mut segments: Vec<_> = test.split("::").collect();
	let elsewhere = ELSEWHERE.iter().find(|(prefix, _)| segments.first() == Some(prefix));
	let folder = elsewhere.map_or("src", |(_, folder)| *folder);
	if elsewhere.is_some() {
		segments.remove(0);
	}
	let Some(name) = segments.pop() else { return false };
	sources[folder].iter().any(|(module, source)| {
		let Some(inner) = segments.get(module.len()..) else { return false };
		module.iter().zip(&segments).all(|(a, b)| a == b)
			&& inner.iter().all(|part| source.contains(&format!("mod {part} {{")))
			&& has_test(source, name)
	})
}

#[test]
fn every_scenario_has_a_row_with_tests_that_exist_or_a_reason() {
	let rows = rows();
	let expected: Vec<_> =
		GROUPS.iter().flat_map(|(group, n)| (1..=*n).map(move |i| format!("{group}-{i}"))).collect();
	let mut wrong: Vec<_> =
		expected.iter().filter(|id| !rows.contains_key(*id)).map(|id| format!("{id} has no row")).collect();
	wrong.extend(rows.keys().filter(|id| !expected.contains(id)).map(|id| format!("{id} is no scenario")));

	let folders = ELSEWHERE.iter().map(|(_, folder)| *folder).chain(["src"]);
	let sources = folders.map(|folder| (folder, modules(&root().join(folder)))).collect();
	for (id, row) in &rows {
		if row.tests.is_empty() && row.remark.is_empty() {
			wrong.push(format!("{id} has neither test nor reason"));
		}
		let missing = row.tests.iter().filter(|test| !exists(test, &sources));
		wrong.extend(missing.map(|test| format!("{id}: there is no test {test}")));
	}
	let tested = rows.values().filter(|row| !row.tests.is_empty()).count();
	println!("{tested} of {} scenarios have tests", expected.len());
	assert!(wrong.is_empty(), "SCENARIOS.md:\n{}", wrong.join("\n"));
}
