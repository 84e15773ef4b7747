//! Candidate validation: what surrounds the execution of a candidate (availability, approval, disputes §4.3).
//!
//! A request comes with everything but the code. What can be checked without execution is checked at once;
//! the code is taken from a cache or asked of the driver; the driver executes; and what the validation
//! function answered is compared with what the candidate claims. The verdict is one of three: valid with its
//! commitments, invalid with a reason, or a failure of ours, which is never held against the candidate. Only
//! what is provably our own fault may be such a failure: what a candidate or its code could provoke ends as
//! invalid, or it could stall finality without being punished.
//!
//! Who executes reports what happened. Whether that is tried again, and what is said in the end, is decided
//! here and nowhere else.
//!
//! What this crate never does: it does not run code, does not fetch anything itself, and does not know why
//! somebody asks beyond [`headway_machine::ExecutionKind`].
//!
//! | module | what is in it |
//! |---|---|
//! | `checks` | the checks before and after execution, without state |
//! | `code_cache` | codes that were used recently |
//! | `failures` | what follows from an execution without a result |

#![forbid(unsafe_code)]

mod checks;
mod code_cache;
mod failures;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use checks::{after_execution, before_execution, is_backing, Refusal};
use code_cache::{CachedCode, CodeCache};
use failures::{refusal, Retry};
use headway_machine::{
	BlockContext, Effects, Execution, ExecutionError, LeavesUpdate, Reason, Sizes, Stage, Subsystem,
	Timestamp, Token, Tokens, Trace, ValidateRequest, ValidationFailed, ValidationOutcome, View,
};
use headway_primitives::{
	CandidateDescriptorVersion, CandidateHash, FeatureIndex, Hash, PvfExecKind, SessionIndex, ValidationCode,
	ValidationCodeHash, ValidationResult,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
	time::Duration,
};

/// Validations that run at a time.
pub const RUNNING_MAX: usize = 30;
/// Validations that wait for one of those places; more are refused.
pub const QUEUED_MAX: usize = 64;
/// Pause before an execution that came to no sound verdict is repeated.
pub const RETRY_DELAY: Duration = Duration::from_secs(3);

/// Name in traces.
const NAME: &str = "candidate-validation";

/// What happens to candidate validation.
#[derive(Clone, Debug)]
pub enum Event {
	/// Active leaves changed.
	Leaves(LeavesUpdate),
	/// Somebody wants a candidate validated.
	Validate {
		/// Names the question.
		token: Token,
		/// The question.
		request: ValidateRequest,
	},
	/// From the driver: validation code.
	Code {
		/// The question.
		token: Token,
		/// The code as stored, and most bytes that it may decompress to; none if the chain does not know it.
		code: Option<(ValidationCode, u32)>,
	},
	/// From the driver: what came of an execution.
	Executed {
		/// The question.
		token: Token,
		/// The outputs, or what happened instead.
		result: Result<ValidationResult, ExecutionError>,
	},
}

/// What candidate validation asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To whoever asked: the verdict.
	Validated {
		/// The question.
		token: Token,
		/// The verdict.
		result: Result<ValidationOutcome, ValidationFailed>,
	},
	/// To the driver: get validation code.
	FetchCode {
		/// Names the question.
		token: Token,
		/// Relay block whose state to look into.
		at: Hash,
		/// The code.
		code_hash: ValidationCodeHash,
	},
	/// To the driver: call the validation function.
	Execute {
		/// Names the question.
		token: Token,
		/// The call.
		execution: Execution,
	},
}

/// A validation under way. It is named by a token of ours, which also names its executions.
#[derive(Clone, Debug)]
struct Job {
	/// The asker's token.
	asker: Token,
	request: ValidateRequest,
	candidate_hash: CandidateHash,
	version: CandidateDescriptorVersion,
	/// The scheduling parent, when backing.
	block: Option<Arc<BlockContext>>,
	/// When it was first executed.
	started: Option<Timestamp>,
	/// Whether it is executed now.
	is_executing: bool,
	/// Retries that were used up.
	retried: BTreeSet<Retry>,
	/// What would be said if there were no time left for a retry.
	refusal: Option<Refusal>,
}

