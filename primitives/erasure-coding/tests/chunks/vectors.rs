//! Chunks, roots and proofs are byte for byte those of the reference.

use codec::Encode;
use headway_erasure_coding::*;
use sp_core::{Blake2Hasher, Hasher};

use crate::{pick, random_bytes};

/// What the reference makes of a payload. All hashes are Blake2-256.
struct Golden {
	n_validators: usize,
	/// The payload is the SCALE encoding of `random_bytes(seed, payload_len)` as a vector.
	seed: u64,
	payload_len: usize,
	/// Hash of all chunks in the order of their indices, concatenated.
	chunks: &'static str,
	/// The erasure root.
	root: &'static str,
	/// Hash of the SCALE encoding of the vector of all proofs.
	proofs: &'static str,
}

/// Made with `polkadot-erasure-coding` 28.0.0, which uses `reed-solomon-novelpoly` 2.0.0 and `sp-trie`
/// 47.0.0: the chunks are those of its `obtain_chunks`, root and proofs those of its `branches`.
#[rustfmt::skip]
const GOLDEN: &[Golden] = &[
    Golden {
        n_validators: 2, seed: 0, payload_len: 1,
        chunks: "471ca30e0b5ada5fd7a89636f535948056f3857c7bb4b0e0c59f31bbddfc9209",
        root:   "9dffa5a8c8171b2e43d71d6eb633ccd2ad26b811e1f6e7d7f51e3054444e1637",
        proofs: "ef9755945c13380f53c51db2d2c838c779f8e8e0fc31bfe0af918f6a72c5f81c",
    },
    Golden {
        n_validators: 3, seed: 1, payload_len: 100,
        chunks: "97dbf9f5ee1a7811812b3f47b84d5eeb81328d14ad0a1504de2d46627fe6385f",
        root:   "2ded493dffd5d7fe95b077162b25763a58bb1e02bed739e0eb6e14ece1a7b048",
        proofs: "b5fdb80b04c10d6e1dddd1664e62a16c9e6fa8457908f4ded2e2f945d9091b16",
    },
    Golden {
        n_validators: 4, seed: 2, payload_len: 33,
        chunks: "101f710d31e24b42e851828c47b6b553b7ef415bd38d3b1b368b26480caaa6ca",
        root:   "1a99c53651f2324ef3eb2dba38c72e65fe12cb2c5707a6b3d78d923e8561a6f0",
        proofs: "d9a35c3a74f9dd50b4b9717c24a7557c900db418f855ec59f09607ace42d0f73",
    },
    Golden {
        n_validators: 5, seed: 3, payload_len: 1_000,
        chunks: "294a02aa82af88a4a93280e6df224e66bbd2035904281cc019ffb9951decd03d",
        root:   "4f0d7cf58f7fcc5505aa9332b72e3a5a8996931d0faf2b125c3cf1cc01ec6c30",
        proofs: "8dcf5a4b97faacee7c8111c481c08dd009dd79319d837a1e89aa63c65ce000a5",
    },
    Golden {
        n_validators: 6, seed: 4, payload_len: 4_096,
        chunks: "f11ed68e0a600553926248aec3921b6ecb679154d877a3f896b84ef81d8454ea",
        root:   "eceaa33038bace1a436d59fe9f7bf88b27b5ecbe09c2676c7c454024bc89ebbd",
        proofs: "c8c3f2ae3828812dcf518d3f5fc9691e63e86538ca9c7b08d5037d3e15a7f46e",
    },
    Golden {
        n_validators: 7, seed: 5, payload_len: 77,
        chunks: "c5f838d246425d3e73406cc7b7a4af69f698e3c1b4ac2f694750647700859932",
        root:   "2f9aecb207c55131485b29a9ae09dc4eb1653795ad1b7e64f55f0d6cf2eb5e3e",
        proofs: "4a91e2e7adbbe75f774c2ce78b809d6f5bd34ee11118c796507a6531dded2c8c",
    },
    Golden {
        n_validators: 10, seed: 6, payload_len: 20_000,
        chunks: "5c4edca1f9ed2f55ea8b8d12bfd4cd8968bb0668f36dad22c340075639636de7",
        root:   "8a82802f285a6e0a0bec1df4bd207a84a9a3427821dbc8c213fd81f0281c9add",
        proofs: "ae4fe70af495ffefb8bca4a7b1bb6345ba8b0b931fa0c5ff734e9e5ce9bcaf1d",
    },
    Golden {
        n_validators: 16, seed: 7, payload_len: 12_345,
        chunks: "b407cf3808413fa7453c9120e6f548a7316cb0d59ea6c064080baa623e1afdea",
        root:   "c62bd971586da63dc643f09af799d9c3af9147c8ada1bd8a029f0df011340aae",
        proofs: "27bea2e2954832159330cf4205d85e899c0c76cac54b9b44e925cd9ca99df109",
    },
    Golden {
        n_validators: 22, seed: 8, payload_len: 1_023,
        chunks: "61e3fc4eedf7ccc9f97a3aacc91dcb65b79ba651d650b1fc2e7e7262350374d2",
        root:   "83fe306cc17e567b1ec25feb1d1ac91b3c5f40c23ad56cb78d633314f9288a53",
        proofs: "26947a568f2e3de47da6bf6e1abbf15955826487e9cafb3884d79d2503b155a9",
    },
    Golden {
        n_validators: 31, seed: 9, payload_len: 65_535,
        chunks: "ceff7e72ce2de4c67422681aa3a60fc0b4bc71cd01b1ca7991f353b17a13d5da",
        root:   "797a682a93b741ef9c5224e0b45b7ebd3d19bf01bad6cc04a4a677ad9a0a1e73",
        proofs: "912c197bb3d177f218b85fa6727bc826846fae0a56a95d2e2153f4e898fdd0d6",
    },
    Golden {
        n_validators: 64, seed: 10, payload_len: 3_001,
        chunks: "bc1a9c69b23e3c8d9fddcb2b305a972c8ad5ace6ac22ec0bef2cb123a38e3f50",
        root:   "49df3567f7b28b3b86f1fafeb0a31313375dad62fc8e4c8baa0f982e74880508",
        proofs: "078efb3110e6516c1adb650cf5724a188f267f9516e2caa288d804173c7edbc0",
    },
    Golden {
        n_validators: 100, seed: 11, payload_len: 100_000,
        chunks: "20c206420934312f82b6195bf822cbe1a8ddf3d5d433924523718e3ac57e6edf",
        root:   "cbed6579f084cbf005c7464229d01ecd60de37fe1730ea95d90049f14d7cb130",
        proofs: "6921f60ec35be55ee5680b835a04334e2c935023240963883eb2308a9b79c606",
    },
    Golden {
        n_validators: 200, seed: 12, payload_len: 262_144,
        chunks: "c63e17757ddfc753d7993c99655eabacc91d3c283355d665841c562c26f0e6e5",
        root:   "aa36d8337cd1538f4e9a59cbff2191a153d3b1a161c65a86be08473d7c1d36ab",
        proofs: "0a320454f7843b5dde61e4cf1456c27cc8bcae894bbf140fb5e2bf2ba8d807f8",
    },
    Golden {
        n_validators: 333, seed: 13, payload_len: 50_001,
        chunks: "71b6ad88820971b41332ceda5664bc88c52576f4f5583d989dc75920b2cfca4e",
        root:   "414133c9b07a94781c45876d9759bc29e1b7c92c605058e44b22ddbbfd8c494a",
        proofs: "2b28a0f76df7291abe8bf933f42ed52a7ba46aef841ebab1ffa68fda29a41a5c",
    },
    Golden {
        n_validators: 500, seed: 14, payload_len: 1,
        chunks: "f84f746c81d9725a813af69fc08beae030a10db3478b99f6187c37ce53447305",
        root:   "5c9ed89a8d487231c4207e98095284ec5193332fb766ceb23a656b8474d09070",
        proofs: "c2658387a8bc5685b84bacd3205dabb72ea319d41e8a8abb4c911e2fb25bd584",
    },
    Golden {
        n_validators: 1_000, seed: 15, payload_len: 300_000,
        chunks: "d27642ad45ca74dbbdab54a26bfd3e1a9d8aaf67d99e439904ef1938b13bb2dd",
        root:   "721002130d0cc8130b7b28ce4aa4308eff1caf19117be47b6ffc7bc9da24f914",
        proofs: "e07f3f586a8b8440fc08326a8ba223578df58eee2d5e2abf9bb561a3e9e1c184",
    },
    Golden {
        n_validators: 1_023, seed: 16, payload_len: 123_457,
        chunks: "cc845aacd06bf7b61a717e18470a30b463edfdf6d52264a5ecefdb2b439d99f3",
        root:   "b67ad1b981541ac9ab9e919bb4d5790edd4f91aea7a5bb9dc864139ee3b13dc1",
        proofs: "efb7a85fe112c1e7855a4b8fe2d0aea474dbb53434322df6ea3e3a2b02666172",
    },
    Golden {
        n_validators: 1_024, seed: 17, payload_len: 70_000,
        chunks: "c365c5ebf10b5de1f87c60f045776027fb2540a1fc40625194c1eddaae9a65ce",
        root:   "e4115eab762a5a251a6487430e2f192e4606e8295d4c7f17bf8ac556eb4e82db",
        proofs: "d61840e99ced371687cf7137e615565404c91e46e2545b558d4238e9b18fd564",
    },
    Golden {
        n_validators: 4_097, seed: 18, payload_len: 40_000,
        chunks: "c93eb289fe788c099595493904a0834ef2f4392047575b3ba2a80f28b8195948",
        root:   "37d8b0d470780015e22da1568b237accbde78c70e4519063623faece2e10a7f5",
        proofs: "50a3e327986986e654b4694ccdd54d95191f5e989dc555a9e9c1b139b25d6924",
    },
    Golden {
        n_validators: 65_536, seed: 19, payload_len: 40_000,
        chunks: "27ee9f54a772e5da900a7272ed444e7a7a349165b6db3e05fe8b380a971b6bde",
        root:   "1de736b20a822234535d04a19bf6613dd17cbfeb94081332e3b160ef5f76a66a",
        proofs: "98b6397cfcbdfb04e9c291d618c10f4b53555e27dd6fd80e349e3ab54580911d",
    },
];

