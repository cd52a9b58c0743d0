//! The example `fleet` to its end: three replicas, one Redis, every fault, and no wrong accept.
//!
//! It is run as it was built, so `cargo test --test fleet` alone wants `cargo build --examples` before it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what goes wrong here is a failed test")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// It waits for two minutes and works for less than one; a busy machine may take far longer.
const LIMIT: Duration = Duration::from_secs(1200);

#[tokio::test]
async fn no_fault_of_a_fleet_makes_a_wrong_accept() {
    let this_test = std::env::current_exe().unwrap();
    let program = this_test.parent().and_then(Path::parent).unwrap().join("examples/fleet");
    assert!(program.exists(), "fleet is not built; do so by `cargo build --examples`");
    let output = Command::new(program).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(LIMIT, output).await.unwrap().unwrap();
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{printed}");
    assert!(output.status.success(), "{printed}\n{errors}");
    assert_eq!(printed.lines().last(), Some("wrong accepts: 0"), "{printed}");
    // The faults were there, and were felt.
    for (fault, felt) in
        [("10000 proofs, at two replicas", "20000"), ("Redis stopped", "0"), ("revoked users, at the end", "600")]
    {
        let row = printed.lines().find(|line| line.starts_with(fault)).unwrap_or_default();
        assert!(row.split_whitespace().any(|number| number == felt), "{fault}: {row}");
    }
}
