//! The joined machines of a validator, in a world that answers as it is told to.

pub(crate) mod arbitrary;
#[cfg(test)]
mod stories;
mod world;