/// Code that the driver was asked for.
#[derive(Clone, Debug)]
struct Fetch {
	at: Hash,
	code_hash: ValidationCodeHash,
	session: SessionIndex,
	/// Who waits for it.
	jobs: Vec<Token>,
}

/// The candidate validation machine.
///
/// Jobs wait in the order in which they came: which of several executions goes first is decided by the PVF
/// host, which knows its workers.
///
/// # Bounds
///
/// - `view`: one entry per active leaf.
/// - `jobs`: [`RUNNING_MAX`] plus [`QUEUED_MAX`]; `queue`, `running`, `fetches` and `retries` hold a part of
///   them each. A job keeps a proof of validity alive, some 10 MiB at most. Requests beyond are refused: they
///   come from machines of ours, which take candidates no faster than the claim queue lets them.
/// - `codes`: 16 codes, 64 MiB.
#[derive(Debug, Default)]
pub struct CandidateValidation {
	view: View,
	v3_ever_seen: bool,
	jobs: BTreeMap<Token, Job>,
	queue: VecDeque<Token>,
	running: BTreeSet<Token>,
	fetches: BTreeMap<Token, Fetch>,
	/// Executions to repeat, and when.
	retries: BTreeSet<(Timestamp, Token)>,
	codes: CodeCache,
	tokens: Tokens,
}

impl CandidateValidation {
	/// A machine that knows nothing yet.
	pub fn new() -> Self {
		Self::default()
	}

