//! `wit-bindgen c` and `wit-bindgen go`, with the arguments that they have in wit-bindgen-cli, as far as guests need them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

/// Writes the bindings of a WIT world.
#[derive(Parser)]
#[command(name = "wit-bindgen-cli", version)]
enum Language {
    C {
        #[command(flatten)]
        options: wit_bindgen_c::Opts,
        #[command(flatten)]
        common: Common,
    },
    Go {
        #[command(flatten)]
        options: wit_bindgen_go::Opts,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(clap::Args)]
struct Common {
    /// A folder with WIT, what it depends on in `deps` below it.
    wit: PathBuf,
    /// The world, if there are several.
    #[arg(short, long)]
    world: Option<String>,
    /// Where to write.
    #[arg(long, default_value = ".")]
    out_dir: PathBuf,
}

fn main() -> Result<()> {
    match Language::parse() {
        Language::C { options, common } => generate(&mut *options.build(), &common),
        Language::Go { options, common } => generate(&mut *options.build(), &common),
    }
}

fn generate(generator: &mut dyn WorldGenerator, common: &Common) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(&common.wit)?;
    let world = resolve.select_world(&[package], common.world.as_deref())?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let path = common.out_dir.join(name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, content));
        written.with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}
