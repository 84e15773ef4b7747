//! Calls in a running network, by Alice, who has the sudo key of local networks.

use crate::{rpc::Rpc, Error};
use codec::Encode;
use headway_primitives::{AsyncBackingParams, Hash};
use headway_relay_runtime::{Runtime, RuntimeCall, TxExtension, UncheckedExtrinsic, VERSION};
use headway_runtime_parachains::configuration;
use jsonrpsee::rpc_params;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
	generic::{Era, SignedPayload},
	traits::IdentifyAccount,
	MultiAddress, MultiSignature,
};

/// Sets the parameters of asynchronous backing, signed by Alice, who has the sudo key of local networks. They
/// are in force from the session after the next one on. Answers the transaction's hash.
pub async fn set_async_backing_params(rpc: &Rpc, params: AsyncBackingParams) -> Result<Hash, Error> {
	let call = RuntimeCall::Configuration(configuration::Call::set_async_backing_params { new: params });
	sudo(rpc, call).await
}

/// Makes a call as root, signed by Alice. Answers the transaction's hash.
pub async fn sudo(rpc: &Rpc, call: RuntimeCall) -> Result<Hash, Error> {
	submit(rpc, RuntimeCall::Sudo(pallet_sudo::Call::sudo { call: Box::new(call) })).await
}

/// Makes calls as root, all or none of them.
pub async fn sudo_all(rpc: &Rpc, calls: Vec<RuntimeCall>) -> Result<Hash, Error> {
	sudo(rpc, RuntimeCall::Utility(pallet_utility::Call::batch_all { calls })).await
}

/// Signs a call as Alice and submits it.
pub async fn submit(rpc: &Rpc, call: RuntimeCall) -> Result<Hash, Error> {
	let signer = Sr25519Keyring::Alice;
	let account = sp_runtime::MultiSigner::from(signer.public()).into_account();
	let genesis = rpc
		.block_hash(0)
		.await?
		.ok_or_else(|| Error::Rpc { node: rpc.node().into(), error: "no genesis block".into() })?;
	let nonce: u32 = rpc.call("system_accountNextIndex", rpc_params![account.clone()]).await?;
	let extension: TxExtension = (
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckMortality::from(Era::Immortal),
		frame_system::CheckNonce::from(nonce),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::<Runtime>::from(0),
		frame_system::WeightReclaim::new(),
	);
	let implicit =
		((), (), VERSION.spec_version, VERSION.transaction_version, genesis, genesis, (), (), (), ());
	let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
	let signature = payload.using_encoded(|payload| signer.sign(payload));
	let transaction = UncheckedExtrinsic::new_signed(
		call,
		MultiAddress::Id(account),
		MultiSignature::Sr25519(signature),
		extension,
	);
	let bytes = format!("0x{}", hex::encode(transaction.encode()));
	rpc.call("author_submitExtrinsic", rpc_params![bytes]).await
}
