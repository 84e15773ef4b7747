//! What became of candidates: serves the methods of `headway-rpc-api`.

use async_trait::async_trait;
use headway_lifecycle::{ParaSnapshot, Record};
use headway_machine::{FragmentChainError, FragmentChainView, Trace};
use headway_primitives::{CandidateHash, Hash, ParaId};
use headway_rpc_api::{
	api::{LIMIT_DEFAULT, LIMIT_MAX, SUBSCRIPTIONS_MAX},
	CandidateUpdate, CandidateView, CandidatesOptions, Error, FragmentChainInfo, ParaCandidates,
	ParachainApiServer,
};
use jsonrpsee::{core::SubscriptionResult, PendingSubscriptionSink, SubscriptionMessage, SubscriptionSink};
use std::sync::Arc;
use tokio::sync::{
	broadcast::{self, error::RecvError},
	Semaphore,
};

/// Where answers come from: what the node remembers of traces, and the machines themselves.
#[async_trait]
pub trait CandidateSource: Send + Sync + 'static {
	/// What became of a candidate.
	fn candidate(&self, candidate: &CandidateHash) -> Option<Record>;
	/// What became of a para's candidates, with at most `limit` of them.
	fn para(&self, para: ParaId, limit: usize) -> Option<ParaSnapshot>;
	/// Traces from now on. A receiver that is too slow loses the oldest ones.
	fn traces(&self) -> broadcast::Receiver<Arc<Trace>>;
	/// A fragment chain as it is now; none if the node is shutting down.
	async fn fragment_chain(
		&self,
		para: ParaId,
		at: Option<Hash>,
	) -> Option<Result<FragmentChainView, FragmentChainError>>;
}

/// Serves `parachain_*`.
///
/// # Bounds
///
/// [`SUBSCRIPTIONS_MAX`] subscriptions at a time. Each buffers what jsonrpsee does per subscription, and beyond that loses
/// traces, which it is told.
pub struct Parachain {
	source: Arc<dyn CandidateSource>,
	places: Arc<Semaphore>,
}

impl Parachain {
	/// Serves from this source.
	pub fn new(source: Arc<dyn CandidateSource>) -> Self {
		Self { source, places: Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX)) }
	}
}

#[async_trait]
impl ParachainApiServer for Parachain {
	fn candidates(
		&self,
		para_id: ParaId,
		options: Option<CandidatesOptions>,
	) -> Result<ParaCandidates, Error> {
		let limit = options.unwrap_or_default().limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
		let para = self.source.para(para_id, limit as usize).ok_or(Error::UnknownPara(para_id))?;
		Ok((&para).into())
	}

	fn candidate(&self, candidate_hash: CandidateHash) -> Result<CandidateView, Error> {
		let record = self.source.candidate(&candidate_hash).ok_or(Error::UnknownCandidate(candidate_hash))?;
		Ok((&record).into())
	}

	async fn fragment_chain(
		&self,
		para_id: ParaId,
		scheduling_parent: Option<Hash>,
	) -> Result<FragmentChainInfo, Error> {
		let chain = self.source.fragment_chain(para_id, scheduling_parent).await.ok_or(Error::Stopped)?;
		let chain = chain.map_err(|error| match error {
			FragmentChainError::NotInView => {
				Error::UnknownSchedulingParent(scheduling_parent.unwrap_or_default())
			},
			FragmentChainError::NotScheduled => Error::UnknownPara(para_id),
			FragmentChainError::NotKept => Error::NoFragmentChains,
		})?;
		Ok(FragmentChainInfo::new(para_id, &chain))
	}

	async fn subscribe_candidates(
		&self,
		pending: PendingSubscriptionSink,
		para_id: Option<ParaId>,
	) -> SubscriptionResult {
		let Ok(_place) = self.places.clone().try_acquire_owned() else {
			pending.reject(Error::TooManySubscriptions).await;
			return Ok(());
		};
		// From before the subscriber hears that it is one.
		let traces = self.source.traces();
		let sink = pending.accept().await?;
		tell(traces, &sink, para_id).await
	}
}

