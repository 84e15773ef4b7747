//! Where a crate of the workspace is, and which files its blob depends on.
//!
//! Read from `cargo metadata --no-deps`, which needs neither a lock file nor downloaded sources.

use serde_json::Value;
use std::{
	collections::{BTreeMap, BTreeSet},
	path::{Path, PathBuf},
	process::{Command, Stdio},
};

/// Why the workspace is unknown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// `cargo metadata` did not run, failed, or answered something else than expected.
	#[error("cargo metadata of {}: {reason}", .manifest.display())]
	Metadata {
		/// The manifest it was asked about.
		manifest: PathBuf,
		/// What went wrong.
		reason: String,
	},
	/// The workspace has no package of this name.
	#[error("the workspace has no package {0}")]
	UnknownPackage(String),
}

/// The packages of a workspace, and which of them need which.
#[derive(Debug)]
pub struct Workspace {
	root: PathBuf,
	packages: BTreeMap<String, Package>,
}

#[derive(Debug)]
struct Package {
	manifest: PathBuf,
	/// Names of the workspace packages that it is built with (not: tested with).
	dependencies: BTreeSet<String>,
}

impl Workspace {
	/// Asks `cargo` about the workspace that the package in `dir` belongs to.
	pub fn read(cargo: &Path, dir: &Path) -> Result<Self, Error> {
		let manifest = dir.join("Cargo.toml");
		let fail = |reason: String| Error::Metadata { manifest: manifest.clone(), reason };
		let output = Command::new(cargo)
			.args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path"])
			.arg(&manifest)
			.stdin(Stdio::null())
			.output()
			.map_err(|error| fail(error.to_string()))?;
		if !output.status.success() {
			return Err(fail(String::from_utf8_lossy(&output.stderr).into_owned()));
		}
		Self::parse(&output.stdout).ok_or_else(|| fail("unexpected answer".into()))
	}

	pub(crate) fn parse(metadata: &[u8]) -> Option<Self> {
		let metadata: Value = serde_json::from_slice(metadata).ok()?;
		let mut packages = BTreeMap::new();
		for package in metadata["packages"].as_array()? {
			let dependencies = package["dependencies"]
                .as_array()?
                .iter()
                // Kind is null for normal dependencies; path is set for those of the workspace only.
                .filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev")
                .filter_map(|dependency| dependency["name"].as_str().map(Into::into))
                .collect();
			let manifest = package["manifest_path"].as_str()?.into();
			packages.insert(package["name"].as_str()?.into(), Package { manifest, dependencies });
		}
		Some(Self { root: metadata["workspace_root"].as_str()?.into(), packages })
	}

	/// The folder of the workspace manifest.
	pub fn root(&self) -> &Path {
		&self.root
	}

	/// The manifest of `package`.
	pub fn manifest(&self, package: &str) -> Result<&Path, Error> {
		Ok(&self.package(package)?.manifest)
	}

	/// Files and folders whose change makes a new build of `package` necessary: of the package, of the
	/// workspace packages that it depends on, and of the workspace itself.
	pub fn inputs(&self, package: &str) -> Result<Vec<PathBuf>, Error> {
		self.package(package)?;
		let mut inputs = vec![self.root.join("Cargo.toml"), self.root.join("Cargo.lock")];
		let mut seen = BTreeSet::new();
		let mut open = vec![package];
		while let Some(name) = open.pop() {
			// A path dependency outside of the workspace is not listed; cargo itself notices its changes.
			let Some(package) = self.packages.get(name).filter(|_| seen.insert(name)) else { continue };
			open.extend(package.dependencies.iter().map(String::as_str));
			let dir = package.manifest.parent().unwrap_or(&self.root);
			inputs.push(package.manifest.clone());
			inputs.extend(["src", "build.rs"].map(|name| dir.join(name)).into_iter().filter(|p| p.exists()));
		}
		Ok(inputs)
	}

	fn package(&self, name: &str) -> Result<&Package, Error> {
		self.packages.get(name).ok_or_else(|| Error::UnknownPackage(name.into()))
	}
}
