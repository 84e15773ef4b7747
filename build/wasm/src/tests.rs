//! Tests of the choices; the build itself is exercised by the crates that embed a blob.

use super::*;
use crate::toolchain::{choose, Error as ToolchainError, Std};
use std::collections::{BTreeMap, BTreeSet};

/// A machine as a list of what is on it: `paths` that exist, `outputs` of programs (a program without
/// output does not run), `vars` that are set.
#[derive(Default, Clone)]
struct Fake {
	vars: BTreeMap<String, String>,
	paths: BTreeSet<PathBuf>,
	outputs: BTreeMap<String, String>,
}

impl Machine for Fake {
	fn var(&self, name: &str) -> Option<OsString> {
		self.vars.get(name).map(Into::into)
	}

	fn exists(&self, path: &Path) -> bool {
		self.paths.contains(path)
	}

	fn filled(&self, folder: &Path) -> bool {
		self.paths.iter().any(|path| path.parent() == Some(folder))
	}

	fn output(&self, program: &Path, args: &[&str]) -> Option<String> {
		self.outputs.get(&format!("{} {}", program.display(), args.join(" "))).cloned()
	}
}

const RUSTUP: &str = "/rustup/stable";
const RUSTUP_LLD: &str = "/rustup/stable/lib/rustlib/host-a/bin/rust-lld";

impl Fake {
	/// Rustup's toolchain runs the build script; it has no Wasm target.
	fn rustup() -> Self {
		Self::default()
			.set("CARGO", "/rustup/stable/bin/cargo")
			.set("RUSTC", "/rustup/stable/bin/rustc")
			.toolchain(RUSTUP, "1.95.0")
			.linker(RUSTUP_LLD)
	}

	/// The same, with the distribution's packages beside it.
	fn debian(version: &str) -> Self {
		Self::rustup()
			.toolchain("/usr", version)
			.path("/usr/lib/rustlib/src/rust/library/core/Cargo.toml")
			.linker("wasm-ld-22")
	}

	fn set(mut self, name: &str, value: &str) -> Self {
		self.vars.insert(name.into(), value.into());
		self
	}

	fn path(mut self, path: &str) -> Self {
		self.paths.insert(path.into());
		self
	}

	fn without(mut self, path: &str) -> Self {
		self.paths.remove(Path::new(path));
		self.outputs.retain(|command, _| !command.starts_with(path));
		self
	}

	fn target(self, folder: &str) -> Self {
		self.path(&format!("{folder}/lib/rustlib/wasm32v1-none/lib/libcore.rlib"))
	}

	fn linker(mut self, program: &str) -> Self {
		self.outputs.insert(format!("{program} -flavor wasm --version"), "LLD 22".into());
		self
	}

	fn toolchain(mut self, folder: &str, version: &str) -> Self {
		let rustc = format!("{folder}/bin/rustc");
		self.outputs.insert(format!("{rustc} --print sysroot"), format!("{folder}\n"));
		self.outputs.insert(
			format!("{rustc} -vV"),
			format!("rustc {version}\nhost: host-a\nrelease: {version}\nLLVM version: 22.1.8\n"),
		);
		self.path(&rustc).path(&format!("{folder}/bin/cargo"))
	}

	fn rustup_knows(mut self, name: &str, folder: &str) -> Self {
		self.outputs
			.insert(format!("rustup which --toolchain {name} rustc"), format!("{folder}/bin/rustc\n"));
		self
	}

	/// The choice in one line: the compiler, the standard library, the linker that has to be named.
	fn chosen(&self) -> Result<String, ToolchainError> {
		let chosen = choose(self)?;
		let linker = chosen.linker.unwrap_or_else(|| "-".into());
		Ok(format!("{} {:?} {}", chosen.rustc.display(), chosen.std, linker.display()))
	}
}

#[test]
fn running_toolchain_is_used_if_it_has_the_target() {
	let machine = Fake::debian("1.96.0").target(RUSTUP);
	assert_eq!(machine.chosen().unwrap(), "/rustup/stable/bin/rustc Precompiled -");
	let chosen = choose(&machine).unwrap();
	assert!(chosen.running && chosen.cargo == Path::new("/rustup/stable/bin/cargo"));
}

