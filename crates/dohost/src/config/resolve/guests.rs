//! Classes and Workers: those of the file, or those of the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dohost_ingress::RoutePattern;
use dohost_object::{Limits, check_class_name};
use dohost_rpc::Program;
use heck::ToShoutySnakeCase;

use super::{At, Resolver};
use crate::args::Application;
use crate::config::file::{ClassTable, Concurrency, File, WorkerTable};
use crate::config::plan::{ClassPlan, ComponentFile, Secret, VariableValue, VariablesPlan, WorkerPlan};
use crate::config::suggest;
use crate::config::tables::{LimitsTable, Scalar};
use crate::failure::Failure;
use crate::limit::{self, LimitSetting};

/// The name of the Worker that the command line asks for.
const WORKER_NAME: &str = "worker";
/// The limits that a Worker has.
const WORKER_LIMITS: [&str; 4] = ["memory", "turn-cpu", "handles", "body"];
/// Routes of all Workers together: each request is compared with them.
const ROUTES_MAX: usize = 1_000;

type Bindings = BTreeMap<String, String>;
type BindingsTable = BTreeMap<At<String>, At<String>>;
type Vars = BTreeMap<At<String>, Scalar>;

/// What the command line gives to serve.
struct Given {
    classes: Vec<ClassFile>,
    worker: Option<PathBuf>,
}

/// A class of the command line.
struct ClassFile {
    name: String,
    /// The name that the component knows it by.
    own_name: String,
    path: PathBuf,
}

/// What every class and Worker starts from.
struct Base {
    /// The binding that every class has by its name.
    bindings: Bindings,
    limits: Limits,
    variables: VariablesPlan,
    class_names: Vec<String>,
}

