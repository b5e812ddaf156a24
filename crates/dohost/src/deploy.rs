//! New code for a host that runs: reads configuration and components again and hands them to the objects.

use std::sync::Arc;

use dohost_engine::Engine;
use dohost_object::{Deployed, Host};

use crate::args::Application;
use crate::config;
use crate::failure;
use crate::load::{self, Loaded};

/// See the module.
pub struct Deployer {
    pub engine: Engine,
    pub host: Host,
    pub application: Application,
}

impl Deployer {
    /// Loads all components again and gives them to their classes. Nothing changes if one of them does not fit.
    pub async fn deploy(self: &Arc<Self>) -> anyhow::Result<Deployed> {
        let this = self.clone();
        // Compiling takes long.
        let Loaded { classes, .. } = tokio::task::spawn_blocking(move || this.load()).await??;
        Ok(self.host.deploy(classes).await?)
    }

    fn load(&self) -> anyhow::Result<Loaded> {
        let plan = config::plan(&self.application, &config::host_environment)?;
        Ok(load::components(&self.engine, &plan)?)
    }

    /// Deploys whenever the process gets a SIGHUP.
    pub async fn deploy_on_signal(self: Arc<Self>) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        while hangup.recv().await.is_some() {
            tracing::info!("deploying: the components are read again");
            match self.deploy().await {
                Ok(deployed) => tracing::info!("{}", summary(&deployed)),
                Err(error) => tracing::error!("not deployed, everything is as it was: {}", failure::text(&error)),
            }
        }
        Ok(())
    }
}

/// What happened, in a line.
fn summary(deployed: &Deployed) -> String {
    let Deployed { changed, tried, untried, moved } = deployed;
    if changed.is_empty() {
        return "deployed: nothing has changed".into();
    }
    let mut text = format!("deployed: {} with {moved} more objects that move to the new code", changed.join(", "));
    if !tried.is_empty() {
        text.push_str(&format!("; tried by {}", tried.join(", ")));
    }
    if !untried.is_empty() {
        text.push_str(&format!("; the first object to start will try that of {}", untried.join(", ")));
    }
    text
}
