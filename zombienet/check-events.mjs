// Decodes all events of a range of blocks with the stock @polkadot/api, from the chain's metadata, and fails if one does not decode
// or if one that is named did not happen.
//
//   node check-events.mjs ws://127.0.0.1:9944 FIRST LAST [section.Name …]
import { ApiPromise, WsProvider } from "@polkadot/api";

const [url, first, last, ...expected] = process.argv.slice(2);

async function check() {
	const api = await ApiPromise.create({ provider: new WsProvider(url), throwOnConnect: true });
	const counts = new Map();
	for (let number = Number(first); number <= Number(last); number++) {
		const hash = await api.rpc.chain.getBlockHash(number);
		const at = await api.at(hash);
		const raw = (await api.rpc.state.getStorage(at.query.system.events.key(), hash)).unwrap();
		const events = await at.query.system.events();
		// What was decoded encodes to the same bytes: nothing was skipped or misread.
		if (events.toHex() !== raw.toHex()) throw new Error(`events of block ${number} do not decode to what they are`);
		for (const { event } of events) {
			const name = `${event.section}.${event.method}`;
			counts.set(name, (counts.get(name) ?? 0) + 1);
		}
	}
	for (const [name, count] of [...counts].sort()) console.log(`${String(count).padStart(6)} ${name}`);
	const missing = expected.filter((name) => !counts.has(name));
	if (missing.length > 0) throw new Error(`these did not happen: ${missing.join(", ")}`);
	await api.disconnect();
}

check().then(
	() => process.exit(0),
	(error) => {
		console.error(`check-events: ${error.stack ?? error}`);
		process.exit(1);
	},
);