impl Resolver<'_> {
    /// Everything that is to be served.
    pub(super) fn guests(&mut self, file: &File, arguments: &Application) -> (Vec<ClassPlan>, Vec<WorkerPlan>) {
        let Given { classes: class_files, worker: worker_file } = self.given(arguments);
        let class_names: Vec<String> = match self.source {
            Some(_) => file.classes.keys().map(|name| name.value.clone()).collect(),
            None => class_files.iter().map(|class| class.name.clone()).collect(),
        };
        let mut limits = Limits::default();
        self.apply_limits(&file.limits, &mut limits, None);
        let variables = self.variables(&file.vars, &file.secrets, &VariablesPlan::new());
        let base = Base { bindings: default_bindings(&class_names), limits, variables, class_names };

        let mut classes: Vec<ClassPlan> =
            file.classes.iter().map(|(name, table)| self.class(name, table, &base)).collect();
        classes.extend(class_files.into_iter().map(|ClassFile { name, own_name, path }| ClassPlan {
            bindings: with_own_name(base.bindings.clone(), &base, &own_name, &name),
            own_name,
            name,
            component: ComponentFile { path, place: None },
            limits: base.limits.clone(),
            is_serial: false,
            variables: base.variables.clone(),
        }));
        let mut workers: Vec<WorkerPlan> =
            file.workers.iter().map(|(name, table)| self.worker(name, table, &base)).collect();
        workers.extend(worker_file.iter().map(|path| WorkerPlan {
            name: WORKER_NAME.into(),
            component: ComponentFile { path: path.clone(), place: None },
            routes: vec![RoutePattern::everything()],
            limits: base.limits.clone(),
            bindings: base.bindings.clone(),
            variables: base.variables.clone(),
        }));

        self.check_routes(file);
        if classes.is_empty() && workers.is_empty() {
            self.fail_of_nothing();
        } else {
            self.apply_arguments(arguments, &mut classes, &mut workers);
        }
        (classes, workers)
    }

    /// What the command line gives to serve: each name once, one Worker at most.
    fn given(&mut self, arguments: &Application) -> Given {
        let mut given = Given { classes: Vec::new(), worker: arguments.worker.clone() };
        for file in &arguments.files {
            match self.program(file) {
                Some(program) => self.given_program(file, &program, arguments, &mut given),
                // What is wrong with it was said.
                None if dohost_javascript::is_source(file) => {}
                None => self.given_component(file, &mut given),
            }
        }
        for (name, file) in &arguments.classes {
            if let Some((path, own_name)) = self.class_in_file(name, file) {
                self.give(ClassFile { name: name.clone(), own_name, path }, &mut given);
            }
        }
        if let Some(file) = &arguments.worker
            && let Some(program) = self.program(file)
            && !program.worker
        {
            let text = format!("{} is no Worker: it has no default export with fetch", file.display());
            self.failures.push(Failure::new(text, Some("export default { async fetch(request, env) { … } }".into())));
        }
        given
    }

    /// A program is each class that it exports, and the Worker if it is one.
    fn given_program(&mut self, file: &Path, program: &Program, arguments: &Application, given: &mut Given) {
        for class in &program.classes {
            match check_class_name(&class.name) {
                Ok(()) => {
                    let name = class.name.clone();
                    self.give(ClassFile { own_name: name.clone(), name, path: file.to_owned() }, given);
                }
                Err(error) => {
                    let help = format!("name it yourself: --class NAME={}#{}", file.display(), class.name);
                    self.failures.push(Failure::new(error, Some(help)));
                }
            }
        }
        if program.worker && arguments.worker.is_none() {
            if let Some(other) = &given.worker {
                let text = format!("two Workers: {} and {}", other.display(), file.display());
                let help = "say which one it is with --worker FILE, or give them routes in dohost.toml";
                self.failures.push(Failure::new(text, Some(help.into())));
            }
            given.worker = Some(file.to_owned());
        }
        if program.classes.is_empty() && !program.worker {
            let text = format!("there is nothing to serve in {}", file.display());
            let help = "export a class of objects, or export default { async fetch(request, env) { … } }";
            self.failures.push(Failure::new(text, Some(help.into())));
        }
    }

    /// A component is the class that is called like its file.
    fn given_component(&mut self, file: &Path, given: &mut Given) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match check_class_name(&name) {
            Ok(()) => self.give(ClassFile { own_name: name.clone(), name, path: file.to_owned() }, given),
            Err(error) => {
                let help = format!("name it yourself: --class NAME={}", file.display());
                self.failures.push(Failure::new(error, Some(help)));
            }
        }
    }

    fn give(&mut self, class: ClassFile, given: &mut Given) {
        if let Some(other) = given.classes.iter().find(|other| other.name == class.name) {
            let ClassFile { name, path, .. } = &class;
            let text = format!("two files for the class {name}: {} and {}", other.path.display(), path.display());
            let help = format!("give one of them another name with --class NAME={}", path.display());
            self.failures.push(Failure::new(text, Some(help)));
        }
        given.classes.push(class);
    }

    /// The file of `NAME=FILE#CLASS`, and the name of the class in it: NAME, or the only one, if it is not said.
    fn class_in_file(&mut self, name: &str, file: &Path) -> Option<(PathBuf, String)> {
        let text = file.to_string_lossy().into_owned();
        let (path, class) = match text.rsplit_once('#') {
            Some((path, class)) if !file.exists() => (PathBuf::from(path), Some(class)),
            _ => (file.to_owned(), None),
        };
        let Some(program) = self.program(&path) else {
            let is_wrong = dohost_javascript::is_source(&path);
            return (!is_wrong).then(|| (path, class.unwrap_or(name).to_owned()));
        };
        match class_of_program(&program, name, class, &path) {
            Ok(own_name) => Some((path, own_name)),
            Err((text, help)) => {
                self.failures.push(Failure::new(text, help));
                None
            }
        }
    }

    /// What the component of a table calls its class.
    fn own_name(&mut self, name: &At<String>, table: &ClassTable, component: &ComponentFile) -> String {
        let mut own_name = self.class_name(name);
        if let Some(class) = &table.class {
            own_name = self.class_name(class);
        }
        let Some(program) = self.program(&component.path) else { return own_name };
        let class = table.class.as_ref().map(|class| class.value.as_str());
        if let (None, [only]) = (class, &program.classes[..])
            && !name.value.eq_ignore_ascii_case(&only.name)
            && suggest::nearest(&name.value, [only.name.as_str()]).is_some()
        {
            let text = format!("{} exports no class {}", component.path.display(), name.value);
            let help =
                format!("did you mean {0}? To serve {0} as {1}, write class = \"{0}\" below", only.name, name.value);
            self.fail(name, text, Some(help));
            return own_name;
        }
        match class_of_program(&program, &name.value, class, &component.path) {
            Ok(own_name) => own_name,
            Err((text, help)) => {
                self.fail(table.class.as_ref().unwrap_or(&table.component), text, help);
                own_name
            }
        }
    }

    fn fail_of_nothing(&mut self) {
        if !self.failures.is_empty() {
            // A file that could not be named is not nothing.
            return;
        }
        let (text, help) = match &self.source {
            Some(source) => (
                format!("there is nothing to serve: {} has neither classes nor Workers", source.path.display()),
                "add [classes.Counter] with component = \"counter.wasm\"",
            ),
            None => (
                "there is nothing to serve".into(),
                "dohost serve counter.wasm, or a dohost.toml here (more in dohost serve --help)",
            ),
        };
        self.failures.push(Failure::new(text, Some(help.into())));
    }

    fn class(&mut self, name: &At<String>, table: &ClassTable, base: &Base) -> ClassPlan {
        let mut limits = base.limits.clone();
        self.apply_limits(&table.limits, &mut limits, None);
        let component = self.component(&table.component);
        let own_name = self.own_name(name, table, &component);
        let bindings = self.bindings(&table.bindings, base);
        let bindings = with_own_name(bindings, base, &own_name, &name.value);
        ClassPlan {
            name: name.value.clone(),
            own_name,
            component,
            limits,
            is_serial: table.concurrency == Concurrency::Serial,
            bindings,
            variables: self.variables(&table.vars, &table.secrets, &base.variables),
        }
    }

    fn worker(&mut self, name: &At<String>, table: &WorkerTable, base: &Base) -> WorkerPlan {
        if check_class_name(&name.value).is_err() {
            let help = "give up to 64 letters, digits, '-', '_' and '.', not beginning with '.'";
            self.fail(name, format!("{:?} cannot be the name of a Worker", name.value), Some(help.into()));
        }
        let mut limits = base.limits.clone();
        self.apply_limits(&table.limits, &mut limits, Some(&WORKER_LIMITS));
        let routes = match &table.routes {
            None => vec![RoutePattern::everything()],
            Some(routes) => {
                if routes.value.is_empty() {
                    let help = "leave `routes` out for a Worker that gets every request";
                    self.fail(routes, "a Worker without routes gets no request", Some(help.into()));
                }
                routes.value.iter().filter_map(|route| self.route(route)).collect()
            }
        };
        let component = self.component(&table.component);
        if let Some(program) = self.program(&component.path)
            && !program.worker
        {
            let text = format!("{} is no Worker: it has no default export with fetch", component.path.display());
            self.fail(&table.component, text, Some("export default { async fetch(request, env) { … } }".into()));
        }
        WorkerPlan {
            name: name.value.clone(),
            component,
            routes,
            limits,
            bindings: self.bindings(&table.bindings, base),
            variables: self.variables(&table.vars, &table.secrets, &base.variables),
        }
    }

    fn component(&mut self, at: &At<String>) -> ComponentFile {
        ComponentFile { path: self.file(at), place: self.place(at) }
    }

    fn route(&mut self, at: &At<String>) -> Option<RoutePattern> {
        at.value.parse().map_err(|error| self.fail(at, error, None)).ok()
    }

    /// No route is there twice, and there are not too many.
    fn check_routes(&mut self, file: &File) {
        let mut seen: Vec<(RoutePattern, &str)> = Vec::new();
        for (name, table) in &file.workers {
            let everything = [At { value: RoutePattern::everything().to_string(), span: name.span.clone() }];
            for at in table.routes.as_ref().map_or(&everything[..], |routes| &routes.value[..]) {
                let Ok(route) = at.value.parse::<RoutePattern>() else { continue };
                match seen.iter().find(|(other, _)| *other == route) {
                    Some((_, other)) => {
                        let text = format!("the route {route} is given to {other} and to {}", name.value);
                        let help = "each Worker says its routes; no two have the same one";
                        self.fail(at, text, Some(help.into()));
                    }
                    None if seen.len() == ROUTES_MAX => {
                        self.fail(at, format!("all Workers together have at most {ROUTES_MAX} routes"), None);
                        return;
                    }
                    None => seen.push((route, &name.value)),
                }
            }
        }
    }

    /// The bindings that every class has, and those of the table.
    fn bindings(&mut self, table: &BindingsTable, base: &Base) -> Bindings {
        let mut bindings = base.bindings.clone();
        for (name, class) in table {
            if check_class_name(&name.value).is_err() {
                let help = "give up to 64 letters, digits, '-', '_' and '.', not beginning with '.'";
                self.fail(name, format!("{:?} cannot be the name of a binding", name.value), Some(help.into()));
            }
            if !base.class_names.contains(&class.value) {
                let help = suggest::help(&class.value, "the classes", base.class_names.iter().map(String::as_str));
                self.fail(class, format!("no class is called {:?}", class.value), help);
            }
            bindings.insert(name.value.clone(), class.value.clone());
        }
        bindings
    }

    /// Those that are there already, and those of the tables, which win.
    fn variables(&mut self, vars: &Vars, secrets: &[At<String>], base: &VariablesPlan) -> VariablesPlan {
        let mut variables = base.clone();
        for (name, Scalar(text)) in vars {
            self.check_variable(name);
            if text.contains('\0') {
                self.fail(name, format!("the variable {} has a zero byte in its value", name.value), None);
            }
            variables.insert(name.value.clone(), VariableValue::Plain(text.clone()));
        }
        for name in secrets {
            self.check_variable(name);
            if vars.contains_key(name) {
                self.fail(name, format!("{} is a variable and a secret", name.value), None);
            }
            if let Some(text) = self.secret(name) {
                variables.insert(name.value.clone(), VariableValue::Secret(Secret::new(text)));
            }
        }
        variables
    }

    fn check_variable(&mut self, name: &At<String>) {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let text = format!("{:?} cannot be the name of an environment variable", name.value);
            self.fail(name, text, Some("it must not be empty, nor have a '=' in it".into()));
        }
    }

    fn apply_limits(&mut self, table: &LimitsTable, limits: &mut Limits, only: Option<&[&str]>) {
        for (name, value) in &table.0 {
            let names: Vec<&str> = limit::names().collect();
            if !names.contains(&name.value.as_str()) {
                let help = suggest::help(&name.value, "the limits", names);
                self.fail(name, format!("no limit is called {}", name.value), help);
            } else if let Some(only) = only.filter(|only| !only.contains(&name.value.as_str())) {
                let help = format!("a Worker has the limits {}", only.join(", "));
                self.fail(name, format!("{} is a limit of objects", name.value), Some(help));
            } else {
                match LimitSetting::new(None, &name.value, &value.value.0) {
                    Ok(setting) => setting.apply(limits),
                    Err(text) => self.fail(value, text, None),
                }
            }
        }
    }

    /// What the command line says of classes that are there.
    fn apply_arguments(&mut self, arguments: &Application, classes: &mut [ClassPlan], workers: &mut [WorkerPlan]) {
        let of_all = || arguments.limits.iter().filter(|limit| limit.class.is_none());
        let all = classes.iter_mut().map(|class| &mut class.limits);
        for limits in all.chain(workers.iter_mut().map(|worker| &mut worker.limits)) {
            of_all().for_each(|limit| limit.apply(limits));
        }
        for limit in &arguments.limits {
            let Some(name) = &limit.class else { continue };
            match classes.iter_mut().find(|class| class.name == *name) {
                Some(class) => limit.apply(&mut class.limits),
                None => self.fail_of_class(name, classes),
            }
        }
        for name in &arguments.serial {
            match classes.iter_mut().find(|class| class.name == *name) {
                Some(class) => class.is_serial = true,
                None => self.fail_of_class(name, classes),
            }
        }
    }

    fn fail_of_class(&mut self, name: &str, classes: &[ClassPlan]) {
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        let help = format!("the classes are {}", names.join(", "));
        self.failures.push(Failure::new(format!("no class {name} is served"), Some(help)));
    }
}