	fn update_leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		self.view.update(&update);
		if let Some(leaf) = &update.activated {
			self.v3_ever_seen |= FeatureIndex::CandidateReceiptV3.is_set(&leaf.block.node_features);
		}
		// Nobody needs to back what the chain moved past.
		let (view, jobs) = (&self.view, &self.jobs);
		let out_of_view = |token: &Token| {
			let block = jobs.get(token).and_then(|job| job.block.as_ref());
			block.is_some_and(|block| !view.contains(&block.hash))
		};
		let gone: Vec<Token> = self.queue.iter().copied().filter(out_of_view).collect();
		for token in gone {
			self.finish(now, token, Err(Refusal::Failed(Reason::OutOfView)), effects);
		}
	}

	fn validate(
		&mut self,
		now: Timestamp,
		asker: Token,
		request: ValidateRequest,
		effects: &mut Effects<Effect>,
	) {
		let candidate_hash = request.receipt.hash();
		let block = match is_backing(request.kind) {
			true => self.view.block(&request.receipt.descriptor.scheduling_parent()).cloned(),
			false => None,
		};
		let checked = match self.queue.len() < QUEUED_MAX {
			true => before_execution(&request, &self.view, self.v3_ever_seen),
			false => Err(Refusal::Failed(Reason::CapacityReached)),
		};
		let version = *checked.as_ref().unwrap_or(&CandidateDescriptorVersion::V1);
		let job = Job {
			asker,
			request,
			candidate_hash,
			version,
			block,
			started: None,
			is_executing: false,
			retried: BTreeSet::new(),
			refusal: None,
		};
		let token = self.tokens.next();
		self.jobs.insert(token, job);
		match checked {
			Err(refusal) => self.finish(now, token, Err(refusal), effects),
			Ok(_) => {
				self.queue.push_back(token);
				self.start_queued(now, effects);
			},
		}
	}

	/// Starts as many queued jobs as there are free places.
	fn start_queued(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		while self.running.len() < RUNNING_MAX {
			let Some(token) = self.queue.pop_front() else { return };
			self.running.insert(token);
			self.execute(now, token, effects);
		}
	}

	/// Executes a job, or first gets its code.
	fn execute(&mut self, now: Timestamp, token: Token, effects: &mut Effects<Effect>) {
		let Some(job) = self.jobs.get(&token) else { return };
		let session = job.request.scheduling_session;
		let code_hash = job.request.receipt.descriptor.validation_code_hash;
		if let Some(cached) = self.codes.get(&code_hash, session) {
			return self.execute_code(now, token, cached, effects);
		}
		let newest = self.view.leaves().max_by_key(|leaf| leaf.block.number).map(|leaf| leaf.hash());
		match job.block.as_ref().map(|block| block.hash).or(newest) {
			Some(at) => self.fetch_code(at, code_hash, session, token, effects),
			None => {
				let refusal = Refusal::Failed(Reason::UnknownSchedulingParent);
				self.finish(now, token, Err(refusal), effects);
			},
		}
	}

	fn execute_code(
		&mut self,
		now: Timestamp,
		token: Token,
		cached: CachedCode,
		effects: &mut Effects<Effect>,
	) {
		let Some(job) = self.jobs.get_mut(&token) else { return };
		let timeout = match (job.time_left(now), job.refusal) {
			(Duration::ZERO, Some(refusal)) => return self.finish(now, token, Err(refusal), effects),
			(left, _) => left,
		};
		job.started.get_or_insert(now);
		job.is_executing = true;
		let descriptor = &job.request.receipt.descriptor;
		let extension = (job.version == CandidateDescriptorVersion::V3)
			.then_some((descriptor.relay_parent, descriptor.scheduling_parent));
		let execution = Execution {
			candidate_hash: job.candidate_hash,
			code: cached.code,
			code_hash: descriptor.validation_code_hash,
			code_bomb_limit: cached.bomb_limit,
			validation_data: job.request.validation_data.clone(),
			pov: job.request.pov.clone(),
			extension,
			executor_params: job.request.executor_params.clone(),
			timeout,
			kind: job.request.kind,
		};
		effects.push(Effect::Execute { token, execution });
	}

	fn fetch_code(
		&mut self,
		at: Hash,
		code_hash: ValidationCodeHash,
		session: SessionIndex,
		job: Token,
		effects: &mut Effects<Effect>,
	) {
		let same =
			|fetch: &&mut Fetch| (fetch.at, fetch.code_hash, fetch.session) == (at, code_hash, session);
		if let Some(fetch) = self.fetches.values_mut().find(same) {
			fetch.jobs.push(job);
			return;
		}
		let token = self.tokens.next();
		self.fetches.insert(token, Fetch { at, code_hash, session, jobs: vec![job] });
		effects.push(Effect::FetchCode { token, at, code_hash });
	}

	fn code(
		&mut self,
		now: Timestamp,
		token: Token,
		code: Option<(ValidationCode, u32)>,
		effects: &mut Effects<Effect>,
	) {
		let Some(Fetch { code_hash, session, jobs, .. }) = self.fetches.remove(&token) else { return };
		let code = match code {
			None => Err(Refusal::Failed(Reason::CodeMissing)),
			// The chain was asked by this hash: other code is the fault of nobody but us.
			Some((code, _)) if code.hash() != code_hash => Err(Refusal::Failed(Reason::CodeHashMismatch)),
			Some((code, bomb_limit)) => Ok(CachedCode { code: Arc::new(code), bomb_limit }),
		};
		if let Ok(cached) = &code {
			self.codes.insert(code_hash, session, cached.clone());
		}
		for job in jobs {
			match &code {
				Ok(cached) => self.execute_code(now, job, cached.clone(), effects),
				Err(refusal) => self.finish(now, job, Err(*refusal), effects),
			}
		}
	}

	fn executed(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<ValidationResult, ExecutionError>,
		effects: &mut Effects<Effect>,
	) {
		let Some(job) = self.jobs.get_mut(&token).filter(|job| job.is_executing) else { return };
		job.is_executing = false;
		let error = match result {
			Ok(result) => {
				let claim_queue = job.block.as_ref().map(|block| &block.transposed_claim_queue);
				let verdict = after_execution(&job.request, result, claim_queue);
				let validation_data = job.request.validation_data.clone();
				let verdict =
					verdict.map(|commitments| ValidationOutcome::Valid { commitments, validation_data });
				return self.finish(now, token, verdict, effects);
			},
			Err(error) => error,
		};
		let refusal = refusal(&error, job.request.kind);
		job.refusal = Some(refusal);
		match job.next_attempt(now, &error) {
			Some(at) if at > now => {
				self.retries.insert((at, token));
			},
			Some(_) => self.execute(now, token, effects),
			None => self.finish(now, token, Err(refusal), effects),
		}
	}

	/// Answers whoever asked, and gives the place to the next job.
	fn finish(
		&mut self,
		now: Timestamp,
		token: Token,
		verdict: Result<ValidationOutcome, Refusal>,
		effects: &mut Effects<Effect>,
	) {
		let Some(job) = self.jobs.remove(&token) else { return };
		self.queue.retain(|queued| *queued != token);
		let stage = match &verdict {
			Ok(_) => Stage::Validated,
			Err(refusal) => Stage::Dropped(refusal.reason()),
		};
		let trace = Trace::new(now, NAME, stage).candidate(job.candidate_hash);
		effects.trace(trace.descriptor(&job.request.receipt.descriptor));
		let result = verdict.map_or_else(Into::into, Ok);
		effects.push(Effect::Validated { token: job.asker, result });
		if self.running.remove(&token) {
			self.start_queued(now, effects);
		}
	}
}

