//! From a file to a component.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dohost_engine::program::{Exports, Module, ProgramError, Runtime};
use dohost_engine::{CodeCache, Engine, EngineOptions};
use dohost_rpc::Program;
use dohost_rpc::dynamic::ProgramClass;

use crate::cache::{self, Cache};
use crate::modules::{self, Modules};
use crate::problem::{Problem, Problems};

/// What evaluates programs, a component, unless the environment names another one.
static RUNTIME: &[u8] = include_bytes!(env!("DOHOST_JAVASCRIPT_RUNTIME"));

/// Instances that a builder needs: one, and those that are just going.
const INSTANCES_MAX: u32 = 8;

/// Names another runtime, for those who work on it: it is tried without building the host.
const RUNTIME_VARIABLE: &str = "DOHOST_JAVASCRIPT_RUNTIME";

/// Builds programs. The runtime is compiled for the first one that is not known already.
pub struct Builder {
    /// What evaluates programs.
    binary: &'static [u8],
    code_cache: Option<CodeCache>,
    cache: Option<Cache>,
    runtime: Mutex<Option<Arc<Runtime>>>,
}

/// A program that was built.
#[derive(Clone)]
pub struct Built {
    /// The component.
    pub component: Arc<[u8]>,
    /// What it exports.
    pub program: Program,
    /// The files that it was built of.
    pub files: Vec<PathBuf>,
}

impl Builder {
    /// Keeps what it builds in this folder, if there is one, and machine code in this cache.
    pub fn new(folder: Option<&Path>, code_cache: Option<CodeCache>) -> Builder {
        let other = std::env::var_os(RUNTIME_VARIABLE).and_then(|path| std::fs::read(path).ok());
        let binary = other.map_or(RUNTIME, |other| &*other.leak());
        Builder { binary, code_cache, cache: folder.map(Cache::new), runtime: Mutex::default() }
    }

    /// Builds the program that begins with this file.
    pub fn build(&self, entry: &Path) -> Result<Built, Problems> {
        let started = Instant::now();
        let Modules { modules, files, texts } = modules::collect(entry)?;
        let key = cache::key(self.binary, &modules);
        if let Some((component, program)) = self.cache.as_ref().and_then(|cache| cache.get(&key)) {
            return Ok(Built { component: component.into(), program, files });
        }
        let specifiers: Vec<String> = modules.iter().map(|module| module.specifier.clone()).collect();
        let imports: Vec<Imports> = modules.iter().map(|module| module.imports.clone()).collect();
        let (mut component, exports) = self.load(entry, modules).map_err(|error| {
            let shown = entry.parent().unwrap_or(Path::new(""));
            let files = Files { specifiers: &specifiers, imports: &imports, files: &files, texts: &texts, shown };
            problem(error, entry, &files)
        })?;
        let program = program(exports);
        program.append(&mut component);
        if let Some(cache) = &self.cache {
            cache.put(&key, &component);
        }
        let ms = started.elapsed().as_millis() as u64;
        tracing::info!(file = %entry.display(), modules = files.len(), kib = component.len() / 1024, ms, "built");
        Ok(Built { component: component.into(), program, files })
    }

    fn load(&self, entry: &Path, modules: Vec<Module>) -> Result<(Vec<u8>, Exports), ProgramError> {
        let runtime = self.runtime()?;
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let tokio = tokio.map_err(|error| ProgramError::Runtime(error.to_string()))?;
        tokio.block_on(runtime.load(&entry.to_string_lossy(), modules))
    }

    fn runtime(&self) -> Result<Arc<Runtime>, ProgramError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.clone());
        }
        let options = EngineOptions {
            instances_max: INSTANCES_MAX,
            code_cache: self.code_cache.clone(),
            ..EngineOptions::default()
        };
        let engine = Engine::new(options).map_err(|error| ProgramError::Runtime(error.to_string()))?;
        let compiled = Arc::new(Runtime::new(&engine, self.binary)?);
        *runtime = Some(compiled.clone());
        Ok(compiled)
    }
}

fn program(exports: Exports) -> Program {
    let classes = exports.classes.into_iter().map(|class| ProgramClass {
        name: class.name,
        methods: class.methods,
        handlers: class.handlers,
    });
    Program {
        builder: concat!("dohost ", env!("CARGO_PKG_VERSION")).into(),
        classes: classes.collect(),
        worker: exports.worker,
    }
}

/// What a module imports: as it is written, and the specifier of the module that is meant.
type Imports = Vec<(String, String)>;

