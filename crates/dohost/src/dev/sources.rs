//! Where changes are looked for.

use std::path::PathBuf;

use crate::args::Application;
use crate::config;

/// Where to look.
#[derive(Debug, Default)]
pub struct Watched {
    /// Directories with all that is below, leaving out what .gitignore names and what is hidden; and files. Those that are not
    /// there may come.
    pub paths: Vec<PathBuf>,
    /// Not these.
    pub ignored: Vec<PathBuf>,
}

/// The configuration, what components are built from, and those that nothing here builds.
pub struct Sources {
    application: Application,
    /// As far as it is known: while the configuration has a mistake, that is how it was before.
    known: Watched,
}

impl Sources {
    /// Those of what these arguments ask for.
    pub fn of(application: Application) -> Sources {
        Sources { application, known: Watched::default() }
    }

    /// Where they are now.
    pub fn now(&mut self) -> &Watched {
        self.read();
        &self.known
    }

    fn read(&mut self) {
        let config = config::file_of(&self.application);
        self.known.paths.extend(config.clone().filter(|config| !self.known.paths.contains(config)));
        let Ok(build) = config::build(&self.application) else { return };
        // Where programs are is all that is wanted of them.
        let plan = config::plan(&self.application, &config::host_environment, &|_| Ok(None)).ok();
        let mut paths: Vec<PathBuf> = config.clone().into_iter().collect();
        let components: Vec<PathBuf> = plan.iter().flat_map(|plan| plan.components()).map(PathBuf::from).collect();
        match (&build, &plan) {
            (Some(build), _) => paths.extend(build.watched.iter().cloned()),
            (None, Some(_)) => {
                // Modules may import others beside them.
                let sources = components.iter().filter(|path| dohost_javascript::is_source(path));
                paths.extend(sources.filter_map(|path| path.parent()).map(PathBuf::from));
                paths.extend(components.iter().cloned());
            }
            // Something is missing that may come.
            (None, None) => {
                paths.extend(config.iter().filter_map(|config| config.parent()).map(PathBuf::from));
                paths.extend(self.application.files.iter().cloned());
            }
        }
        if let Some(plan) = plan {
            self.known.ignored = if build.is_some() { components } else { Vec::new() };
            self.known.ignored.push(plan.data_dir);
        }
        self.known.paths = paths;
    }
}
