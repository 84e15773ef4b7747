use super::*;
use headway_primitives::{BlockNumber, DisputeStatementSet, Header};
use sp_blockchain::{BlockStatus, Info, Result};
use sp_inherents::InherentDataProvider;
use sp_runtime::traits::Header as _;

/// A chain that has one block.
struct OneBlock(Header);

impl OneBlock {
	fn new() -> Arc<Self> {
		let root = Hash::repeat_byte(1);
		Arc::new(Self(Header::new(7, root, root, Hash::repeat_byte(2), Default::default())))
	}
}

impl HeaderBackend<Block> for OneBlock {
	fn header(&self, hash: Hash) -> Result<Option<Header>> {
		Ok((hash == self.0.hash()).then(|| self.0.clone()))
	}

	fn info(&self) -> Info<Block> {
		Info {
			best_hash: self.0.hash(),
			best_number: self.0.number,
			genesis_hash: self.0.hash(),
			finalized_hash: self.0.hash(),
			finalized_number: self.0.number,
			finalized_state: None,
			number_leaves: 1,
			block_gap: None,
		}
	}

	fn status(&self, _: Hash) -> Result<BlockStatus> {
		Ok(BlockStatus::Unknown)
	}

	fn number(&self, hash: Hash) -> Result<Option<BlockNumber>> {
		Ok((hash == self.0.hash()).then_some(self.0.number))
	}

	fn hash(&self, number: BlockNumber) -> Result<Option<Hash>> {
		Ok((number == self.0.number).then(|| self.0.hash()))
	}
}

enum Answer {
	Data(ProvisionedData),
	Nothing,
	Never,
}

#[async_trait]
impl ProvisionInherent for Answer {
	async fn provision(&self, _: Hash) -> Option<ProvisionedData> {
		match self {
			Answer::Data(data) => Some(data.clone()),
			Answer::Nothing => None,
			Answer::Never => std::future::pending().await,
		}
	}
}

fn provide(chain: &Arc<OneBlock>, answer: Option<Answer>, parent: Hash) -> Option<ParachainsInherentData> {
	let provisioner = answer.map(|answer| Arc::new(answer) as Arc<dyn ProvisionInherent>);
	let provider = ParachainsProvider::new(chain.clone(), provisioner, parent, Duration::from_millis(1));
	let inherents =
		futures::executor::block_on(provider.create_inherent_data()).expect("it is never an error");
	inherents.get_data(&PARACHAINS_INHERENT_IDENTIFIER).expect("it decodes")
}

fn empty(chain: &OneBlock) -> ParachainsInherentData {
	ParachainsInherentData {
		bitfields: Vec::new(),
		backed_candidates: Vec::new(),
		disputes: Vec::new(),
		parent_header: chain.0.clone(),
	}
}

#[test]
fn a_block_waits_for_the_parachains_data_no_longer_than_a_part_of_its_slot() {
	let timeout = |millis| provision_timeout(SlotDuration::from_millis(millis)).as_millis();
	assert_eq!(timeout(6000), 2500);
	assert_eq!(timeout(60_000), 2500);
	assert_eq!(timeout(1200), 500);
}

#[test]
fn data_in_time_goes_into_the_block() {
	let chain = OneBlock::new();
	let disputes =
		vec![DisputeStatementSet { candidate_hash: Default::default(), session: 3, statements: Vec::new() }];
	let answer = ProvisionedData { disputes: disputes.clone(), ..Default::default() };
	let data = provide(&chain, Some(Answer::Data(answer)), chain.0.hash());
	assert_eq!(data, Some(ParachainsInherentData { disputes, ..empty(&chain) }));
}

#[test]
fn no_data_in_time_is_an_empty_inherent_with_the_parent_header() {
	let chain = OneBlock::new();
	for answer in [None, Some(Answer::Nothing), Some(Answer::Never)] {
		assert_eq!(provide(&chain, answer, chain.0.hash()), Some(empty(&chain)));
	}
}

#[test]
fn an_unknown_parent_is_no_error() {
	assert_eq!(provide(&OneBlock::new(), None, Hash::zero()), None);
}