#[test]
fn distribution_is_used_if_the_running_toolchain_lacks_the_target() {
	let machine = Fake::debian("1.96.0");
	assert_eq!(machine.chosen().unwrap(), "/usr/bin/rustc Source wasm-ld-22");
	assert_eq!(machine.clone().target("/usr").chosen().unwrap(), "/usr/bin/rustc Precompiled wasm-ld-22");
	let undone = machine.path(&format!("{RUSTUP}/lib/rustlib/wasm32v1-none/lib"));
	assert_eq!(undone.chosen().unwrap(), "/usr/bin/rustc Source wasm-ld-22");
}

#[test]
fn distribution_needs_sources_and_a_version_that_knows_the_target() {
	let no_sources = Fake::debian("1.96.0").without("/usr/lib/rustlib/src/rust/library/core/Cargo.toml");
	for machine in [no_sources, Fake::debian("1.83.0"), Fake::rustup()] {
		assert_eq!(machine.chosen(), Err(ToolchainError::NoneFound));
	}
	assert!(ToolchainError::NoneFound.to_string().contains("`make deps`"));
}

#[test]
fn linker_is_the_users_else_the_compilers_own_else_any_that_runs() {
	let machine = Fake::debian("1.96.0");
	let users = machine.clone().set("CARGO_TARGET_WASM32V1_NONE_LINKER", "/opt/lld");
	assert_eq!(users.chosen().unwrap(), "/usr/bin/rustc Source -");
	let own = machine.clone().linker("/usr/lib/rustlib/host-a/bin/rust-lld");
	assert_eq!(own.chosen().unwrap(), "/usr/bin/rustc Source -");
	let rustups = machine.without("wasm-ld-22");
	assert_eq!(rustups.chosen().unwrap(), format!("/usr/bin/rustc Source {RUSTUP_LLD}"));
	let none = rustups.without(RUSTUP_LLD).chosen();
	assert_eq!(none, Err(ToolchainError::NoLinker("/usr".into())));
	assert!(none.unwrap_err().to_string().contains("`make deps`"));
}

#[test]
fn named_toolchain_goes_before_all_others() {
	let machine = Fake::debian("1.96.0")
		.target(RUSTUP)
		.toolchain("/rustup/mine", "1.97.0")
		.target("/rustup/mine")
		.linker("/rustup/mine/lib/rustlib/host-a/bin/rust-lld")
		.rustup_knows("mine", "/rustup/mine");
	for (variable, value) in [
		("HEADWAY_WASM_TOOLCHAIN", "mine"),
		("HEADWAY_WASM_TOOLCHAIN", "/rustup/mine"),
		("WASM_BUILD_TOOLCHAIN", "mine"),
	] {
		let machine = machine.clone().set(variable, value);
		assert_eq!(machine.chosen().unwrap(), "/rustup/mine/bin/rustc Precompiled -", "{variable}={value}");
	}
	let both = machine.set("WASM_BUILD_TOOLCHAIN", "other").set("HEADWAY_WASM_TOOLCHAIN", "mine");
	assert_eq!(both.chosen().unwrap(), "/rustup/mine/bin/rustc Precompiled -");
}

#[test]
fn named_toolchain_is_never_replaced_by_another() {
	let variable = "HEADWAY_WASM_TOOLCHAIN";
	let machine = Fake::debian("1.96.0").target(RUSTUP).toolchain("/rustup/old", "1.80.0");
	for name in ["absent", "/absent"] {
		let expected = ToolchainError::NotInstalled { name: name.into(), variable };
		assert_eq!(machine.clone().set(variable, name).chosen(), Err(expected));
	}
	let name = "/rustup/old".to_string();
	let expected = ToolchainError::NamedUnusable { name: name.clone(), variable };
	assert_eq!(machine.clone().set(variable, &name).chosen(), Err(expected));
	assert_eq!(machine.set(variable, "").chosen().unwrap(), "/rustup/stable/bin/rustc Precompiled -");
}

#[test]
fn building_std_opens_the_bootstrap_switch_and_precompiled_std_does_not() {
	for (machine, bootstrap) in
		[(Fake::debian("1.96.0"), true), (Fake::debian("1.96.0").target("/usr"), false)]
	{
		let chosen = choose(&machine).unwrap();
		let mut command = Command::new("cargo");
		chosen.apply(&mut command);
		let has = |name: &str| command.get_envs().any(|(n, value)| n == name && value.is_some());
		assert_eq!(chosen.std == Std::Source, bootstrap);
		assert_eq!(has("RUSTC_BOOTSTRAP"), bootstrap);
		assert_eq!(chosen.cargo_args().is_empty(), !bootstrap);
		assert!(has("RUSTC"));
	}
}

