//! One hot token under several threads: does anything make them wait for each other?

use std::time::{Duration, Instant};

use axum::Router;
use tokio::runtime::{Builder, Runtime};
use tower::Service as _;

use crate::harness::{DoNothing, Fixture, Limit, Row, Unit, bare, percentile, quick, section, with};

const PROSE: &str = "\
64 tasks send the same token, first on one thread, then on two. Where nothing is shared that must be waited for, two
threads do twice the work, and the slowest requests are not much slower than the others. The layer that does nothing
shows what this machine's two cores can do at all.";

const TASKS: usize = 64;

pub(crate) fn run(fixture: &Fixture) {
    section("Two threads", PROSE);
    let (rounds, requests) = if quick() { (3, 64_000) } else { (11, 320_000) };
    let threads = [1, 2].map(|threads| {
        let mut runtime = Builder::new_multi_thread();
        runtime.worker_threads(threads).enable_all().build().expect("a runtime")
    });
    for (what, app) in [("do-nothing layer", bare().layer(DoNothing)), ("hot token", fixture.app())] {
        let mut throughputs = [vec![], vec![]];
        for _ in 0..rounds {
            for (runtime, throughputs) in threads.iter().zip(&mut throughputs) {
                let began = Instant::now();
                spread(runtime, &app, &fixture.token, requests, false);
                throughputs.push(requests as f64 / began.elapsed().as_secs_f64());
            }
        }
        let [one, two] = throughputs.map(|throughputs| percentile(throughputs, 50.0));
        let row = Row::new(format_args!("{what}, 64 tasks, two threads")).beside("one thread").unit(Unit::PerSecond);
        let row = if what == "hot token" { row.must(Limit::AtLeast(1.9)) } else { row };
        row.over(one, two);

        let mut medians = [vec![], vec![]];
        for _ in 0..rounds {
            let latencies = spread(&threads[1], &app, &fixture.token, requests, true);
            medians[0].push(percentile(latencies.clone(), 50.0));
            medians[1].push(percentile(latencies, 99.0));
        }
        let [p50, p99] = medians.map(|values| percentile(values, 50.0));
        let row = Row::new(format_args!("{what}, two threads, p99 of a request")).beside("p50");
        let row = if what == "hot token" { row.must(Limit::Times(2.0)) } else { row };
        row.over(p50, p99);
    }
    // Not dropped: their threads sleep from here on.
    threads.into_iter().for_each(Runtime::shutdown_background);
}

/// Sends requests from 64 tasks; the nanoseconds of each where `timed`.
fn spread(runtime: &Runtime, app: &Router, token: &str, requests: usize, timed: bool) -> Vec<f64> {
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (mut app, token) = (app.clone(), token.to_owned());
            runtime.spawn(async move {
                let mut latencies = Vec::with_capacity(if timed { requests / TASKS } else { 0 });
                for n in 0..requests / TASKS {
                    // So that tasks really take turns; not each time, or the scheduler would be measured.
                    if n % 16 == 15 {
                        tokio::task::yield_now().await;
                    }
                    let began = timed.then(Instant::now);
                    let response = app.call(with(&token)).await.expect("infallible");
                    let elapsed = began.map_or(Duration::ZERO, |began| began.elapsed());
                    assert_eq!(response.status(), 200);
                    if timed {
                        latencies.push(elapsed.as_nanos() as f64);
                    }
                }
                latencies
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(runtime.block_on(task).expect("a task that ends"));
    }
    all
}
