//! The loop that drives the machines of a node.

use crate::{
	clock::Clock,
	leaves::{follow, ChainEvent, NewSession},
	metrics::Metrics,
	work::{restore, serve_storage, Workers},
};
use headway_collator_protocol::experimental::Notice;
use headway_lifecycle::{ChainEvents, Lifecycle, ParaSnapshot, Record};
use headway_machine::{
	wire::ViewMessage, BlockRef, Effects, FragmentChainError, FragmentChainView, NetworkEffect, NetworkEvent,
	PeerSet, Reason, Subsystem, Token, Trace,
};
use headway_network::{BridgeHandle, Command, Output};
use headway_pipeline::{Effect, Event};
use headway_primitives::{runtime_api::ParachainHost, Block, BlockNumber, CandidateHash, Hash, ParaId};
use headway_provisioner::ProvisionedData;
use headway_storage::Storage;
use sc_client_api::BlockchainEvents;
use sp_api::ProvideRuntimeApi;
use sp_authority_discovery::AuthorityDiscoveryApi;
use sp_blockchain::HeaderBackend;
use sp_consensus_babe::BabeApi;
use sp_keystore::KeystorePtr;
use std::{
	collections::{BTreeMap, HashMap, VecDeque},
	future::Future,
	sync::{Arc, PoisonError, RwLock},
	time::Duration,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Chain events that wait for the loop.
const CHAIN_EVENTS_MAX: usize = 64;
/// Questions from outside that wait for the loop.
const REQUESTS_MAX: usize = 64;
/// Traces that a slow subscriber may lag behind before it loses the oldest.
const TRACES_MAX: usize = 4096;
/// Leaves of which it is remembered that the machines were told.
const FOLLOWED_MAX: usize = 32;

/// The joined machines of a node: `headway_pipeline`'s `Validator` or `Collator`.
pub type Machine = Box<dyn Subsystem<Event = Event, Effect = Effect> + Send>;

/// What the loop is started with.
pub struct Parts<Client> {
	/// The loop's end of [`channel`].
	pub inbox: Inbox,
	/// The machines.
	pub machine: Machine,
	/// The chain.
	pub client: Arc<Client>,
	/// Keys of this node.
	pub keystore: KeystorePtr,
	/// The network.
	pub bridge: BridgeHandle,
	/// Executes candidates; none if this node validates nothing.
	pub pvf: Option<headway_pvf::Host>,
	/// Where data is kept.
	pub storage: Arc<Storage>,
	/// Whether the node is far behind the chain.
	pub is_major_syncing: Box<dyn Fn() -> bool + Send + Sync>,
	/// Metrics, whose observer the machine may have.
	pub metrics: Metrics,
}

/// Why there is nothing to put into an inherent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProvisionError {
	/// The parent block is not one that the machines work on.
	#[error("parent block is not in view")]
	ParentNotInView,
	/// The loop is gone.
	#[error("overseer has stopped")]
	Stopped,
}

type FragmentChain = Result<FragmentChainView, FragmentChainError>;

enum Question {
	Inherent { parent: Hash, answer: oneshot::Sender<Option<ProvisionedData>> },
	FragmentChain { para: ParaId, at: Option<Hash>, answer: oneshot::Sender<FragmentChain> },
	Event(Event),
}

/// A way to talk to the machines from outside, and to look at what became of candidates.
#[derive(Clone)]
pub struct Handle {
	questions: mpsc::Sender<Question>,
	followed: watch::Receiver<Followed>,
	traces: broadcast::Sender<Arc<Trace>>,
	lifecycle: Arc<RwLock<Lifecycle>>,
}

/// The loop's end of a [`Handle`].
pub struct Inbox {
	questions: mpsc::Receiver<Question>,
	followed: watch::Sender<Followed>,
	traces: broadcast::Sender<Arc<Trace>>,
	lifecycle: Arc<RwLock<Lifecycle>>,
}

/// The last leaves that the machines were told of, the newest at the end; at most [`FOLLOWED_MAX`].
#[derive(Default)]
struct Followed(VecDeque<Hash>);

