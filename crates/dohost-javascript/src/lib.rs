//! JavaScript and TypeScript modules become components.
