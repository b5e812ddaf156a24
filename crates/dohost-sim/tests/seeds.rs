//! A few seeds with every run of the tests; thousands with `cargo xtask sim --seeds 5000`.

/// The seeds that every run of the tests covers.
const SEEDS: std::ops::Range<u64> = 0..50;

#[test]
fn what_clients_see_through_crashes_and_full_disks_is_what_was_promised() {
    let mut crashes = 0;
    for seed in SEEDS {
        let report = dohost_sim::run(seed).expect("the guests are built");
        let violations = report.violations.join("\n");
        assert!(violations.is_empty(), "{violations}\nagain: {}", dohost_sim::command(seed));
        crashes += report.crashes;
    }
    assert!(crashes > 20, "only {crashes} crashes: the weather is too good");
}

#[test]
fn a_seed_gives_the_same_journal_every_time() {
    for seed in [1, 2, 3] {
        let [first, second] = [0, 1].map(|_| dohost_sim::run(seed).expect("the guests are built").journal);
        let differs = first.lines().zip(second.lines()).find(|(first, second)| first != second);
        assert!(first == second, "seed {seed} runs in two ways, from here on: {differs:?}");
        assert!(first.lines().count() > 20, "seed {seed} does next to nothing");
    }
}
