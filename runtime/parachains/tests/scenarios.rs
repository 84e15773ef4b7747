//! Holds `SCENARIOS.md` to its word: every scenario has a row, every row names tests that exist, or a reason.

#[path = "../../../tests/scenarios/table.rs"]
mod table;

use std::{fs, path::PathBuf};
use table::Table;

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
const ELSEWHERE: &[(&str, &str)] = &[("relay::", "../relay/src"), ("e2e::", "../../tests/e2e/tests")];

fn locate(test: &str) -> (Vec<PathBuf>, String) {
	let elsewhere = ELSEWHERE.iter().find_map(|(prefix, folder)| Some((folder, test.strip_prefix(prefix)?)));
	let (folder, path) = elsewhere.unwrap_or((&"src", test));
	(vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)], path.into())
}

#[test]
fn every_scenario_has_a_row_with_tests_that_exist_or_a_reason() {
	let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("SCENARIOS.md");
	Table { file, groups: GROUPS, locate }.hold();
}

#[test]
fn what_is_wrong_with_a_table_is_noticed() {
	fn folder() -> PathBuf {
		PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scenarios")
	}
	fn locate(test: &str) -> (Vec<PathBuf>, String) {
		let (krate, path) = test.split_once(": ").unwrap_or(("", test));
		(["src", "tests"].map(|part| folder().join(krate).join(part)).into(), path.into())
	}
	let write = |path: &str, text: &str| {
		let path = folder().join(path);
		fs::create_dir_all(path.parent().expect("below the folder")).expect("the folder is ours");
		fs::write(path, text).expect("the folder is ours");
	};
	write("one/src/a/b.rs", "mod inner {\n\t#[test]\n\t// Why.\n\tfn rule() {}\n}\nfn none() {}\n");
	write("one/tests/whole.rs", "#[tokio::test(flavor = \"x\")]\nasync fn network() {}\n");
	let problems = |rows: &[&str]| {
		write(
			"TABLE.md",
			&format!("# Title\n\n| Scenario | Tests | Remarks |\n|---|---|---|\n{}\n", rows.join("\n")),
		);
		Table { file: folder().join("TABLE.md"), groups: &[("A", 2), ("B", 1)], locate }.problems()
	};
	let good = [
		"| A-1 | one: a::b::inner::rule, whole::network | |",
		"| A-02 | — | cannot be |",
		"| B-1 | one: b::inner::rule | |",
	];
	assert_eq!(problems(&good), Vec::<String>::new());
	for (row, problem) in [
		("", "B-1 has no row"),
		("| B-1 | — | |", "B-1 has neither test nor reason"),
		("| B-1 | one: a::b::rule | |\n| B-1 | — | why |", "B-1 has two rows"),
		("| B-1 | one: a::b::rule | |\n| B-2 | — | why |", "B-2 is no scenario"),
		("| B-1 | one: rule |", "not three columns: | B-1 | one: rule |"),
		("| B-1 | one: a::b::other::rule | |", "B-1: there is no test one: a::b::other::rule"),
		("| B-1 | one: a::b::none | |", "B-1: there is no test one: a::b::none"),
		("| B-1 | two: rule | |", "B-1: there is no test two: rule"),
	] {
		let problems = problems(&[good[0], good[1], row]);
		assert!(problems.iter().any(|found| found == problem), "{row}: {problems:?}");
	}
}