impl Followed {
	fn add(&mut self, leaf: Hash) {
		if self.0.len() == FOLLOWED_MAX {
			self.0.pop_front();
		}
		self.0.push_back(leaf);
	}
}

/// A handle, and what [`start`] needs to serve it. What is asked before that waits.
pub fn channel() -> (Handle, Inbox) {
	let (sender, questions) = mpsc::channel(REQUESTS_MAX);
	let (follow, followed) = watch::channel(Followed::default());
	let (traces, _) = broadcast::channel(TRACES_MAX);
	let lifecycle = Arc::new(RwLock::new(Lifecycle::default()));
	let handle = Handle { questions: sender, followed, traces: traces.clone(), lifecycle: lifecycle.clone() };
	(handle, Inbox { questions, followed: follow, traces, lifecycle })
}

impl Handle {
	/// Waits until the machines know a leaf: that is a moment after its import, when all is read that they must know of it.
	///
	/// For a block that is not followed, because the node is far behind or the block too old, this takes for ever.
	pub async fn followed(&self, leaf: Hash) -> Result<(), ProvisionError> {
		let mut followed = self.followed.clone();
		let known = followed.wait_for(|leaves| leaves.0.contains(&leaf)).await;
		known.map(drop).map_err(|_| ProvisionError::Stopped)
	}

	/// What goes into the inherent of a block on `parent`. Takes until the parent is [`Self::followed`] and the provisioner
	/// is ready: up to two seconds after the parent was imported.
	pub async fn provision(&self, parent: Hash) -> Result<ProvisionedData, ProvisionError> {
		self.followed(parent).await?;
		let (answer, data) = oneshot::channel();
		let question = Question::Inherent { parent, answer };
		self.questions.send(question).await.map_err(|_| ProvisionError::Stopped)?;
		data.await.map_err(|_| ProvisionError::Stopped)?.ok_or(ProvisionError::ParentNotInView)
	}

	/// Hands an event to the machines: collators submit their blocks so.
	pub async fn send(&self, event: Event) -> Result<(), ProvisionError> {
		self.questions.send(Question::Event(event)).await.map_err(|_| ProvisionError::Stopped)
	}

	/// The fragment chain of a para at a relay block, or else at the newest leaf. None if the loop is gone.
	pub async fn fragment_chain(&self, para: ParaId, at: Option<Hash>) -> Option<FragmentChain> {
		let (answer, chain) = oneshot::channel();
		self.questions.send(Question::FragmentChain { para, at, answer }).await.ok()?;
		chain.await.ok()
	}

	/// What happens to candidates from now on. A subscriber that is too slow loses the oldest traces.
	pub fn traces(&self) -> broadcast::Receiver<Arc<Trace>> {
		self.traces.subscribe()
	}

	/// What became of a candidate.
	pub fn candidate(&self, candidate: &CandidateHash) -> Option<Record> {
		self.lifecycle.read().unwrap_or_else(PoisonError::into_inner).candidate(candidate).cloned()
	}

	/// What became of a para's candidates, with at most `limit` of them.
	pub fn para(&self, para: ParaId, limit: usize) -> Option<ParaSnapshot> {
		self.lifecycle.read().unwrap_or_else(PoisonError::into_inner).para(para, limit)
	}
}

