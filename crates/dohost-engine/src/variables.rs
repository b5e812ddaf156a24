//! The environment variables of a guest: all that it sees of the world that it is started in.
//!
//! Nothing of the host's own environment is among them. Some of them are secrets, so their values are shown to nobody but
//! the guest: not in `Debug`, and so not in logs and panics either.

use std::fmt;
use std::sync::Arc;

/// Names with values, each name once. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(Arc<[(String, String)]>);

impl Variables {
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Variables {
        Variables(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_variables_are_their_names() {
        let variables: Variables = [("API_KEY".to_string(), "hunter2".to_string())].into_iter().collect();
        assert_eq!(format!("{variables:?}"), r#"{"API_KEY"}"#);
    }
}
