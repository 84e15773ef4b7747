//! Structure of types and pallets as text, from metadata: what is encoded in which order, and the names that clients
//! address it by.
//!
//! Also compiled into `golden`, so that both sides are written by the same code.
//!
//! | text | type |
//! |---|---|
//! | `u32`, `str` | primitives |
//! | `(a, b)`, `()` | structs and tuples: what is encoded, in order; of a single field only that field |
//! | `[a]`, `[a; 4]` | sequences of any kind (maps: of pairs), arrays |
//! | `{0 Name(a) \| 1 Name}`, `Option<a>` | variants by index |
//! | `compact a`, `bits<u8, Lsb0>` | compact integers, bit vectors |
//! | `^1` | a type that contains itself: the one around it, so many levels up |
//! | `xcm::VersionedXcm` | types of XCM, which is a protocol of its own |

use frame_metadata::v14::{
	PalletMetadata, StorageEntryMetadata, StorageEntryModifier, StorageEntryType, StorageHasher,
};
use scale_info::{
	form::PortableForm, Field, PortableRegistry, TypeDef, TypeDefPrimitive, TypeDefVariant, Variant,
};
use std::collections::BTreeMap;

type Pallet = PalletMetadata<PortableForm>;

/// What others can address of some pallets: key of an item, then what it is like.
pub(crate) type Surface = BTreeMap<String, String>;

/// Describes storage, calls, events and errors of a pallet.
pub(crate) fn describe_pallet(types: &PortableRegistry, pallet: &Pallet) -> Surface {
	let name = &pallet.name;
	let mut surface = Surface::from([(format!("{name} index"), pallet.index.to_string())]);
	if let Some(storage) = &pallet.storage {
		surface.insert(format!("{name} prefix"), storage.prefix.clone());
		for entry in &storage.entries {
			surface.insert(format!("{name} storage {}", entry.name), storage_entry(types, entry));
		}
	}
	let enums = [
		("call", pallet.calls.as_ref().map(|calls| calls.ty.id)),
		("event", pallet.event.as_ref().map(|event| event.ty.id)),
		("error", pallet.error.as_ref().map(|error| error.ty.id)),
	];
	for (kind, id) in enums {
		let Some(TypeDef::Variant(variants)) = id.map(|id| &resolve(types, id).type_def) else { continue };
		for variant in &variants.variants {
			let fields = variant.fields.iter().map(|field| named_field(types, field)).collect::<Vec<_>>();
			let fields = if fields.is_empty() { String::new() } else { format!("({})", fields.join(", ")) };
			surface
				.insert(format!("{name} {kind} {:02}", variant.index), format!("{}{fields}", variant.name));
		}
	}
	surface
}

/// Describes a type.
pub(crate) fn shape(types: &PortableRegistry, id: u32) -> String {
	nested(types, id, &mut Vec::new())
}

fn storage_entry(types: &PortableRegistry, entry: &StorageEntryMetadata<PortableForm>) -> String {
	let ty = match &entry.ty {
		StorageEntryType::Plain(value) => shape(types, value.id),
		StorageEntryType::Map { hashers, key, value } => {
			let hashers = hashers.iter().map(hasher).collect::<Vec<_>>().join(" ");
			format!("{hashers} {} -> {}", shape(types, key.id), shape(types, value.id))
		},
	};
	match entry.modifier {
		StorageEntryModifier::Optional => format!("optional {ty}"),
		StorageEntryModifier::Default => format!("{ty} = 0x{}", hex::encode(&entry.default)),
	}
}

fn hasher(hasher: &StorageHasher) -> &'static str {
	match hasher {
		StorageHasher::Blake2_128 => "blake2_128",
		StorageHasher::Blake2_256 => "blake2_256",
		StorageHasher::Blake2_128Concat => "blake2_128_concat",
		StorageHasher::Twox128 => "twox128",
		StorageHasher::Twox256 => "twox256",
		StorageHasher::Twox64Concat => "twox64_concat",
		StorageHasher::Identity => "identity",
	}
}

