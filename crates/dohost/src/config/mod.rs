//! What is to be served, and how: from `dohost.toml` and the command line to one [`Plan`].
//!
//! [`file`] is the shape of the file, [`resolve`] makes the plan of it and checks all that can be checked without running
//! anything, [`plan`] is what comes out. Neither writes anything nor opens a port: a plan can be made again at any time, to
//! see what has changed.

pub mod at;
mod data_dir;
pub mod file;
pub mod plan;
mod resolve;
mod secret;
mod suggest;
mod tables;

pub use data_dir::data_dir;
pub use plan::Plan;
pub use resolve::{build, file_of, host_environment, listen, plan, sources};
