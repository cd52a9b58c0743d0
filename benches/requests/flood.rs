//! Good users beside an attacker.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::harness::{Fixture, Row, Unit, call, percentile, quick, section, with};

const PROSE: &str = "\
One thread sends tokens with bad signatures as fast as it can; on another, a good user repeats his token. Bad signatures
are the dearest thing that a stranger can ask for. They are not cached, push out nobody's verdict, and hold no lock
that a good request waits for.";

pub(crate) fn run(fixture: &Fixture) {
    section("A flood of bad signatures", PROSE);
    let (rounds, requests) = if quick() { (3, 20_000) } else { (15, 100_000) };
    let forged = fixture.forged(1000);
    let (mut alone, mut beside) = ([vec![], vec![]], [vec![], vec![]]);
    let refused = AtomicU64::new(0);
    let mut flooded_for = 0.0;
    for _ in 0..rounds {
        push(&mut alone, good(fixture, requests));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _runtime = fixture.runtime.enter();
                let mut app = fixture.app();
                while !stop.load(Ordering::Relaxed) {
                    for token in forged.iter().take(16) {
                        assert_eq!(call(&mut app, with(token)), 401);
                    }
                    refused.fetch_add(16, Ordering::Relaxed);
                }
            });
            let began = Instant::now();
            push(&mut beside, good(fixture, requests));
            flooded_for += began.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
        });
    }
    let [p50, p99] = alone.map(|values| percentile(values, 50.0));
    let [flooded_p50, flooded_p99] = beside.map(|values| percentile(values, 50.0));
    Row::new("a good request beside the flood, p50").beside("without the flood").over(p50, flooded_p50);
    Row::new("a good request beside the flood, p99").beside("without the flood").over(p99, flooded_p99);
    let refused = refused.load(Ordering::Relaxed) as f64;
    Row::new("bad signatures refused meanwhile").unit(Unit::PerSecond).alone(refused / flooded_for);
}

fn push(into: &mut [Vec<f64>; 2], latencies: Vec<f64>) {
    into[0].push(percentile(latencies.clone(), 50.0));
    into[1].push(percentile(latencies, 99.0));
}

/// The nanoseconds of each request of a good user.
fn good(fixture: &Fixture, requests: usize) -> Vec<f64> {
    let mut app = fixture.app();
    let timed = |_| {
        let request = with(&fixture.token);
        let began = Instant::now();
        assert_eq!(call(&mut app, request), 200);
        began.elapsed().as_nanos() as f64
    };
    (0..requests).map(timed).collect()
}