#[test]
fn chunks_roots_and_proofs_equal_those_of_the_reference() {
	for golden in GOLDEN {
		let Golden { n_validators, seed, payload_len, .. } = *golden;
		let payload = random_bytes(seed, payload_len);
		let chunks = obtain_chunks(n_validators, &payload).unwrap();
		assert_eq!(hex(Blake2Hasher::hash(&chunks.concat())), golden.chunks, "chunks for {n_validators}");

		let branches = branches(&chunks).unwrap();
		assert_eq!(hex(branches.root()), golden.root, "root for {n_validators}");
		assert_eq!(erasure_root(n_validators, &payload), Ok(branches.root()));
		let proofs: Vec<Proof> = branches.map(|(proof, _)| proof).collect();
		assert_eq!(hex(Blake2Hasher::hash(&proofs.encode())), golden.proofs, "proofs for {n_validators}");

		let k = systematic_recovery_threshold(n_validators).unwrap();
		assert!(reconstruct(n_validators, pick(&chunks, n_validators - k..n_validators)) == Ok(payload));
	}
}

/// Validators, payload, chunks, and the root if the specification has one.
type Example = (usize, Vec<u8>, &'static [&'static str], Option<&'static str>);

/// Payload and chunks in full, and the root, from section 3.1 and 3.2 of the specification; the shortest
/// among them can be followed with pen and paper.
#[test]
fn chunks_of_the_specified_examples() {
	let ascending = |len: u8| (0..len).collect::<Vec<_>>();
	#[rustfmt::skip]
    let examples: [Example; 4] = [
        (2, vec![1, 2, 3], &["01020300", "01020300"],
            Some("47ff832f7986920fd90a61c9d2f8d939329b0115a804b35445ec470e50c1a2dc")),
        (4, ascending(8), &["00010405", "02030607", "039d0799", "019f059b"], None),
        (6, ascending(10), &[
            "000104050809", "020306070000", "039d0799067b", "019f059b0e72", "0bfd0ff90fd5", "09ff0dfb07dc",
        ], Some("46a29ebcc6a72071a126b822e938d3dcebd9e7f67aab4d3cadcfce16fba3156a")),
        (10, ascending(20), &[
            "000108091011", "02030a0b1213", "04050c0d0000", "06070e0f0000", "0157095f3854",
            "03550b5d39ca", "05530d5b2227", "07510f5921bb", "07370f3f5e71", "05350d3d578f",
        ], Some("c7fdba9f2b077ee0f58366ad96e5b986462079097375cd98d6de712be4927772")),
    ];
	for (n, payload, expected, root) in examples {
		let chunks = encode_bytes(n, &payload).unwrap();
		assert_eq!(chunks.iter().map(hex).collect::<Vec<_>>(), expected, "n = {n}");
		if let Some(root) = root {
			assert_eq!(chunks_root(&chunks).map(hex), Ok(root.to_owned()), "n = {n}");
		}
	}

	let payload: Vec<u8> = (0..1_000u32).map(|i| (7 * i + 3) as u8).collect();
	let chunks = encode_bytes(100, &payload).unwrap();
	assert_eq!(
		hex(Blake2Hasher::hash(&chunks.concat())),
		"35624a7434781aa9110f95ebbfd87d490feb2e33a4525c5fb94319469a044c99"
	);
	assert_eq!(
		chunks_root(&chunks).map(hex),
		Ok("39f808bd7de93a3344bbccb48a7fe22ea8f38cfd573a2fa15a07577ad2454470".to_owned())
	);
}

