// What zombienet's `js-script` calls: runs check-api.mjs on the node that the statement names, in a process of its own, with the
// @polkadot/api of this folder instead of the one that zombienet brings.
const { execFile } = require("node:child_process");
const path = require("node:path");

exports.run = (node, network) =>
	new Promise((resolve, reject) => {
		const script = path.join(__dirname, "check-api.mjs");
		execFile(process.execPath, [script, network.nodesByName[node].wsUri], (error, stdout, stderr) => {
			process.stdout.write(stdout);
			if (error) reject(new Error(`${error.message}\n${stderr}`));
			else resolve();
		});
	});