#[test]
fn outer_cargos_variables_are_removed_and_the_users_stay() {
	let removed = "CARGO CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET CARGO_CFG_UNIX \
        CARGO_FEATURE_STD CARGO_MANIFEST_DIR CARGO_PKG_NAME CARGO_PROFILE_DEV_DEBUG CARGO_TARGET_DIR \
        CARGO_TARGET_WASM32V1_NONE_RUSTFLAGS CARGO_BUILD_RUSTC CARGO_BUILD_RUSTC_WRAPPER CARGO_INCREMENTAL \
        DEP_Z_ROOT HOST OUT_DIR OPT_LEVEL PROFILE RUSTC RUSTC_WORKSPACE_WRAPPER RUSTC_WRAPPER RUSTDOC \
        RUSTFLAGS TARGET RUSTC_BOOTSTRAP __CARGO_DEFAULT_LIB_METADATA";
	let kept = "CARGO_BUILD_JOBS CARGO_HOME CARGO_HTTP_PROXY CARGO_MAKEFLAGS CARGO_NET_OFFLINE \
        CARGO_REGISTRIES_X_INDEX CARGO_REGISTRY_TOKEN CARGO_SOURCE_X_DIRECTORY \
        CARGO_TARGET_WASM32V1_NONE_LINKER CARGO_TERM_COLOR HOME PATH HTTPS_PROXY RUSTUP_HOME \
        HEADWAY_WASM_TOOLCHAIN";
	for foreign in [false, true] {
		let names = format!("{removed} RUSTUP_TOOLCHAIN {kept}");
		let result = env::to_remove(names.split_whitespace().map(Into::into), foreign);
		let mut expected: Vec<OsString> = removed.split_whitespace().map(Into::into).collect();
		expected.extend(foreign.then(|| "RUSTUP_TOOLCHAIN".into()));
		assert_eq!(result, expected);
	}
}

#[test]
fn library_path_loses_what_the_outer_cargo_added() {
	let machine = Fake::rustup();
	let path = [
		"/t/debug/build/z-1/out",
		"/t/debug/deps",
		"/rustup/stable/lib/rustlib/host-a/lib",
		"/rustup/stable/lib",
		"/opt/lib",
	];
	let result = env::library_path(path.join(":").as_ref(), Path::new("/t/debug/wbuild"), &machine);
	assert_eq!(result, "/opt/lib");
}

#[test]
fn wasm_is_built_beside_the_outer_build() {
	for profile in ["/x/target/debug", "/x/target/triple/release", "/build/me/target/debug"] {
		let out_dir = PathBuf::from(format!("{profile}/build/headway-relay-runtime-0123/out"));
		assert_eq!(target_dir(&out_dir).unwrap(), Path::new(profile).join("wbuild"));
	}
	assert!(target_dir(Path::new("/somewhere/else")).is_err());
}

#[test]
fn inputs_are_the_crates_closure_without_test_dependencies() {
	let root = tempfile::tempdir().unwrap();
	let at = |path: &str| root.path().join(path).display().to_string();
	let package = |name: &str, dependencies: &[(&str, Option<&str>)]| {
		std::fs::create_dir_all(root.path().join(name).join("src")).unwrap();
		let dependencies: Vec<_> = dependencies
			.iter()
			.map(|(d, kind)| serde_json::json!({ "name": d, "kind": kind, "path": at(d) }))
			.chain([serde_json::json!({ "name": "codec", "kind": null, "path": null })])
			.collect();
		let manifest_path = at(&format!("{name}/Cargo.toml"));
		serde_json::json!({ "name": name, "manifest_path": manifest_path, "dependencies": dependencies })
	};
	let metadata = serde_json::json!({ "workspace_root": at(""), "packages": [
		package("runtime", &[("pallets", None), ("helper", Some("build")), ("harness", Some("dev"))]),
		package("pallets", &[("primitives", None), ("runtime", Some("dev"))]),
		package("primitives", &[]), package("helper", &[]), package("harness", &[]),
	]});
	let workspace = Workspace::parse(metadata.to_string().as_bytes()).unwrap();
	let inputs: BTreeSet<_> = workspace.inputs("runtime").unwrap().into_iter().collect();
	let expected = [
		"Cargo.toml",
		"Cargo.lock",
		"runtime/Cargo.toml",
		"runtime/src",
		"pallets/Cargo.toml",
		"pallets/src",
		"primitives/Cargo.toml",
		"primitives/src",
		"helper/Cargo.toml",
		"helper/src",
	];
	assert_eq!(inputs, expected.iter().map(|path| root.path().join(path)).collect());
	assert!(matches!(workspace.inputs("nothing"), Err(workspace::Error::UnknownPackage(_))));
}