/// The definition of the code, and no fast transform: the symbols of the payload are the values of a
/// polynomial at the first points, and every other symbol is its value at another point, by Lagrange's
/// formula.
#[test]
fn chunks_are_evaluations_of_one_polynomial() {
	let field = Field::new();
	for n in [4, 10, 22, 50] {
		let params = CodeParams::new(n).unwrap();
		let k = params.systematic_threshold();
		let payload = random_bytes(n as u64, 6 * k - 1);
		let chunks = encode_bytes(n, &payload).unwrap();
		for run in 0..params.chunk_len(payload.len()) / 2 {
			let symbol = |i: usize| u16::from_be_bytes([chunks[i][2 * run], chunks[i][2 * run + 1]]);
			for x in 0..n {
				let mut value = 0;
				for j in 0..k {
					let mut term = symbol(j);
					for other in (0..k).filter(|other| *other != j) {
						let quotient = field.div((x ^ other) as u16, (j ^ other) as u16);
						term = field.mul(term, quotient);
					}
					value ^= term;
				}
				assert_eq!(value, symbol(x), "symbol {run} of chunk {x} of {n}");
			}
		}
	}
}

/// GF(2^16) on coordinates in the Cantor basis, by shift and add.
struct Field {
	/// The polynomial that each vector of coordinates stands for.
	polynomial: Vec<u16>,
	/// The inverse of it.
	coordinates: Vec<u16>,
}

