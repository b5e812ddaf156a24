//! What somebody may have meant.

/// The one that is nearest to what was given, if it is near.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&given, &candidate.to_ascii_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= given.chars().count().max(3) / 3).then_some(candidate)
}

/// Advice: the nearest one if there is one, or else all of them.
pub fn help<'a>(given: &str, of_what: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(given, candidates.iter().copied()) {
        Some(nearest) => Some(format!("did you mean {nearest}?")),
        None if candidates.is_empty() => None,
        None => Some(format!("{of_what} are {}", candidates.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_suggested_and_nothing_else() {
        let keys = ["listen", "data_dir", "idle_timeout", "turn-cpu"];
        for (given, nearest_key) in [
            ("lisen", Some("listen")),
            ("data-dir", Some("data_dir")),
            ("idleTimeout", Some("idle_timeout")),
            ("turn_cpu", Some("turn-cpu")),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, keys), nearest_key, "{given}");
        }
        assert_eq!(help("port", "the keys", ["a", "b"]).unwrap(), "the keys are a, b");
        assert_eq!(help("port", "the keys", []), None);
    }
}
