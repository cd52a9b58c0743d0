//! Load over real sockets: `examples/resource_server` as a process of its own, with and without a look at the token.
//!
//! ```sh
//! scripts/load                                        # 1 000 000 requests with 100 000 tokens
//! scripts/load --quick
//! scripts/load requests=200000 tokens=20000 connections=64
//! ```

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot run says so")]

#[path = "../harness/mod.rs"]
mod harness;

mod process;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use harness::{Connection, Row, Unit, argument, percentile, quick, request_bytes, section};
use process::Process;
use tower_oauth::dev::DevServer;

const RESOURCE: &str = "https://api.example.com";

/// However slow the machine is: then the run ends, says so, and takes its processes with it.
const AT_MOST: Duration = Duration::from_secs(900);

const PROSE: &str = "\
`examples/resource_server`, with all its layers, as a process of its own; one thread of another process asks it over
kept-alive loopback connections, each of which sends its next request when it has its answer. `/me` needs a token,
`/public` is the same server where no token is looked at; both get the same bytes, and they take turns. Server and
client share the cores, so requests per second are those of both together: the processor time per request is the
server's own. Latencies are of a server that is kept busy, waiting for a core included.";

const DISTINCT: &str = "\
Tokens in random order, three times as many as verdicts are kept by default: the worst case of a cache, and two thirds
of the requests pay for a signature. What matters is that memory is bounded, whoever comes.";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = tokio::task::LocalSet::new();
    let ended = run.block_on(&runtime, async { tokio::time::timeout(AT_MOST, load()).await });
    ended.expect("the load took too long and was ended");
}

async fn load() {
    let number = |name, quick_one, usual| {
        let default = if quick() { quick_one } else { usual };
        argument(name).map_or(default, |given| given.parse().expect("a number"))
    };
    let (requests, count) = (number("requests", 30_000, 1_000_000), number("tokens", 5_000, 100_000));
    let connections = number("connections", 32, 32);
    let dev = DevServer::builder().token_lifetime(Duration::from_secs(7200)).audience(RESOURCE).quiet().start();
    let dev = dev.await.expect("an issuer");
    let server = Process::start(RESOURCE, dev.issuer_url()).await;
    let token = |number| {
        let builder = dev.token().subject(format!("user-{number}")).scope("orders:read orders:write");
        builder.claim("email", "ada@example.com").claim("sid", "b1946ac92492d2347c6235b4d2611184").sign()
    };
    let hot = token(0);
    let (public, me) = (Rc::new(vec![request_bytes("/public", &hot)]), Rc::new(vec![request_bytes("/me", &hot)]));

    section("Load over sockets", PROSE);
    let (rounds, each) = if quick() { (3, 3_000) } else { (20, 20_000) };
    let mut totals = [Totals::default(), Totals::default()];
    // The first requests have keys fetched and connections made.
    send(&server, &me, connections, 1000, |n| n).await;
    for _ in 0..rounds {
        for (totals, requests) in totals.iter_mut().zip([&public, &me]) {
            totals.add(send(&server, requests, connections, each, |n| n).await);
        }
    }
    let [without, with] = totals;
    let row = |what| Row::new(what).beside("/public");
    row("/me with a hot token").unit(Unit::PerSecond).over(without.per_second(), with.per_second());
    row("processor time of the server").over(without.processor_each(), with.processor_each());
    row("p50").over(without.percentile(50.0), with.percentile(50.0));
    row("p99").over(without.percentile(99.0), with.percentile(99.0));

    section("Many tokens over sockets", DISTINCT);
    let all = Rc::new((0..count).map(|number| request_bytes("/me", &token(number))).collect::<Vec<_>>());
    let memory = server.resident();
    let totals = send(&server, &all, connections, requests, scattered).await;
    let row = |what: &str| Row::new(format_args!("{requests} requests, {count} tokens: {what}"));
    row("rate").unit(Unit::PerSecond).alone(totals.per_second());
    row("processor time").alone(totals.processor_each());
    row("p50").alone(totals.percentile(50.0));
    row("p99").alone(totals.percentile(99.0));
    if let (Some(before), Some(after)) = (memory, server.resident()) {
        row("memory").beside("before").unit(Unit::Mebibytes).over(before, after);
    }
    server.stop().await;
    dev.stop().await;
}

/// A position that looks random and is the same in each run.
fn scattered(number: usize) -> usize {
    let mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32) as usize
}

#[derive(Default)]
struct Totals {
    latencies: Vec<f64>,
    elapsed: Duration,
    processor: Duration,
}

impl Totals {
    fn add(&mut self, more: Self) {
        self.latencies.extend(more.latencies);
        self.elapsed += more.elapsed;
        self.processor += more.processor;
    }

    fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn processor_each(&self) -> f64 {
        self.processor.as_nanos() as f64 / self.latencies.len() as f64
    }

    fn percentile(&self, percent: f64) -> f64 {
        percentile(self.latencies.clone(), percent)
    }
}

/// Sends so many requests over so many connections, the `n`-th of them chosen by `pick`. Every answer must be a 200.
async fn send(
    server: &Process,
    requests: &Rc<Vec<Vec<u8>>>,
    connections: usize,
    count: usize,
    pick: fn(usize) -> usize,
) -> Totals {
    let (began, processor) = (Instant::now(), server.processor());
    let each = count / connections;
    let tasks: Vec<_> = (0..connections)
        .map(|connection| {
            let requests = Rc::clone(requests);
            tokio::task::spawn_local(ask(server.address, requests, connection * each..(connection + 1) * each, pick))
        })
        .collect();
    let mut latencies = Vec::with_capacity(count);
    for task in tasks {
        latencies.extend(task.await.expect("a client that ends"));
    }
    Totals { latencies, elapsed: began.elapsed(), processor: server.processor().saturating_sub(processor) }
}

/// One connection's requests, one after the other, and how many nanoseconds each took.
async fn ask(
    address: SocketAddr,
    requests: Rc<Vec<Vec<u8>>>,
    numbers: std::ops::Range<usize>,
    pick: fn(usize) -> usize,
) -> Vec<f64> {
    let mut connection = Connection::open(address).await.expect("a connection");
    let mut latencies = Vec::with_capacity(numbers.len());
    for number in numbers {
        let began = Instant::now();
        let status = connection.send(&requests[pick(number) % requests.len()]).await.expect("an answer");
        assert_eq!(status, 200);
        latencies.push(began.elapsed().as_nanos() as f64);
    }
    latencies
}
