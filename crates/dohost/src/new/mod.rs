//! `dohost new`: a small project that builds, serves and has a test.

mod templates;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::args::New;
use crate::failure::Failure;
use crate::output;
pub use templates::Language;
use templates::Template;

/// What stands for the name of the project in files.
const NAME: &str = "{{name}}";
/// The same as an identifier, as cargo makes one of it.
const IDENTIFIER: &str = "{{identifier}}";

/// Writes the project and says what to do with it.
pub fn run(args: &New) -> anyhow::Result<()> {
    let name = project_name(&args.directory)?;
    let template = Template::of(args.lang);
    make_directory(&args.directory)?;
    for file in template.files {
        let path = args.directory.join(file.path.as_ref());
        let directory = path.parent().expect("it is below the directory");
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let text = file.text.replace(NAME, name).replace(IDENTIFIER, &name.replace('-', "_"));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        if file.path.ends_with(".sh") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    let directory = args.directory.display();
    output::say(format_args!(
        "{directory} is a counter in {}. To serve it and follow its changes:",
        template.language
    ))?;
    output::say(format_args!("\n  cd {directory}\n  dohost dev\n"))?;
    output::say(format_args!("Then {}", template.request))?;
    output::say("`dohost test` runs its tests. README.md says more.")?;
    Ok(())
}

/// The last part of the path, if it will do as the name of a package in every language.
fn project_name(directory: &Path) -> Result<&str, Failure> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    match is_good {
        true => Ok(name),
        false => {
            let help = "take lower-case letters, digits and dashes, such as my-counter";
            Err(Failure::new(format!("{name:?} cannot be the name of a project"), Some(help.into())))
        }
    }
}

/// Makes a directory, or takes an empty one.
fn make_directory(directory: &Path) -> anyhow::Result<()> {
    let unwanted = |text: &str| {
        let help = "give the name of a directory that is not there yet".to_owned();
        Failure::new(format!("{} {text}", directory.display()), Some(help))
    };
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(unwanted("is there already and not empty").into()),
        },
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(unwanted("is a file").into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", directory.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_will_do_in_every_language() {
        for good in ["a", "my-counter", "x/y/counter2", "counter/"] {
            assert!(project_name(Path::new(good)).is_ok(), "{good}");
        }
        for bad in ["", "..", "Counter", "2nd", "a b", "ä", "-a", "a_b"] {
            assert!(project_name(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