/// The loop and the task that follows the chain for it; both must be spawned, and the node cannot do without either.
///
/// # Errors
///
/// It cannot be read what a former life of this node signed, so it might contradict that.
pub fn start<Client>(
	parts: Parts<Client>,
) -> Result<(impl Future<Output = ()> + Send, impl Future<Output = ()> + Send), headway_storage::Error>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
	Client::Api: ParachainHost<Block> + BabeApi<Block> + AuthorityDiscoveryApi<Block>,
{
	let Parts { inbox, machine, client, keystore, bridge, pvf, storage, is_major_syncing, metrics } = parts;
	let Inbox { questions, followed, traces, lifecycle } = inbox;
	let (chain_sender, chain) = mpsc::channel(CHAIN_EVENTS_MAX);
	let (result_sender, results) = mpsc::unbounded_channel();
	let (job_sender, jobs) = mpsc::unbounded_channel();
	// First of all results: what is stored from before.
	for event in restore(&storage)? {
		let _ = result_sender.send(event);
	}
	let job_results = result_sender.clone();
	std::thread::spawn(move || serve_storage(storage, jobs, job_results));
	let follower = follow(client.clone(), keystore, is_major_syncing, chain_sender);
	let driver = Driver {
		machine,
		commands: bridge.commands,
		workers: Workers { client, pvf, storage: job_sender, results: result_sender },
		effects: Effects::new(),
		clock: Clock::new(),
		leaves: BTreeMap::new(),
		followed,
		finalized: 0,
		inherents: HashMap::new(),
		fragment_chains: HashMap::new(),
		next_question: 0,
		chain_events: ChainEvents::default(),
		lifecycle,
		traces,
		metrics,
	};
	Ok((driver.run(chain, bridge.outputs, questions, results), follower))
}

struct Driver<Client> {
	machine: Machine,
	commands: mpsc::UnboundedSender<Command>,
	workers: Workers<Client>,
	effects: Effects<Effect>,
	clock: Clock,
	leaves: BTreeMap<Hash, BlockNumber>,
	followed: watch::Sender<Followed>,
	finalized: BlockNumber,
	/// Block authors that wait for inherent data; an author gives up after seconds, and asks once per slot.
	inherents: HashMap<Token, oneshot::Sender<Option<ProvisionedData>>>,
	/// Who looks at fragment chains; the machines answer at once.
	fragment_chains: HashMap<Token, oneshot::Sender<FragmentChain>>,
	next_question: u64,
	chain_events: ChainEvents,
	lifecycle: Arc<RwLock<Lifecycle>>,
	traces: broadcast::Sender<Arc<Trace>>,
	metrics: Metrics,
}

