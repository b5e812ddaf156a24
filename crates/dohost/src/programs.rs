//! Programs of JavaScript among what is served: they are built when somebody first asks what they export, and what is
//! built is what is loaded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dohost_engine::CodeCache;
use dohost_javascript::{Builder, Built, Problem, Problems};
use dohost_rpc::Program;

use crate::failure::{Failure, Failures};
use crate::place::{Place, Source};
use crate::slow;

/// Where built components and machine code are kept.
const CACHE_DIR_VARIABLE: &str = "DOHOST_CACHE_DIR";

/// See the module. What was built is remembered until [`Programs::forget`].
pub struct Programs {
    builder: Builder,
    code_cache: Option<CodeCache>,
    built: Mutex<HashMap<PathBuf, Result<Built, Problems>>>,
}

impl Programs {
    /// With the caches that the environment of this process names.
    pub fn new() -> Programs {
        let folder = cache_dir();
        let code_cache = folder.as_ref().map(|folder| CodeCache::new(&folder.join("compiled")));
        let builder = Builder::new(folder.map(|folder| folder.join("programs")).as_deref(), code_cache.clone());
        Programs { builder, code_cache, built: Mutex::default() }
    }

    /// Where the machine code of components is kept.
    pub fn code_cache(&self) -> Option<CodeCache> {
        self.code_cache.clone()
    }

    /// From now on files are read again.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// What a file exports as a program, if it is one: a file of JavaScript, or a component that was built of one.
    pub fn program(&self, path: &Path) -> Result<Option<Program>, Failures> {
        if dohost_javascript::is_source(path) {
            return Ok(Some(self.built(path)?.program));
        }
        // What cannot be read says so when it is loaded.
        Ok(std::fs::read(path).ok().and_then(|component| Program::read(&component)))
    }

    /// The component of a program, if it is one of JavaScript.
    pub fn component(&self, path: &Path) -> Result<Option<Arc<[u8]>>, Failures> {
        match dohost_javascript::is_source(path) {
            true => Ok(Some(self.built(path)?.component)),
            false => Ok(None),
        }
    }

    /// Builds a program, unless it is built already.
    pub fn built(&self, path: &Path) -> Result<Built, Failures> {
        let mut built = self.lock();
        let built = built
            .entry(path.to_owned())
            .or_insert_with(|| slow::told(&format!("building {}", path.display()), || self.builder.build(path)));
        built.clone().map_err(|Problems(problems)| Failures(problems.into_iter().map(failure).collect()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Result<Built, Problems>>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not earlier: what was compiled to build is what has to be compiled to load.
impl Drop for Programs {
    fn drop(&mut self) {
        if let Some(cache) = &self.code_cache {
            cache.save();
        }
    }
}

/// The folder for what can be made again, if there is one: that of dohost in the user's.
fn cache_dir() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_user = || variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    variable(CACHE_DIR_VARIABLE).or_else(|| of_user().map(|folder| folder.join("dohost")))
}

fn failure(problem: Problem) -> Failure {
    let place = problem.place.map(|place| {
        let source = Source { path: place.path, text: place.text.to_string() };
        Place::new(Arc::new(source), place.span)
    });
    Failure::new(problem.text, problem.help).at(place)
}
