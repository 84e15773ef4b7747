//! Environment in which validation functions are prepared and executed (runtime §2.3; availability, approval,
//! disputes §4.2).

use crate::hash_of;
use crate::ids::Hash;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::time::Duration;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Why code is prepared.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum PvfPrepKind {
	/// To vote on it before it goes live.
	Precheck,
	/// To execute it.
	Prepare,
}

/// Why a candidate is executed.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum PvfExecKind {
	/// To back it.
	Backing,
	/// To approve or dispute it.
	Approval,
}

/// Groups of host functions beyond the standard ones.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum HostFunctionGroup {
	/// Elliptic curve arithmetic of RFC-163.
	#[codec(index = 1)]
	EccRfc163,
}

/// One parameter of the execution environment.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum ExecutorParam {
	/// Heap pages of 64 KiB beyond what the module declares: 1 to 65536.
	#[codec(index = 1)]
	MaxMemoryPages(u32),
	/// Logical stack, values: 1024 to 131072.
	#[codec(index = 2)]
	StackLogicalMax(u32),
	/// Native stack, bytes.
	#[codec(index = 3)]
	StackNativeMax(u32),
	/// Memory that prechecking may use, bytes.
	#[codec(index = 4)]
	PrecheckingMaxMemory(u64),
	/// Time limit of a preparation, milliseconds.
	#[codec(index = 5)]
	PvfPrepTimeout(PvfPrepKind, u64),
	/// Time limit of an execution, milliseconds.
	#[codec(index = 6)]
	PvfExecTimeout(PvfExecKind, u64),
	/// Enables the bulk memory extension.
	#[codec(index = 7)]
	WasmExtBulkMemory,
	/// Enables more host functions.
	#[codec(index = 8)]
	EnabledHostFunction(HostFunctionGroup),
}

/// The parameters of a session's execution environment, as configured.
#[derive(
	Clone,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(transparent)]
pub struct ExecutorParams(pub Vec<ExecutorParam>);

/// Default native stack, bytes.
pub const DEFAULT_NATIVE_STACK_MAX: u32 = 256 * 1024 * 1024;
/// Default logical stack, values.
pub const DEFAULT_LOGICAL_STACK_MAX: u32 = 65536;
/// Default timeout of a backing execution.
pub const DEFAULT_BACKING_EXECUTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Default timeout of an approval execution.
pub const DEFAULT_APPROVAL_EXECUTION_TIMEOUT: Duration = Duration::from_secs(12);
/// Default timeout of a precheck preparation.
pub const DEFAULT_PRECHECK_PREPARATION_TIMEOUT: Duration = Duration::from_secs(60);
/// Default timeout of a preparation for execution.
pub const DEFAULT_LENIENT_PREPARATION_TIMEOUT: Duration = Duration::from_secs(360);

/// Why executor parameters are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExecutorParamError {
	/// The parameter occurs twice.
	#[error("executor parameter {0:?} is given twice")]
	Duplicated(ExecutorParam),
	/// The parameter is out of its range.
	#[error("executor parameter {0:?} is out of range")]
	OutsideLimit(ExecutorParam),
	/// Two parameters do not go together.
	#[error("executor parameters {0:?} and {1:?} are incompatible")]
	Incompatible(&'static str, &'static str),
}

impl ExecutorParams {
	/// Blake2-256 of the encoding.
	pub fn hash(&self) -> Hash {
		hash_of(self)
	}

	/// Time limit of a preparation, if one is configured; see the `DEFAULT_*` constants otherwise.
	pub fn pvf_prep_timeout(&self, kind: PvfPrepKind) -> Duration {
		self.0
			.iter()
			.find_map(|param| match param {
				ExecutorParam::PvfPrepTimeout(k, ms) if *k == kind => Some(Duration::from_millis(*ms)),
				_ => None,
			})
			.unwrap_or(match kind {
				PvfPrepKind::Precheck => DEFAULT_PRECHECK_PREPARATION_TIMEOUT,
				PvfPrepKind::Prepare => DEFAULT_LENIENT_PREPARATION_TIMEOUT,
			})
	}

	/// Time limit of an execution.
	pub fn pvf_exec_timeout(&self, kind: PvfExecKind) -> Duration {
		self.0
			.iter()
			.find_map(|param| match param {
				ExecutorParam::PvfExecTimeout(k, ms) if *k == kind => Some(Duration::from_millis(*ms)),
				_ => None,
			})
			.unwrap_or(match kind {
				PvfExecKind::Backing => DEFAULT_BACKING_EXECUTION_TIMEOUT,
				PvfExecKind::Approval => DEFAULT_APPROVAL_EXECUTION_TIMEOUT,
			})
	}

	/// Checks duplicates, ranges and combinations (runtime §2.3).
	pub fn check_consistency(&self) -> Result<(), ExecutorParamError> {
		use ExecutorParam::{
			EnabledHostFunction, MaxMemoryPages, PrecheckingMaxMemory, PvfExecTimeout, PvfPrepTimeout,
			StackLogicalMax, StackNativeMax,
		};
		use ExecutorParamError::{Duplicated, Incompatible, OutsideLimit};
		let same = |a: &ExecutorParam, b: &ExecutorParam| match (a, b) {
			(PvfPrepTimeout(a, _), PvfPrepTimeout(b, _)) => a == b,
			(PvfExecTimeout(a, _), PvfExecTimeout(b, _)) => a == b,
			(EnabledHostFunction(a), EnabledHostFunction(b)) => a == b,
			(a, b) => core::mem::discriminant(a) == core::mem::discriminant(b),
		};
		for (i, param) in self.0.iter().enumerate() {
			if self.0[..i].iter().any(|earlier| same(earlier, param)) {
				return Err(Duplicated(*param));
			}
			let in_range = match param {
				MaxMemoryPages(pages) => (1..=65536).contains(pages),
				StackLogicalMax(values) => (1024..=2 * 65536).contains(values),
				PrecheckingMaxMemory(bytes) => (256 << 20..=16 << 30).contains(bytes),
				_ => true,
			};
			if !in_range {
				return Err(OutsideLimit(*param));
			}
		}
		let find = |pick: fn(&ExecutorParam) -> Option<u32>| self.0.iter().find_map(pick);
		let logical = find(|p| if let StackLogicalMax(n) = p { Some(*n) } else { None });
		let native = find(|p| if let StackNativeMax(n) = p { Some(*n) } else { None });
		if logical.is_some() || native.is_some() {
			let logical = logical.unwrap_or(DEFAULT_LOGICAL_STACK_MAX);
			let native = native.unwrap_or(DEFAULT_NATIVE_STACK_MAX);
			if u64::from(native) < 128 * u64::from(logical) {
				return Err(Incompatible("StackLogicalMax", "StackNativeMax"));
			}
		}
		if self.pvf_prep_timeout(PvfPrepKind::Precheck) >= self.pvf_prep_timeout(PvfPrepKind::Prepare) {
			return Err(Incompatible("PvfPrepTimeout(Precheck)", "PvfPrepTimeout(Prepare)"));
		}
		if self.pvf_exec_timeout(PvfExecKind::Backing) >= self.pvf_exec_timeout(PvfExecKind::Approval) {
			return Err(Incompatible("PvfExecTimeout(Backing)", "PvfExecTimeout(Approval)"));
		}
		Ok(())
	}
}