/// The class of a program that is served under a name; if it is not said which one, that of this name, or the only one.
fn class_of_program(
    program: &Program,
    name: &str,
    class: Option<&str>,
    path: &Path,
) -> Result<String, (String, Option<String>)> {
    match (program.class(class.unwrap_or(name)), class, &program.classes[..]) {
        (Some(class), _, _) => Ok(class.name.clone()),
        (None, None, [only]) => Ok(only.name.clone()),
        (None, _, classes) => {
            let text = format!("{} exports no class {}", path.display(), class.unwrap_or(name));
            let names = classes.iter().map(|class| class.name.as_str());
            Err((text, suggest::help(class.unwrap_or(name), "the classes", names)))
        }
    }
}

/// An object may call others of its class by what it is told that the class is called.
fn with_own_name(mut bindings: Bindings, base: &Base, own_name: &str, name: &str) -> Bindings {
    if !base.class_names.iter().any(|served| served == own_name) {
        bindings.entry(own_name.to_owned()).or_insert_with(|| name.to_owned());
    }
    bindings
}

/// Every class is bound as its name in capitals. Where two classes come to the same binding, neither has it.
fn default_bindings(class_names: &[String]) -> Bindings {
    let bound = |name: &String| (name.to_shouty_snake_case(), name.clone());
    let all: Vec<(String, String)> = class_names.iter().map(bound).collect();
    let is_alone = |(binding, _): &&(String, String)| {
        !binding.is_empty() && all.iter().filter(|(other, _)| other == binding).count() == 1
    };
    all.iter().filter(is_alone).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_bound_as_their_names_in_capitals() {
        let names = ["Counter", "ChatRoom", "chat-room", "x.y", "HTTPCache", "already_snake", "_"].map(String::from);
        let bindings = default_bindings(&names);
        let expected =
            [("ALREADY_SNAKE", "already_snake"), ("COUNTER", "Counter"), ("HTTP_CACHE", "HTTPCache"), ("X_Y", "x.y")];
        let bindings: Vec<(&str, &str)> =
            bindings.iter().map(|(name, class)| (name.as_str(), class.as_str())).collect();
        assert_eq!(bindings, expected);
    }
}
