//! Bindings: the names under which a guest knows classes, beside the names under which they are served.

use std::collections::HashMap;
use std::sync::Arc;

/// Which class each binding of a guest means. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings(Arc<HashMap<String, String>>);

impl Bindings {
    /// The name of the class that a guest means. A binding comes before a class of the same name.
    pub(crate) fn class<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, String::as_str)
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().cloned().collect();
        names.sort_unstable();
        names
    }
}

impl FromIterator<(String, String)> for Bindings {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Bindings {
        Bindings(Arc::new(pairs.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_comes_before_a_class() {
        let bindings: Bindings = [("ROOMS", "room"), ("counter", "Counter2")]
            .map(|(name, class)| (name.to_string(), class.to_string()))
            .into_iter()
            .collect();
        assert_eq!(bindings.class("ROOMS"), "room");
        assert_eq!(bindings.class("counter"), "Counter2");
        assert_eq!(bindings.class("room"), "room");
    }
}