/// Tells a subscriber of traces until it, or the node, is gone.
async fn tell(
	mut traces: broadcast::Receiver<Arc<Trace>>,
	sink: &SubscriptionSink,
	para_id: Option<ParaId>,
) -> SubscriptionResult {
	loop {
		let trace = tokio::select! {
			trace = traces.recv() => trace,
			() = sink.closed() => return Ok(()),
		};
		let update = match trace {
			Ok(trace) if para_id.is_some() && trace.para != para_id => None,
			Ok(trace) => CandidateUpdate::of(&trace),
			Err(RecvError::Lagged(items)) => Some(CandidateUpdate::Lost { items }),
			Err(RecvError::Closed) => return Ok(()),
		};
		if let Some(update) = update {
			let message = SubscriptionMessage::from_json(&update)?;
			if sink.send(message).await.is_err() {
				return Ok(());
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_lifecycle::Lifecycle;
	use headway_machine::{Fragment, FragmentState, Reason, Stage, Timestamp};
	use jsonrpsee::RpcModule;
	use serde_json::{json, Value};
	use std::sync::Mutex;

	const PARA: ParaId = ParaId(2000);
	/// Small, so that a slow subscriber loses something.
	const TRACES_MAX: usize = 4;

	struct Node {
		lifecycle: Mutex<Lifecycle>,
		traces: broadcast::Sender<Arc<Trace>>,
		chain: Option<Result<FragmentChainView, FragmentChainError>>,
	}

	#[async_trait]
	impl CandidateSource for Node {
		fn candidate(&self, candidate: &CandidateHash) -> Option<Record> {
			self.lifecycle.lock().unwrap().candidate(candidate).cloned()
		}

		fn para(&self, para: ParaId, limit: usize) -> Option<ParaSnapshot> {
			self.lifecycle.lock().unwrap().para(para, limit)
		}

		fn traces(&self) -> broadcast::Receiver<Arc<Trace>> {
			self.traces.subscribe()
		}

		async fn fragment_chain(
			&self,
			_: ParaId,
			_: Option<Hash>,
		) -> Option<Result<FragmentChainView, FragmentChainError>> {
			self.chain.clone()
		}
	}

	impl Node {
		fn start(chain: Option<Result<FragmentChainView, FragmentChainError>>) -> (Arc<Self>, RpcModule<()>) {
			let (traces, _) = broadcast::channel(TRACES_MAX);
			let node = Arc::new(Self { lifecycle: Mutex::default(), traces, chain });
			let mut module = RpcModule::new(());
			module.merge(Parachain::new(node.clone()).into_rpc()).unwrap();
			(node, module)
		}

		fn happens(&self, para: ParaId, n: u64, stage: Stage) {
			let trace = Trace::new(Timestamp::from_unix_ms(1000 + n), "collator-protocol", stage);
			let trace = trace.para(para).candidate(hash(n));
			self.lifecycle.lock().unwrap().record(&trace);
			let _ = self.traces.send(Arc::new(trace));
		}
	}

	fn hash(n: u64) -> CandidateHash {
		CandidateHash(Hash::from_low_u64_be(n))
	}

	async fn call(module: &RpcModule<()>, method: &str, params: Value) -> Value {
		let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
		let (answer, _) = module.raw_json_request(&request.to_string(), 1).await.unwrap();
		serde_json::from_str(&answer).unwrap()
	}

	#[tokio::test]
	async fn candidates_are_newest_first_and_limited() {
		let (node, module) = Node::start(None);
		(1..=200).for_each(|n| node.happens(PARA, n, Stage::Built));
		node.happens(PARA, 200, Stage::Dropped(Reason::NoClaimQueueSlot));
		let two = call(&module, "parachain_candidates", json!([2000, { "limit": 2 }])).await;
		let candidates = two["result"]["candidates"].as_array().unwrap();
		assert_eq!(candidates.len(), 2);
		assert_eq!(candidates[0]["candidateHash"], json!(hash(200)));
		assert_eq!(candidates[0]["lost"]["reason"], "no_claim_queue_slot");
		assert_eq!(two["result"]["dropped"], json!({ "no_claim_queue_slot": 1 }));
		assert_eq!(two["result"]["lastDrop"]["candidateHash"], json!(hash(200)));
		for (params, expected) in
			[(json!([2000]), LIMIT_DEFAULT), (json!([2000, { "limit": 1_000_000 }]), LIMIT_MAX)]
		{
			let answer = call(&module, "parachain_candidates", params).await;
			assert_eq!(answer["result"]["candidates"].as_array().unwrap().len(), expected as usize);
		}
		let bad = call(&module, "parachain_candidates", json!([2000, { "limits": 1 }])).await;
		assert_eq!(bad["error"]["code"], -32602);
	}

	#[tokio::test]
	async fn what_is_not_known_has_an_error_of_its_own() {
		let (node, module) = Node::start(None);
		node.happens(PARA, 1, Stage::Advertised);
		assert_eq!(call(&module, "parachain_candidate", json!([hash(1)])).await["result"]["paraId"], 2000);
		for (method, params, code) in [
			("parachain_candidate", json!([hash(2)]), 12_002),
			("parachain_candidates", json!([2001]), 12_001),
			("parachain_fragmentChain", json!([2000]), 12_005),
		] {
			assert_eq!(call(&module, method, params).await["error"]["code"], code, "{method}");
		}
	}

	#[tokio::test]
	async fn a_fragment_chain_shows_the_best_chain_and_what_stands_beside() {
		let fragment = |n: u64, state| Fragment {
			candidate_hash: hash(n),
			scheduling_parent: Hash::zero(),
			relay_parent: Hash::zero(),
			parent_head: Hash::from_low_u64_be(n),
			output_head: Hash::from_low_u64_be(n + 1),
			state,
		};
		let chain = FragmentChainView {
			at: Hash::repeat_byte(7),
			number: 7,
			included_head: Hash::zero(),
			max_len: 3,
			best: vec![fragment(1, FragmentState::Pending), fragment(2, FragmentState::Backed)],
			unconnected: vec![fragment(9, FragmentState::Seconded)],
		};
		let (_, module) = Node::start(Some(Ok(chain)));
		let answer = call(&module, "parachain_fragmentChain", json!([2000, Hash::repeat_byte(7)])).await;
		let states = |list: &str| {
			let list = answer["result"][list].as_array().unwrap();
			list.iter().map(|fragment| fragment["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
		};
		assert_eq!(
			(states("bestChain"), states("unconnected")),
			(vec!["pending".into(), "backed".into()], vec!["seconded".into()])
		);
		for (error, code) in [
			(FragmentChainError::NotInView, 12_003),
			(FragmentChainError::NotScheduled, 12_001),
			(FragmentChainError::NotKept, 12_004),
		] {
			let (_, module) = Node::start(Some(Err(error)));
			assert_eq!(call(&module, "parachain_fragmentChain", json!([2000])).await["error"]["code"], code);
		}
	}

	#[tokio::test]
	async fn a_subscriber_hears_of_its_para_and_not_of_noise() {
		let (node, module) = Node::start(None);
		let mut updates = module.subscribe("parachain_subscribeCandidates", [2000], 8).await.unwrap();
		node.happens(ParaId(2001), 1, Stage::Advertised);
		node.happens(PARA, 2, Stage::Dropped(Reason::DuplicateMessage));
		node.happens(PARA, 3, Stage::Dropped(Reason::OutOfView));
		let (update, _) = updates.next::<CandidateUpdate>().await.unwrap().unwrap();
		let CandidateUpdate::Happened { candidate_hash, stage, reason, .. } = update else {
			panic!("{update:?}")
		};
		assert_eq!(
			(candidate_hash, &*stage, reason.as_deref()),
			(Some(hash(3)), "dropped", Some("out_of_view"))
		);
	}

	#[tokio::test]
	async fn a_slow_subscriber_is_told_what_it_lost() {
		let (node, module) = Node::start(None);
		let mut updates = module.subscribe("parachain_subscribeCandidates", [(); 0], 1).await.unwrap();
		// Nothing runs in between: the subscription's task sees none of these before all are sent.
		(0..TRACES_MAX as u64 + 3).for_each(|n| node.happens(PARA, n, Stage::Advertised));
		let (update, _) = updates.next::<CandidateUpdate>().await.unwrap().unwrap();
		assert_eq!(update, CandidateUpdate::Lost { items: 3 });
	}

	#[tokio::test]
	async fn subscriptions_are_bounded() {
		let (_node, module) = Node::start(None);
		let mut open = Vec::new();
		for _ in 0..SUBSCRIPTIONS_MAX {
			open.push(module.subscribe("parachain_subscribeCandidates", [(); 0], 1).await.unwrap());
		}
		let refused = call(&module, "parachain_subscribeCandidates", json!([])).await;
		assert_eq!(refused["error"]["code"], Error::TooManySubscriptions.code());
	}
}
