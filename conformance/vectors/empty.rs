//! Nothing: this package exists for what fetching it brings.
