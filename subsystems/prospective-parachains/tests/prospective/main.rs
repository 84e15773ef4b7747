//! The machine from outside: scenarios of the specification, a naive model of it, determinism and bounds.

mod bounds;
mod model;
mod notation;
mod property;
mod rules;
mod scenarios;
mod view;
mod world;