impl Field {
	const BASIS: [u16; 16] = [
		1, 44234, 15374, 5694, 50562, 60718, 37196, 16402, 27800, 4312, 27250, 47360, 64952, 64308, 65336,
		39198,
	];

	fn new() -> Self {
		let mut polynomial = vec![0; 1 << 16];
		let mut coordinates = vec![0; 1 << 16];
		for vector in 0..=u16::MAX {
			let element =
				(0..16).filter(|bit| vector >> bit & 1 == 1).fold(0, |sum, bit| sum ^ Self::BASIS[bit]);
			polynomial[usize::from(vector)] = element;
			coordinates[usize::from(element)] = vector;
		}
		Self { polynomial, coordinates }
	}

	/// Product of two polynomials modulo x^16 + x^5 + x^3 + x^2 + 1.
	fn mul_polynomials(a: u16, b: u16) -> u16 {
		let (mut product, mut shifted) = (0u16, a);
		for bit in 0..16 {
			if b >> bit & 1 == 1 {
				product ^= shifted;
			}
			let carry = shifted >> 15;
			shifted = (shifted << 1) ^ (carry * 0b10_1101);
		}
		product
	}

	fn mul(&self, a: u16, b: u16) -> u16 {
		let product = Self::mul_polynomials(self.polynomial[usize::from(a)], self.polynomial[usize::from(b)]);
		self.coordinates[usize::from(product)]
	}

	/// `a / b`, where `1 / b` is b to the power of 2^16 − 2.
	fn div(&self, a: u16, b: u16) -> u16 {
		let mut quotient = a;
		let mut power = b;
		for _ in 1..16 {
			power = self.mul(power, power);
			quotient = self.mul(quotient, power);
		}
		quotient
	}
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
	bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