/// What a stack trace may name, and what modules import.
struct Files<'a> {
    specifiers: &'a [String],
    imports: &'a [Imports],
    files: &'a [PathBuf],
    texts: &'a [Arc<str>],
    /// The folder of the entry as the user calls it.
    shown: &'a Path,
}

fn problem(error: ProgramError, entry: &Path, files: &Files<'_>) -> Problem {
    let name = entry.display();
    match error {
        ProgramError::Threw { message, stack } => {
            match files.place_in(&stack).or_else(|| files.place_of_import(&message)) {
                Some((number, span)) => {
                    Problem::new(message, None).at(&files.shown(number, entry), &files.texts[number], span)
                }
                None => Problem::new(format!("{name}: {message}"), None),
            }
        }
        ProgramError::Trapped(reason) => Problem::new(format!("{name} cannot be evaluated: {reason}"), None),
        error @ ProgramError::Runtime(_) => Problem::new(error.to_string(), None),
    }
}

impl Files<'_> {
    /// The first place of a stack trace that is in a module: its number, and which bytes of it.
    fn place_in(&self, stack: &str) -> Option<(usize, Range<usize>)> {
        let (number, line, column): (usize, usize, usize) = stack.lines().find_map(|line| {
            let found = self.specifiers.iter().enumerate().filter_map(|(number, specifier)| {
                let rest = line.split_once(specifier.as_str())?.1.strip_prefix(':')?;
                let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(1));
                Some((number, numbers.next()?, numbers.next().unwrap_or(1)))
            });
            // Of `a.js` and `lib/a.js` the longer one is meant.
            found.max_by_key(|(number, ..)| self.specifiers[*number].len())
        })?;
        let text = &self.texts[number];
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let from = text[start..end].char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at);
        Some((number, start + from..start + from + 1))
    }

    /// Where a name is imported that its module does not export, which the engine says without a place.
    fn place_of_import(&self, message: &str) -> Option<(usize, Range<usize>)> {
        let (name, module) = message.split_once("Could not find export '")?.1.split_once("' in module '")?;
        let module = module.strip_suffix('\'')?;
        self.imports.iter().enumerate().find_map(|(number, imports)| {
            let mut written = imports.iter().filter(|(_, meant)| meant == module);
            written.find_map(|(written, _)| Some((number, place_of_name(&self.texts[number], name, written)?)))
        })
    }

    fn shown(&self, number: usize, entry: &Path) -> PathBuf {
        if number == 0 {
            return entry.to_owned();
        }
        let folder = entry.canonicalize().ok().and_then(|entry| entry.parent().map(PathBuf::from));
        let file = &self.files[number];
        match folder.and_then(|folder| Some(file.strip_prefix(&folder).ok()?.to_owned())) {
            Some(relative) => self.shown.join(relative),
            None => file.clone(),
        }
    }
}

/// Where a name stands in an import, or what it is imported from if it does not stand there: `default` does not.
fn place_of_name(text: &str, name: &str, from: &str) -> Option<Range<usize>> {
    let quoted = ['"', '\''].map(|quote| format!("{quote}{from}{quote}"));
    let mut sources = quoted.iter().flat_map(|quoted| text.match_indices(quoted.as_str()));
    let mut last = None;
    let found = sources.find_map(|(at, quoted)| {
        let before = text[..at].trim_end().strip_suffix("from")?;
        last = Some(at..at + quoted.len());
        let start = ["import", "export"].iter().filter_map(|keyword| before.rfind(keyword)).max()?;
        let is_part =
            |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || ['_', '$'].contains(&char));
        let mut names = before[start..].match_indices(name);
        let (offset, _) = names.find(|(offset, _)| {
            let (left, right) = (&before[..start + offset], &before[start + offset + name.len()..]);
            !is_part(left.chars().next_back()) && !is_part(right.chars().next())
        })?;
        Some(start + offset..start + offset + name.len())
    });
    found.or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_found_by_name_and_module() {
        let text =
            "import { ab, b as c } from './x.js';\nimport d from \"./y.js\";\nexport { b } from './z.js';\n'./z.js';";
        let found = |name, from| place_of_name(text, name, from).map(|span| (span.start, &text[span]));
        assert_eq!(found("b", "./x.js"), Some((13, "b")));
        assert_eq!(found("b", "./z.js"), Some((text.find("b } from './z").unwrap(), "b")));
        assert_eq!(found("default", "./y.js").map(|(_, text)| text), Some("\"./y.js\""));
        assert_eq!(found("b", "./none.js"), None);
    }
}