/// A module of one custom section per name and an empty type section between them.
fn module(names: &[&str]) -> Vec<u8> {
	let mut module = b"\0asm\x01\0\0\0".to_vec();
	for name in names {
		let content = [&[name.len() as u8], name.as_bytes(), &[7u8; 200]].concat();
		let size = content.len() as u16;
		module.extend([0, (size & 0x7f) as u8 | 0x80, (size >> 7) as u8]);
		module.extend(content);
		module.extend([1, 1, 0]);
	}
	module
}

#[test]
fn custom_sections_are_found_and_broken_modules_refused() {
	assert_eq!(section::custom(&module(&[])).unwrap(), Vec::<String>::new());
	let whole = module(&["runtime_version", "name"]);
	assert_eq!(section::custom(&whole).unwrap(), ["runtime_version", "name"]);
	assert_eq!(section::custom(b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff\xff"), None);
	assert_eq!(section::custom(b"not wasm"), None);
	// Any cut but between two sections; a whole custom section is followed by three bytes of another one.
	let (first, second) = (module(&["runtime_version"]).len(), whole.len());
	for len in 0..whole.len() {
		let between = [8, first - 3, first, second - 3].contains(&len);
		assert_eq!(section::custom(&whole[..len]).is_some(), between, "cut at {len}");
	}
}

#[test]
fn blob_without_its_required_section_is_refused() {
	let runtime = Blob::new("some-runtime").runtime();
	assert!(runtime.check(&module(&["name", "runtime_version"])).is_ok());
	assert!(matches!(runtime.check(&module(&["name"])), Err(Error::MissingSection { .. })));
	assert!(matches!(runtime.check(b"nothing"), Err(Error::Malformed(_))));
	assert!(Blob::new("some-pvf").check(&module(&[])).is_ok());
}

#[test]
fn link_arguments_do_not_reach_the_dependencies() {
	let metadata = r#"{ "workspace_root": "/w", "packages":
        [{ "name": "some-runtime", "manifest_path": "/w/r/Cargo.toml", "dependencies": [] }] }"#;
	let workspace = Workspace::parse(metadata.as_bytes()).unwrap();
	let toolchain = choose(&Fake::debian("1.96.0")).unwrap();
	let blob = Blob::new("some-runtime").runtime().features(&["fast", "metrics"]);
	let command = blob.command(&toolchain, &workspace, Path::new("/t/debug/wbuild")).unwrap();
	let args = command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
	assert_eq!(
		args,
		"rustc --lib --crate-type=cdylib --locked --no-default-features --profile wasm \
         --target wasm32v1-none --manifest-path /w/r/Cargo.toml --target-dir /t/debug/wbuild \
         --features fast,metrics -Zbuild-std=core,alloc \
         -- -Clink-arg=--export-table -Clink-arg=--export=__heap_base -Clink-arg=--import-memory"
	);
	let flags = rustflags(Some("/home/cargo".into()), Path::new("/t/debug/wbuild"));
	let flags = flags.to_string_lossy().replace('\u{1f}', " ");
	assert_eq!(
		flags,
		"--cfg substrate_runtime --remap-path-prefix=/t/debug/wbuild=/wbuild \
         --remap-path-prefix=/home/cargo=/cargo"
	);
}

#[test]
fn skipping_is_any_value_but_nothing_and_zero() {
	for (value, expected) in [(None, false), (Some(""), false), (Some("0"), false), (Some("1"), true)] {
		assert_eq!(is_set(value.map(Into::into)), expected, "{value:?}");
	}
	assert!(constants(None).contains("WASM_BINARY: Option<&[u8]> = None"));
	let paths = (Path::new("/o/a.wasm"), Path::new("/o/b.wasm"));
	assert!(
		constants(Some(paths)).contains(r#"WASM_BINARY: Option<&[u8]> = Some(include_bytes!("/o/a.wasm"))"#)
	);
}
