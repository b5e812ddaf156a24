//! The command line of `dohost objects` and `dohost stats`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

const OBJECTS_EXAMPLES: &str = "\
Examples:
  The classes, and the objects of one of them
      dohost objects list
      dohost objects list counter

  What an object has stored
      dohost objects show counter/A
      dohost objects keys counter/A
      dohost objects get counter/A count

  Its alarms, and how the last ones went
      dohost objects alarms counter/A

  Change it; its next request sees that
      dohost objects put counter/A count 42
      dohost objects put counter/A picture --file cat.png
      dohost objects delete counter/A count

  All it stored, and its name
      dohost objects delete counter/A --yes

  An object without a name
      dohost objects show counter --id 5d6e…

  A host elsewhere, whose token is in DOHOST_MANAGEMENT_TOKEN
      dohost objects list --url http://10.0.0.7:8788";

/// Look after objects: what there is, what is stored, and changes to that.
///
/// A host that runs on the data directory is asked through its management socket. When none runs, the data directory is worked
/// on as it is.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = OBJECTS_EXAMPLES, after_help = "`dohost objects --help` shows examples.")]
pub struct Objects {
    #[command(subcommand)]
    pub action: Action,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the classes, or the objects of one
    List {
        /// The class whose objects are listed
        class: Option<String>,
        /// Only objects with a name that begins so
        #[arg(long, requires = "class")]
        prefix: Option<String>,
        /// At most so many objects [default: all]
        #[arg(long, value_name = "N", requires = "class")]
        limit: Option<usize>,
    },
    /// Show what is known of an object
    Show(Meant),
    /// List the keys of an object
    Keys {
        #[command(flatten)]
        object: Meant,
        /// Only keys that begin so
        #[arg(long)]
        prefix: Option<String>,
    },
    /// List the alarms of an object, and how its last ones went
    Alarms {
        #[command(flatten)]
        object: Meant,
        /// At most so many past runs [default: 20]
        #[arg(long, value_name = "N")]
        runs: Option<u64>,
    },
    /// Print the value of a key
    Get {
        #[command(flatten)]
        object: Meant,
        /// The key
        key: String,
        /// Print the bytes as they are, also to a terminal
        #[arg(long)]
        raw: bool,
    },
    /// Write a key. An object that is in memory is evicted first, and its next request sees the value
    Put(Put),
    /// Delete a key, or the object with all it stored
    Delete {
        #[command(flatten)]
        object: Meant,
        /// The key; without it the object goes
        key: Option<String>,
        /// Yes, all that the object stored
        #[arg(long)]
        yes: bool,
    },
    /// Take an object out of memory once it is done with what it does
    Evict(Meant),
    /// Take an object out of memory at once; requests that it handles fail
    Reset(Meant),
}

#[derive(Debug, ClapArgs)]
pub struct Put {
    #[command(flatten)]
    pub object: Meant,
    /// The key
    pub key: String,
    /// The value, as text
    #[arg(required_unless_present = "file", conflicts_with = "file", allow_hyphen_values = true)]
    pub value: Option<String>,
    /// Take the value from this file; - is standard input
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// VALUE is hexadecimal
    #[arg(long, requires = "value", conflicts_with = "base64")]
    pub hex: bool,
    /// VALUE is base64
    #[arg(long, requires = "value")]
    pub base64: bool,
}

/// Which object.
#[derive(Debug, ClapArgs)]
pub struct Meant {
    /// The object: CLASS/NAME, or CLASS with --id
    #[arg(value_name = "CLASS/NAME")]
    pub object: String,
    /// The object with this id, which may have no name
    #[arg(long)]
    pub id: Option<String>,
}

/// Print figures: objects, events, commits, bytes.
#[derive(Debug, ClapArgs)]
pub struct Stats {
    #[command(flatten)]
    pub place: Place,
}

const DEPLOY_EXAMPLES: &str = "\
Examples:
  The component, or dohost.toml, has changed: the host takes the new one
      dohost deploy

  The host of another data directory
      dohost deploy --data-dir /var/lib/dohost

  Methods have changed, and all who call them know
      dohost deploy --force";

/// Give a host that runs new code: it reads its configuration and components again.
///
/// Objects in memory finish what they do and go on with the new code; no request fails and no connection is closed. If anything does
/// not fit, or if an object cannot be constructed with the new code, everything is as it was. SIGHUP does the same.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = DEPLOY_EXAMPLES, after_help = "`dohost deploy --help` shows examples.")]
pub struct Deploy {
    #[command(flatten)]
    pub place: Place,

    /// Also if methods are gone or have other types, which breaks those who call them
    #[arg(long)]
    pub force: bool,
}

/// Where the objects are.
#[derive(Debug, ClapArgs)]
pub struct Place {
    /// The data directory of the host [default: what dohost.toml here says, or else ./.dohost]
    #[arg(long, global = true, value_name = "DIR", env = "DOHOST_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// A host that listens for management on TCP
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,

    /// The token of that host; better in the environment, where others do not see it
    #[arg(long, global = true, value_name = "TOKEN", env = "DOHOST_MANAGEMENT_TOKEN", hide_env_values = true)]
    pub token: Option<String>,

    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}