fn resolve(types: &PortableRegistry, id: u32) -> &scale_info::Type<PortableForm> {
	types.resolve(id).expect("metadata contains the types that it refers to")
}

fn named_field(types: &PortableRegistry, field: &Field<PortableForm>) -> String {
	let shape = shape(types, field.ty.id);
	field.name.as_ref().map_or(shape.clone(), |name| format!("{name}: {shape}"))
}

/// `around`: the types that this one is inside of.
fn nested(types: &PortableRegistry, id: u32, around: &mut Vec<u32>) -> String {
	if let Some(position) = around.iter().position(|outer| *outer == id) {
		return format!("^{}", around.len() - position);
	}
	let ty = resolve(types, id);
	let path = &ty.path.segments;
	if let (Some("staging_xcm" | "xcm"), Some(last)) = (path.first().map(|s| s.as_str()), path.last()) {
		return format!("xcm::{last}");
	}
	around.push(id);
	let mut inner = |id| nested(types, id, around);
	let shape = match &ty.type_def {
		TypeDef::Composite(composite) => joined(composite.fields.iter().map(|field| inner(field.ty.id))),
		TypeDef::Tuple(tuple) => joined(tuple.fields.iter().map(|field| inner(field.id))),
		TypeDef::Sequence(sequence) => format!("[{}]", inner(sequence.type_param.id)),
		TypeDef::Array(array) => format!("[{}; {}]", inner(array.type_param.id), array.len),
		TypeDef::Compact(compact) => format!("compact {}", inner(compact.type_param.id)),
		TypeDef::Primitive(primitive) => primitive_name(primitive).into(),
		TypeDef::BitSequence(bits) => {
			let order = resolve(types, bits.bit_order_type.id).path.ident().unwrap_or_default();
			format!("bits<{}, {order}>", inner(bits.bit_store_type.id))
		},
		TypeDef::Variant(TypeDefVariant { variants }) if path == &["Option"] => {
			let some = variants.iter().find_map(|variant| variant.fields.first());
			format!("Option<{}>", some.map_or_else(|| "()".into(), |field| inner(field.ty.id)))
		},
		TypeDef::Variant(TypeDefVariant { variants }) => {
			let mut sorted = variants.iter().collect::<Vec<_>>();
			sorted.sort_by_key(|variant| variant.index);
			let variants = sorted.into_iter().map(|Variant { index, name, fields, .. }| {
				match joined(fields.iter().map(|field| inner(field.ty.id))).as_str() {
					"()" => format!("{index} {name}"),
					tuple if tuple.starts_with('(') => format!("{index} {name}{tuple}"),
					single => format!("{index} {name}({single})"),
				}
			});
			format!("{{{}}}", variants.collect::<Vec<_>>().join(" | "))
		},
	};
	around.pop();
	shape
}

/// Fields in order, without those that encode to nothing.
fn joined(fields: impl Iterator<Item = String>) -> String {
	let mut fields = fields.filter(|field| field != "()").collect::<Vec<_>>();
	match fields.len() {
		1 => fields.remove(0),
		_ => format!("({})", fields.join(", ")),
	}
}

fn primitive_name(primitive: &TypeDefPrimitive) -> &'static str {
	match primitive {
		TypeDefPrimitive::Bool => "bool",
		TypeDefPrimitive::Char => "char",
		TypeDefPrimitive::Str => "str",
		TypeDefPrimitive::U8 => "u8",
		TypeDefPrimitive::U16 => "u16",
		TypeDefPrimitive::U32 => "u32",
		TypeDefPrimitive::U64 => "u64",
		TypeDefPrimitive::U128 => "u128",
		TypeDefPrimitive::U256 => "u256",
		TypeDefPrimitive::I8 => "i8",
		TypeDefPrimitive::I16 => "i16",
		TypeDefPrimitive::I32 => "i32",
		TypeDefPrimitive::I64 => "i64",
		TypeDefPrimitive::I128 => "i128",
		TypeDefPrimitive::I256 => "i256",
	}
}
