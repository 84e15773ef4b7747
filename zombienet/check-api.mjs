// Checks that a running network can be used with the stock @polkadot/api: connects, decodes metadata, reads heads of parachains,
// waits for an included candidate and decodes its event.
//
//   node check-api.mjs ws://127.0.0.1:9944 [seconds]
//
// Exit status 0 if all of that works within so many seconds (default 120).
import { ApiPromise, WsProvider } from "@polkadot/api";
import { parseArgs } from "node:util";

const { positionals } = parseArgs({ allowPositionals: true });
const [url = "ws://127.0.0.1:9944", seconds = "120"] = positionals;

const fail = (message) => {
	console.error(`check-api: ${message}`);
	process.exit(1);
};
setTimeout(() => fail(`not done within ${seconds} s`), Number(seconds) * 1000).unref();

const assert = (condition, message) => condition || fail(message);

async function check() {
	const api = await ApiPromise.create({ provider: new WsProvider(url), throwOnConnect: true });

	const { specName, specVersion } = api.runtimeVersion;
	const pallets = api.runtimeMetadata.asLatest.pallets.map((pallet) => pallet.name.toString());
	for (const name of ["System", "Sudo", "Configuration", "Paras", "ParaInclusion", "ParaInherent", "ParasSudoWrapper"]) {
		assert(pallets.includes(name), `metadata has no pallet ${name}`);
	}
	console.log(`${await api.rpc.system.chain()}, ${specName} ${specVersion}, ${pallets.length} pallets`);

	const paras = await api.query.paras.parachains();
	assert(paras.length > 0, "no parachain is registered");
	for (const para of paras) {
		const head = await api.query.paras.heads(para);
		assert(head.isSome, `parachain ${para} has no head`);
		const header = api.createType("Header", head.unwrap().toU8a(true));
		console.log(`parachain ${para}: height ${header.number}, head ${head.unwrap().hash}`);
	}
	const { asyncBackingParams } = await api.query.configuration.activeConfig();
	console.log(`asynchronous backing: ${asyncBackingParams}`);

	const { block, candidate } = await included(api);
	const para = candidate.descriptor.paraId;
	assert(paras.some((known) => known.eq(para)), `candidate of parachain ${para}, which is not registered`);
	console.log(`relay block ${block} includes ${candidate.hash} of parachain ${para}`);
	await api.disconnect();
}

/** The first candidate that a new best block includes. */
function included(api) {
	return new Promise((resolve, reject) => {
		const onHeader = async (header) => {
			const at = await api.at(header.hash);
			for (const { event } of await at.query.system.events()) {
				if (at.events.paraInclusion.CandidateIncluded.is(event)) {
					// Receipt, head data, core, group.
					const [candidate, head, core, group] = event.data;
					assert(head.length > 0, "the head data of an included candidate is empty");
					assert(core && group, "event CandidateIncluded has no core or group");
					resolve({ block: header.number, candidate });
				}
			}
		};
		api.rpc.chain.subscribeNewHeads((header) => onHeader(header).catch(reject)).catch(reject);
	});
}

check().then(() => process.exit(0), (error) => fail(error.stack ?? error));