impl Job {
	/// When to execute again after a failure; none if never.
	///
	/// A candidate that backers find flaky is not backed. Approval and disputes give each category one more
	/// chance, within the time that one execution has.
	fn next_attempt(&mut self, now: Timestamp, error: &ExecutionError) -> Option<Timestamp> {
		let retry = Retry::after(error).filter(|_| !is_backing(self.request.kind))?;
		(self.time_left(now) >= RETRY_DELAY && self.retried.insert(retry)).then(|| now + retry.delay())
	}

	/// How long an attempt may take that begins now: all attempts have the time of one execution together.
	fn time_left(&self, now: Timestamp) -> Duration {
		let kind = match is_backing(self.request.kind) {
			true => PvfExecKind::Backing,
			false => PvfExecKind::Approval,
		};
		let elapsed = self.started.map_or(Duration::ZERO, |started| now.since(started));
		self.request.executor_params.pvf_exec_timeout(kind).saturating_sub(elapsed)
	}
}

impl Subsystem for CandidateValidation {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		match event {
			Event::Leaves(update) => self.update_leaves(now, update, effects),
			Event::Validate { token, request } => self.validate(now, token, request, effects),
			Event::Code { token, code } => self.code(now, token, code, effects),
			Event::Executed { token, result } => self.executed(now, token, result, effects),
		}
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		while let Some((at, token)) = self.retries.first().copied().filter(|(at, _)| *at <= now) {
			self.retries.remove(&(at, token));
			self.execute(now, token, effects);
		}
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		self.retries.first().map(|(at, _)| *at)
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		sizes.note("jobs", self.jobs.len(), RUNNING_MAX + QUEUED_MAX);
		sizes.note("queued", self.queue.len(), QUEUED_MAX);
		sizes.note("running", self.running.len(), RUNNING_MAX);
		sizes.note("retries", self.retries.len(), self.running.len());
		let waiting = self.fetches.values().map(|fetch| fetch.jobs.len()).sum();
		sizes.note("fetches", self.fetches.len(), waiting);
		sizes.note("jobs_without_code", waiting, self.running.len());
		self.codes.sizes(&mut sizes);
		sizes
	}
}