impl<Client> Driver<Client>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block> + Send + Sync + 'static,
	Client::Api: ParachainHost<Block>,
{
	async fn run(
		mut self,
		mut chain: mpsc::Receiver<ChainEvent>,
		mut network: mpsc::Receiver<Output>,
		mut questions: mpsc::Receiver<Question>,
		mut results: mpsc::UnboundedReceiver<Event>,
	) {
		loop {
			let now = self.clock.read();
			let deadline = self.machine.next_deadline().map(|deadline| deadline.since(now));
			tokio::select! {
				// Own work and the chain before what peers send.
				biased;
				Some(event) = results.recv() => self.handle(event),
				Some(event) = chain.recv() => self.on_chain(event),
				() = sleep(deadline) => self.tick(),
				question = questions.recv() => match question {
					Some(question) => self.on_question(question),
					None => return,
				},
				output = network.recv() => match output {
					Some(Output::Event(event)) => self.handle(Event::Network(event)),
					Some(Output::Request(request)) => self.handle(Event::Request(request)),
					Some(Output::Response { token, result }) => self.handle(Event::Response { token, result }),
					None => {
						tracing::error!(target: "parachain::overseer", "network bridge has stopped");
						return
					},
				},
			}
		}
	}

	fn on_chain(&mut self, event: ChainEvent) {
		match event {
			ChainEvent::Leaves { update, new_session } => {
				if let Some(session) = new_session {
					self.on_session(session);
				}
				for hash in &update.deactivated {
					self.leaves.remove(hash);
				}
				if let Some(leaf) = &update.activated {
					self.leaves.insert(leaf.hash(), leaf.block.number);
					self.metrics.activated(leaf);
					let now = self.clock.read();
					let traces = self.chain_events.leaf(now, leaf);
					self.note(traces);
					self.lifecycle.write().unwrap_or_else(PoisonError::into_inner).leaf(leaf);
				}
				self.metrics.leaves(self.leaves.len(), update.deactivated.len());
				// Now they are as full as they get: much is forgotten with the blocks that it is about.
				self.metrics.sizes(|| {
					let lifecycle = self.lifecycle.read().unwrap_or_else(PoisonError::into_inner);
					[self.machine.sizes(), lifecycle.sizes(), self.chain_events.sizes()]
				});
				let leaf = update.activated.as_ref().map(|leaf| leaf.hash());
				self.handle(Event::Leaves(update));
				if let Some(leaf) = leaf {
					self.followed.send_modify(|followed| followed.add(leaf));
				}
				self.tell_view();
			},
			ChainEvent::Finalized { number, hash, node_features } => {
				self.finalized = number;
				let now = self.clock.read();
				let traces = self.chain_events.finalized(now, BlockRef { number, hash });
				self.note(traces);
				self.handle(Event::Finalized { number, hash, node_features });
				self.tell_view();
			},
		}
	}

	fn on_session(&mut self, session: NewSession) {
		self.metrics.session(session.is_authority, session.is_parachain_validator);
		let NewSession { index, topology, authorities, .. } = session;
		self.command(Command::Effect(NetworkEffect::ConnectToValidators {
			validators: authorities,
			set: PeerSet::Validation,
		}));
		self.handle(Event::Network(NetworkEvent::NewTopology { session: index, topology }));
	}

	fn on_question(&mut self, question: Question) {
		match question {
			Question::Inherent { parent, answer } => {
				self.inherents.retain(|_, waiting| !waiting.is_closed());
				let token = self.next_token();
				self.inherents.insert(token, answer);
				self.handle(Event::InherentRequest { token, parent });
			},
			Question::FragmentChain { para, at, answer } => {
				let token = self.next_token();
				self.fragment_chains.insert(token, answer);
				self.handle(Event::FragmentChain { token, para, at });
			},
			Question::Event(event) => self.handle(event),
		}
	}

	fn next_token(&mut self) -> Token {
		self.next_question += 1;
		Token(self.next_question)
	}

	fn handle(&mut self, event: Event) {
		let now = self.clock.read();
		let label = event_label(&event);
		self.metrics.event(&event);
		let started = std::time::Instant::now();
		self.machine.handle(now, event, &mut self.effects);
		self.metrics.handled(label, started.elapsed());
		self.carry_out();
	}

	fn tick(&mut self) {
		let now = self.clock.read();
		let started = std::time::Instant::now();
		self.machine.tick(now, &mut self.effects);
		self.metrics.handled("tick", started.elapsed());
		self.carry_out();
	}

	fn carry_out(&mut self) {
		let traces = self.effects.take_traces();
		self.note(traces);
		while let Some(effect) = self.effects.pop() {
			self.metrics.effect(&effect);
			let Some(effect) = self.workers.start(effect) else { continue };
			match effect {
				Effect::Network(effect) => self.command(Command::Effect(effect)),
				Effect::Inherent { token, data } => {
					self.metrics.provisioned(data.as_ref());
					if let Some(answer) = self.inherents.remove(&token) {
						// The author may have given up.
						let _ = answer.send(data);
					}
				},
				Effect::FragmentChain { token, chain } => {
					if let Some(answer) = self.fragment_chains.remove(&token) {
						// Whoever asked may have gone away.
						let _ = answer.send(chain);
					}
				},
				Effect::Misbehavior(report) => {
					tracing::warn!(
						target: "parachain::backing", validator = report.validator.0, candidate = ?report.candidate_hash,
						misbehavior = ?report.misbehavior, "validator broke the rules of backing",
					);
				},
				Effect::SubmissionRejected { scheduling_parent, error } => {
					tracing::warn!(
						target: "parachain::collation-generation", ?scheduling_parent, %error, "collations were refused",
					);
				},
				Effect::CollatorNotice(Notice::ScoresUnreadable(error)) => {
					tracing::error!(target: "parachain::collator-protocol", %error, "scores of collators are lost");
				},
				// All others are work, and were started, or are there to be counted.
				_ => {},
			}
		}
	}

	/// Takes note of traces, whoever left them: the one place that they all pass.
	fn note(&mut self, traces: Vec<Trace>) {
		if traces.is_empty() {
			return;
		}
		let mut lifecycle = self.lifecycle.write().unwrap_or_else(PoisonError::into_inner);
		for trace in traces {
			let advance = lifecycle.record(&trace);
			let telling = lifecycle.telling(&trace);
			self.metrics.trace(&trace, advance.as_ref(), telling);
			log(&trace, telling);
			// Nobody may be listening.
			let _ = self.traces.send(Arc::new(trace));
		}
	}

	/// Our view: the newest leaves.
	fn tell_view(&mut self) {
		let leaves = self.leaves.iter().map(|(hash, number)| (*hash, *number));
		self.command(Command::OurView(ViewMessage::of_leaves(leaves, self.finalized)));
	}

	fn command(&self, command: Command) {
		// The bridge is gone only when the node stops.
		let _ = self.commands.send(command);
	}
}

