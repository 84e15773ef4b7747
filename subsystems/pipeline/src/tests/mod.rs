//! The joined machines of a validator, in a world that answers as it is told to.

pub(crate) mod arbitrary;
mod world;
