// Follows a chain with the stock light client smoldot, which knows nothing but the chain specification: connects to the nodes that it
// names, checks finality, and reads state by proofs.
//
//   node check-light-client.mjs chain.json
import { readFileSync } from "node:fs";
import { start } from "smoldot";
import { xxhashAsHex } from "@polkadot/util-crypto";

const [file] = process.argv.slice(2);
/** Generous: machines that run tests may be slow and busy. */
const LIMIT_SECONDS = 300;
const WARNING = 2;

const chainSpec = readFileSync(file, "utf8");
const warnings = [];
const client = start({
	maxLogLevel: WARNING,
	logCallback: (_level, target, message) => warnings.push(`${target}: ${message}`),
});
const chain = await client.addChain({ chainSpec });

// Answers by the number of the request, events by the subscription or by the operation that they belong to.
const answers = new Map();
const events = [];
let wake = () => {};

function request(method, params = []) {
	const id = answers.size + 1;
	chain.sendJsonRpc(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
	return new Promise((resolve, reject) => answers.set(id, { resolve, reject }));
}

async function receive() {
	for (;;) {
		const { id, result, error, params } = JSON.parse(await chain.nextJsonRpcResponse());
		if (error) answers.get(id).reject(new Error(error.message));
		else if (id !== undefined) answers.get(id).resolve(result);
		else {
			events.push(params.result);
			wake();
		}
	}
}

/** Takes the first event of which the condition is true, and all before it. */
async function next(condition) {
	for (;;) {
		while (events.length > 0) {
			const event = events.shift();
			if (event.event === "stop") throw new Error("the light client lost track of the chain");
			if (condition(event)) return event;
		}
		await new Promise((resolve) => (wake = resolve));
	}
}

const key = (pallet, item) => xxhashAsHex(pallet, 128) + xxhashAsHex(item, 128).slice(2);

async function check() {
	const [name, genesis] = [await request("chainSpec_v1_chainName"), await request("chainSpec_v1_genesisHash")];
	console.log(`${name}, genesis block ${genesis}`);

	const follow = await request("chainHead_v1_follow", [true]);
	await next((event) => event.event === "initialized");
	// Finality moves on: justifications came in, and the light client found them right.
	const { finalizedBlockHashes } = await next((event) => event.event === "finalized");
	const hash = finalizedBlockHashes.at(-1);

	const wanted = [["System", "Number"], ["Paras", "Parachains"]].map((item) => ({ key: key(...item), type: "value" }));
	const { operationId } = await request("chainHead_v1_storage", [follow, hash, wanted, null]);
	const values = new Map();
	for (;;) {
		const event = await next((event) => event.operationId === operationId);
		if (event.event === "operationStorageItems") event.items.forEach((item) => values.set(item.key, item.value));
		else if (event.event === "operationStorageDone") break;
		else throw new Error(`reading state: ${JSON.stringify(event)}`);
	}
	const [number, parachains] = wanted.map(({ key }) => values.get(key));
	if (!number || !parachains) throw new Error(`the state has no System.Number or Paras.Parachains: ${[...values]}`);
	console.log(`finalized block ${Buffer.from(number.slice(2), "hex").readUInt32LE()}, ${hash}; parachains ${parachains}`);
}

receive().catch(fail);
setTimeout(() => fail(new Error(`not done within ${LIMIT_SECONDS} s`)), LIMIT_SECONDS * 1000);
check().then(() => process.exit(0), fail);

function fail(error) {
	console.error(`check-light-client: ${error.stack ?? error}\n${warnings.join("\n")}`);
	process.exit(1);
}
