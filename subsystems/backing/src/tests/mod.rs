//! Scenarios of backing (backing pipeline §9.4), and what Headway does better than they ask for.

#[cfg(test)]
mod any_order;
pub(crate) mod arbitrary;
mod harness;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod seconding;
#[cfg(test)]
mod statement_table;
mod votes;