async fn sleep(duration: Option<Duration>) {
	match duration {
		Some(duration) => tokio::time::sleep(duration).await,
		None => std::future::pending().await,
	}
}

/// The `event` label of an event.
fn event_label(event: &Event) -> &'static str {
	match event {
		Event::Leaves(_) => "leaves",
		Event::Finalized { .. } => "finalized",
		Event::Network(_) => "network",
		Event::Request(_) => "request",
		Event::Response { .. } => "response",
		Event::Code { .. } => "code",
		Event::Executed { .. } => "executed",
		Event::Encoded { .. } | Event::EncodedRoot { .. } => "encoded",
		Event::RestoreVotes { .. }
		| Event::Restore { .. }
		| Event::RestoreScores { .. }
		| Event::Loaded { .. }
		| Event::Written { .. } => "storage",
		Event::Included { .. } => "included",
		Event::RelayParentInfo { .. } => "relay_parent_info",
		Event::InherentRequest { .. } => "inherent_request",
		Event::FragmentChain { .. } => "fragment_chain",
		Event::CollateOn(_) | Event::Submit(_) => "submit",
	}
}

/// One line per trace: a newcomer follows a candidate by its hash. `telling` is why it is lost, if more is known than the trace says.
fn log(trace: &Trace, telling: Option<Reason>) {
	use headway_machine::Stage;
	let stage: &'static str = trace.stage.into();
	let Trace { subsystem, candidate, scheduling_parent, relay_parent, .. } = trace;
	let para = trace.para.map(|para| para.0);
	match trace.stage {
		Stage::Dropped(reason) => tracing::debug!(
			target: "parachain::trace", subsystem, reason = reason.label(), because = telling.unwrap_or(reason).label(),
			?candidate, ?para, ?scheduling_parent, ?relay_parent,
			lost = trace.loss().map(|(loss, _)| loss.label()), "dropped",
		),
		Stage::NoPlace(reason) => tracing::debug!(
			target: "parachain::trace", subsystem, reason = trace.telling().unwrap_or(reason).label(), ?candidate, ?para,
			?scheduling_parent, ?relay_parent, "{stage}",
		),
		_ => tracing::debug!(
			target: "parachain::trace", subsystem, ?candidate, ?para, ?scheduling_parent, ?relay_parent, "{stage}",
		),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test]
	async fn who_needs_a_leaf_waits_until_the_machines_know_it() {
		let (handle, inbox) = channel();
		let [first, second] = [1, 2].map(Hash::repeat_byte);
		let waiting = tokio::spawn({
			let handle = handle.clone();
			async move { handle.followed(second).await }
		});
		for leaf in [first, second] {
			inbox.followed.send_modify(|followed| followed.add(leaf));
		}
		assert_eq!(waiting.await.unwrap(), Ok(()));
		assert_eq!(handle.followed(first).await, Ok(()), "it is known for a while");

		let never = handle.followed(Hash::repeat_byte(3));
		drop(inbox);
		assert_eq!(never.await, Err(ProvisionError::Stopped));
	}

	#[test]
	fn of_the_leaves_that_were_followed_the_last_ones_are_remembered() {
		let mut followed = Followed::default();
		let leaf = |n: usize| Hash::from_low_u64_be(n as u64);
		(0..FOLLOWED_MAX + 2).for_each(|n| followed.add(leaf(n)));
		assert_eq!(followed.0.len(), FOLLOWED_MAX);
		assert_eq!(followed.0.front(), Some(&leaf(2)));
	}
}
